"""One axis of a robot by itself, under names that are the same for every axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from jointwatch.core import Channel, Quantity, Recording, Source
from jointwatch.core.errors import MissingChannel, UsageError
from jointwatch.windows.derive import derive

__all__ = ["axis_of", "axis_view", "signals_of"]


def axis_of(recording: Recording, axis: int | None = None) -> int:
    """Number of the joint that is asked for; None = the joint that travels farthest.

    That is by the sum of its position's absolute changes, measured, else commanded; the lower number where two are
    equal. A robot with one joint needs no position for it.

    Errors: `UsageError` for a joint that the robot does not have, naming file and unit; `MissingChannel` without any
    position.
    """
    numbers = [joint.number for joint in recording.robot.joints]
    if axis is not None:
        if axis not in numbers:
            where = f"{recording.source}: " if recording.source else ""
            raise UsageError(
                f"{where}{recording.robot.unit}, session {recording.session!r}, has no joint {axis}, it has "
                f"{', '.join(map(str, numbers))}; leave it out, or say another joint with axis="
            )
        return axis
    if len(numbers) == 1:
        return numbers[0]
    for source in (Source.MEASURED, Source.COMMANDED):
        rows = [n for n in sorted(numbers) if Channel(Quantity.POSITION, n, source) in recording]
        if rows:
            travel = [np.nansum(np.abs(np.diff(recording[Channel(Quantity.POSITION, n, source)]))) for n in rows]
            return rows[int(np.argmax(travel))]
    raise MissingChannel(
        f"no position tells which joint of {recording.robot.unit}, session {recording.session!r}, travels farthest",
        file=recording.source or None,
        channel="position/J",
        remedy="say the joint with axis=",
    )


def signals_of(axis: int, keys: Sequence[str]) -> tuple[Channel, ...]:
    """Channels of an axis from keys without a joint, or with `J` for it.

    >>> [channel.key for channel in signals_of(4, ["torque", "velocity.derived/J"])]
    ['torque/4', 'velocity.derived/4']

    Errors: `UsageError` for a key with a number.
    """
    found = []
    for key in keys:
        head, colon, component = key.partition(":")
        head = head.removesuffix("/J")
        if "/" in head:
            raise UsageError(f"a signal names its joint as J or not at all (the axis is put in), got {key!r}")
        found.append(Channel.parse(f"{head}/{axis}{colon}{component}"))
    return tuple(found)


def axis_view(recording: Recording, keys: Sequence[str], axis: int | None = None) -> Recording:
    """The recording with the named signals of one axis alone, called without a joint number, so that windows of
    axis 4 and of axis 6 have the same channels. Which it was is in `truth["axis"]`.

    >>> from jointwatch.core import Robot
    >>> arm = Robot.of("demo", "arm", "arm-1", joints=2)
    >>> channels = tuple(Channel(Quantity.POSITION, joint) for joint in (1, 2))
    >>> recording = Recording(np.arange(50) / 25, np.stack([np.zeros(50), np.arange(50)]), channels, arm, "monday")
    >>> view = axis_view(recording, ["position", "velocity.derived"])
    >>> [channel.key for channel in view.channels], round(float(view["velocity.derived"].mean()))
    (['position', 'velocity.derived'], 25)

    Errors: `MissingChannel` for a signal that was neither recorded nor can be derived, naming it.
    """
    number = axis_of(recording, axis)
    signals = signals_of(number, keys)
    full = derive(recording, signals)
    for signal in signals:
        if signal not in full:
            raise MissingChannel(
                f"not recorded for {recording.robot.unit}, session {recording.session!r}",
                file=recording.source or None,
                channel=signal.key,
                remedy=f"leave it out; the recording has {', '.join(c.key for c in recording.channels)}",
            )
    return replace(
        recording,
        values=np.stack([full[signal] for signal in signals]),
        channels=tuple(replace(signal, joint=None) for signal in signals),
        truth={**recording.truth, "axis": number},
    )
