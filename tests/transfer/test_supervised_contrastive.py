"""Strategy 4 pulls rows of a class together across brands; it beats the sources alone and uses the few labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from jointwatch.training.contrastive import supervised_contrastive
from jointwatch.training.seed import seeded
from jointwatch.transfer._adaptation import Embedded, Task
from jointwatch.transfer.supervised_contrastive import SupervisedContrastive

Make = Callable[..., Any]
OPTIONS: dict[str, Any] = {"epochs": 8, "learning_rate": 3e-3}
FIELDS = ("logits", "label", "domain", "target", "batch")


def test_it_beats_the_sources_alone(brands: Make, small: Make, source_only: Make, accuracy: Make) -> None:
    gains = []
    for seed in range(3):
        sources, test = [brands(k, seed) for k in (1, 2, 3)], brands(10 + seed, 90, rows=300)
        adapted = SupervisedContrastive(**OPTIONS).align(small(seed), sources, brands(10 + seed, seed), seed=seed)
        gains.append(accuracy(adapted, test) - accuracy(source_only(small(seed), sources, seed), test))
    assert np.mean(gains) > 0.1


def test_rows_of_one_class_pull_each_other_across_brands(brands: Make, small: Make) -> None:
    """What stands beside the cross-entropy is the loss on the projection of all rows with a label, of any brand."""
    domain, label = torch.tensor([0, 0, 1, 1, 2, 2, 2]), torch.tensor([0, 1, 0, -1, 0, 1, -1])
    task = Task((brands(1), brands(2)), brands(11), None, None, 0, "cpu", False)
    strategy = SupervisedContrastive(temperature=0.5)
    with seeded(0):
        opened = strategy._opened(small(), task)
    embedded = torch.randn(7, 16, generator=torch.Generator().manual_seed(0)).requires_grad_()
    rows = Embedded(embedded, torch.zeros(7, 3), label, domain, domain == 2, brands(1, rows=7))
    penalty = strategy._penalty(opened, rows, 0.5)
    projected = opened.get_submodule("projection")(embedded)
    torch.testing.assert_close(penalty, supervised_contrastive(projected, label, 0.5))
    (gradient,) = torch.autograd.grad(penalty, embedded)
    assert ((gradient != 0).any(dim=1) == (label >= 0)).all()
    with torch.no_grad():  # all of a class at one place, the classes far from each other
        one, other = torch.randn(2, 16, generator=torch.Generator().manual_seed(1))
        together = Embedded(torch.where(label[:, None] == 0, one, other), *[getattr(rows, n) for n in FIELDS])
        assert strategy._penalty(opened, together, 0.5) < penalty


def test_labelled_rows_of_the_target_take_part(brands: Make, small: Make, accuracy: Make) -> None:
    """No source has the third class of this target."""
    sources, few, test = [brands(k, classes=(0, 1)) for k in (1, 2)], brands(11, 5, rows=12), brands(11, 90, rows=300)
    alone, told = (
        SupervisedContrastive(**OPTIONS).align(small(), sources, brands(11), labelled) for labelled in (None, few)
    )
    assert accuracy(alone, test) < 0.7
    assert accuracy(told, test) > 0.8


def test_the_projection_is_thrown_away(brands: Make, small: Make) -> None:
    network = SupervisedContrastive(epochs=1).align(small(), brands(1), brands(10))
    assert network.state_dict().keys() == small().state_dict().keys()


@pytest.mark.parametrize("few", [False, True])
def test_labels_of_the_target_are_not_seen(
    few: bool, brands: Make, small: Make, same_bits_with_scrambled_labels: Make
) -> None:
    labelled = brands(10, 5, rows=6) if few else None
    strategy = SupervisedContrastive(epochs=2)
    assert same_bits_with_scrambled_labels(strategy, small(), [brands(1), brands(2)], brands(10), labelled)
