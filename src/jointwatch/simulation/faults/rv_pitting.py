"""Pits in an RV reducer: a bump of the kinematic error once for every pin the damage passes."""

from __future__ import annotations

from typing import ClassVar

from jointwatch.simulation._units import ARCSEC
from jointwatch.simulation.faults._law import factor
from jointwatch.simulation.faults.base import Case, Fault
from jointwatch.simulation.motion import Motion
from jointwatch.simulation.plant import Plant
from jointwatch.simulation.robot import RobotModel

__all__ = ["RvPitting"]


class RvPitting(Fault):
    """10-60 arcsec bumps at the crank's rate relative to the output, pins / ratio times a motor turn, and slightly more
    load-dependent friction. Only reducers with pins can have it.
    """

    scope: ClassVar[str] = "joint"

    def suits(self, robot: RobotModel, joint: int) -> bool:
        """Only reducers with pins."""
        return joint >= 1 and bool(robot.number("drive.rv_pins")[joint - 1] > 0)

    def _apply(self, plant: Plant, motion: Motion, case: Case) -> Motion:
        d, j = plant.drives, case.joint - 1
        d.bump_rad[j] = (10 + 50 * case.severity) * ARCSEC * factor(case.law)
        d.bump_order[j] = plant.robot.number("drive.rv_pins")[j] / d.ratio[j]
        d.bump_width_rad[j] = case.law.uniform(0.15, 0.4)
        d.coulomb_load[j] *= 1 + 0.15 * case.severity * factor(case.law)
        return motion
