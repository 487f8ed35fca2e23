"""ADDA moves the target's encoder towards frozen sources and leaves the head as the sources taught it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from jointwatch.core.errors import UsageError
from jointwatch.training.frozen import embed_all
from jointwatch.transfer.adda import Adda

Make = Callable[..., Any]
OPTIONS: dict[str, Any] = {"epochs": 12, "learning_rate": 3e-3}


def test_it_beats_the_source_alone(against_source_only: Make) -> None:
    source, unaligned, aligned = against_source_only(Adda(**OPTIONS)).T
    assert aligned.min() > 0.9
    assert np.mean(aligned - source) > 0.15
    assert np.mean(aligned - unaligned) > 0.1  # it is the alignment, not the statistics of the target


def test_several_sources(against_source_only: Make) -> None:
    source, _, aligned = against_source_only(Adda(**OPTIONS), sources=(0.0, 0.1), seeds=(0,)).T
    assert aligned.min() > max(0.9, source.max() + 0.05)


@pytest.mark.parametrize("few", [False, True])
def test_labels_of_the_target_are_not_seen(
    few: bool, crosstalk: Make, small: Make, same_bits_with_scrambled_labels: Make
) -> None:
    labelled = crosstalk(0.48, 5, rows=6) if few else None
    assert same_bits_with_scrambled_labels(Adda(epochs=2), small(), [crosstalk(0.0)], crosstalk(0.48), labelled)


def test_the_few_labelled_rows_are_used(crosstalk: Make, small: Make, accuracy: Make) -> None:
    """With most of a channel from its neighbour the nearest class is the wrong one; a few labels say so."""
    strategy, target, test = Adda(**OPTIONS), crosstalk(0.7, 1), crosstalk(0.7, 2)
    alone, helped = (
        strategy.align(small(), crosstalk(0.0), target, labelled) for labelled in (None, crosstalk(0.7, 3, rows=12))
    )
    assert accuracy(alone, test) < 0.5
    assert accuracy(helped, test) > 0.9


def test_the_head_and_the_source_stay(crosstalk: Make, small: Make, source_only: Make) -> None:
    source, target = crosstalk(0.0), crosstalk(0.48)
    taught = source_only(small(), [source])
    before = {name: value.clone() for name, value in taught.state_dict().items()}
    adapted = Adda(epochs=2, source_epochs=0).align(taught, source, target)
    assert all(torch.equal(value, before[name]) for name, value in taught.state_dict().items())
    for name, value in adapted.part("head").items():
        assert torch.equal(value, before[name])
    assert not torch.equal(adapted.state_dict()["encoder.0.weight"], taught.state_dict()["encoder.0.weight"])


def test_the_first_stage_can_be_skipped(crosstalk: Make, small: Make) -> None:
    """Without it a new network keeps its random head."""
    source, target, new = crosstalk(0.0), crosstalk(0.48), small()
    skipped, trained = (Adda(epochs=1, source_epochs=epochs).align(new, source, target) for epochs in (0, None))
    assert torch.equal(skipped.state_dict()["head.1.weight"], new.state_dict()["head.1.weight"])
    assert not torch.equal(trained.state_dict()["head.1.weight"], new.state_dict()["head.1.weight"])
    for wrong in ({"source_epochs": -1}, {"encoder_rate": 0.0}):
        with pytest.raises(UsageError, match="adda"):
            Adda(**wrong).align(new, source, target)


def test_classes_of_the_target_move_to_those_of_the_source(crosstalk: Make, small: Make, source_only: Make) -> None:
    """Distance between the means of a class in both domains, on rows of the target that were not trained on."""
    source, target, new = crosstalk(0.0), crosstalk(0.48), crosstalk(0.48, 9)
    taught, distances = source_only(small(), [source], epochs=12), []
    goal = embed_all(taught, source)
    for weight in (0.0, 1.0):
        found = embed_all(Adda(**OPTIONS, source_epochs=0, weight=weight).align(taught, source, target), new)
        apart = [found[new.label == k].mean(dim=0) - goal[source.label == k].mean(dim=0) for k in range(3)]
        distances.append(float(torch.stack(apart).norm()))
    assert distances[1] < 0.5 * distances[0]
