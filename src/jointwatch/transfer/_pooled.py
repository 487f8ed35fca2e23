"""Alignment in which batch norms see all domains together: for targets whose classes are not those of the sources."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from jointwatch.training.data import Batch
from jointwatch.transfer._adaptation import Adaptation, Embedded, Task, network_of

__all__ = ["Pooled"]


@dataclass(frozen=True, eq=False)
class Pooled:
    """A strategy's loss as an objective of the loop, the rows of a step embedded together.

    Batch norms that see each domain by itself give all of them the same means. That is right where they have the same
    classes in like shares; a target with two of five classes it spreads over all five, and nothing that follows can
    tell.
    """

    strategy: Adaptation
    task: Task

    def __call__(self, network: nn.Module, batch: Batch, progress: float) -> Tensor:
        inner, weights = network_of(network), self.task.class_weights
        embedded = inner.embed(batch.values, batch.mask)
        with torch.autocast(embedded.device.type, enabled=False):
            target = batch.domain == self.task.domains - 1
            rows = Embedded(embedded, inner.head(embedded), batch.label, batch.domain, target, batch)
            of_class = None if weights is None else torch.tensor(weights, device=embedded.device)
            return self.strategy._loss(network, rows, progress, of_class)

    def fingerprint(self) -> str:
        """What tells one objective from another."""
        settings = {k: v for k, v in self.strategy.get_params(deep=False).items() if k != "detector"}
        return f"{self.strategy.name} {settings} {self.task.class_weights} {self.task.domains}"
