"""The encoder is the one it says it is, on the fast path too."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from jointwatch.core.errors import UsageError
from jointwatch.models.base import set_memory_format
from jointwatch.models.cnn1d import Cnn1d
from jointwatch.training.seed import seeded


def plain_twin(network: Cnn1d) -> nn.Module:
    """The same network written with 1-D layers."""
    layers: list[nn.Module] = []
    for module in network.encoder:
        if isinstance(module, nn.Conv2d):
            size = module.kernel_size[1]
            layer = nn.Conv1d(module.in_channels, module.out_channels, size, padding=size // 2, bias=False)
            layer.weight.data = module.weight.detach()[:, :, 0].clone()
            layers.append(layer)
        elif isinstance(module, nn.BatchNorm2d):
            layers.append(nn.BatchNorm1d(module.num_features))
        else:
            layers.append(nn.ReLU())
    head = nn.Linear(network.filters[-1], network.classes)
    head.load_state_dict(network.head[1].state_dict())
    return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), head)


def test_parameters() -> None:
    count = sum(p.numel() for p in Cnn1d(24).parameters())
    assert count == 24 * 64 * 7 + 64 * 128 * 5 + 128 * 256 * 3 + 2 * (64 + 128 + 256) + 256 * 2 + 2
    assert 1e5 < count < 5e5


@pytest.mark.parametrize("channels_last", [False, True])
def test_same_outputs_and_gradients_as_1d_layers(channels_last: bool) -> None:
    with seeded(0):
        network, values = Cnn1d(5, filters=(8, 12, 16)), torch.randn(7, 5, 33)
    twin = plain_twin(network)
    set_memory_format(network, channels_last=channels_last)
    for module in (network, twin):
        module.train()(values).square().sum().backward()
    # the batch norms' running statistics moved in this step
    torch.testing.assert_close(network.eval()(values), twin.eval()(values), rtol=1e-4, atol=1e-5)
    for one, other in zip(network.parameters(), twin.parameters(), strict=True):
        assert one.grad is not None
        assert other.grad is not None
        torch.testing.assert_close(one.grad.reshape(other.grad.shape), other.grad, rtol=1e-3, atol=1e-4)


def test_a_masked_arm_scores_as_in_a_network_of_its_own_width() -> None:
    with seeded(0):
        wide, values = Cnn1d(7, filters=(8, 8, 8)), torch.randn(3, 7, 20)
    narrow = Cnn1d(6, filters=(8, 8, 8))
    state = wide.state_dict()
    state["encoder.0.weight"] = state["encoder.0.weight"][:, :6]
    narrow.load_state_dict(state)
    mask = torch.tensor([[True] * 6 + [False]] * 3)
    torch.testing.assert_close(wide.eval()(values, mask), narrow.eval()(values[:, :6]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("wrong", [{"kernels": (7, 4, 3)}, {"kernels": (7, 5)}, {"filters": (), "kernels": ()}])
def test_impossible_layers_are_refused(wrong: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(UsageError):
        Cnn1d(3, **wrong)
