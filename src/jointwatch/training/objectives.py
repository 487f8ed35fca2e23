"""What is minimised: pure losses, and the objectives that hand a network's outputs to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from jointwatch.training.data import Batch, identity

__all__ = ["HeldOut", "Objective", "Supervised", "balanced_weights", "cross_entropy"]


class Objective(Protocol):
    """A number to minimise. A strategy with another loss (adversarial, contrastive, reconstruction) is another
    objective, not another loop."""

    def __call__(self, network: nn.Module, batch: Batch, progress: float) -> Float[Tensor, ""]:
        """Mean loss over the batch; `progress` goes from 0 to 1 over the whole training."""


def cross_entropy(
    logits: Float[Tensor, "row class"],
    label: Int[Tensor, " row"],
    class_weights: Float[Tensor, " class"] | None = None,
) -> Float[Tensor, ""]:
    """Weighted mean of the cross-entropy over rows with a label; 0 if no row has one (label -1).

    >>> round(float(cross_entropy(torch.zeros(3, 2), torch.tensor([0, 1, -1]))), 4)
    0.6931
    """
    known = label >= 0
    target = label.clamp(min=0)
    weight = known.to(logits.dtype) if class_weights is None else class_weights.to(logits)[target] * known
    loss = functional.cross_entropy(logits, target, reduction="none")
    return (loss * weight).sum() / weight.sum().clamp(min=torch.finfo(logits.dtype).tiny)


def balanced_weights(label: np.ndarray, classes: int = 2) -> tuple[float, ...]:
    """Weights of the classes such that each counts the same, mean 1 over the rows; 0 for a class without rows.

    >>> balanced_weights(np.array([0, 0, 0, 1]))
    (0.6666666666666666, 2.0)
    """
    counts = np.bincount(label[label >= 0], minlength=classes)
    present = np.count_nonzero(counts)
    return tuple(float(counts.sum() / (present * count)) if count else 0.0 for count in counts)


@dataclass(frozen=True)
class Supervised:
    """Cross-entropy of the network's logits; rows without a label do not count."""

    class_weights: Sequence[float] | None = None

    def __call__(self, network: nn.Module, batch: Batch, progress: float) -> Tensor:
        weights = None if self.class_weights is None else torch.tensor(self.class_weights, device=batch.values.device)
        return cross_entropy(network(batch.values, batch.mask), batch.label, weights)


@dataclass(frozen=True)
class HeldOut:
    """Mean objective over data that are not trained on, in evaluation mode and float32: what early stopping
    watches. The caller splits by group; test data have no business here."""

    objective: Objective
    data: Batch
    batch_size: int = 256

    def __call__(self, network: nn.Module) -> float:
        device = next(network.parameters()).device
        modes = {module: module.training for module in network.modules()}
        network.eval()
        total = 0.0
        with torch.inference_mode():
            for first in range(0, len(self.data), self.batch_size):
                rows = np.arange(first, min(first + self.batch_size, len(self.data)))
                total += len(rows) * float(self.objective(network, self.data.take(rows).to(device), 1.0))
        for module, mode in modes.items():
            module.training = mode
        return total / len(self.data)

    def fingerprint(self) -> str:
        return f"{identity(self.objective)} {self.data.fingerprint()}"
