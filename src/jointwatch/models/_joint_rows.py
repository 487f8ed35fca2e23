"""Which joint and which quantity each channel is: what lets one network read any robot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jointwatch.core import Channel, Quantity, Source

__all__ = ["SLOTS", "JointLayout", "slot_of"]

SLOTS = (
    "position",
    "velocity",
    "acceleration",
    "effort",
    "effort_2",
    "joint_torque",
    "position_error",
    "power",
    "temperature",
    "other",
)
"""What may be known of a joint. `effort` is what its drive gives, in torque or current; `effort_2` the second of both
where a robot tells two. All that has no place of its own, set points among it, is `other`."""

_DRIVE = (Quantity.EFFORT, Quantity.TORQUE, Quantity.CURRENT)


@dataclass(frozen=True)
class JointLayout:
    """Channels as cells of a table of joints and quantities.

    Parameters
    ----------
    joints : (row,) number of the joint from 1 at the base, 0 = none or unknown. A joint with more than one channel for
        a slot has several rows.
    cells : (channel,) row * len(SLOTS) + slot of each channel; no cell holds two.

    >>> arm = [Channel.parse(f"{quantity}/{joint}") for joint in (1, 2) for quantity in ("position", "current")]
    >>> JointLayout.of(arm)
    JointLayout(joints=(1, 2), cells=(0, 3, 10, 13))
    """

    joints: tuple[int, ...]
    cells: tuple[int, ...]

    @classmethod
    def of(cls, channels: Sequence[Channel]) -> JointLayout:
        """Rows in order of the joints' first channels; a channel without a joint is a row of its own."""
        return cls.of_places([(channel.joint or 0, slot_of(channel)) for channel in channels])

    @classmethod
    def of_places(cls, places: Sequence[tuple[int, str]]) -> JointLayout:
        """The same from (joint, slot) of each channel."""
        joints: list[int] = []
        taken: list[set[str]] = []
        cells = []
        for joint, slot in places:
            wanted = ("effort", "effort_2") if slot == "effort" else (slot,)
            free = [(r, s) for r, n in enumerate(joints) for s in wanted if joint and n == joint and s not in taken[r]]
            if not free:
                joints.append(joint)
                taken.append(set())
                free = [(len(joints) - 1, slot)]
            row, slot = free[0]
            taken[row].add(slot)
            cells.append(row * len(SLOTS) + SLOTS.index(slot))
        return cls(tuple(joints), tuple(cells))

    @property
    def sources(self) -> list[int]:
        """(row * slot,) number of the channel that fills each cell; the number of channels where none does."""
        found = [len(self.cells)] * (len(self.joints) * len(SLOTS))
        for channel, cell in enumerate(self.cells):
            found[cell] = channel
        return found


def slot_of(channel: Channel) -> str:
    """Slot of a channel, `other` for all that is no quantity of a joint that was measured or derived.

    >>> slot_of(Channel.parse("current/2")), slot_of(Channel.parse("position.commanded/2"))
    ('effort', 'other')
    """
    if channel.joint is None or channel.component or channel.source not in (Source.MEASURED, Source.DERIVED):
        return "other"
    if channel.quantity in _DRIVE:
        return "effort"
    return channel.quantity.value if channel.quantity.value in SLOTS else "other"
