"""Channels computed from others: what a robot does not send, or sends in a form that hides what matters."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise

import numpy as np

from jointwatch.core import Channel, Quantity, Recording, Source
from jointwatch.core.errors import MissingChannel
from jointwatch.signals.differentiate import differentiate
from jointwatch.signals.numerics import one_pole
from jointwatch.windows._described import description_of

__all__ = ["derive"]

INNOVATION_TIME_S = 0.5
_EFFORTS = (Quantity.TORQUE, Quantity.CURRENT, Quantity.JOINT_TORQUE)


def derive(recording: Recording, wanted: Iterable[Channel]) -> Recording:
    """The recording with those of the wanted channels added that are `derived` and not there yet.

    ===============================  ==================================================================
    `velocity.derived/J`             derivative of the measured position
    `position_error.derived/J`       commanded minus measured position
    `effort.derived/J`               what the drive gives, as the robot tells it: motor torque, else current,
                                     else the torque sensor; in that signal's own unit
    `power.derived/J`                what the drive gives times the joint's velocity (measured, else derived):
                                     in W from motor torque, else from current where the robot has a description
                                     (`simulation/robots`: gear ratio x torque constant, mostly assumed), else
                                     from the torque sensor; else current times velocity, in A rad/s
    `QUANTITY.derived/J:innovation`  measured value minus its own recent level (exponential mean with a
                                     time constant of 0.5 s, past samples of the same cycle only): the
                                     holding current of a joint differs from run to run, its sudden
                                     change does not; and how a stroke began says nothing of what follows
    ===============================  ==================================================================

    Channels of joints that the robot does not have are passed over; the caller masks them.
    Errors: `MissingChannel` if what a channel is computed from was not recorded.

    >>> import numpy as np
    >>> from jointwatch.core import Robot
    >>> time_s = np.arange(200) / 100
    >>> arm = Robot.of("demo", "arm", "arm-1", joints=1)
    >>> recording = Recording(time_s, 3 * time_s[None], (Channel(Quantity.POSITION, 1),), arm, "monday")
    >>> derived = derive(recording, [Channel.parse("velocity.derived/1")])
    >>> bool(np.allclose(derived["velocity.derived/1"], 3))
    True
    """
    joints = {joint.number for joint in recording.robot.joints}
    added: list[Channel] = []
    rows: list[np.ndarray] = []
    for channel in wanted:
        if channel.source is not Source.DERIVED or channel in recording or channel.joint not in joints:
            continue
        rows.append(_recipe(channel)(recording, channel))
        added.append(channel)
    return recording.with_channels(added, np.stack(rows)) if added else recording


def _recipe(channel: Channel) -> Callable[[Recording, Channel], np.ndarray]:
    if channel.component == "innovation":
        return _innovation
    if channel.component == "" and channel.quantity in _RECIPES:
        return _RECIPES[channel.quantity]
    raise MissingChannel(
        "there is no rule to derive it",
        channel=channel.key,
        remedy=f"derived are {', '.join(f'{q}.derived/J' for q in _RECIPES)} and QUANTITY.derived/J:innovation",
    )


def _velocity(recording: Recording, channel: Channel) -> np.ndarray:
    position = recording[Channel(Quantity.POSITION, channel.joint)]
    parts = _continuous(recording)
    return np.concatenate([differentiate(position[None, part], recording.time_s[part])[0] for part in parts])


def _tracking_error(recording: Recording, channel: Channel) -> np.ndarray:
    commanded = recording[Channel(Quantity.POSITION, channel.joint, Source.COMMANDED)]
    return commanded - recording[Channel(Quantity.POSITION, channel.joint)]


def _effort(recording: Recording, channel: Channel) -> np.ndarray:
    for quantity in _EFFORTS:
        own = Channel(quantity, channel.joint)
        if own in recording:
            return recording[own]
    raise MissingChannel(
        "the robot reports neither torque nor current",
        file=recording.source or None,
        channel=channel.key,
        remedy=f"effort is {', '.join(_EFFORTS)}, whichever is there",
    )


def _power(recording: Recording, channel: Channel) -> np.ndarray:
    joint = channel.joint
    measured = Channel(Quantity.VELOCITY, joint)
    velocity = recording[measured] if measured in recording else _velocity(recording, channel)
    torque, current, sensor = (Channel(quantity, joint) for quantity in _EFFORTS)
    robot = description_of(recording.robot)
    if torque not in recording and current in recording and robot is not None and joint is not None:
        constant = robot.number("drive.ratio") * robot.number("drive.torque_constant_nm_a")
        return constant[joint - 1] * recording[current] * velocity
    if torque not in recording and sensor in recording:
        return recording[sensor] * velocity
    return _effort(recording, channel) * velocity


def _innovation(recording: Recording, channel: Channel) -> np.ndarray:
    values = recording[Channel(channel.quantity, channel.joint)]
    result = np.empty_like(values)
    share = 1 - np.exp(-1 / (INNOVATION_TIME_S * recording.rate_hz))
    for part in _continuous(recording, by_cycle=True):
        piece = values[part]
        known = np.flatnonzero(np.isfinite(piece))
        if len(known) == 0:
            result[part] = np.nan
            continue
        # a lost sample counts as the last known one, before the first known one as that
        last = np.searchsorted(known, np.arange(len(piece)), side="right") - 1
        held = piece[known[np.maximum(last, 0)]]
        result[part] = piece - np.concatenate([held[:1], one_pole(held, share)[:-1]])
    return result


def _continuous(recording: Recording, by_cycle: bool = False) -> list[slice]:
    edges = {0, *recording.breaks, len(recording.time_s)}
    if by_cycle:
        ends = [time for cycle in recording.cycles for time in (cycle.start_s, cycle.stop_s)]
        edges |= set(np.searchsorted(recording.time_s, ends).tolist())
    return [slice(a, b) for a, b in pairwise(sorted(edges))]


_RECIPES: dict[Quantity, Callable[[Recording, Channel], np.ndarray]] = {
    Quantity.VELOCITY: _velocity,
    Quantity.POSITION_ERROR: _tracking_error,
    Quantity.EFFORT: _effort,
    Quantity.POWER: _power,
}
