"""A crack in the flexspline of a strain-wave gear: torsional stiffness that dips once and twice a turn."""

from __future__ import annotations

from typing import ClassVar

from jointwatch.simulation.faults._law import factor
from jointwatch.simulation.faults.base import Case, Fault
from jointwatch.simulation.motion import Motion
from jointwatch.simulation.plant import Plant
from jointwatch.simulation.robot import RobotModel

__all__ = ["FlexsplineCrack"]


class FlexsplineCrack(Fault):
    """The stiffness dips by up to 20-40 % where the crack passes, and the once-per-turn errors grow. Only strain-wave
    gears.
    """

    scope: ClassVar[str] = "joint"

    def suits(self, robot: RobotModel, joint: int) -> bool:
        """Only strain-wave gears have a flexspline."""
        return joint >= 1 and bool(robot.number("drive.rv_pins")[joint - 1] == 0)

    def _apply(self, plant: Plant, motion: Motion, case: Case) -> Motion:
        d, j = plant.drives, case.joint - 1
        d.crack[j] = case.law.uniform(0.2, 0.4) * case.severity
        d.wave_rad[j, 0] *= 1 + 3 * case.severity * factor(case.law)
        d.output_rad[j, :2] *= 1 + 1.5 * case.severity * factor(case.law)
        d.hysteresis_nm[j] *= 1 + 0.5 * case.severity
        return motion
