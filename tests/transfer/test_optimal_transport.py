"""Plans pair rows of like class: what they add to the source's labels, and what is not looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from jointwatch.training.discrepancy import joint_cost, squared_distances, transport_plan
from jointwatch.transfer.optimal_transport import OptimalTransport

Make = Callable[..., Any]
OPTIONS: dict[str, Any] = {"epochs": 12, "learning_rate": 3e-3}


def test_it_beats_the_source_alone(against_source_only: Make) -> None:
    source, unaligned, aligned = against_source_only(OptimalTransport(**OPTIONS)).T
    assert aligned.min() > 0.9
    assert np.mean(aligned - source) > 0.15
    assert np.mean(aligned - unaligned) > 0.05  # it is the alignment, not the statistics of the target


def test_several_sources(against_source_only: Make) -> None:
    source, _, aligned = against_source_only(OptimalTransport(**OPTIONS), sources=(0.0, 0.1), seeds=(0,)).T
    assert aligned.min() > max(0.9, source.max() + 0.05)


@pytest.mark.parametrize("few", [False, True])
def test_labels_of_the_target_are_not_seen(
    few: bool, crosstalk: Make, small: Make, same_bits_with_scrambled_labels: Make
) -> None:
    labelled = crosstalk(0.48, 5, rows=6) if few else None
    sources = [crosstalk(0.0), crosstalk(0.1, 1)]
    assert same_bits_with_scrambled_labels(OptimalTransport(epochs=2), small(), sources, crosstalk(0.48), labelled)


def test_the_few_labelled_rows_are_used(crosstalk: Make, small: Make, accuracy: Make) -> None:
    """With most of a channel from its neighbour the nearest class is the wrong one; a few labels say so."""
    strategy, target, test = OptimalTransport(**OPTIONS), crosstalk(0.7, 1), crosstalk(0.7, 2)
    alone, helped = (
        strategy.align(small(), crosstalk(0.0), target, labelled) for labelled in (None, crosstalk(0.7, 3, rows=12))
    )
    assert accuracy(alone, test) < 0.5
    assert accuracy(helped, test) > 0.9


def test_mass_goes_to_rows_of_the_same_class(crosstalk: Make, small: Make) -> None:
    source, target = crosstalk(0.0, 7), crosstalk(0.48, 8)
    same = (source.label[:, None] == target.label).float()
    share = []
    for weight in (0.0, 1.0):
        network = OptimalTransport(weight=weight, **OPTIONS).align(small(), crosstalk(0.0), crosstalk(0.48))
        with torch.inference_mode():
            ours, theirs = network.embed(source.values), network.embed(target.values)
            alpha = 1 / float(squared_distances(ours, theirs).mean())
            plan = transport_plan(joint_cost(ours, theirs, source.label, network.head(theirs), alpha))
        share.append(float((plan * same).sum()))
    assert share[1] > max(0.9, share[0])


def test_both_parts_of_the_cost_count(crosstalk: Make, small: Make) -> None:
    found = [
        OptimalTransport(epochs=2, **part).align(small(), crosstalk(0.0), crosstalk(0.48)).head[1].weight
        for part in ({}, {"alpha": 0.0}, {"beta": 0.0})
    ]
    assert not torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
