"""A stop on the path and a start again, as a protective stop makes it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.interpolate import CubicHermiteSpline

from jointwatch.simulation.motion import MOTION_RATE_HZ, Load, Mark, Motion

__all__ = ["halt"]

_BRAKE_S = 0.15
_RESUME_S = 0.4


def halt(motion: Motion, at_s: float, pause_s: float) -> tuple[Motion, float]:
    """The motion with a stop that begins at `at_s`, and by how many seconds all that follows is later.

    Path time slows down to nothing within 0.15 s, rests, and comes back within 0.4 s; the path itself stays.
    """
    step = 1.0 / MOTION_RATE_HZ
    brake, rest, resume = (max(round(s * MOTION_RATE_HZ), 1) for s in (_BRAKE_S, pause_s, _RESUME_S))
    begin = round(at_s * MOTION_RATE_HZ)
    ease = [_ease(brake), np.ones(rest), 1 - _ease(resume)]  # how much of the pace is taken away
    pace = np.concatenate([np.ones(begin), 1 - np.concatenate(ease)])
    path = np.concatenate([[0.0], np.cumsum((pace[1:] + pace[:-1]) / 2)]) * step
    left = motion.duration_s - step - path[-1]
    tail = max(int(left * MOTION_RATE_HZ + 1e-6), 0)
    pace = np.concatenate([pace, np.ones(tail)])
    path = np.concatenate([path, path[-1] + step * np.arange(1, tail + 1)])
    path = np.minimum(path, motion.duration_s - step)
    clock = motion.time_s
    position = CubicHermiteSpline(clock, motion.position_rad, motion.velocity_rad_s)(path)
    velocity = np.stack([np.interp(path, clock, v) for v in motion.velocity_rad_s.T], axis=1)
    acceleration = np.stack([np.interp(path, clock, a) for a in motion.acceleration_rad_s2.T], axis=1)
    change = np.gradient(pace, step)
    delay_s = len(path) / MOTION_RATE_HZ - motion.duration_s

    def later(when_s: float) -> float:
        return when_s if when_s <= at_s else when_s + delay_s

    def shifted(loads: tuple[Load, ...]) -> tuple[Load, ...]:
        return tuple(replace(load, start_s=later(load.start_s)) for load in loads)

    return (
        Motion(
            position,
            velocity * pace[:, None],
            acceleration * pace[:, None] ** 2 + velocity * change[:, None],
            tuple(Mark(later(mark.start_s), later(mark.stop_s), mark.name) for mark in motion.cycles),
            shifted(motion.loads),
            None if motion.believed_loads is None else shifted(motion.believed_loads),
        ),
        delay_s,
    )


def _ease(steps: int) -> np.ndarray:
    u = np.arange(1, steps + 1) / steps
    return u**3 * (10 - 15 * u + 6 * u**2)
