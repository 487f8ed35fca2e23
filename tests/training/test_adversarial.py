"""Gradients are reversed exactly, discriminators learn, and each side of the game trains only itself."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from jointwatch.core.errors import UsageError
from jointwatch.training.adversarial import (
    Discriminator,
    Multilinear,
    against,
    domain_loss,
    entropy_weights,
    multilinear,
    reverse_gradient,
    strength_at,
)
from jointwatch.training.seed import seeded


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def made(features: int = 5, **options: Any) -> Discriminator:
    with seeded(0):
        return Discriminator(features, **options)


@pytest.mark.parametrize("strength", [0.0, 0.25, 1.0, 3.0])
def test_reversal_is_minus_strength_times_the_gradient(strength: float) -> None:
    values, weights = normal(7, 3).double(), normal(7, 3, seed=1).double()
    gradients: list[Tensor] = []
    for change in (lambda x: x, lambda x: reverse_gradient(x, strength)):
        start = values.clone().requires_grad_()
        out = change(2 * start)
        assert torch.equal(out, 2 * values)
        (weights * out.sin()).sum().backward()
        assert start.grad is not None
        gradients.append(start.grad)
    assert gradients[0].abs().min() > 0
    assert torch.equal(gradients[1], -strength * gradients[0])


def test_two_sides_of_one_step() -> None:
    """Behind the reversal the loss falls, before it it rises, by one gradient step on both."""
    discriminator, encoder = made(), nn.Linear(4, 5)
    rows, domain = normal(40, 4), torch.arange(40) % 2

    def loss() -> Tensor:
        return domain_loss(discriminator(reverse_gradient(encoder(rows))), domain)

    before = loss()
    before.backward()
    start = {module: [p.detach().clone() for p in module.parameters()] for module in (discriminator, encoder)}
    for module, rises in ((discriminator, False), (encoder, True)):
        with torch.no_grad():
            for parameter in module.parameters():
                assert parameter.grad is not None
                parameter.sub_(1e-2 * parameter.grad)
            assert bool(loss() > before) is rises
            for parameter, value in zip(module.parameters(), start[module], strict=True):
                parameter.copy_(value)


def test_strength_has_its_parentheses() -> None:
    """After the first of 40 epochs it is 0.12; with 2 / 1 + exp(...) - 1 or without the -1 it would be near 0.9."""
    assert strength_at(0.0) == 0.0
    assert strength_at(1 / 40) == pytest.approx(0.1244, abs=1e-4)
    assert strength_at(0.1) == pytest.approx(math.tanh(0.5))  # 2 / (1 + exp(-2x)) - 1 = tanh(x)
    assert strength_at(1.0) == pytest.approx(1, abs=1e-4)
    assert strength_at(0.1, steepness=1.0) == pytest.approx(math.tanh(0.05))
    values = [strength_at(k / 50) for k in range(51)]
    assert values == sorted(values)


@pytest.mark.parametrize("domains", [2, 4])
def test_a_discriminator_learns(domains: int) -> None:
    """From chance to sure, so its gradient is not zero and nor is that of the features."""
    discriminator, domain = made(domains=domains), torch.arange(120) % domains
    features = (normal(120, 5) + 2 * functional.one_hot(domain, 5)).requires_grad_()
    first = domain_loss(discriminator(features), domain)
    assert float(first.detach()) == pytest.approx(math.log(domains), abs=0.1)
    first.backward()
    assert features.grad is not None
    assert features.grad.abs().sum(dim=1).min() > 0
    assert all(bool(p.grad is not None and p.grad.abs().sum() > 0) for p in discriminator.parameters())
    optimiser = torch.optim.Adam(discriminator.parameters(), lr=0.01)
    for _ in range(100):
        optimiser.zero_grad()
        domain_loss(discriminator(features.detach()), domain).backward()
        optimiser.step()
    assert domain_loss(discriminator(features), domain) < 0.3 * first


def test_a_single_logit_is_refused() -> None:
    """Its softmax is 1 for any row: no gradient, and a training that aligns nothing in silence."""
    constant = functional.softmax(normal(6, 1), dim=1)
    assert torch.equal(constant, torch.ones(6, 1))
    with pytest.raises(UsageError, match="one logit"):
        domain_loss(normal(6, 1), torch.zeros(6, dtype=torch.int64))
    with pytest.raises(UsageError, match="two or more"):
        Discriminator(5, domains=1)


def test_layers_of_the_discriminator() -> None:
    assert sum(isinstance(layer, nn.Linear) for layer in made().layers) == 3
    assert made(hidden=7, layers=1).layers[0].weight.shape == (7, 5)
    linear = made(layers=0)
    assert [tuple(p.shape) for p in linear.parameters()] == [(2, 5), (2,)]
    dropped = made(dropout=0.5)
    with seeded(0):
        assert not torch.equal(dropped(normal(4, 5)), dropped(normal(4, 5)))
    assert torch.equal(dropped.eval()(normal(4, 5)), dropped(normal(4, 5)))


def test_domain_loss_weighs_rows() -> None:
    logits, domain, weights = normal(9, 3), torch.arange(9) % 3, normal(9, seed=1).square()
    each = functional.cross_entropy(logits, domain, reduction="none")
    torch.testing.assert_close(domain_loss(logits, domain), each.mean())
    torch.testing.assert_close(domain_loss(logits, domain, weights), (each * weights).sum() / weights.sum())
    torch.testing.assert_close(domain_loss(logits, domain, torch.full((9,), 7.0)), each.mean())
    torch.testing.assert_close(domain_loss(logits, 2), domain_loss(logits, torch.full((9,), 2)))
    assert domain_loss(logits, domain, torch.zeros(9)) == 0


def test_against_trains_the_features_only() -> None:
    discriminator, features = made(), normal(20, 5).requires_grad_()
    assert torch.equal(against(discriminator, features, 1), domain_loss(discriminator(features), 1))
    total = against(discriminator, features, 1) + domain_loss(
        discriminator(features.detach()), torch.zeros(20, dtype=torch.int64)
    )
    total.backward()
    own = made()
    domain_loss(own(features.detach()), torch.zeros(20, dtype=torch.int64)).backward()
    for one, other in zip(discriminator.parameters(), own.parameters(), strict=True):
        assert one.grad is not None
        assert other.grad is not None
        assert torch.equal(one.grad, other.grad)  # nothing of the generator's loss
    assert features.grad is not None
    with torch.no_grad():
        assert against(discriminator, features - features.grad, 1) < against(discriminator, features, 1)


def test_multilinear_is_the_outer_product() -> None:
    features, probabilities = normal(4, 3), functional.softmax(normal(4, 2, seed=1), dim=1)
    product = multilinear(features, probabilities)
    for row in range(4):
        torch.testing.assert_close(product[row], torch.outer(features[row], probabilities[row]).flatten())
    torch.testing.assert_close(product.view(4, 3, 2).sum(dim=2), features)  # probabilities add up to 1
    assert torch.equal(Multilinear(3, 2)(features, probabilities), product)


def test_the_projection_keeps_inner_products() -> None:
    features, probabilities = normal(30, 20), functional.softmax(3 * normal(30, 10, seed=1), dim=1)
    exact = multilinear(features, probabilities)
    projection = Multilinear(20, 10, limit=100, width=20_000, seed=3)
    found = projection(features, probabilities)
    assert found.shape == (30, 20_000)
    error = found @ found.T - exact @ exact.T
    assert error.square().mean().sqrt() < 0.05 * (exact @ exact.T).diagonal().mean()
    assert set(projection.state_dict()) == {"of_features", "of_classes"}  # stored with a checkpoint, not trained
    assert not list(projection.parameters())
    again, other = (Multilinear(20, 10, limit=100, seed=seed)(features, probabilities) for seed in (3, 4))
    assert torch.equal(again, Multilinear(20, 10, limit=100, seed=3)(features, probabilities))
    assert not torch.equal(again, other)


def test_entropy_weights() -> None:
    probabilities = functional.softmax(4 * normal(50, 3), dim=1).requires_grad_()
    weights = entropy_weights(probabilities)
    entropy = -(probabilities * probabilities.log()).sum(dim=1)
    torch.testing.assert_close(weights, ((1 + torch.exp(-entropy)) / (1 + torch.exp(-entropy)).mean()).detach())
    assert float(weights.mean()) == pytest.approx(1)
    assert not weights.requires_grad
    order = entropy.detach().argsort()
    assert torch.equal(weights[order], weights.sort(descending=True).values)
    sure = entropy_weights(torch.eye(3))  # probabilities of exactly 0
    assert torch.equal(sure, torch.ones(3))
    domain = (torch.arange(50) >= 10).long() * 2  # numbers 0 and 2: a domain may be absent
    by_domain = entropy_weights(probabilities, domain)
    for rows in (slice(0, 10), slice(10, 50)):
        torch.testing.assert_close(by_domain[rows], entropy_weights(probabilities[rows]))


def test_float32_inside_mixed_precision() -> None:
    discriminator, projection = made(), Multilinear(5, 2, limit=1, width=8)
    features, domain = normal(6, 5), torch.arange(6) % 2
    probabilities = functional.softmax(normal(6, 2), dim=1)

    def results() -> list[Tensor]:
        logits = discriminator(features)
        product, projected = multilinear(features, probabilities), projection(features, probabilities)
        weights = entropy_weights(probabilities)
        return [logits, domain_loss(logits, domain), against(discriminator, features, 0), product, projected, weights]

    plain = results()
    with torch.autocast("cpu", torch.bfloat16):
        mixed = results()
    for one, other in zip(plain, mixed, strict=True):
        assert other.dtype == torch.float32
        assert torch.equal(one, other)
    assert discriminator(features.bfloat16()).dtype == torch.float32
