"""Penalties are zero where groups agree, grow where they do not, and make a network rely on what groups share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from jointwatch.core.errors import UsageError
from jointwatch.models.cnn1d import Cnn1d
from jointwatch.training.data import Batch, Shuffled
from jointwatch.training.invariance import Coral, VRex, group_coral, group_risks
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
    torch.testing.assert_close(group_coral(torch.cat([one, other]), domain), spread / 4)


def test_coral_sees_means_and_covariances_and_nothing_else() -> None:
    rows, domain = normal(60, 4), torch.arange(60) // 20
    same = rows[:20].repeat(3, 1)
    assert group_coral(same, domain) == pytest.approx(0, abs=1e-12)
    assert group_coral(rows, torch.zeros(60, dtype=torch.int64)) == 0
    torch.testing.assert_close(group_coral(rows, domain), group_coral(rows + 7, domain))
    torch.testing.assert_close(group_coral(rows, domain), group_coral(rows, 2 - domain))
    shifted = same + torch.tensor([0.0, 1.0, 2.0]).double().repeat_interleave(20)[:, None]
    assert float(group_coral(shifted, domain)) == pytest.approx(2 / 3)
    assert torch.autograd.gradcheck(lambda values: group_coral(values, domain[::6]), normal(10, 3).requires_grad_())
    assert torch.isfinite(group_coral(rows[:2], torch.tensor([0, 1])))  # groups of one row


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


class Linear(nn.Module):
    """Dense layer on the means of the channels."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(2, 2)

    def forward(self, values: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.dense(values.mean(dim=2))


def shortcut(seed: int, *agreement: float, rows: int = 3000) -> Batch:
    """Channel 0 says the class in three of four rows of every unit; channel 1 in a share that is the unit's own."""
    rng = np.random.default_rng(seed)
    unit, label = np.arange(rows) % len(agreement), rng.integers(0, 2, rows)
    right = rng.random((2, rows)) < np.stack([np.full(rows, 0.75), np.array(agreement)[unit]])
    values = np.where(right, 1.0, -1.0) * (2 * label - 1)
    return Batch.of_arrays(np.repeat(values.T[:, :, None], 4, axis=2), label=label, domain=unit)


def test_vrex_does_not_take_a_shortcut_that_units_disagree_on() -> None:
    """In a new unit the shortcut points the wrong way; a network that was trained on the pooled rows is lost there."""
    accuracy = []
    for objective in (Supervised(), VRex(weight=100.0)):
        with seeded(0):
            network = Linear()
        options = Options(epochs=40, learning_rate=0.02, bfloat16=False)
        fit(network, Shuffled(shortcut(0, 0.95, 0.7), 1000), objective, options)
        strange = shortcut(1, 0.1)
        with torch.inference_mode():
            accuracy.append(float((network(strange.values).argmax(dim=1) == strange.label).float().mean()))
    assert accuracy[0] < 0.3
    assert accuracy[1] > 0.6


def test_coral_makes_embeddings_alike() -> None:
    """Units have offsets; the distance of their embeddings, in units of their spread, on rows not trained on."""

    def units(seed: int) -> Batch:
        rng = np.random.default_rng(seed)
        unit, label = np.arange(300) % 3, rng.integers(0, 2, 300)
        values = rng.standard_normal((300, 2, 8)) + np.array([-1.0, 0.0, 1.5])[unit][:, None, None]
        values[:, 0] += 0.8 * (2 * label - 1)[:, None]
        return Batch.of_arrays(values, label=label, domain=unit)

    test, distances, losses = units(1), [], []
    for objective in (Supervised(), Coral(weight=30.0)):
        with seeded(0):
            network = Cnn1d(2, filters=(8, 8, 8), kernels=(3, 3, 3))
        fit(network, Shuffled(units(0), 60), objective, Options(epochs=20, learning_rate=0.01, bfloat16=False))
        with torch.inference_mode():
            embedded = network.embed(test.values)
            distances.append(float(group_coral(embedded / embedded.std(dim=0).mean(), test.domain)))
        losses.append(HeldOut(Supervised(), test)(network))
    assert distances[1] < 0.5 * distances[0]
    assert losses[1] < 0.5  # of 0.69: it still tells the classes apart
