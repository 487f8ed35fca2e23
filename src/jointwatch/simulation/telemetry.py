"""From what truly happened to what a controller writes: sensors, firmware, clock and units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from jointwatch.core import Channel, Quantity, Source
from jointwatch.core.errors import UsageError
from jointwatch.simulation import _telemetry_faults as disturbed
from jointwatch.simulation._sensing import coloured_noise, low_pass, play, sample
from jointwatch.simulation.plant import Plant, SensorState, TelemetryState
from jointwatch.simulation.robot import RobotModel
from jointwatch.simulation.trace import TRACE_RATE_HZ, Trace

__all__ = ["KINDS", "Observed", "observe", "telemetry_state"]

_GAP_STEPS = 5.0  # as readers of recordings: a step this many times the median is a break
_RIPPLE_ORDER = 2
_RIPPLE_SCATTER = 0.4  # assumed: two sensors at one joint were seen to differ by a factor of two


def _motor_torque(trace: Trace, robot: RobotModel) -> np.ndarray:
    """What the controller computes: its nominal constants, not this specimen's."""
    nm_a = robot.number("drive.ratio") * robot.number("drive.torque_constant_nm_a")
    return nm_a[:, None] * trace.current_a


_TRUTH: dict[str, Callable[[Trace, RobotModel], np.ndarray]] = {
    "position": lambda trace, robot: trace.motor_position_rad,
    "position:link": lambda trace, robot: trace.link_position_rad,
    "position.commanded": lambda trace, robot: trace.commanded_rad,
    "position_error": lambda trace, robot: trace.commanded_rad - trace.motor_position_rad,
    "velocity": lambda trace, robot: trace.motor_velocity_rad_s,
    "velocity:link": lambda trace, robot: trace.link_velocity_rad_s,
    "velocity.commanded": lambda trace, robot: trace.commanded_rad_s,
    "current": lambda trace, robot: trace.current_a,
    "torque": _motor_torque,
    "torque.derived": _motor_torque,
    "torque.commanded": lambda trace, robot: trace.model_torque_nm,
    "torque.model": lambda trace, robot: trace.model_torque_nm,
    "joint_torque": lambda trace, robot: trace.joint_torque_nm,
    "temperature": lambda trace, robot: trace.temperature_c,
}

KINDS = tuple(_TRUTH)
"""Signals that a robot file may name, as channel keys without the joint."""


@dataclass(frozen=True, eq=False)
class Observed:
    """What was recorded: time_s (row,), values (channel, row) in SI units, what each row of `values` is, indices where
    the clock was interrupted, and counts of rows: `dropped`, `repeated`, `frozen`."""

    time_s: np.ndarray
    values: np.ndarray
    channels: tuple[Channel, ...]
    breaks: tuple[int, ...]
    notes: dict[str, int]


def telemetry_state(robot: RobotModel, rng: np.random.Generator, scatter: float = 1.0) -> TelemetryState:
    """The sensors of one unit: drawn once, the same in all its sessions.

    Parameters
    ----------
    robot : its file gives clock, conventions, and by signal the standard deviations over units.
    scatter : multiplies them; 0 = every sensor as in the file, ripple phases apart.

    Offset and gain are normal, the ripple's amplitude lognormal with a phase of its own in every joint. What the
    controller computes (commanded, model) has neither errors nor noise. `drift_per_s` (unit of the quantity per second)
    and `hysteresis` (half the width of the loop) are 0: they belong to faults.

    Errors: `UsageError` for a signal that does not exist.

    >>> from jointwatch.simulation.robot import load_robot
    >>> state = telemetry_state(load_robot("ur5e"), np.random.default_rng(0))
    >>> state.rate_hz, state.sensors["current"].gain.shape
    (500.0, (6,))
    """
    _known(robot.telemetry.signals)
    clock, joints = robot.telemetry, robot.n_joints
    sensors = {}
    for kind, sensor in clock.signals.items():
        exact = Channel.parse(kind).source in (Source.COMMANDED, Source.MODEL)
        offset, gain, size = rng.standard_normal((3, joints))
        phase = rng.uniform(0.0, 2 * np.pi, joints)
        spread = 0.0 if exact else scatter

        def each(number: np.ndarray, share: float = 1.0) -> np.ndarray:
            return share * np.broadcast_to(number, joints)

        sensors[kind] = SensorState(
            resolution=each(sensor.resolution.value),
            noise=each(sensor.noise.value, 0.0 if exact else 1.0),
            filter_hz=each(sensor.filter_hz.value),
            latency_s=each(sensor.latency_s.value),
            offset=spread * offset * sensor.offset.value,
            gain=1.0 + spread * gain * sensor.gain_error.value,
            ripple=each(sensor.ripple.value, 0.0 if exact else 1.0) * np.exp(spread * _RIPPLE_SCATTER * size),
            ripple_phase=phase,
            drift_per_s=np.zeros(joints),
            hysteresis=np.zeros(joints),
        )
    return TelemetryState(
        rate_hz=float(clock.rate_hz.value),
        jitter_s=float(clock.jitter_s.value),
        drop_probability=float(clock.drop_probability.value),
        repeat_probability=float(clock.repeat_probability.value),
        sign=clock.sign.value.copy(),
        zero_rad=clock.zero_rad.value.copy(),
        sensors=sensors,
    )


def observe(trace: Trace, plant: Plant, rng: np.random.Generator) -> Observed:
    """What this unit's controller records of a session.

    In order: low-pass of the firmware and latency; sampling on a clock whose steps vary around the nominal one without
    adding up; gain, offset, ripple at twice the joint's turn, drift, hysteresis and noise of the sensor, the noise
    coloured by the same low-pass; sign and zero of the brand; resolution. Then rows get lost (left out) or repeat the
    one before under a new time stamp, and scheduled telemetry faults act. A step over five medians is a break.

    Parameters
    ----------
    rng : this session's chance: clock, losses and noise, each from a stream of its own, so that recordings that differ
        by a fault share the rest.

    Errors: `UsageError` if trace and robot differ in joints, a signal or a scheduled fault does not exist, or fewer
    than two rows remain.

    >>> from jointwatch.simulation.robot import load_robot
    >>> from jointwatch.simulation.unit import draw_unit
    >>> unit = draw_unit(load_robot("ur5e"), np.random.default_rng(0))
    >>> still = Trace(**{name: np.zeros((6, 1000)) for name in Trace.__dataclass_fields__})
    >>> seen = observe(still, unit, np.random.default_rng(1))
    >>> seen.channels[0].key, seen.values.shape[0], bool((np.diff(seen.time_s) > 0).all())
    ('position/1', 30, True)
    """
    robot, state = plant.robot, plant.telemetry
    joints, samples = trace.current_a.shape
    _known(state.sensors)
    if joints != robot.n_joints:
        raise UsageError(f"the trace has {joints} joints, {robot.model} has {robot.n_joints}")
    disturbed.check(plant)
    clock_stream, loss_stream, *streams = rng.spawn(2 + len(state.sensors))
    time_s = _clock(state, samples, clock_stream)
    count = len(time_s)
    values = np.empty((len(state.sensors) * joints, count))
    channels: list[Channel] = []
    for nth, (kind, sensor) in enumerate(state.sensors.items()):
        channel = Channel.parse(kind)
        row = slice(nth * joints, (nth + 1) * joints)
        values[row] = _report(kind, sensor, channel, trace, plant, time_s, streams[nth])
        channels += [replace(channel, joint=joint) for joint in range(1, joints + 1)]
    still = disturbed.freeze(values, tuple(channels), state, time_s)
    lost, again = loss_stream.random((2, count)) < [[state.drop_probability], [state.repeat_probability]]
    kept = np.flatnonzero(~lost & ~disturbed.missing(state, time_s))
    if len(kept) < 2:
        raise UsageError(
            f"only {len(kept)} of {count} rows are recorded; a recording needs two: lose less, or run longer"
        )
    order = np.arange(len(kept))
    origin = np.maximum.accumulate(np.where(again[kept], 0, order))
    origin = disturbed.replay(origin, state, time_s[kept])
    stamps = disturbed.clock(state, time_s[kept])
    steps = np.diff(stamps)
    return Observed(
        time_s=stamps,
        values=values[:, kept[origin]],
        channels=tuple(channels),
        breaks=tuple(int(at) + 1 for at in np.flatnonzero(steps > _GAP_STEPS * np.median(steps))),
        notes={
            "dropped": count - len(kept),
            "repeated": int((origin != order).sum()),
            "frozen": int(still[kept].sum()),
        },
    )


def _known(kinds: dict[str, Any]) -> None:
    unknown = [kind for kind in kinds if kind not in _TRUTH]
    if unknown:
        raise UsageError(f"no signal {', '.join(map(repr, unknown))}; there are {', '.join(KINDS)}")


def _clock(state: TelemetryState, samples: int, rng: np.random.Generator) -> np.ndarray:
    """(row,) instants at which the controller samples, from a random phase of its first period on."""
    step_s = 1.0 / state.rate_hz
    phase_s = rng.uniform(0.0, step_s)
    count = int(np.floor(((samples - 1) / TRACE_RATE_HZ - phase_s) / step_s)) + 1
    if count < 2:
        raise UsageError(f"{samples / TRACE_RATE_HZ:g} s are too short for two samples at {state.rate_hz:g} Hz")
    # A step is the difference of two errors; below half a step each, the order of samples stands.
    error_s = rng.standard_normal(count) * (state.jitter_s / np.sqrt(2))
    np.clip(error_s, -0.45 * step_s, 0.45 * step_s, out=error_s)
    time_s = phase_s + np.arange(count) * step_s + error_s
    time_s[0] = max(time_s[0], 0.0)
    return time_s


def _report(
    kind: str,
    sensor: SensorState,
    channel: Channel,
    trace: Trace,
    plant: Plant,
    time_s: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """(joint, row) of one kind of signal as the controller writes it, before rows get lost."""
    state = plant.telemetry
    true = low_pass(_TRUTH[kind](trace, plant.robot), sensor.filter_hz, TRACE_RATE_HZ)
    seen = sample(true, TRACE_RATE_HZ, time_s, sensor.latency_s)
    seen *= sensor.gain[:, None]
    seen += sensor.offset[:, None]
    if sensor.ripple.any():
        turn = sample(trace.link_position_rad, TRACE_RATE_HZ, time_s, sensor.latency_s)
        seen += sensor.ripple[:, None] * np.sin(_RIPPLE_ORDER * turn + sensor.ripple_phase[:, None])
    if sensor.drift_per_s.any():
        seen += sensor.drift_per_s[:, None] * time_s
    if sensor.hysteresis.any():
        seen = play(seen, sensor.hysteresis)
    if sensor.noise.any():
        seen += coloured_noise(rng, sensor.noise, sensor.filter_hz, state.rate_hz, len(time_s))
    if state.faults:
        model = sample(trace.model_torque_nm, TRACE_RATE_HZ, time_s, sensor.latency_s)
        seen = disturbed.content(seen, channel, plant, model, time_s)
    if channel.quantity is Quantity.POSITION:
        seen -= state.zero_rad[:, None]
    if channel.quantity is not Quantity.TEMPERATURE:
        seen *= state.sign[:, None]
    for joint in np.flatnonzero(sensor.resolution > 0):
        np.rint(seen[joint] / sensor.resolution[joint], out=seen[joint])
        seen[joint] *= sensor.resolution[joint]
    return disturbed.units(seen, channel, plant, time_s)
