"""MMD makes distributions alike: what it adds to the source's labels, and what it does not look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from jointwatch.training.discrepancy import mmd
from jointwatch.training.frozen import embed_all
from jointwatch.transfer.mmd import Mmd

Make = Callable[..., Any]
OPTIONS: dict[str, Any] = {"epochs": 12, "learning_rate": 3e-3}


def test_it_beats_the_source_alone(against_source_only: Make) -> None:
    source, unaligned, aligned = against_source_only(Mmd(**OPTIONS)).T
    assert aligned.min() > 0.9
    assert np.mean(aligned - source) > 0.15
    assert np.mean(aligned - unaligned) > 0.1  # it is the alignment, not the statistics of the target


def test_several_sources(against_source_only: Make) -> None:
    source, _, aligned = against_source_only(Mmd(**OPTIONS), sources=(0.0, 0.1), seeds=(0,)).T
    assert aligned.min() > max(0.9, source.max() + 0.05)


@pytest.mark.parametrize("few", [False, True])
def test_labels_of_the_target_are_not_seen(
    few: bool, crosstalk: Make, small: Make, same_bits_with_scrambled_labels: Make
) -> None:
    labelled = crosstalk(0.48, 5, rows=6) if few else None
    sources = [crosstalk(0.0), crosstalk(0.1, 1)]
    assert same_bits_with_scrambled_labels(Mmd(epochs=2), small(), sources, crosstalk(0.48), labelled)


def test_the_few_labelled_rows_are_used(crosstalk: Make, small: Make, accuracy: Make) -> None:
    """With most of a channel from its neighbour the nearest class is the wrong one; a few labels say so."""
    strategy, target, test = Mmd(**OPTIONS), crosstalk(0.7, 1), crosstalk(0.7, 2)
    alone, helped = (
        strategy.align(small(), crosstalk(0.0), target, labelled) for labelled in (None, crosstalk(0.7, 3, rows=12))
    )
    assert accuracy(alone, test) < 0.5
    assert accuracy(helped, test) > 0.9


def test_the_embeddings_are_alike(crosstalk: Make, small: Make) -> None:
    """On rows that nothing was trained on, both in the unit of their distances."""
    apart = []
    for weight in (0.0, 5.0):
        network = Mmd(weight=weight, **OPTIONS).align(small(), crosstalk(0.0), crosstalk(0.48))
        apart.append(float(mmd(*(embed_all(network, crosstalk(share, 9, rows=300)) for share in (0.0, 0.48)))))
    assert apart[1] < 0.5 * apart[0]
