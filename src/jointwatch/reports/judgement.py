"""What is said of every robot and joint, in one word and one reason; not enough data is a verdict of its own."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.special import bdtrc

from jointwatch.core import Alarm, Channel, Joint
from jointwatch.reports.base import ReportData
from jointwatch.reports.words import counted, joint_list, number, quantity_words

__all__ = ["JointVerdict", "RobotVerdict", "State", "headline", "judge"]

_LEADS = 0.2  # a joint needs attention if it contributes most in this share of the cycles above the threshold
_CHANCE = 0.05  # more cycles above the threshold than a healthy robot shows in 95 of 100 such sets


class State(StrEnum):
    """Verdicts, worst first. `unknown` is never shown as healthy."""

    ATTENTION = "attention"
    WATCH = "watch"
    UNKNOWN = "unknown"
    NORMAL = "normal"


@dataclass(frozen=True)
class JointVerdict:
    """One joint: `state` and the `reason` for it, one clause."""

    number: int
    name: str
    state: State
    reason: str


@dataclass(frozen=True)
class RobotVerdict:
    """One robot.

    Parameters
    ----------
    unit, name : which robot, and its brand and model where known.
    state, reason : the verdict.
    joints : one verdict a joint.
    cycles, above : scored cycles, and those above the threshold.
    expected : how many a healthy robot would show above it.
    alarms : raised alarms in order.
    rows : rows of the report's cycle scores.
    """

    unit: str
    name: str
    state: State
    reason: str
    joints: tuple[JointVerdict, ...]
    cycles: int
    above: int
    expected: float
    alarms: tuple[Alarm, ...]
    rows: np.ndarray


def judge(data: ReportData) -> tuple[RobotVerdict, ...]:
    """A verdict for every robot that was scored, worst first."""
    units = dict.fromkeys(data.cycle_scores.index.unit.tolist())
    found = [_robot(data, unit) for unit in units]
    order = list(State)
    return tuple(sorted(found, key=lambda v: (order.index(v.state), -len(v.alarms), -v.above)))


def headline(data: ReportData, verdicts: tuple[RobotVerdict, ...]) -> str:
    """The report in one sentence."""
    if not verdicts:
        return "No cycle was scored, so nothing can be said."
    if data.threshold is None:
        return "Not enough data for a verdict."
    ill = [v for v in verdicts if v.state is State.ATTENTION]
    if len(verdicts) == 1:
        return _one_robot(verdicts[0])
    if ill:
        names = [f"{v.unit}{_which(v)}" for v in ill]
        shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        return f"{len(ill)} of {len(verdicts)} robots {_needs(len(ill))} attention: {shown}."
    watched = [v.unit for v in verdicts if v.state is State.WATCH]
    if watched:
        return f"No robot raised an alarm; watch {', '.join(watched[:4])}" + (
            " and others." if len(watched) > 4 else "."
        )
    return f"None of {len(verdicts)} robots needs attention."


def _one_robot(verdict: RobotVerdict) -> str:
    joints, unit = verdict.joints, verdict.unit
    ill = [j.number for j in joints if j.state is State.ATTENTION]
    watched = [j.number for j in joints if j.state is State.WATCH]
    if ill:
        which = f"joint {ill[0]}" if len(ill) == 1 else f"joints {joint_list(ill)}"
        return f"{len(ill)} of {counted(len(joints), 'joint')} of {unit} {_needs(len(ill))} attention: {which}."
    if verdict.state is State.ATTENTION:
        return f"{unit} needs attention; which joint it is cannot be told."
    if verdict.state is State.WATCH:
        which = f", joint {joint_list(watched)}" if watched else ""
        return f"No alarm, but watch {unit}{which}: more high scores than chance explains."
    return f"No joint of {unit} needs attention."


def _which(verdict: RobotVerdict) -> str:
    ill = [j.number for j in verdict.joints if j.state is State.ATTENTION]
    return f" (joint {joint_list(ill)})" if ill else ""


def _needs(count: int) -> str:
    return "needs" if count == 1 else "need"


def _robot(data: ReportData, unit: str) -> RobotVerdict:
    index = data.cycle_scores.index
    rows = np.flatnonzero(index.unit == unit)
    alarms = tuple(alarm for alarm in data.alarms if alarm.unit == unit)
    robot = next((r for r in data.robots if r.unit == unit), None)
    name = f"{robot.brand} {robot.model}".strip() if robot else ""
    if data.threshold is None:
        reason = data.decision.message or "there are too few healthy cycles for a threshold"
        joints = tuple(JointVerdict(j.number, j.name, State.UNKNOWN, "not enough data") for j in _joints(data, unit))
        return RobotVerdict(unit, name, State.UNKNOWN, reason, joints, len(rows), 0, 0.0, (), rows)
    above = rows[data.cycle_scores.value[rows] > data.threshold]
    expected = len(rows) * data.decision.stated_rate
    by_chance = len(above) == 0 or bdtrc(len(above) - 1, len(rows), data.decision.stated_rate) >= _CHANCE
    told = f"{len(above)} of {counted(len(rows), 'cycle')} above the threshold"
    if alarms:
        state, reason = State.ATTENTION, f"{counted(len(alarms), 'alarm')}; {told}"
    elif not by_chance:
        state, reason = State.WATCH, f"no alarm, but {told}, where a healthy robot shows about {number(expected, 2)}"
    elif len(above):
        state, reason = State.NORMAL, f"{told}, no more than chance explains"
    else:
        state, reason = State.NORMAL, f"none of {counted(len(rows), 'cycle')} above the threshold"
    joints = _judge_joints(data, unit, state, above, alarms)
    return RobotVerdict(unit, name, state, reason, joints, len(rows), len(above), expected, alarms, rows)


def _judge_joints(
    data: ReportData, unit: str, state: State, above: np.ndarray, alarms: tuple[Alarm, ...]
) -> tuple[JointVerdict, ...]:
    named = Counter(alarm.joint for alarm in alarms)
    leads: Counter[int] = Counter()
    parts: dict[int, Counter[Channel]] = {}
    scores = data.cycle_scores
    if scores.contributions is not None and scores.channels:
        for row in above:
            leader = scores.channels[int(scores.contributions[row].argmax())]
            leads[leader.joint or 0] += 1
            parts.setdefault(leader.joint or 0, Counter())[leader] += 1
    can_tell = bool(leads) or any(joint for joint in named)
    most = max((leads[joint] for joint in leads if joint), default=0)
    measured = _measured_joints(data, unit)
    verdicts = []
    for joint in _joints(data, unit):
        lead = leads[joint.number]
        share = signal = ""
        if lead:
            share = f"leads in {lead} of {counted(len(above), 'high cycle')}"
            top = parts[joint.number].most_common(1)[0][0]
            signal = f", mostly by {quantity_words(top.quantity, top.source)}"
        clear = lead > 0 and (lead == most or lead >= max(2.0, _LEADS * len(above)))
        if measured is not None and joint.number not in measured:
            found = State.UNKNOWN, "not measured"
        elif state is State.ATTENTION and (clear if leads else named[joint.number] > 0):
            found = State.ATTENTION, share + signal or f"named by {counted(named[joint.number], 'alarm')}"
        elif state in (State.ATTENTION, State.WATCH) and not can_tell:
            found = State.UNKNOWN, "the detector cannot tell which joint it is"
        elif state in (State.ATTENTION, State.WATCH) and lead >= max(2.0, _LEADS / 2 * len(above)):
            found = State.WATCH, share + signal
        else:
            found = State.NORMAL, share or "no sign of change"
        verdicts.append(JointVerdict(joint.number, joint.name, *found))
    return tuple(verdicts)


def _joints(data: ReportData, unit: str) -> tuple[Joint, ...]:
    robot = next((r for r in data.robots if r.unit == unit), None)
    if robot is not None:
        return robot.joints
    return tuple(Joint(n) for n in sorted(_measured_joints(data, unit) or ()))


def _measured_joints(data: ReportData, unit: str) -> set[int] | None:
    """Joints with at least one channel of this unit; None where that is not known."""
    for windows in (data.windows, data.healthy):
        if windows is not None and (rows := windows.index.unit == unit).any():
            present = windows.presence[rows].any(axis=0)
            return {c.joint for c, there in zip(windows.channels, present, strict=True) if there and c.joint}
    if data.cycle_scores.channels:
        return {c.joint for c in data.cycle_scores.channels if c.joint}
    return None
