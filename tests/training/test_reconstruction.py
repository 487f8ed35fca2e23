"""Auto-encoders learn to rebuild rows of their kind, and stop on groups that they do not learn from."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from jointwatch.core.errors import UsageError
from jointwatch.models._auto_encoder import AutoEncoder
from jointwatch.models._recurrent_auto_encoder import RecurrentAutoEncoder
from jointwatch.training.adversarial import domain_loss, strength_at
from jointwatch.training.data import Batch, Shuffled
from jointwatch.training.loop import fit
from jointwatch.training.options import Options
from jointwatch.training.reconstruction import (
    DomainBlind,
    DomainReconstruction,
    Reconstruction,
    fit_auto_encoder,
    held_out_groups,
)
from jointwatch.training.seed import seeded
from jointwatch.training.session import Progress, Session, session


def bumps(rows: int, seed: int = 0) -> np.ndarray:
    """(row, 60) a bump at one of many places: two figures tell all, no straight line does."""
    place = np.random.default_rng(seed).uniform(15, 45, rows)
    return np.exp(-0.5 * ((np.arange(60) - place[:, None]) / 5) ** 2) - 0.2


@pytest.mark.parametrize("length", [1, 7, 60, 2500])
def test_what_goes_in_comes_out_in_its_own_shape(length: int) -> None:
    network = AutoEncoder(length, code=4).eval()
    values = torch.randn(3, 1, length, generator=torch.Generator().manual_seed(0))
    assert network(values).shape == (3, 1, length)
    assert network.encode(values).shape == (3, 4)
    torch.testing.assert_close(network(values)[1:2], network(values[1:2]))
    again = AutoEncoder(**network.config())
    again.load_state_dict(network.state_dict())
    assert torch.equal(again(values), network(values))


def test_gradient_reaches_every_parameter() -> None:
    with seeded(0):
        network = AutoEncoder(60)
    values = torch.tensor(bumps(4)[:, None], dtype=torch.float32)
    torch.nn.functional.mse_loss(network(values), values).backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum()] == []


def test_sizes_that_cannot_be_are_refused() -> None:
    with pytest.raises(UsageError, match="odd kernels"):
        AutoEncoder(60, kernels=(4, 5))
    with pytest.raises(UsageError, match="1 or more"):
        AutoEncoder(60, pool=0)
    with pytest.raises(UsageError, match=r"\(row, 1, 60\)"):
        AutoEncoder(60)(torch.zeros(2, 1, 61))


def test_it_bends_where_principal_components_cannot() -> None:
    rows, new = bumps(400), bumps(100, seed=1)
    options = Options(epochs=40, learning_rate=5e-3)
    network, history = fit_auto_encoder(rows, np.arange(400) % 5 == 0, code=2, options=options)
    with torch.inference_mode():
        rebuilt = network(torch.tensor(new[:, None], dtype=torch.float32))[:, 0].numpy()
    axes = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)[2][:2]
    straight = (new - rows.mean(axis=0)) @ axes.T @ axes + rows.mean(axis=0)
    assert np.square(rebuilt - new).mean() < 0.5 * np.square(straight - new).mean()
    assert history.best_epoch is not None


def test_what_is_held_out_is_not_learned_from() -> None:
    rows = bumps(80)
    held = np.arange(80) < 20
    strange = np.where(held[:, None], rows[:, ::-1] * 7, rows)
    options = Options(epochs=3)  # no patience: held rows choose the epoch and nothing else
    one, other = (fit_auto_encoder(r, held, code=2, options=options) for r in (rows, strange))
    assert one[1].train_loss == other[1].train_loss
    assert one[1].validation_loss != other[1].validation_loss


def test_it_stops_when_the_held_out_groups_no_longer_gain() -> None:
    rng = np.random.default_rng(0)
    rows, held = rng.standard_normal((40, 60)), np.arange(40) < 20  # nothing to learn that holds
    history = fit_auto_encoder(rows, held, options=Options(epochs=200, learning_rate=1e-2, patience=3))[1]
    assert history.ended == "patience"
    assert len(history.train_loss) < 200
    assert history.best_epoch == int(np.argmin(history.validation_loss))


def test_same_seed_same_weights_and_progress_is_told() -> None:
    heard: list[Progress] = []
    options, held = Options(epochs=2), np.zeros(30, bool)
    with session(Session(progress=heard.append)):
        one = fit_auto_encoder(bumps(30), held, options=options)[0]
    other, third = (fit_auto_encoder(bumps(30), held, options=o)[0] for o in (options, Options(epochs=2, seed=1)))
    weights = [torch.cat([p.flatten() for p in network.parameters()]) for network in (one, other, third)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert heard[-1].epoch == 2


def test_rows_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UsageError, match="one flag each"):
        fit_auto_encoder(bumps(10), np.ones(10, bool))
    with pytest.raises(UsageError, match="one flag each"):
        fit_auto_encoder(bumps(10), np.zeros(9, bool))


def test_groups_are_held_out_whole() -> None:
    groups = np.repeat([f"g{k}" for k in range(10)], 4)
    held = held_out_groups(groups, 0.2, seed=3)
    assert len(np.unique(groups[held])) == 2
    assert not set(groups[held]) & set(groups[~held])
    assert not held_out_groups(np.full(5, "one"), 0.2, seed=0).any()


def test_error_is_the_mean_over_channels_that_are_there() -> None:
    class Zero(torch.nn.Module):
        def forward(self, values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return torch.zeros_like(values)

    values = np.stack([np.full((2, 5), 1.0), np.full((2, 5), 3.0)]).transpose(1, 0, 2)
    mask = np.array([[True, True], [True, False]])
    loss = Reconstruction(masked=True)(Zero(), Batch.of_arrays(values, mask), 0.0)
    assert float(loss) == pytest.approx((1 + 9 + 1) / 3)


def _two_brands(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(row, 1, 16) sines of any size, of which the second brand's ride on a small step; and the brand of each row."""
    rng = np.random.default_rng(seed)
    brand = np.arange(rows) % 2
    values = rng.standard_normal((rows, 1, 1)) * np.sin(np.arange(16) * 0.8)
    return values + brand[:, None, None] * np.where(np.arange(16) < 8, 0.4, -0.4), brand


def _blind() -> DomainBlind:
    with seeded(0):
        return DomainBlind(RecurrentAutoEncoder(1, 16, (8,), (3,), hidden=8, layers=1, code=4), domains=2)


@pytest.mark.parametrize(("weight", "progress"), [(0.0, 1.0), (1.0, 0.1), (3.0, 1.0)])
def test_the_encoder_works_against_the_discriminator_by_weight_and_progress(weight: float, progress: float) -> None:
    """Gradients: the discriminator's is that of the domain loss; the encoder's that of the reconstruction minus weight
    x strength times that of the domain loss; the decoder's that of the reconstruction."""
    values, brand = _two_brands(32)
    data, blind = Batch.of_arrays(values, domain=brand), _blind().eval()
    reconstruction = Reconstruction(masked=True)(blind, data, progress)
    domain = domain_loss(blind.discriminator(blind.network.encode(data.values)), data.domain)
    whole = DomainReconstruction(weight)(blind, data, progress)
    torch.testing.assert_close(whole, reconstruction + domain)
    names, parameters = zip(*blind.named_parameters(), strict=True)
    of_reconstruction, of_domain, of_whole = (
        torch.autograd.grad(loss, parameters, allow_unused=True) for loss in (reconstruction, domain, whole)
    )
    sides = {"discriminator": 0, "encoder": 0, "decoder": 0}
    for name, rebuild, tell, found in zip(names, of_reconstruction, of_domain, of_whole, strict=True):
        if name.startswith("discriminator"):
            side, expected = "discriminator", tell
        elif tell is None:
            side, expected = "decoder", rebuild
        else:
            side, expected = "encoder", rebuild - weight * strength_at(progress) * tell
        sides[side] += 1
        torch.testing.assert_close(found, expected, msg=name)
    assert min(sides.values()) > 2


def test_at_weight_zero_the_auto_encoder_is_trained_as_without_discriminator() -> None:
    values, brand = _two_brands(64)
    data = Batch.of_arrays(values, domain=brand)
    alone, watched = _blind().network, _blind()
    for trained, objective in ((alone, Reconstruction(masked=True)), (watched, DomainReconstruction(0.0))):
        fit(trained, Shuffled(data, 16), objective, Options(epochs=2))
    for one, other in zip(alone.parameters(), watched.network.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
