"""The network of AdaTime's benchmark, written as 1 x k convolutions."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from jointwatch.core.errors import UsageError
from jointwatch.models.pooled_cnn import PooledCnn
from jointwatch.training.seed import seeded


def test_same_as_in_one_dimension() -> None:
    with seeded(0):
        network, values = PooledCnn(9, classes=6).eval(), torch.randn(4, 9, 128)
    layers: list[nn.Module] = []
    for inputs, outputs, size in ((9, 64, 5), (64, 128, 8), (128, 128, 8)):
        layers += [nn.Conv1d(inputs, outputs, size, padding=size // 2, bias=False), nn.BatchNorm1d(outputs), nn.ReLU()]
        layers += [nn.MaxPool1d(2, stride=2, padding=1)]
    layers.insert(4, nn.Dropout(0.5))
    twin = nn.Sequential(*layers).eval()
    state = network.encoder.state_dict()
    twin.load_state_dict({name: value.squeeze(2) if value.ndim == 4 else value for name, value in state.items()})
    torch.testing.assert_close(network.embed(values), twin(values).mean(dim=2), rtol=1e-5, atol=1e-6)


def test_dropout_is_behind_the_first_layer() -> None:
    with seeded(0):
        network, values = PooledCnn(2, dropout=1.0).train(), torch.randn(3, 2, 32)
        embedded = network.embed(values)
    assert embedded.std(dim=0).max() < 1e-6  # nothing of the rows is left


@pytest.mark.parametrize("options", [{"filters": (4, 4)}, {"filters": (), "kernels": ()}, {"kernels": (5, 8, 0)}])
def test_sizes_that_are_none(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="kernel"):
        PooledCnn(2, **options)
