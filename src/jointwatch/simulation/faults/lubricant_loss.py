"""Grease that is lost, spent or wrong: dry friction up, viscous friction down."""

from __future__ import annotations

from typing import ClassVar

from jointwatch.simulation.faults._law import factor
from jointwatch.simulation.faults.base import Case, Fault
from jointwatch.simulation.motion import Motion
from jointwatch.simulation.plant import Plant

__all__ = ["LubricantLoss"]


class LubricantLoss(Fault):
    """At the end: Coulomb + 30-150 %, Stribeck peak x 2-3, viscous -20..-50 %, and friction that cares less for
    temperature.
    """

    scope: ClassVar[str] = "joint"

    def _apply(self, plant: Plant, motion: Motion, case: Case) -> Motion:
        d, j = plant.drives, case.joint - 1
        far = case.law.uniform(0.0, 1.0, 4)
        pace = case.severity ** factor(case.law)
        d.coulomb[j] *= 1 + (0.3 + 1.2 * far[0]) * pace
        d.coulomb_load[j] *= 1 + (0.3 + 0.5 * far[0]) * pace
        d.stribeck[j] *= 1 + (1 + far[1]) * pace
        d.viscous[j] *= 1 - (0.2 + 0.3 * far[2]) * pace
        d.cold[j] *= 1 - (0.3 + 0.3 * far[3]) * pace
        return motion
