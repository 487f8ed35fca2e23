"""DSAN aligns class by class: what it adds to the source's labels, and what it does not look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from jointwatch.transfer._adaptation import Embedded
from jointwatch.transfer.dsan import Dsan
from jointwatch.transfer.mmd import Mmd

Make = Callable[..., Any]
OPTIONS: dict[str, Any] = {"epochs": 12, "learning_rate": 3e-3}


def test_it_beats_the_source_alone(against_source_only: Make) -> None:
    source, unaligned, aligned = against_source_only(Dsan(**OPTIONS)).T
    assert aligned.min() > 0.9
    assert np.mean(aligned - source) > 0.15
    assert np.mean(aligned - unaligned) > 0.1  # it is the alignment, not the statistics of the target


def test_several_sources(against_source_only: Make) -> None:
    source, _, aligned = against_source_only(Dsan(**OPTIONS), sources=(0.0, 0.1), seeds=(0,)).T
    assert aligned.min() > max(0.9, source.max() + 0.05)


@pytest.mark.parametrize("few", [False, True])
def test_labels_of_the_target_are_not_seen(
    few: bool, crosstalk: Make, small: Make, same_bits_with_scrambled_labels: Make
) -> None:
    labelled = crosstalk(0.48, 5, rows=6) if few else None
    sources = [crosstalk(0.0), crosstalk(0.1, 1)]
    assert same_bits_with_scrambled_labels(Dsan(epochs=2), small(), sources, crosstalk(0.48), labelled)


def test_the_few_labelled_rows_are_used(crosstalk: Make, small: Make, accuracy: Make) -> None:
    """With most of a channel from its neighbour the nearest class is the wrong one; a few labels say so."""
    strategy, target, test = Dsan(**OPTIONS), crosstalk(0.7, 1), crosstalk(0.7, 2)
    alone, helped = (
        strategy.align(small(), crosstalk(0.0), target, labelled) for labelled in (None, crosstalk(0.7, 3, rows=12))
    )
    assert accuracy(alone, test) < 0.5
    assert accuracy(helped, test) > 0.9


def test_classes_in_other_shares(crosstalk: Make, small: Make, accuracy: Make) -> None:
    """The target has hardly a row of one class: aligned as a whole others are taken for it, class by class they are
    not."""
    target, test = crosstalk(0.4, 1, rows=240), crosstalk(0.4, 2, rows=300)
    rare = target.take(np.flatnonzero((target.label.numpy() != 2) | (np.arange(240) % 16 == 0)))
    whole, classes = (
        accuracy(strategy(**OPTIONS).align(small(), crosstalk(0.0), rare), test) for strategy in (Mmd, Dsan)
    )
    assert classes > whole + 0.05


def test_known_labels_replace_guesses() -> None:
    """Two rows of the target that are guessed wrong are far from the source's rows of that class; told right, near."""
    embedded = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 0.1], [4.0, 0.1]])
    logits = torch.tensor([[9.0, -9.0], [-9.0, 9.0], [-9.0, 9.0], [9.0, -9.0]])
    target, penalty = torch.tensor([False, False, True, True]), []
    for told in (-1, 0):
        label = torch.tensor([0, 1, told, 1 if told == 0 else -1])
        rows = Embedded(embedded, logits, label, target.long(), target, batch=None)  # type: ignore[arg-type]
        penalty.append(float(Dsan()._penalty(torch.nn.Identity(), rows, progress=1.0)))
    assert penalty[1] < 0.1 * penalty[0]
