"""Which rows of its input a network's verdict rests on: gradient x difference to the most similar healthy input."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["blame", "log_odds"]


def log_odds(logits: Tensor) -> Tensor:
    """(row,) anything but class 0 against class 0: also what an open-set strategy calls unknown is an anomaly."""
    return logits[:, 1:].logsumexp(dim=1) - logits[:, 0]


def blame(
    network: Callable[[Tensor, Tensor], Tensor], values: Tensor, mask: Tensor, references: Tensor, own: bool = False
) -> tuple[Tensor, Tensor]:
    """(row,) log-odds and (row, channel) gradient x difference to the nearest reference, summed over time.

    What counts is where an input departs from a healthy one of the same motion. Gradient x input blames channels for
    moving, and occlusion fails, as a flat channel looks like a stuck sensor.

    Parameters
    ----------
    network : (values, mask) -> logits. values, references : (row, channel, time). mask : (row, channel).
    own : the values are the references, and each is compared with another.
    """
    flat, known = values.flatten(1), references.flatten(1)
    distance = known.square().sum(dim=1) - 2 * flat @ known.T  # but for what all references of a row share
    if own:
        distance.fill_diagonal_(torch.inf)
    with torch.enable_grad():
        inputs = values.detach().clone().requires_grad_(True)
        odds = log_odds(network(inputs, mask))
        (gradient,) = torch.autograd.grad(odds.sum(), inputs)
    return odds.detach(), ((values - references[distance.argmin(dim=1)]) * gradient).sum(dim=2)
