"""ROS 2 `sensor_msgs/JointState` messages -> a recording; shared by the MCAP and the bag reader."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jointwatch.core import Action, Channel, QualityIssue, Quantity, Recording
from jointwatch.core.errors import EmptyInput, MissingChannel, UsageError
from jointwatch.recordings._assemble import Column, assemble
from jointwatch.recordings._identity import identify
from jointwatch.recordings._issues import note

__all__ = ["MESSAGE_TYPES", "JointStates", "choose_topic", "record"]

MESSAGE_TYPES = ("sensor_msgs/msg/JointState", "sensor_msgs/JointState")
_EFFORTS = (Quantity.TORQUE, Quantity.CURRENT)


@dataclass(frozen=True)
class JointStates:
    """How joint states are to be read.

    Parameters
    ----------
    topic : which one, where a file has several.
    effort : what the drivers of this robot put into `effort`: `torque` (N m, as ROS means it) or `current` (A).
    joints : names in the order of their numbers from 1; default: as they first appear.
    """

    topic: str | None = None
    effort: str = "torque"
    joints: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.effort not in [str(quantity) for quantity in _EFFORTS]:
            raise UsageError(f"effort is 'torque' or 'current', got {self.effort!r}")


def choose_topic(topics: Iterable[str], options: JointStates, source: Path) -> str:
    """The one topic with joint states, or the one asked for.

    Errors: `MissingChannel` if there is none, `UsageError` if there are several and none was asked for.
    """
    found = sorted(set(topics))
    if options.topic is not None:
        if options.topic not in found:
            raise MissingChannel(
                f"no joint states on {options.topic}", file=source, remedy=f"choose one of {', '.join(found) or 'none'}"
            )
        return options.topic
    if not found:
        raise MissingChannel(
            "there is no topic of sensor_msgs/JointState", file=source, remedy="record /joint_states with the robot"
        )
    if len(found) > 1:
        raise UsageError(f"{source}: joint states on {', '.join(found)}; choose one with topic=")
    return found[0]


def record(messages: Iterable[tuple[float, Any]], options: JointStates, source: Path, session: str) -> Recording:
    """Recording from (receive time in s, message) pairs; the header's stamp is the clock where it is set.

    Messages of other joints (a gripper on the same topic) are passed over and counted.

    Errors: `EmptyInput` without messages, `MissingChannel` if the joints asked for never come.
    """
    received: list[float] = []
    stamps: list[float] = []
    states: list[Any] = []
    for time_s, message in messages:
        stamp = message.header.stamp
        nanoseconds = getattr(stamp, "nanosec", getattr(stamp, "nsec", 0))
        stamps.append(int(stamp.sec) + 1e-9 * int(nanoseconds))
        received.append(time_s)
        states.append(message)
    if not states:
        raise EmptyInput("the topic holds no message", file=source, remedy="record it again or remove it")
    names = options.joints or Counter(tuple(message.name) for message in states).most_common(1)[0][0]
    fitting = [i for i, message in enumerate(states) if set(names) <= set(message.name)]
    if not fitting:
        seen = ", ".join(dict.fromkeys(name for message in states for name in message.name))
        raise MissingChannel(
            f"no message has the joints {', '.join(names)}", file=source, remedy=f"the joints recorded are {seen}"
        )
    issues: list[QualityIssue] = []
    if len(fitting) < len(states):
        others = len(states) - len(fitting)
        rows = sorted(set(range(1, len(states) + 1)) - {i + 1 for i in fitting})
        issues.append(note("other_joints", others, Action.DROPPED, rows=rows, detail="messages of other joints"))
    columns = []
    for field, quantity in (
        ("position", Quantity.POSITION),
        ("velocity", Quantity.VELOCITY),
        ("effort", Quantity(options.effort)),
    ):
        table = np.stack([_in_order(states[i], field, names) for i in fitting], axis=1)
        if np.isfinite(table).any():
            columns += [Column(Channel(quantity, j), row) for j, row in enumerate(table, 1)]
    if not columns:
        raise EmptyInput("the messages hold no position, velocity or effort", file=source, remedy="check the driver")
    stamped = all(stamps[i] > 0 for i in fitting)
    robot, assumed = identify(source, len(names), names=names)
    return assemble(
        columns,
        robot,
        session=session,
        source=source,
        time=np.array([stamps[i] if stamped else received[i] for i in fitting]),
        rows=np.array(fitting) + 1,
        rows_read=len(states),
        issues=[*issues, *assumed],
    )


def _in_order(message: Any, field: str, names: Sequence[str]) -> np.ndarray:
    """(joint,) values of one field in the order of `names`; NaN where the message leaves the field empty."""
    values = getattr(message, field)
    if len(values) != len(message.name):
        return np.full(len(names), np.nan)
    at = {name: i for i, name in enumerate(message.name)}
    return np.array([float(values[at[name]]) for name in names])
