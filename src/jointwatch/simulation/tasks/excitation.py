"""Periodic motion of all joints at once that makes the dynamic parameters visible."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from jointwatch.simulation.motion import MOTION_RATE_HZ, Motion
from jointwatch.simulation.robot import RobotModel
from jointwatch.simulation.tasks._moves import contiguous_marks, to_samples
from jointwatch.simulation.tasks.base import Task

__all__ = ["Excitation"]


class Excitation(Task):
    """Finite Fourier series about home, another one for each joint; a cycle is its period.

    The coefficients are drawn once per motion and projected so that every period begins and ends at home, at rest and
    without acceleration; each joint's series is then scaled to the first limit that it meets.

    Parameters
    ----------
    period_s : period of the series.
    harmonics : number of multiples of its frequency, at least 3.
    amplitude_deg : largest deviation from home.
    speed : share of the robot's speed and acceleration limits, 0 to 1.
    load_kg : see `Task`.

    Source: J. Swevers et al., *Optimal robot excitation and identification*, IEEE Trans. Robotics Autom. 13 (1997).

    >>> from jointwatch.simulation.robot import load_robot
    >>> robot = load_robot("ur5e")
    >>> motion = Excitation().motion(robot, cycles=2, rng=np.random.default_rng(0))
    >>> bool((motion.position_rad[:5000] == motion.position_rad[5000:]).all())
    True
    """

    period_s: float = Field(10.0, gt=0)
    harmonics: int = Field(5, ge=3, le=50)
    amplitude_deg: float = Field(40.0, gt=0)
    speed: float = Field(0.5, gt=0, le=1)

    def _motion(self, robot: RobotModel, cycles: int, rng: np.random.Generator) -> Motion:
        samples = int(to_samples(np.array(self.period_s)))
        order = np.arange(1, self.harmonics + 1)
        rate = 2 * np.pi * order * MOTION_RATE_HZ / samples
        a, b = rng.standard_normal((2, self.harmonics, robot.n_joints))
        a = _without(a, np.ones((1, self.harmonics)))
        b = _without(b, np.stack([order, 1.0 / order]))
        angle = np.outer(np.arange(samples), 2 * np.pi * order / samples)
        sine, cosine = np.sin(angle), np.cos(angle)
        position = sine @ (a / rate[:, None]) - cosine @ (b / rate[:, None])
        velocity = cosine @ a + sine @ b
        acceleration = cosine @ (b * rate[:, None]) - sine @ (a * rate[:, None])
        home, limits = robot.kinematics.home_rad.value, robot.limits
        room = np.minimum(
            np.deg2rad(self.amplitude_deg), limits.position_rad.value.T * [[-1], [1]] + home * [[1], [-1]]
        )
        scale = np.min(
            [
                room[0] / -position.min(axis=0),
                room[1] / position.max(axis=0),
                self.speed * limits.speed_rad_s.value / np.abs(velocity).max(axis=0),
                self.speed * limits.acceleration_rad_s2.value / np.abs(acceleration).max(axis=0),
            ],
            axis=0,
        )
        path = (np.tile(values * scale, (cycles, 1)) for values in (position, velocity, acceleration))
        position_rad, velocity_rad_s, acceleration_rad_s2 = path
        marks = contiguous_marks(np.full(cycles, samples))
        return Motion(position_rad + home, velocity_rad_s, acceleration_rad_s2, marks, (self._tool(),))


def _without(coefficients: np.ndarray, conditions: np.ndarray) -> np.ndarray:
    """Coefficients (harmonic, joint) less what violates `conditions` (condition, harmonic) @ coefficients = 0."""
    return coefficients - np.linalg.pinv(conditions) @ (conditions @ coefficients)
