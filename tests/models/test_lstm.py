"""The state after the last sample is what is classified."""

from __future__ import annotations

import pytest
import torch

from jointwatch.core.errors import UsageError
from jointwatch.models.lstm import Lstm
from jointwatch.training.seed import seeded


def test_one_layer_by_hand() -> None:
    with seeded(0):
        network, values = Lstm(3, hidden=4).eval(), torch.randn(2, 3, 6)
    weights = network.encoder
    hidden = cell = torch.zeros(2, 4)
    for at in range(6):
        gates = values[:, :, at] @ weights.weight_ih_l0.T + weights.bias_ih_l0
        gates = gates + hidden @ weights.weight_hh_l0.T + weights.bias_hh_l0
        i, f, g, o = gates.chunk(4, dim=1)
        cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
        hidden = o.sigmoid() * cell.tanh()
    torch.testing.assert_close(network.embed(values), hidden)


def test_order_in_time_matters_and_layers_stack() -> None:
    with seeded(0):
        network, values = Lstm(3, layers=2).eval(), torch.randn(2, 3, 6)
    assert not torch.allclose(network(values), network(values.flip(2)))
    assert {name for name, _ in network.named_parameters() if "_l1" in name}


@pytest.mark.parametrize("wrong", [{"layers": 0}, {"hidden": 0}, {"classes": 0}])
def test_impossible_sizes_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        Lstm(3, **wrong)
