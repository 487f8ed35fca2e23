"""A crack in the flexspline of a strain-wave gear: torsional stiffness that dips once and twice a turn."""

from __future__ import annotations

from typing import ClassVar

from numpy.random import Generator

from jointwatch.simulation.faults._law import scatter
from jointwatch.simulation.faults.base import Fault
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
        d.crack[j] = law.uniform(0.2, 0.4) * severity
        d.wave_rad[j, 0] *= 1 + 3 * severity * scatter(law, 1)[0]
        d.output_rad[j, :2] *= 1 + 1.5 * severity * scatter(law, 1)[0]
        d.hysteresis_nm[j] *= 1 + 0.5 * severity
        return plant, motion
