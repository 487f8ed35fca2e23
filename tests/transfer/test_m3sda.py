"""M3SDA matches moments over all domains: what it adds to the sources' labels, and what it does not look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from jointwatch.models.base import Network
from jointwatch.training.discrepancy import moment_distance
from jointwatch.transfer.m3sda import M3sda

Make = Callable[..., Any]
OPTIONS: dict[str, Any] = {"epochs": 12, "learning_rate": 3e-3}


def test_it_beats_the_source_alone(against_source_only: Make) -> None:
    source, pairs_alone, aligned = against_source_only(M3sda(**OPTIONS), sources=(0.0, 0.1)).T
    assert aligned.min() > 0.95
    assert np.mean(aligned - source) > 0.08
    assert np.mean(pairs_alone - source) > 0.08


@pytest.mark.parametrize("few", [False, True])
def test_labels_of_the_target_are_not_seen(
    few: bool, crosstalk: Make, small: Make, same_bits_with_scrambled_labels: Make
) -> None:
    labelled = crosstalk(0.48, 5, rows=6) if few else None
    sources = [crosstalk(0.0), crosstalk(0.1, 1)]
    assert same_bits_with_scrambled_labels(M3sda(epochs=2), small(), sources, crosstalk(0.48), labelled)


def test_the_few_labelled_rows_are_used(crosstalk: Make, small: Make, accuracy: Make) -> None:
    """With most of a channel from its neighbour the nearest class is the wrong one; a few labels say so."""
    strategy, target, test = M3sda(**OPTIONS), crosstalk(0.7, 1), crosstalk(0.7, 2)
    alone, helped = (
        strategy.align(small(), crosstalk(0.0), target, labelled) for labelled in (None, crosstalk(0.7, 3, rows=12))
    )
    assert accuracy(alone, test) < 0.5
    assert accuracy(helped, test) > 0.9


def test_moments_without_pairs(against_source_only: Make) -> None:
    source, unaligned, aligned = against_source_only(M3sda(pairs=0.0, **OPTIONS), sources=(0.0, 0.1)).T
    assert np.mean(aligned - source) > 0.08
    assert np.mean(aligned - unaligned) > 0.05  # which has statistics of the target too


def test_one_source(against_source_only: Make) -> None:
    source, _, aligned = against_source_only(M3sda(**OPTIONS), seeds=(0,)).T
    assert aligned.min() > max(0.9, source.max() + 0.05)


def test_all_domains_get_the_same_moments(crosstalk: Make, small: Make) -> None:
    """Means and mean squares of the embeddings, on rows that nothing was trained on, relative to their spread."""
    shares, apart = (0.0, 0.25, 0.48), []
    for weight in (0.0, 1.0):
        strategy = M3sda(weight=weight, pairs=0.0, **OPTIONS)
        network = strategy.align(small(), [crosstalk(share) for share in shares[:2]], crosstalk(shares[2])).train()
        with torch.inference_mode():  # each domain normalised by itself, as where they are aligned
            rows = [network.embed(crosstalk(share, 9, rows=300).values) for share in shares]
        rows = [each / torch.cat(rows).std(dim=0).mean() for each in rows]
        apart.append(float(moment_distance(rows[:2], rows[2])))
    assert apart[1] < 0.6 * apart[0]


def test_the_pairs_are_not_kept(crosstalk: Make, small: Make) -> None:
    given = small()
    network = M3sda(epochs=1).align(given, crosstalk(0.0), crosstalk(0.48))
    assert isinstance(network, Network)
    assert network.state_dict().keys() == given.state_dict().keys()
