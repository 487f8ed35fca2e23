"""CyCADA's translators learn how the target's signals differ, and its classifier reads the target's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from jointwatch.core.errors import UsageError
from jointwatch.training.data import Batch
from jointwatch.transfer._adaptation import Task
from jointwatch.transfer.cdan import Cdan
from jointwatch.transfer.cycada import Cycada

Make = Callable[..., Any]
OPTIONS: dict[str, Any] = {"epochs": 12, "learning_rate": 3e-3}


def test_it_beats_the_source_alone(against_source_only: Make) -> None:
    source, unaligned, aligned = against_source_only(Cycada(**OPTIONS), Cdan(**OPTIONS, weight=0.0), seeds=(0, 1)).T
    assert aligned.min() > 0.9
    assert np.mean(aligned - source) > 0.15
    assert np.mean(aligned - unaligned) > 0.1  # it is not the statistics of the target


def test_several_sources(against_source_only: Make) -> None:
    source, _, aligned = against_source_only(
        Cycada(**OPTIONS), Cdan(**OPTIONS, weight=0.0), sources=(0.0, 0.1), seeds=(0,)
    ).T
    assert aligned.min() > max(0.9, source.max() + 0.05)


@pytest.mark.parametrize("few", [False, True])
def test_labels_of_the_target_are_not_seen(
    few: bool, crosstalk: Make, small: Make, same_bits_with_scrambled_labels: Make
) -> None:
    labelled = crosstalk(0.48, 5, rows=6) if few else None
    assert same_bits_with_scrambled_labels(Cycada(epochs=2), small(), [crosstalk(0.0)], crosstalk(0.48), labelled)


def test_the_few_labelled_rows_are_used(crosstalk: Make, small: Make, accuracy: Make) -> None:
    """With most of a channel from its neighbour the nearest class is the wrong one; a few labels say so."""
    strategy, target, test = Cycada(**OPTIONS), crosstalk(0.7, 1), crosstalk(0.7, 2)
    alone, helped = (
        strategy.align(small(), crosstalk(0.0), target, labelled) for labelled in (None, crosstalk(0.7, 3, rows=12))
    )
    assert accuracy(helped, test) > max(0.9, accuracy(alone, test) + 0.1)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_translator_learns_gain_and_offset(seed: int, crosstalk: Make, small: Make) -> None:
    """Rows of the domains are not paired; on new rows the translation is compared with what the target would have
    measured of the same movement."""
    gain, offset = torch.tensor([[1.8], [0.5], [1.0]]), torch.tensor([[2.0], [-1.5], [0.0]])

    def measured(batch: Batch) -> Batch:
        return replace(batch, values=gain * batch.values + offset)

    target, new = measured(crosstalk(0.0, seed + 10)), crosstalk(0.0, seed + 20)
    task = Task((crosstalk(0.0, seed).of_domain(0),), target.unlabelled().of_domain(1), None, None, seed, "cpu", False)
    strategy = Cycada(epochs=40, source_epochs=5, learning_rate=2e-3, schedule="cosine")
    studio = strategy._trained(small(seed), task)
    with torch.inference_mode():
        there, back = studio.to_target[0](new.values), studio.to_source[0](measured(new).values)
    for found, truth, start in (
        (there, measured(new).values, new.values),
        (back, new.values, measured(new).values),
    ):
        error, before = ((each - truth).square().mean() for each in (found, start))
        assert error < 0.15 * before
    slopes = [np.polyfit(new.values[:, k].flatten(), there[:, k].flatten(), 1)[0] for k in range(3)]
    assert slopes[0] > 1.15
    assert slopes[1] < 0.85
    assert slopes[2] == pytest.approx(1, abs=0.15)


def test_channels_that_a_robot_lacks_are_not_translated(crosstalk: Make, small: Make) -> None:
    """What stands in them has no influence."""

    def without(batch: Batch, channel: int, filler: float) -> Batch:
        values, mask = batch.values.clone(), batch.mask.clone()
        values[:, channel], mask[:, channel] = filler, False
        return replace(batch, values=values, mask=mask)

    found = [
        Cycada(epochs=1).align(small(), without(crosstalk(0.0), 2, filler), without(crosstalk(0.48), 1, filler))
        for filler in (0.0, 9.0)
    ]
    assert all(torch.equal(value, found[1].state_dict()[name]) for name, value in found[0].state_dict().items())


def test_terms_can_be_left_out(crosstalk: Make, small: Make) -> None:
    source, target = crosstalk(0.0), crosstalk(0.48)
    settings: list[dict[str, Any]] = [{}, {"cycle": 0.0}, {"semantic": 0.0}, {"source_epochs": 0}]
    weights = [
        Cycada(epochs=2, **each).align(small(), source, target).state_dict()["encoder.0.weight"] for each in settings
    ]
    assert all(not torch.equal(weights[0], other) for other in weights[1:])
    for wrong in ({"source_epochs": -1}, {"cycle": -1.0}, {"semantic": -1.0}):
        with pytest.raises(UsageError, match="cycada"):
            Cycada(**wrong).align(small(), source, target)
