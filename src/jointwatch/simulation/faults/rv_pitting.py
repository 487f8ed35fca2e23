"""Pits in an RV reducer: a bump of the kinematic error once for every pin the damage passes."""

from __future__ import annotations

from typing import ClassVar

from numpy.random import Generator

from jointwatch.simulation._units import ARCSEC
from jointwatch.simulation.faults._law import scatter
from jointwatch.simulation.faults.base import Fault
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

    def _apply(
        self,
        plant: Plant,
        motion: Motion,
        joint: int,
        severity: float,
        law: Generator,
        chance: Generator,
        *,
        cycles: tuple[int, ...],
    ) -> tuple[Plant, Motion]:
        d, j = plant.drives, joint - 1
        d.bump_rad[j] = (10 + 50 * severity) * ARCSEC * scatter(law, 1)[0]
        d.bump_order[j] = plant.robot.number("drive.rv_pins")[j] / d.ratio[j]
        d.bump_width_rad[j] = law.uniform(0.15, 0.4)
        d.coulomb_load[j] *= 1 + 0.15 * severity * scatter(law, 1)[0]
        return plant, motion
