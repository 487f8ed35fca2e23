"""The losses are the formulas they stand for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.nn import functional

from jointwatch.models.cnn1d import Cnn1d
from jointwatch.training.data import Batch
from jointwatch.training.objectives import HeldOut, Supervised, balanced_weights, cross_entropy


@pytest.mark.parametrize("weights", [None, torch.tensor([0.5, 2.0, 1.0])])
def test_cross_entropy_agrees_with_torch(weights: torch.Tensor | None) -> None:
    logits = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    label = torch.arange(20) % 4 - 1
    expected = functional.cross_entropy(logits, label, weights, ignore_index=-1)
    torch.testing.assert_close(cross_entropy(logits, label, weights), expected)


def test_rows_without_a_label_do_not_count() -> None:
    logits = torch.randn(4, 2, requires_grad=True)
    loss = cross_entropy(logits, torch.full((4,), -1))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_each_class_counts_the_same() -> None:
    label = np.array([0] * 9 + [1] * 3 + [-1] * 5)
    weights = balanced_weights(label)
    assert weights[0] * 9 == pytest.approx(weights[1] * 3)
    assert weights[0] * 9 + weights[1] * 3 == pytest.approx(12)
    assert balanced_weights(np.zeros(4, int)) == (1.0, 0.0)


def test_held_out_is_the_mean_in_evaluation_mode(tiny: Callable[..., Cnn1d], two_classes: Callable[..., Batch]) -> None:
    network, data = tiny().train(), two_classes(23)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    pieces = HeldOut(Supervised(), data, batch_size=5)(network)
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert pieces == pytest.approx(cross_entropy(network.eval()(data.values), data.label).item(), rel=1e-5)
