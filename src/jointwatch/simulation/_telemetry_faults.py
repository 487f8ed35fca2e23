"""What telemetry faults do to rows, clock, content and units; the schedule is in `TelemetryState.faults`.

An entry (name, start_s, stop_s, joint or None, strength) acts on start_s <= time < stop_s of the true clock, on one
joint (from 1) or all, and not at all at strength 0:

dropouts : the rows are missing.
frozen : every value, or what is measured at one joint, stands at its last reading.
repeated : the rows bring the values of as many rows before the span once more, under new time stamps.
clock_step : the clock jumps ahead by `strength` seconds, at most half the span, then runs slow until it is right again
    at stop_s, as clocks do that step and slew. It never runs backwards.
unit_change:position, unit_change:current : positions in degrees (mm), currents in mA.
filter_change : one more first-order low-pass on what firmware smooths, time constant `strength` / (2 pi 5 Hz).
firmware_shift : the column means something else: at strength 1 a motor current becomes the motor's torque at the joint
    less the torque of the controller's model, behind a low-pass of 10 Hz; torques lose the model's torque too. Between,
    a mixture. A maker's driver changed its default in this way (Universal Robots ROS 2 driver, pull request 1551).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from jointwatch.core import Channel, Quantity, Source
from jointwatch.core.errors import UsageError
from jointwatch.simulation._sensing import low_pass
from jointwatch.simulation.plant import Plant, TelemetryState

__all__ = ["EFFORTS", "NAMES", "SMOOTHED", "check", "clock", "content", "freeze", "missing", "replay", "units"]

NAMES = (
    "clock_step",
    "dropouts",
    "filter_change",
    "firmware_shift",
    "frozen",
    "repeated",
    "unit_change:current",
    "unit_change:position",
)
SMOOTHED = (Quantity.VELOCITY, Quantity.CURRENT, Quantity.TORQUE, Quantity.JOINT_TORQUE)
EFFORTS = (Quantity.CURRENT, Quantity.TORQUE, Quantity.JOINT_TORQUE)
_FILTER_HZ = 5.0  # assumed: the slowest low-pass that firmware puts on a signal
_SHIFT_HZ = 10.0  # assumed: a compensated torque is smoothed more than a current
_STEP_S = 1.0


def check(plant: Plant) -> None:
    """`UsageError` for a schedule that names a fault or joint that there is not, or a strength outside [0, 1]."""
    for name, start_s, stop_s, joint, strength in plant.telemetry.faults:
        if name not in NAMES:
            raise UsageError(f"no telemetry fault {name!r}; there are {', '.join(NAMES)}")
        if joint is not None and not 1 <= joint <= plant.robot.n_joints:
            raise UsageError(f"telemetry fault {name}: {plant.robot.model} has no joint {joint}")
        if not 0 <= strength <= 1 or not start_s <= stop_s:
            raise UsageError(f"telemetry fault {name}: strength {strength}, from {start_s} to {stop_s} s, cannot be")


def _entries(state: TelemetryState, name: str, time_s: np.ndarray) -> Iterator[tuple[int, int, int | None, float]]:
    """Rows [first, last), joint and strength of each entry of that name that acts on some row."""
    for known, start_s, stop_s, joint, strength in state.faults:
        first, last = np.searchsorted(time_s, [start_s, stop_s])
        if known == name and strength > 0 and last > first:
            yield int(first), int(last), joint, strength


def _joints(joint: int | None, count: int) -> np.ndarray:
    return np.arange(count) if joint is None else np.array([joint - 1])


def content(
    values: np.ndarray, channel: Channel, plant: Plant, model_torque_nm: np.ndarray, time_s: np.ndarray
) -> np.ndarray:
    """Values (joint, row) of one measured quantity as changed firmware sends them; model torque alike."""
    state, robot = plant.telemetry, plant.robot
    if channel.source is not Source.MEASURED:
        return values
    if channel.quantity in EFFORTS:
        nm_a = robot.number("drive.ratio") * robot.number("drive.torque_constant_nm_a")
        gain = nm_a if channel.quantity is Quantity.CURRENT else np.ones(robot.n_joints)
        for first, last, joint, strength in _entries(state, "firmware_shift", time_s):
            at, rows = _joints(joint, len(values)), slice(first, last)
            mixed = 1 - strength + strength * gain[at, None]
            moved = mixed * values[at, rows] - strength * model_torque_nm[at, rows]
            values[at, rows] = low_pass(moved, np.full(len(at), _SHIFT_HZ / strength), state.rate_hz)
    if channel.quantity in SMOOTHED:
        for first, last, joint, strength in _entries(state, "filter_change", time_s):
            at, rows = _joints(joint, len(values)), slice(first, last)
            values[at, rows] = low_pass(values[at, rows], np.full(len(at), _FILTER_HZ / strength), state.rate_hz)
    return values


def units(values: np.ndarray, channel: Channel, plant: Plant, time_s: np.ndarray) -> np.ndarray:
    """Values (joint, row) of one quantity, in another unit where the schedule says so."""
    turning = plant.robot.joint_kind == "revolute"
    factor = {Quantity.POSITION: 180 / np.pi if turning else 1e3, Quantity.CURRENT: 1e3}.get(channel.quantity)
    if factor is not None:
        for first, last, joint, _ in _entries(plant.telemetry, f"unit_change:{channel.quantity}", time_s):
            values[_joints(joint, len(values)), first:last] *= factor
    return values


def freeze(values: np.ndarray, channels: tuple[Channel, ...], state: TelemetryState, time_s: np.ndarray) -> np.ndarray:
    """(row,) bool, where something stands still; `values` (channel, row) are changed in place."""
    still = np.zeros(len(time_s), bool)
    for first, last, joint, _ in _entries(state, "frozen", time_s):
        at = [
            i
            for i, channel in enumerate(channels)
            if joint is None or (channel.joint == joint and channel.source is Source.MEASURED)
        ]
        values[at, first:last] = values[at, max(first - 1, 0)][:, None]
        still[first:last] = True
    return still


def missing(state: TelemetryState, time_s: np.ndarray) -> np.ndarray:
    """(row,) bool, which rows bursts take away."""
    lost = np.zeros(len(time_s), bool)
    for first, last, _, _ in _entries(state, "dropouts", time_s):
        lost[first:last] = True
    return lost


def replay(origin: np.ndarray, state: TelemetryState, time_s: np.ndarray) -> np.ndarray:
    """(row,) from which row the values come, given where they came from so far."""
    origin = origin.copy()
    for first, last, _, _ in _entries(state, "repeated", time_s):
        origin[first:last] = origin[np.maximum(np.arange(first, last) - (last - first), 0)]
    return origin


def clock(state: TelemetryState, time_s: np.ndarray) -> np.ndarray:
    """(row,) time stamps as a disturbed clock writes them, strictly increasing as `time_s` is."""
    stamps = time_s.copy()
    for name, start_s, stop_s, _, strength in sorted(state.faults, key=lambda entry: entry[1]):
        span_s = stop_s - start_s
        if name == "clock_step" and strength > 0 and span_s > 0:
            ahead_s = min(strength * _STEP_S, 0.5 * span_s)
            inside = (stamps >= start_s) & (stamps < stop_s)
            stamps[inside] += ahead_s * (1 - (stamps[inside] - start_s) / span_s)
    return stamps
