"""Statistics measured again are those of the data."""

from __future__ import annotations

from collections.abc import Callable

import torch

from jointwatch.models.base import batch_norms
from jointwatch.models.cnn1d import Cnn1d
from jointwatch.training.batch_norm import estimate_statistics, reset_statistics
from jointwatch.training.data import Batch, Shuffled


def test_first_layer_has_the_mean_and_variance_of_its_inputs(
    tiny: Callable[..., Cnn1d], two_classes: Callable[..., Batch]
) -> None:
    network, data = tiny(), two_classes(60)
    parameters = {name: value.clone() for name, value in network.named_parameters()}
    network.train()
    estimate_statistics(network, Shuffled(data, batch_size=20))
    assert network.training
    inputs = network.encoder[0](data.values.unsqueeze(2))
    first = batch_norms(network)[0]
    torch.testing.assert_close(first.running_mean, inputs.mean((0, 2, 3)), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(first.running_var, inputs.var((0, 2, 3)), rtol=0.05, atol=0.01)
    assert first.momentum == 0.1
    assert all(torch.equal(value, parameters[name]) for name, value in network.named_parameters())


def test_reset_forgets_everything(tiny: Callable[..., Cnn1d], two_classes: Callable[..., Batch]) -> None:
    network = tiny()
    estimate_statistics(network, Shuffled(two_classes(), 20))
    reset_statistics(network)
    for norm in batch_norms(network):
        assert not norm.running_mean.any()
        assert (norm.running_var == 1).all()
