"""Masked reconstruction: the loss, the objective of the loop, and what costs nothing to guess."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from jointwatch.models._masked_patches import MaskedPatches
from jointwatch.models._patch_encoder import patches_of
from jointwatch.training.data import Batch
from jointwatch.training.telemetry import Telemetry

__all__ = ["GUESSES", "MaskedReconstruction", "guess", "masked_error"]

Guess = Literal["zero", "interpolation", "mean"]
GUESSES: tuple[Guess, ...] = ("zero", "interpolation", "mean")
"""`zero`: the mean of the channel; `interpolation`: in a line between the visible neighbours of the same channel;
`mean`: the mean course of the group's other windows, which knows what repeats from cycle to cycle."""


def masked_error(
    rebuilt: Float[Tensor, "row joint patch slot sample"],
    patches: Float[Tensor, "row joint patch slot sample"],
    hidden: Bool[Tensor, "row joint patch slot"],
) -> Float[Tensor, ""]:
    """Mean squared difference over the samples that are hidden; 0 where nothing is.

    >>> hidden = torch.tensor([True, False]).reshape(1, 1, 1, 2)
    >>> float(masked_error(torch.ones(1, 1, 1, 2, 5), torch.tensor([[[[[3.0], [9.0]]]]]).expand(1, 1, 1, 2, 5), hidden))
    4.0
    """
    error = (rebuilt - patches).square().mean(dim=4)
    return torch.where(hidden, error, 0.0).sum() / hidden.sum().clamp(min=1)


@dataclass(frozen=True)
class MaskedReconstruction:
    """`masked_error` of a `MaskedPatches` on what is hidden and there; an `Objective` for batches of `Telemetry`."""

    def __call__(self, network: nn.Module, batch: Batch, progress: float) -> Tensor:
        assert isinstance(batch, Telemetry)
        assert isinstance(network, MaskedPatches)
        grid, there = batch.grid()
        rebuilt = network(grid, there, batch.step_s, batch.joint, batch.hidden).float()
        patches, _ = patches_of(grid, batch.step_s, network.encoder.patch, network.encoder.max_patches)
        return masked_error(rebuilt, patches, batch.hidden & there.unsqueeze(2))


def guess(
    how: Guess,
    patches: Float[np.ndarray, "row joint patch slot sample"],
    hidden: Bool[np.ndarray, "row joint patch slot"],
) -> Float[np.ndarray, "row joint patch slot sample"]:
    """What a method without a network says of the hidden patches; see `GUESSES`.

    >>> ramp = np.arange(8.0).reshape(1, 1, 4, 1, 2)
    >>> hidden = np.array([False, True, False, False]).reshape(1, 1, 4, 1)
    >>> guess("interpolation", ramp, hidden)[hidden].round(6).tolist()
    [[2.0, 3.0]]
    """
    said = np.where(hidden[..., None], 0.0, patches)
    if how == "mean":
        others = (patches.sum(axis=0) - patches) / max(len(patches) - 1, 1)
        return np.where(hidden[..., None], others, patches)
    if how == "interpolation":
        size = patches.shape[4]
        for row, joint, slot in np.argwhere(hidden.any(axis=2)):
            gone = np.repeat(hidden[row, joint, :, slot], size)
            if not gone.all():
                course, at = said[row, joint, :, slot].reshape(-1), np.arange(len(gone))
                course = np.where(gone, np.interp(at, at[~gone], course[~gone]), course)
                said[row, joint, :, slot] = course.reshape(-1, size)
    return said
