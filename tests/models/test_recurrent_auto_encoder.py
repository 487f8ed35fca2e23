"""Windows come back in their shape, from a code that everything passes through; absent channels do not count."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from jointwatch.core.errors import UsageError
from jointwatch.models._recurrent_auto_encoder import RecurrentAutoEncoder
from jointwatch.training.data import Batch, Shuffled
from jointwatch.training.loop import fit
from jointwatch.training.options import Options
from jointwatch.training.reconstruction import Reconstruction
from jointwatch.training.seed import seeded

SMALL = {"filters": (6, 8), "kernels": (5, 3), "hidden": 7, "code": 4}


def small(channels: int = 3, length: int = 20, **changes: object) -> RecurrentAutoEncoder:
    with seeded(0):
        return RecurrentAutoEncoder(channels, length, **{**SMALL, **changes}).eval()  # type: ignore[arg-type]


def test_about_two_million_parameters_for_six_joints_with_four_signals() -> None:
    network = RecurrentAutoEncoder(channels=24, length=200)
    assert abs(sum(p.numel() for p in network.parameters()) - 2e6) < 0.15 * 2e6
    assert network.code == 128
    assert network.reads.bidirectional
    assert network.reads.num_layers == 2
    assert network.writes.bidirectional
    assert network.writes.num_layers == 2


@pytest.mark.parametrize("length", [1, 2, 7, 48, 201])
@pytest.mark.parametrize("channels", [1, 5])
def test_any_length_comes_back(length: int, channels: int) -> None:
    network = small(channels, length)
    values = torch.randn(3, channels, length, generator=torch.Generator().manual_seed(0))
    assert network(values).shape == values.shape
    assert network.encode(values).shape == (3, 4)
    torch.testing.assert_close(network(values)[1:2], network(values[1:2]))
    torch.testing.assert_close(network.decode(network.encode(values)), network(values))


def test_stored_arguments_build_the_same_network() -> None:
    network = small(layers=1)
    again = RecurrentAutoEncoder(**network.config()).eval()
    again.load_state_dict(network.state_dict())
    values = torch.ones(2, 3, 20)
    assert torch.equal(again(values), network(values))
    assert again.config() == network.config()


def test_what_stands_in_absent_channels_has_no_influence() -> None:
    network = small()
    values = torch.randn(4, 3, 20, generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([[True, True, False]]).repeat(4, 1)
    other = values.clone()
    other[:, 2] = 1e6
    rebuilt = network(values, mask)
    assert torch.equal(rebuilt, network(other, mask))
    assert (rebuilt[:, 2] == 0).all()
    assert not torch.equal(network.encode(values, mask), network.encode(values))


def test_gradient_reaches_every_parameter() -> None:
    network = small().train()
    values = torch.randn(8, 3, 20, generator=torch.Generator().manual_seed(0))
    (network(values) - values).square().mean().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum()] == []


def test_it_learns_more_shapes_than_its_code_has_figures() -> None:
    """Bumps at any place of the window, one figure each: new ones are rebuilt, which a straight code of 2 cannot."""
    rng = np.random.default_rng(0)

    def bumps(count: int) -> np.ndarray:
        place, size = rng.uniform(8, 32, (count, 1)), rng.uniform(0.5, 1.5, (count, 1))
        shape = size * np.exp(-0.5 * ((np.arange(40) - place) / 3) ** 2)
        return np.stack([shape, -shape[:, ::-1]], axis=1) * 2

    rows, new = bumps(400), bumps(60)
    network = small(2, 40, hidden=24, filters=(16, 16), code=2)
    batches = Shuffled(Batch.of_arrays(rows), 32, minimum_steps=8)
    fit(network, batches, Reconstruction(masked=True), Options(epochs=15, learning_rate=1e-2, clip_norm=1.0))
    with torch.inference_mode():
        rebuilt = network(torch.tensor(new, dtype=torch.float32)).numpy()
    flat, other = rows.reshape(400, -1), new.reshape(60, -1)
    axes = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)[2][:2]
    straight = (other - flat.mean(axis=0)) @ axes.T @ axes + flat.mean(axis=0)
    assert np.square(rebuilt - new).mean() < 0.5 * np.square(straight - other).mean()


def test_sizes_that_cannot_be_are_refused() -> None:
    with pytest.raises(UsageError, match="odd kernel"):
        small(kernels=(4, 3))
    with pytest.raises(UsageError, match="odd kernel"):
        small(filters=(4,))
    with pytest.raises(UsageError, match="1 or more"):
        small(hidden=0)
    with pytest.raises(UsageError, match=r"\(row, 3, 20\)"):
        small()(torch.zeros(2, 3, 21))
