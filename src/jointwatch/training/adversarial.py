"""Adversarial alignment: a discriminator learns to tell domains apart, the features learn that it cannot."""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from jointwatch.core.errors import UsageError

__all__ = [
    "Discriminator",
    "Multilinear",
    "against",
    "domain_loss",
    "entropy_weights",
    "multilinear",
    "reverse_gradient",
    "strength_at",
]


def strength_at(progress: float, steepness: float = 10.0) -> float:
    """How much the features heed the discriminator when this share of the training is done: 0 at first, 1 at last.

    2 / (1 + exp(-steepness x progress)) - 1, so that an untrained discriminator does not lead.

    Source: Ganin et al., "Domain-adversarial training of neural networks", JMLR 17, 2016.

    >>> [round(strength_at(progress), 3) for progress in (0.0, 0.025, 0.1, 0.5, 1.0)]
    [0.0, 0.124, 0.462, 0.987, 1.0]
    """
    return 2.0 / (1.0 + math.exp(-steepness * progress)) - 1.0


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.strength * gradients[0], None


def reverse_gradient(values: Tensor, strength: float = 1.0) -> Tensor:
    """The same values; backwards, the gradient times -`strength`.

    What stands behind it minimises a loss, what stands before it maximises `strength` times that loss: one step of one
    optimiser plays both sides of the game.

    Source: Ganin & Lempitsky, "Unsupervised domain adaptation by backpropagation", ICML 2015.

    >>> values = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> reverse_gradient(values, strength=0.5).square().sum().backward()
    >>> values.grad.tolist()
    [-1.0, -2.0]
    """
    return cast(Tensor, _Reversal.apply(values, strength))


class Discriminator(nn.Module):
    """Fully connected network that says which domain a feature vector comes from.

    Parameters
    ----------
    features : length of a vector.
    domains : number of logits, two or more. Two domains have two logits: a single one would need a sigmoid, and behind
        a softmax it is constant, without gradient, and nothing is ever aligned.
    hidden, layers : width and number of the hidden layers.
    dropout : share of hidden values dropped while training.

    It computes in float32 inside mixed precision too. Initial weights come from torch's generator (`training.seed`).

    Errors: `UsageError` for fewer than two domains.

    >>> _ = torch.manual_seed(0)
    >>> Discriminator(16, domains=3)(torch.zeros(5, 16)).shape
    torch.Size([5, 3])
    """

    def __init__(
        self, features: int, domains: int = 2, hidden: int = 128, layers: int = 2, dropout: float = 0.0
    ) -> None:
        super().__init__()
        if domains < 2:
            raise UsageError(f"a discriminator tells two or more domains apart, got {domains}")
        stack: list[nn.Module] = []
        for _ in range(layers):
            stack += [nn.Linear(features, hidden), nn.ReLU(inplace=True)]
            stack += [nn.Dropout(dropout)] if dropout else []
            features = hidden
        self.layers = nn.Sequential(*stack, nn.Linear(features, domains))

    def forward(self, features: Float[Tensor, "row feature"]) -> Float[Tensor, "row domain"]:
        """Logits of the domains."""
        with torch.autocast(features.device.type, enabled=False):
            return cast(Tensor, self.layers(_full(features)))


def domain_loss(
    logits: Float[Tensor, "row domain"],
    domain: Int[Tensor, " row"] | int,
    weights: Float[Tensor, " row"] | None = None,
) -> Float[Tensor, ""]:
    """Cross-entropy of the domains, mean over the rows weighted by `weights`.

    Parameters
    ----------
    logits : of a `Discriminator`.
    domain : number of the domain of each row from 0, or one for all.
    weights : not negative, one a row; None = each row counts the same.

    Errors: `UsageError` for a single logit, whose softmax is 1 whatever the row is.

    >>> logits = torch.tensor([[0.0, 0.0], [9.0, -9.0]])
    >>> [round(float(domain_loss(logits, domain)), 3) for domain in (torch.tensor([0, 0]), torch.tensor([0, 1]))]
    [0.347, 9.347]
    >>> round(float(domain_loss(logits, 1, weights=torch.tensor([1.0, 0.0]))), 3)
    0.693
    """
    if logits.shape[1] < 2:
        raise UsageError("one logit cannot tell domains apart (its softmax is constant); give each domain its own")
    with torch.autocast(logits.device.type, enabled=False):
        target = torch.full((len(logits),), domain, device=logits.device) if isinstance(domain, int) else domain
        loss = functional.cross_entropy(_full(logits), target, reduction="none")
        if weights is None:
            return loss.mean()
        return (loss * weights).sum() / weights.sum().clamp(min=torch.finfo(loss.dtype).tiny)


def against(
    discriminator: nn.Module,
    features: Float[Tensor, "row feature"],
    domain: Int[Tensor, " row"] | int,
    weights: Float[Tensor, " row"] | None = None,
) -> Float[Tensor, ""]:
    """`domain_loss` that trains the features to be taken for `domain` and leaves the discriminator alone.

    The non-saturating side of the game: the discriminator is trained by its own loss on detached features, in the same
    step, and this term sends it no gradient.

    Source: Tzeng et al., "Adversarial discriminative domain adaptation", CVPR 2017 (inverted labels).

    >>> _ = torch.manual_seed(0)
    >>> discriminator, features = Discriminator(4), torch.randn(6, 4, requires_grad=True)
    >>> against(discriminator, features, domain=0).backward()
    >>> bool(features.grad.abs().sum() > 0), {parameter.grad for parameter in discriminator.parameters()}
    (True, {None})
    """
    fixed = {name: parameter.detach() for name, parameter in discriminator.named_parameters()}
    return domain_loss(torch.func.functional_call(discriminator, fixed, (features,)), domain, weights)


def multilinear(
    features: Float[Tensor, "row feature"], probabilities: Float[Tensor, "row class"]
) -> Float[Tensor, "row product"]:
    """Every feature times every class probability: domains are compared class by class, and not as a whole.

    Source: Long et al., "Conditional adversarial domain adaptation", NeurIPS 2018.

    >>> multilinear(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.25, 0.75]])).tolist()
    [[0.25, 0.75, 0.5, 1.5]]
    """
    with torch.autocast(features.device.type, enabled=False):
        return torch.einsum("rf,rc->rfc", _full(features), _full(probabilities)).flatten(1)


class Multilinear(nn.Module):
    """`multilinear`, or where its product is longer than `limit`, a random projection of it to `width` values whose
    inner products are those of the full one on average: (P features) * (Q probabilities) / sqrt(width).

    Parameters
    ----------
    features, classes : lengths of both vectors.
    limit : longest product that is formed.
    width : of the projection.
    seed : of the matrices P and Q, which are normal and fixed.

    Attribute `size` is the length of the output.

    Source: Long et al., "Conditional adversarial domain adaptation", NeurIPS 2018.

    >>> Multilinear(256, 6).size, Multilinear(2048, 13).size
    (1536, 1024)
    """

    of_features: Tensor
    of_classes: Tensor

    def __init__(self, features: int, classes: int, limit: int = 4096, width: int = 1024, seed: int = 0) -> None:
        super().__init__()
        self.projected = features * classes > limit
        self.size = width if self.projected else features * classes
        if self.projected:
            source = torch.Generator().manual_seed(seed)
            self.register_buffer("of_features", torch.randn(features, width, generator=source))
            self.register_buffer("of_classes", torch.randn(classes, width, generator=source))

    def forward(
        self, features: Float[Tensor, "row feature"], probabilities: Float[Tensor, "row class"]
    ) -> Float[Tensor, "row product"]:
        """(row, size) products."""
        if not self.projected:
            return multilinear(features, probabilities)
        with torch.autocast(features.device.type, enabled=False):
            return (
                (_full(features) @ self.of_features) * (_full(probabilities) @ self.of_classes) / math.sqrt(self.size)
            )


def entropy_weights(
    probabilities: Float[Tensor, "row class"], domain: Int[Tensor, " row"] | None = None
) -> Float[Tensor, " row"]:
    """Weights 1 + exp(-entropy) of rows, scaled to mean 1: what the classifier is sure of counts up to twice as much.

    Parameters
    ----------
    probabilities : of the classes. No gradient goes through the weights.
    domain : where given the mean is 1 in each domain, so that none counts more for being easy.

    Source: Long et al., "Conditional adversarial domain adaptation", NeurIPS 2018 (CDAN+E).

    >>> entropy_weights(torch.tensor([[1.0, 0.0], [0.5, 0.5]]))
    tensor([1.1429, 0.8571])
    """
    with torch.autocast(probabilities.device.type, enabled=False):
        weights = 1 + torch.exp(-torch.special.entr(_full(probabilities.detach())).sum(dim=1))
        if domain is None:
            return weights / weights.mean()
        members = functional.one_hot(domain).to(weights)
        return weights / (weights @ members / members.sum(dim=0).clamp(min=1))[domain]


def _full(values: Tensor) -> Tensor:
    return values.float() if values.dtype in (torch.bfloat16, torch.float16) else values
