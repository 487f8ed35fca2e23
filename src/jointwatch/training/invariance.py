"""Objectives that ask a network to be right for the same reasons in every group of rows: unit, robot or session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from jointwatch.core.errors import UsageError
from jointwatch.models.base import Network
from jointwatch.training.data import Batch
from jointwatch.training.objectives import cross_entropy

__all__ = ["Coral", "VRex", "group_coral", "group_risks"]


def group_risks(
    logits: Float[Tensor, "row class"],
    label: Int[Tensor, " row"],
    domain: Int[Tensor, " row"],
    class_weights: Float[Tensor, " class"] | None = None,
) -> Float[Tensor, " group"]:
    """Cross-entropy of each group that has a labelled row, by its number; empty if no row has a label.

    >>> logits = torch.tensor([[0.0, 0.0], [9.0, -9.0], [0.0, 0.0]])
    >>> [round(float(risk), 3) for risk in group_risks(logits, torch.tensor([0, 0, -1]), torch.tensor([4, 7, 9]))]
    [0.693, 0.0]
    """
    groups = torch.unique(domain[label >= 0])
    risks = [cross_entropy(logits[domain == group], label[domain == group], class_weights) for group in groups]
    return torch.stack(risks) if risks else logits.new_zeros(0)


def group_coral(features: Float[Tensor, "row feature"], domain: Int[Tensor, " row"]) -> Float[Tensor, ""]:
    """How far the groups' means and covariances are from those that the groups have on average: mean over groups of
    squared distance of the means / d + squared Frobenius distance of the covariances / (4 d^2), d features. 0 for one
    group; groups of one row count with their mean only.

    Source: Sun & Saenko, "Deep CORAL: correlation alignment for deep domain adaptation", ECCV workshops 2016, for the
    covariances of two domains (`training.discrepancy.coral`; this is a quarter of it for two groups with equal means);
    first moments added as is common.

    >>> rows = torch.tensor([[0.0, 1.0], [2.0, 1.0], [4.0, 1.0], [6.0, 1.0]])
    >>> float(group_coral(rows, torch.tensor([0, 0, 1, 1]))), float(group_coral(rows, torch.tensor([0, 1, 1, 0])))
    (2.0, 4.0)
    """
    groups = [features[domain == group] for group in torch.unique(domain)]
    width = features.shape[1]
    means = torch.stack([rows.mean(dim=0) for rows in groups])
    loss = (means - means.mean(dim=0)).square().sum(dim=1).mean() / width
    spread = [torch.cov(rows.T).reshape(width, width) for rows in groups if len(rows) > 1]
    if spread:
        spreads = torch.stack(spread)
        loss = loss + (spreads - spreads.mean(dim=0)).square().sum(dim=(1, 2)).mean() / (4 * width**2)
    return loss


@dataclass(frozen=True)
class VRex:
    """Mean of the groups' risks + `weight` x their variance: no unit may be bought with another.

    Parameters
    ----------
    weight : of the variance; 0 = each group counts the same, nothing more.
    warm_up : share of the training over which the weight rises, so that the network first learns something.
    class_weights : of the cross-entropy.

    Batches should hold several groups; in one with a single group this is its risk.

    Source: Krueger et al., "Out-of-distribution generalization via risk extrapolation", ICML 2021.
    """

    weight: float = 1.0
    warm_up: float = 0.2
    class_weights: Sequence[float] | None = None

    def __post_init__(self) -> None:
        _checked(self.weight, self.warm_up)

    def __call__(self, network: nn.Module, batch: Batch, progress: float) -> Tensor:
        logits = network(batch.values, batch.mask)
        risks = group_risks(logits, batch.label, batch.domain, _weights(self.class_weights, logits))
        if not len(risks):
            return logits.sum() * 0.0
        return risks.mean() + _risen(self.weight, self.warm_up, progress) * risks.var(correction=0)


@dataclass(frozen=True)
class Coral:
    """Cross-entropy + `weight` x distance between the groups' embeddings (`group_coral`), over all rows, labelled or
    not: what tells units apart shall not reach the head.

    Parameters
    ----------
    weight : of the distance; 0 = `objectives.Supervised`.
    warm_up : share of the training over which the weight rises.
    class_weights : of the cross-entropy.

    Groups should hold the same classes in like shares, or what tells the classes apart is punished too.

    Source: Sun & Saenko, "Deep CORAL: correlation alignment for deep domain adaptation", ECCV workshops 2016.
    """

    weight: float = 1.0
    warm_up: float = 0.2
    class_weights: Sequence[float] | None = None

    def __post_init__(self) -> None:
        _checked(self.weight, self.warm_up)

    def __call__(self, network: nn.Module, batch: Batch, progress: float) -> Tensor:
        if not isinstance(network, Network):
            raise UsageError(
                f"a {type(network).__name__} has no embedding to compare; Coral needs a network of models/"
            )
        embedded = network.embed(batch.values, batch.mask)
        with torch.autocast(embedded.device.type, enabled=False):
            logits = network.head(embedded)
            loss = cross_entropy(logits, batch.label, _weights(self.class_weights, logits))
            return loss + _risen(self.weight, self.warm_up, progress) * group_coral(embedded, batch.domain)


def _checked(weight: float, warm_up: float) -> None:
    if not weight >= 0 or not 0 <= warm_up <= 1:
        raise UsageError(f"a penalty has a weight from 0 and a warm-up share in [0, 1], got {weight} and {warm_up}")


def _risen(weight: float, warm_up: float, progress: float) -> float:
    return weight * min(progress / warm_up, 1.0) if warm_up else weight


def _weights(values: Sequence[float] | None, like: Tensor) -> Tensor | None:
    return None if values is None else torch.tensor(values, device=like.device)
