"""The published network is a setting of the 1-D encoder."""

from __future__ import annotations

import torch

from jointwatch.models.cnn1d import Cnn1d
from jointwatch.models.fcn import Fcn
from jointwatch.training.seed import seeded


def test_parameters() -> None:
    count = sum(p.numel() for p in Fcn(9).parameters())
    assert count == 9 * 128 * 7 + 128 * 256 * 5 + 256 * 128 * 3 + 2 * (128 + 256 + 128) + 128 * 2 + 2


def test_same_as_the_encoder_in_these_sizes() -> None:
    with seeded(0):
        network, values = Fcn(4).eval(), torch.randn(2, 4, 16)
    twin = Cnn1d(4, filters=(128, 256, 128), kernels=(7, 5, 3)).eval()
    twin.load_state_dict(network.state_dict())
    assert torch.equal(network(values), twin(values))
