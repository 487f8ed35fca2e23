"""Batches that hold rows of several domains at every step: what comparing domains needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jointwatch.core.errors import UsageError
from jointwatch.training.data import Batch, Order
from jointwatch.training.seed import generator

__all__ = ["Domains"]


@dataclass(eq=False)
class Domains:
    """Some rows of every part at each step, each part in an order of its own; an epoch shows the largest once.

    Parameters
    ----------
    parts : rows of one domain each, numbered in their column `domain`; several parts may be of one domain, as are the
        target's rows with and without labels.
    batch_size : rows of a part at a step, at most.
    seed : of the orders.
    minimum_steps : steps of an epoch at least.

    Errors: `UsageError` without parts, for a part without rows, or for layouts that differ.

    >>> import numpy as np
    >>> source, target = (Batch.of_arrays(np.full((count, 1, 1), count)) for count in (4, 2))
    >>> batches = Domains([source.of_domain(0), target.of_domain(1)], batch_size=2)
    >>> [batches.batch(0, step).domain.tolist() for step in range(len(batches))]
    [[0, 0, 1, 1], [0, 0, 1, 1]]
    """

    parts: Sequence[Batch]
    batch_size: int
    seed: int = 0
    minimum_steps: int = 1

    def __post_init__(self) -> None:
        if not self.parts or not all(len(part) for part in self.parts):
            raise UsageError(f"every domain needs rows, got {[len(part) for part in self.parts]}")
        if len({tuple(part.values.shape[1:]) for part in self.parts}) > 1:
            shapes = [tuple(part.values.shape[1:]) for part in self.parts]
            raise UsageError(f"the domains must have the same (channel, time), got {shapes}; cut them with one plan")
        longest = max(len(Order(len(part), self.batch_size)) for part in self.parts)
        steps = max(longest, self.minimum_steps)
        seeds = [int(generator(self.seed, number).integers(2**31)) for number in range(len(self.parts))]
        self.orders = [
            Order(len(part), self.batch_size, seed, steps) for part, seed in zip(self.parts, seeds, strict=True)
        ]

    def __len__(self) -> int:
        return len(self.orders[0])

    def batch(self, epoch: int, step: int) -> Batch:
        rows = [order.rows(epoch, step) for order in self.orders]
        return Batch.concatenate([part.take(chosen) for part, chosen in zip(self.parts, rows, strict=True)])

    def fingerprint(self) -> str:
        parts = " ".join(part.fingerprint() for part in self.parts)
        return f"{parts} {self.batch_size} {self.seed} {self.minimum_steps}"
