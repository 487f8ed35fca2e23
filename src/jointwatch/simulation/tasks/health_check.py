"""A short test run: one joint after the other, slow and fast."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from jointwatch.simulation.motion import Motion
from jointwatch.simulation.robot import RobotModel
from jointwatch.simulation.tasks._moves import along, contiguous_marks, fastest, scatter, to_samples
from jointwatch.simulation.tasks.base import Task

__all__ = ["HealthCheck"]

_CLEARANCE = 0.95


class HealthCheck(Task):
    """Each joint alone leaves home and comes back, once slowly and once fast; the others hold home.

    A cycle is one joint and named by it (`joint 2`). After the last joint the first comes again: as many cycles as
    there are joints make one pass. A joint moves to the side on which it has more room, and not up to its limit.

    Parameters
    ----------
    amplitude_deg : largest way from home.
    slow, fast : shares of the robot's speed limits, 0 to 1; a short way ends before the fast one is reached.
    acceleration : share of the robot's acceleration limits, 0 to 1.
    dwell_s, dwell_scatter_s : mean and standard deviation of the stop before each of the four moves.
    load_kg : see `Task`.

    >>> from jointwatch.simulation.robot import load_robot
    >>> motion = HealthCheck().motion(load_robot("ur5e"), cycles=6, rng=np.random.default_rng(0))
    >>> motion.cycles[1].name, bool((motion.time_s[motion.velocity_rad_s[:, 1] != 0] < motion.cycles[1].stop_s).all())
    ('joint 2', True)
    """

    amplitude_deg: float = Field(30.0, gt=0)
    slow: float = Field(0.05, gt=0, le=1)
    fast: float = Field(0.5, gt=0, le=1)
    acceleration: float = Field(0.5, gt=0, le=1)
    dwell_s: float = Field(0.3, ge=0)
    dwell_scatter_s: float = Field(0.02, ge=0)

    def _motion(self, robot: RobotModel, cycles: int, rng: np.random.Generator) -> Motion:
        home, n = robot.kinematics.home_rad.value, robot.n_joints
        room = robot.limits.position_rad.value - home[:, None]
        side = np.where(room[:, 1] >= -room[:, 0], 1.0, -1.0)
        way = side * np.minimum(np.deg2rad(self.amplitude_deg), _CLEARANCE * np.abs(room).max(axis=1))
        joint = np.arange(cycles) % n
        delta = np.zeros((cycles, n))
        delta[np.arange(cycles), joint] = way[joint]
        highest = robot.limits.speed_rad_s.value
        acceleration = self.acceleration * robot.limits.acceleration_rad_s2.value
        slow_s, slow_ramp = fastest(delta, self.slow * highest, acceleration)
        fast_s, fast_ramp = fastest(delta, self.fast * highest, acceleration)
        dwell = to_samples(self.dwell_s + scatter(rng, self.dwell_scatter_s, (cycles, 4)))
        slow, fast, half = to_samples(slow_s), to_samples(fast_s), np.full(cycles, 0.5)
        samples = np.stack(
            [dwell[:, 0], slow, dwell[:, 1], slow, dwell[:, 2], fast, dwell[:, 3], fast],
            axis=1,
        )
        ramp = np.stack([half, slow_ramp, half, slow_ramp, half, fast_ramp, half, fast_ramp], axis=1)
        away = np.array([0, 0, 1, 1, 0, 0, 1, 1])
        points = home + (away[:, None] * delta[:, None]).reshape(-1, n)
        path = along(np.concatenate([points, home[None]]), samples.ravel(), ramp.ravel())
        names = [f"joint {number + 1}" for number in joint]
        return Motion(*path, contiguous_marks(samples.sum(axis=1), names), (self._tool(),))
