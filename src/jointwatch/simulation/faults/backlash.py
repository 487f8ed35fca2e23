"""Play between motor and link."""

from __future__ import annotations

from typing import ClassVar

from jointwatch.simulation._units import ARCMIN
from jointwatch.simulation.faults.base import Case, Fault
from jointwatch.simulation.motion import Motion
from jointwatch.simulation.plant import Plant

__all__ = ["Backlash"]


class Backlash(Fault):
    """A dead zone of the torsion, up to 3-6 arcmin."""

    scope: ClassVar[str] = "joint"

    def _apply(self, plant: Plant, motion: Motion, case: Case) -> Motion:
        plant.drives.backlash_rad[case.joint - 1] += case.law.uniform(3.0, 6.0) * ARCMIN * case.severity
        return motion
