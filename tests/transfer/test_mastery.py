"""Alignment waits until the classes are known."""

from __future__ import annotations

import math

import pytest
import torch

from jointwatch.training.adversarial import strength_at
from jointwatch.transfer._adaptation import Embedded
from jointwatch.transfer._mastery import mastery, strength_of


def rows(logits: torch.Tensor, label: torch.Tensor, target: torch.Tensor) -> Embedded:
    return Embedded(logits, logits, label, target.long(), target, batch=None)  # type: ignore[arg-type]


def test_from_a_guess_to_certainty() -> None:
    label, source = torch.tensor([0, 1, 2, 1]), torch.zeros(4, dtype=torch.bool)
    right = torch.nn.functional.one_hot(label, 3).float()
    for size, expected in ((0.0, 0.0), (50.0, 1.0), (-3.0, 0.0)):
        assert float(mastery(rows(size * right, label, source))) == pytest.approx(expected, abs=1e-6)
    between = [float(mastery(rows(size * right, label, source))) for size in (0.5, 1.0, 2.0, 4.0)]
    assert between == sorted(between)
    assert float(strength_of(rows(50 * right, label, source), 0.1)) == pytest.approx(strength_at(0.1), abs=1e-6)


def test_each_class_counts_the_same() -> None:
    """Nine rows of one class are known, the one of the other is guessed."""
    label = torch.tensor([0] * 9 + [1])
    logits = torch.zeros(10, 2)
    logits[:9, 0] = 50.0
    assert float(mastery(rows(logits, label, torch.zeros(10, dtype=torch.bool)))) == pytest.approx(0.5, abs=1e-6)


def test_only_labelled_rows_of_sources_count() -> None:
    logits = torch.tensor([[math.log(3.0), 0.0], [0.0, 50.0], [50.0, 0.0]], requires_grad=True)
    label = torch.tensor([0, -1, 1])
    found = mastery(rows(logits, label, torch.tensor([False, False, True])))
    assert float(found) == pytest.approx(1 - math.log(4 / 3) / math.log(2))
    assert not found.requires_grad
    assert float(mastery(rows(logits, torch.full((3,), -1), torch.zeros(3, dtype=torch.bool)))) == 0
