"""One joint swings to and fro for hours, the way reducers are tested for endurance."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from jointwatch.simulation.motion import Motion
from jointwatch.simulation.robot import RobotModel
from jointwatch.simulation.tasks._moves import along, contiguous_marks, scatter, to_samples
from jointwatch.simulation.tasks._one_joint import OneJointTask

__all__ = ["Reciprocation"]


class Reciprocation(OneJointTask):
    """Swing of one joint with trapezoidal speed; the others hold home.

    A limit switch at the lower end marks the cycle: once up and back. On a rig of one joint this is the inverted
    pendulum. The default amplitude, period and ramp cruise at 36 deg/s: 600 rpm before a reducer of 100.

    Parameters
    ----------
    joint : number from 1.
    amplitude_deg, centre_deg : swing to both sides of the centre; None: of the joint's home.
    period_s : mean duration of a cycle.
    ramp : share of a swing that speeding up takes, 0 to 0.5; slowing down takes as much.
    period_scatter_s : standard deviation of the period.
    load_kg : see `Task`.

    >>> from jointwatch.simulation.robot import load_robot
    >>> task = Reciprocation(joint=3, amplitude_deg=30.0, centre_deg=90.0, period_scatter_s=0.0)
    >>> motion = task.motion(load_robot("ur5e"), cycles=2, rng=np.random.default_rng(0))
    >>> angle_deg = np.rad2deg(motion.position_rad[:, 2])
    >>> float(angle_deg.min().round(6)), float(angle_deg.max().round(6)), motion.cycles[1].start_s
    (60.0, 120.0, 8.0)
    """

    period_s: float = Field(8.0, gt=0)
    ramp: float = Field(0.375, gt=0, le=0.5)
    period_scatter_s: float = Field(0.01, ge=0)

    def _motion(self, robot: RobotModel, cycles: int, rng: np.random.Generator) -> Motion:
        low, high = self._ends(robot)
        period = self.period_s + scatter(rng, self.period_scatter_s, cycles)
        swings = np.repeat(to_samples(period / 2), 2)
        points = np.stack([low, high] * cycles + [low])
        path = along(points, swings, np.full(2 * cycles, self.ramp))
        return Motion(*path, contiguous_marks(swings.reshape(cycles, 2).sum(axis=1)), (self._tool(),))
