"""A motor that has grown weak: less torque for the same current, and less current to have."""

from __future__ import annotations

from typing import ClassVar

from numpy.random import Generator

from jointwatch.simulation.faults.base import Fault
from jointwatch.simulation.motion import Motion
from jointwatch.simulation.plant import Plant

__all__ = ["AxisWeakening"]


class AxisWeakening(Fault):
    """Torque constant -10..-25 % (magnets), current limit -10..-30 % (drive, supply)."""

    scope: ClassVar[str] = "joint"

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
        d.torque_constant[j] *= 1 - law.uniform(0.10, 0.25) * severity
        d.max_current[j] *= 1 - law.uniform(0.10, 0.30) * severity
        return plant, motion
