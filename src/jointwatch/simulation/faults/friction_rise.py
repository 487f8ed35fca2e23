"""A brake that rubs, a seal or bearing that drags: constant extra friction."""

from __future__ import annotations

from typing import ClassVar

from jointwatch.simulation.faults.base import Case, Fault
from jointwatch.simulation.motion import Motion
from jointwatch.simulation.plant import Plant

__all__ = ["FrictionRise"]


class FrictionRise(Fault):
    """Up to 30-60 % of the joint's Coulomb friction on top, which also heats it."""

    scope: ClassVar[str] = "joint"

    def _apply(self, plant: Plant, motion: Motion, case: Case) -> Motion:
        d, j = plant.drives, case.joint - 1
        d.drag_nm[j] += case.law.uniform(0.3, 0.6) * d.coulomb[j] * case.severity
        return motion
