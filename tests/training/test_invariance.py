"""Penalties are zero where groups agree, grow where they do not, and make a network rely on what groups share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from jointwatch.core.errors import UsageError
from jointwatch.models.base import Network
from jointwatch.models.cnn1d import Cnn1d
from jointwatch.training.data import Batch, Shuffled
from jointwatch.training.invariance import Coral, VRex, coral, group_risks
from jointwatch.training.loop import fit
from jointwatch.training.objectives import HeldOut, Supervised, cross_entropy
from jointwatch.training.options import Options
from jointwatch.training.seed import seeded

Data = Callable[..., Batch]
Make = Callable[..., Cnn1d]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_coral_is_the_published_formula() -> None:
    """Two groups of equal means: half of the squared Frobenius distance of the covariances / (4 d^2) / 2."""
    one, other = normal(30, 5), normal(40, 5, seed=1) * torch.arange(1, 6)
    one, other = one - one.mean(dim=0), other - other.mean(dim=0)
    spread = (torch.cov(one.T) - torch.cov(other.T)).square().sum() / (4 * 5**2)
    domain = torch.cat([torch.full((30,), 3), torch.full((40,), 8)])
    # Each of the two is half the distance away from their mean.
    torch.testing.assert_close(coral(torch.cat([one, other]), domain), spread / 4)


def test_coral_sees_means_and_covariances_and_nothing_else() -> None:
    rows, domain = normal(60, 4), torch.arange(60) // 20
    same = rows[:20].repeat(3, 1)
    assert coral(same, domain) == pytest.approx(0, abs=1e-12)
    assert coral(rows, torch.zeros(60, dtype=torch.int64)) == 0
    torch.testing.assert_close(coral(rows, domain), coral(rows + 7, domain))
    torch.testing.assert_close(coral(rows, domain), coral(rows, 2 - domain))
    shifted = same + torch.tensor([0.0, 1.0, 2.0]).double().repeat_interleave(20)[:, None]
    assert float(coral(shifted, domain)) == pytest.approx(2 / 3)
    assert torch.autograd.gradcheck(lambda values: coral(values, domain[::6]), normal(10, 3).requires_grad_())
    assert torch.isfinite(coral(rows[:2], torch.tensor([0, 1])))  # groups of one row


def test_risks_are_those_of_the_groups() -> None:
    logits, label = normal(30, 3), torch.arange(30) % 4 - 1
    domain, weights = torch.arange(30) // 10 * 5, torch.tensor([1.0, 2.0, 0.5])
    expected = [cross_entropy(logits[k : k + 10], label[k : k + 10], weights) for k in (0, 10, 20)]
    torch.testing.assert_close(group_risks(logits, label, domain, weights), torch.stack(expected))
    assert len(group_risks(logits, torch.full((30,), -1), domain)) == 0


def test_objectives_without_weight_are_the_plain_ones(tiny: Make, two_classes: Data) -> None:
    network, data = tiny().eval(), two_classes(40)
    plain = Supervised((0.5, 1.5))(network, data, 0.5)
    torch.testing.assert_close(Coral(0.0, class_weights=(0.5, 1.5))(network, data, 0.5), plain)
    torch.testing.assert_close(VRex(9.0, class_weights=(0.5, 1.5))(network, data, 0.5), plain)  # a single group
    groups = replace(data, domain=torch.arange(40) // 10)
    risks = group_risks(network(data.values), data.label, groups.domain)
    torch.testing.assert_close(VRex(2.0)(network, groups, 1.0), risks.mean() + 2 * risks.var(correction=0))
    torch.testing.assert_close(VRex(2.0, warm_up=0.5)(network, groups, 0.25), risks.mean() + risks.var(correction=0))
    unlabelled = replace(groups, label=torch.full((40,), -1))
    assert VRex()(network, unlabelled, 1.0) == 0
    with pytest.raises(UsageError, match="no embedding"):
        Coral()(nn.Linear(3, 2), data, 0.0)
    for wrong in ({"weight": -1.0}, {"warm_up": 2.0}):
        for objective in (Coral, VRex):
            with pytest.raises(UsageError):
                objective(**wrong)  # type: ignore[arg-type]


def units(seed: int, shortcut: tuple[float, ...], rows: int = 300) -> Batch:
    """Channel 0 tells the class a little, in every unit alike; channel 1 tells it by a factor that is the unit's own."""
    rng = np.random.default_rng(seed)
    unit, label = np.arange(rows) % len(shortcut), rng.integers(0, 2, rows)
    values = rng.standard_normal((rows, 2, 8))
    values[:, 0] += 0.6 * (2 * label - 1)[:, None]
    values[:, 1] = 0.5 * values[:, 1] + (np.array(shortcut)[unit] * (2 * label - 1))[:, None]
    return Batch.of_arrays(values, label=label, domain=unit)


@pytest.mark.parametrize("objective", [VRex(weight=30.0), Coral(weight=30.0)])
def test_units_agree_more_after_training_with_the_penalty(objective: VRex | Coral) -> None:
    def trained(loss: Supervised | VRex | Coral) -> Network:
        with seeded(0):
            network = Cnn1d(2, filters=(6, 6, 6), kernels=(3, 3, 3))
        options = Options(epochs=15, learning_rate=0.01, bfloat16=False)
        fit(network, Shuffled(units(0, (0.2, 0.9, 1.6)), 60), loss, options)
        return network

    plain, fair = trained(Supervised()), trained(objective)
    test, strange = units(1, (0.2, 0.9, 1.6)), units(2, (-0.6,))

    def disagreement(network: Network) -> float:
        with torch.inference_mode():
            if isinstance(objective, Coral):
                embedded = network.embed(test.values)
                return float(coral(embedded / embedded.std(), test.domain))
            return float(group_risks(network(test.values), test.label, test.domain).var(correction=0))

    assert disagreement(fair) < 0.7 * disagreement(plain)
    # A unit in which the shortcut points the other way: who leaned on it less loses less.
    if isinstance(objective, VRex):
        assert HeldOut(Supervised(), strange)(fair) < HeldOut(Supervised(), strange)(plain)
