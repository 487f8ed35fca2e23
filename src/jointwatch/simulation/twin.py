"""A simulated twin of a measured recording: the same robot model, the same motion, the same clock and signals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d

from jointwatch.core import Channel, Condition, Label, QualityReport, Quantity, Recording, Source
from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.simulation._streams import stream
from jointwatch.simulation.drivetrain import simulate_drives
from jointwatch.simulation.motion import MOTION_RATE_HZ, Load, Motion
from jointwatch.simulation.robot import RobotModel
from jointwatch.simulation.telemetry import observe
from jointwatch.simulation.unit import draw_session, draw_unit

__all__ = ["twin_of"]

_SMOOTH_HZ = 8.0  # the reference follows what a planner can have meant, not the sensor's noise
_LEAST_S = 0.8


def twin_of(recording: Recording, robot: RobotModel, seed: int, load: Load | None = None) -> Recording:
    """What a healthy specimen of the model would have recorded on the same path.

    The commanded positions, or else the measured ones, become the reference, smoothed to 8 Hz. The longest stretch
    without a break is used, so the twin may be shorter than the recording; times are those of the recording. Channels
    that the model's telemetry lacks are left out.

    Parameters
    ----------
    load : what the flange carries; None = nothing.

    Errors: `UsageError` if the joints differ; `NotEnoughData` without 0.8 s of continuous positions.
    """
    if len(recording.robot.joints) != robot.n_joints:
        raise UsageError(
            f"{recording.robot.model} has {len(recording.robot.joints)} joints, {robot.model} {robot.n_joints}"
        )
    start_s, motion = _reference(recording, robot, load)
    plant = draw_session(
        draw_unit(robot, stream(seed, "twin", "unit")), stream(seed, "twin", recording.session, "session")
    )
    plant.gravity_m_s2 = np.array([0.0, 0.0, -np.linalg.norm(plant.gravity_m_s2)])
    trace = simulate_drives(plant, motion, stream(seed, "twin", recording.session, "wander"))
    plant.telemetry.rate_hz = recording.rate_hz
    seen = observe(trace, plant, stream(seed, "twin", recording.session, "telemetry"))
    shared = [channel for channel in seen.channels if channel in recording]
    rows = [seen.channels.index(channel) for channel in shared]
    cycles = tuple(
        replace(c, condition=Condition(Label.NORMAL))
        for c in recording.cycles
        if start_s <= c.start_s and c.stop_s <= start_s + motion.duration_s
    )
    return Recording(
        start_s + seen.time_s,
        seen.values[rows],
        tuple(shared),
        recording.robot,
        recording.session,
        cycles=cycles,
        condition=Condition(Label.NORMAL),
        breaks=seen.breaks,
        quality=QualityReport(len(seen.time_s)),
        truth={"twin_of": recording.source, "seed": seed},
        source=f"twin of {recording.source or recording.session}",
    )


def _reference(recording: Recording, robot: RobotModel, load: Load | None) -> tuple[float, Motion]:
    """Start on the recording's clock, and the motion from there."""
    values = np.stack([_position(recording, joint) for joint in range(1, robot.n_joints + 1)])
    sign, zero = robot.telemetry.sign.value[:, None], robot.telemetry.zero_rad.value[:, None]
    values = sign * values + zero
    first, last = _longest(recording, values)
    time_s, values = recording.time_s[first:last], values[:, first:last]
    if last - first < 2 or time_s[-1] - time_s[0] < _LEAST_S:
        have = int(1000 * (time_s[-1] - time_s[0])) if last > first else 0
        raise NotEnoughData("a twin", needed=int(1000 * _LEAST_S), have=have, unit="ms of continuous positions")
    clock = np.arange(int((time_s[-1] - time_s[0]) * MOTION_RATE_HZ)) / MOTION_RATE_HZ
    path = np.stack([np.interp(clock, time_s - time_s[0], row) for row in values])
    width = MOTION_RATE_HZ / (2 * np.pi * _SMOOTH_HZ)
    path = gaussian_filter1d(path, width, axis=1, mode="nearest")
    spline = CubicSpline(clock, path, axis=1)
    position, velocity, acceleration = (spline(clock, order).T for order in range(3))
    loads = (Load(0.0, 0.0),) if load is None else (load,)
    return float(time_s[0]), Motion(position, velocity, acceleration, loads=loads)


def _position(recording: Recording, joint: int) -> np.ndarray:
    for source in (Source.COMMANDED, Source.MEASURED):
        channel = Channel(Quantity.POSITION, joint, source)
        if channel in recording:
            return recording[channel]
    raise UsageError(f"{recording.source or recording.session} has no position of joint {joint}")


def _longest(recording: Recording, values: np.ndarray) -> tuple[int, int]:
    """First and behind last sample of the longest stretch without break or lost position."""
    good = np.isfinite(values).all(axis=0)
    edges = np.zeros(len(good) + 1, bool)
    edges[[0, len(good), *recording.breaks]] = True
    edges[:-1] |= ~good
    edges[1:] |= ~good
    cuts = np.flatnonzero(edges)
    longest = int(np.argmax(np.diff(cuts)))
    return int(cuts[longest]), int(cuts[longest + 1])
