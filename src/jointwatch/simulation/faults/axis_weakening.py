"""A motor that has grown weak: less torque for the same current, and less current to have."""

from __future__ import annotations

from typing import ClassVar

from jointwatch.simulation.faults.base import Case, Fault
from jointwatch.simulation.motion import Motion
from jointwatch.simulation.plant import Plant

__all__ = ["AxisWeakening"]


class AxisWeakening(Fault):
    """Torque constant -10..-25 % (magnets), current limit -10..-30 % (drive, supply)."""

    scope: ClassVar[str] = "joint"

    def _apply(self, plant: Plant, motion: Motion, case: Case) -> Motion:
        d, j = plant.drives, case.joint - 1
        d.torque_constant[j] *= 1 - case.law.uniform(0.10, 0.25) * case.severity
        d.max_current[j] *= 1 - case.law.uniform(0.10, 0.30) * case.severity
        return motion
