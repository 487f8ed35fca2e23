"""Batches of robots with different joints, quantities and rates: groups of one layout, taken in turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from jointwatch.core import Windows
from jointwatch.core.errors import UsageError
from jointwatch.models._joint_rows import SLOTS, JointLayout
from jointwatch.models._patch_encoder import held, patch_count, shortened
from jointwatch.training.data import Batch, Order
from jointwatch.training.seed import generator
from jointwatch.windows.time_step import time_step_s

__all__ = ["Interleaved", "MaskPolicy", "Telemetry", "draw_hidden", "masked"]

_MASK_STREAM, _MIX_STREAM = 53, 59
_EFFORT, _SECOND = SLOTS.index("effort"), SLOTS.index("effort_2")
_DIRECTED = [SLOTS.index(slot) for slot in SLOTS if slot not in ("power", "temperature", "other")]


@dataclass(frozen=True, eq=False)
class Telemetry(Batch):
    """Windows of one layout with what a network without a fixed layout must be told of them.

    Parameters
    ----------
    cell : (channel,) joint row * slots + slot of each channel (`models._joint_rows.JointLayout`).
    joint : (row, joint) number of each joint row, 0 = not told.
    step_s : (row,) seconds from sample to sample.
    hidden : (row, joint, patch, slot) what is not shown and shall be rebuilt.
    """

    cell: Int[Tensor, " channel"]
    joint: Int[Tensor, "row joint"]
    step_s: Float[Tensor, " row"]
    hidden: Bool[Tensor, "row joint patch slot"]

    @classmethod
    def of_windows(cls, windows: Windows, patch: int, max_patches: int) -> Self:
        """All rows of standardised windows, nothing hidden; those of more than `max_patches` patches are averaged here
        already, as the encoder would."""
        layout = JointLayout.of(windows.channels)
        plain = Batch.of(windows)
        width = shortened(windows.shape[2], patch, max_patches)
        short = held(plain.values, width).unflatten(2, (-1, width)).mean(dim=3)
        patches = patch_count(windows.shape[2], patch, max_patches)
        return cls(
            short,
            plain.mask,
            plain.label,
            plain.domain,
            torch.tensor(layout.cells),
            torch.tensor(layout.joints).repeat(len(windows), 1),
            torch.tensor(width * time_step_s(windows), dtype=torch.float32),
            torch.zeros((len(windows), len(layout.joints), patches, len(SLOTS)), dtype=torch.bool),
        )

    def take(self, rows: np.ndarray) -> Self:
        """Rows by position or mask."""
        index = torch.from_numpy(np.ascontiguousarray(rows))
        own = ("values", "mask", "label", "domain", "joint", "step_s", "hidden")
        return replace(self, **{name: getattr(self, name)[index] for name in own})

    def grid(self) -> tuple[Float[Tensor, "row joint slot time"], Bool[Tensor, "row joint slot"]]:
        """Values by joint and slot, and which cells are there."""
        rows, joints = self.joint.shape
        values = self.values.new_zeros(rows, joints * len(SLOTS), self.values.shape[2])
        there = torch.zeros(values.shape[:2], dtype=torch.bool, device=values.device)
        values[:, self.cell], there[:, self.cell] = self.values, self.mask
        return values.unflatten(1, (joints, len(SLOTS))), there.unflatten(1, (joints, len(SLOTS)))


@dataclass(frozen=True)
class MaskPolicy:
    """What is hidden from the network, and what it is not told.

    Parameters
    ----------
    share : of the patches that are hidden, about.
    span : longest stretch of hidden patches.
    whole_joint, one_quantity : how often what is hidden next is a joint during the whole window, or one quantity of a
        joint (half of the time during the whole window, else a stretch); all quantities of a joint during a stretch
        otherwise.
    drop_quantity : share of the windows from which one quantity is taken at all joints, so that robots that do not tell
        it are known too.
    drop_numbers : share of the windows in which joints do not tell their number, so that their order is no crutch.
    drop_joints : share of the windows that lose joints, each by a coin, so that arms of other joints are known.
    second_effort : share of the windows whose effort is told as the second one, which few robots have.
    vary : share of the windows in which each joint turns the other way by a coin, as which way is positive is the
        maker's choice, and each channel is multiplied by a factor; and share of the steps that see a stretch of their
        windows only, from half to all, anywhere.
    scale : standard deviation of the logarithm of that factor.
    """

    share: float = 0.15
    span: int = 3
    whole_joint: float = 0.1
    one_quantity: float = 0.4
    drop_quantity: float = 0.3
    drop_numbers: float = 0.3
    drop_joints: float = 0.3
    second_effort: float = 0.15
    vary: float = 0.8
    scale: float = 0.2

    def __post_init__(self) -> None:
        drops = (self.drop_quantity, self.drop_numbers, self.drop_joints, self.second_effort, self.vary)
        shares = (self.share, self.whole_joint + self.one_quantity, *drops)
        if not 0 < self.share < 1 or not all(0 <= value <= 1 for value in shares) or self.span < 1 or self.scale < 0:
            raise UsageError(f"shares are in [0, 1], that of hidden patches inside, spans 1 or more; got {self}")

    @classmethod
    def masks_alone(cls) -> Self:
        """Nothing but what is hidden: what a network is judged by."""
        return cls(drop_quantity=0.0, drop_numbers=0.0, drop_joints=0.0, second_effort=0.0, vary=0.0)


def draw_hidden(
    there: Bool[np.ndarray, "joint slot"], patches: int, policy: MaskPolicy, rng: np.random.Generator
) -> Bool[np.ndarray, "joint patch slot"]:
    """What is hidden of one window: pieces are added until `policy.share` of all that is there is reached; something
    always, and never everything.

    >>> there = np.ones((6, 3), bool)
    >>> hidden = draw_hidden(there, 10, MaskPolicy(), np.random.default_rng(0))
    >>> hidden.shape, bool(0.1 < hidden.mean() < 0.35)
    ((6, 10, 3), True)
    """
    hidden = np.zeros((there.shape[0], patches, there.shape[1]), bool)
    rows = np.flatnonzero(there.any(axis=1))
    wanted = policy.share * patches * np.count_nonzero(there)
    count = 0
    while len(rows) and count < wanted:
        row, kind = rng.choice(rows), rng.random()
        length = int(rng.integers(1, min(policy.span, patches) + 1))
        start = int(rng.integers(0, patches - length + 1))
        slots = there[row]
        if kind < policy.whole_joint and len(rows) > 1:
            start, length = 0, patches
        elif kind < policy.whole_joint + policy.one_quantity and np.count_nonzero(slots) > 1:
            slots = np.arange(len(slots)) == rng.choice(np.flatnonzero(slots))
            if rng.random() < 0.5:
                start, length = 0, patches
        hidden[row, start : start + length] |= slots
        count = int(np.count_nonzero(hidden))
    if count and count == patches * np.count_nonzero(there):
        hidden[:, 0] = False
    return hidden


@dataclass(eq=False)
class Interleaved:
    """Steps of several groups in a new order each epoch; a step has rows of one group only, with new masks.

    Parameters
    ----------
    groups : rows of one layout each.
    batch_size : rows of a step, at most.
    seed : of order and masks; `batch` is a pure function of (epoch, step).
    policy : what is hidden; None = the groups as they are.
    steps : of an epoch; None = so many that every row is seen once. With another number each group gets its share of
        the steps, at least one, and goes on in the next epoch where this one ended.

    Errors: `UsageError` without groups, or for a group without rows.
    """

    groups: Sequence[Telemetry]
    batch_size: int
    seed: int = 0
    policy: MaskPolicy | None = MaskPolicy()
    steps: int | None = None

    def __post_init__(self) -> None:
        if not self.groups or not all(len(group) for group in self.groups):
            raise UsageError(f"every group needs rows, got {[len(group) for group in self.groups]}")
        seeds = [int(generator(self.seed, number).integers(2**31)) for number in range(len(self.groups))]
        self._orders = [
            Order(len(group), self.batch_size, seed) for group, seed in zip(self.groups, seeds, strict=True)
        ]
        self._full = np.array([len(order) for order in self._orders])
        self._each = self._full
        if self.steps is not None:
            self._each = np.maximum(1, np.round(self.steps * self._full / self._full.sum()).astype(int))

    def __len__(self) -> int:
        return int(self._each.sum())

    def batch(self, epoch: int, step: int) -> Telemetry:
        """Rows of one group, with masks that are drawn for this step."""
        turns = generator(self.seed, epoch, _MIX_STREAM).permutation(np.repeat(np.arange(len(self.groups)), self._each))
        number = int(turns[step])
        seen = epoch * int(self._each[number]) + int(np.count_nonzero(turns[:step] == number))
        order = self._orders[number]
        rows = self.groups[number].take(order.rows(*divmod(seen, len(order))))
        return (
            rows if self.policy is None else masked(rows, self.policy, generator(self.seed, epoch, step, _MASK_STREAM))
        )

    def fingerprint(self) -> str:
        """Digest of all that decides what the batches are."""
        parts = " ".join(group.fingerprint() for group in self.groups)
        return f"{parts} {self.batch_size} {self.seed} {self.policy} {self.steps}"


def masked(rows: Telemetry, policy: MaskPolicy, rng: np.random.Generator) -> Telemetry:
    """The rows as another robot might have told them, and patches hidden, as the policy says."""
    rows = _cropped(rows, rng) if rng.random() < policy.vary else rows
    mask, joint = rows.mask.numpy().copy(), rows.joint.numpy().copy()
    row_of, slot = np.divmod(rows.cell.numpy(), len(SLOTS))
    cell = rows.cell.numpy().copy()
    if _EFFORT in slot and _SECOND not in slot and rng.random() < policy.second_effort:  # a layout is that of all rows
        cell[slot == _EFFORT] += _SECOND - _EFFORT
    turned = np.where(np.isin(slot, _DIRECTED), rng.choice([-1.0, 1.0], joint.shape)[:, row_of], 1.0)
    varied = turned * np.exp(policy.scale * rng.standard_normal(mask.shape))
    factor = np.where(rng.random((len(rows), 1)) < policy.vary, varied, 1.0)
    for row in range(len(rows)):
        there = np.unique(slot[mask[row]])
        if rng.random() < policy.drop_quantity and len(there) > 1:
            mask[row] &= slot != rng.choice(there)
        if rng.random() < policy.drop_numbers:
            joint[row] = 0
        if rng.random() < policy.drop_joints:
            kept = rng.integers(2, size=joint.shape[1]).astype(bool)
            kept[rng.integers(len(kept))] = True
            mask[row] &= kept[row_of] if (mask[row] & kept[row_of]).any() else True
    rows = replace(
        rows,
        values=rows.values * torch.from_numpy(factor).float().unsqueeze(2),
        mask=torch.from_numpy(mask),
        joint=torch.from_numpy(joint),
        cell=torch.from_numpy(cell),
    )
    there = rows.grid()[1].numpy()
    hidden = [draw_hidden(cells, rows.hidden.shape[2], policy, rng) for cells in there]
    return replace(rows, hidden=torch.from_numpy(np.stack(hidden)))


def _cropped(rows: Telemetry, rng: np.random.Generator) -> Telemetry:
    """A stretch of whole patches, the same of all rows; windows that are no whole number of patches stay whole."""
    time, patches = rows.values.shape[2], rows.hidden.shape[2]
    patch = time // patches
    if patches < 2 or patch * patches != time:
        return rows
    count = int(rng.integers(-(-patches // 2), patches + 1))
    start = int(rng.integers(0, time - count * patch + 1))
    return replace(rows, values=rows.values[:, :, start : start + count * patch], hidden=rows.hidden[:, :, :count])
