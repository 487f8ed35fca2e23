"""Constant-speed strokes of one joint, for friction curves and order spectra."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from jointwatch.core.errors import UsageError
from jointwatch.simulation.motion import MOTION_RATE_HZ, Motion
from jointwatch.simulation.robot import RobotModel
from jointwatch.simulation.tasks._moves import along, contiguous_marks, scatter, to_samples
from jointwatch.simulation.tasks._one_joint import OneJointTask

__all__ = ["Strokes"]


class Strokes(OneJointTask):
    """Strokes there and back at one speed after the other; the other joints hold home.

    A cycle is a pair of strokes at one speed, with a stop before each, and is named by it (`10 deg/s`). After the last
    speed the first comes again: as many cycles as there are speeds make one pass.

    Parameters
    ----------
    joint : number from 1.
    amplitude_deg, centre_deg : the stroke goes to both sides of the centre; None: of the joint's home.
    speeds_deg_s : speeds of the cycles in turn.
    acceleration : share of the joint's limit that ramps use at most, 0 to 1.
    dwell_s, dwell_scatter_s : mean and standard deviation of a stop.
    load_kg : see `Task`.

    Errors of `motion`: `UsageError` where a stroke is too short for its speed, besides those of all tasks.

    >>> from jointwatch.simulation.robot import load_robot
    >>> motion = Strokes(joint=2, speeds_deg_s=(5.0, 20.0)).motion(load_robot("ur5e"), 2, np.random.default_rng(0))
    >>> [mark.name for mark in motion.cycles], float(np.rad2deg(motion.velocity_rad_s[:, 1].max()).round(6))
    (['5 deg/s', '20 deg/s'], 20.0)
    """

    amplitude_deg: float = Field(30.0, gt=0)
    speeds_deg_s: tuple[Annotated[float, Field(gt=0)], ...] = Field((5.0, 10.0, 20.0, 40.0), min_length=1)
    acceleration: float = Field(0.5, gt=0, le=1)
    dwell_s: float = Field(0.5, ge=0)
    dwell_scatter_s: float = Field(0.02, ge=0)

    def _motion(self, robot: RobotModel, cycles: int, rng: np.random.Generator) -> Motion:
        low, high = self._ends(robot)
        speeds = np.resize(self.speeds_deg_s, cycles)
        cruise_s = 2 * self.amplitude_deg / speeds
        limit = np.rad2deg(robot.limits.acceleration_rad_s2.value[self._index(robot)])
        stroke = to_samples(cruise_s + 2 * speeds / (self.acceleration * limit))
        # What rounding to samples adds goes to the ramps: the speed is kept exactly.
        ramp = 1.0 - cruise_s * MOTION_RATE_HZ / stroke
        if ramp.max() > 0.5:
            raise UsageError(
                f"joint {self.joint} cannot reach {speeds[ramp.argmax()]:g} deg/s on a stroke of "
                f"{2 * self.amplitude_deg:g} deg; raise amplitude_deg or acceleration, or lower speeds_deg_s"
            )
        dwell = to_samples(self.dwell_s + scatter(rng, self.dwell_scatter_s, (cycles, 2)))
        samples = np.stack([dwell[:, 0], stroke, dwell[:, 1], stroke], axis=1)
        half = np.full(cycles, 0.5)
        ramps = np.stack([half, ramp, half, ramp], axis=1)
        points = np.stack([low, low, high, high] * cycles + [low])
        path = along(points, samples.ravel(), ramps.ravel())
        names = [f"{speed:g} deg/s" for speed in speeds]
        return Motion(*path, contiguous_marks(samples.sum(axis=1), names), (self._tool(),))
