"""Grease that is lost, spent or wrong: dry friction up, viscous friction down."""

from __future__ import annotations

from typing import ClassVar

from numpy.random import Generator

from jointwatch.simulation.faults._law import scatter
from jointwatch.simulation.faults.base import Fault
from jointwatch.simulation.motion import Motion
from jointwatch.simulation.plant import Plant

__all__ = ["LubricantLoss"]


class LubricantLoss(Fault):
    """At the end: Coulomb + 30-150 %, Stribeck peak x 2-3, viscous -20..-50 %, and friction that cares less for
    temperature.
    """

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
        far = law.uniform(0.0, 1.0, 4)
        pace = severity ** scatter(law, 1)[0]
        d.coulomb[j] *= 1 + (0.3 + 1.2 * far[0]) * pace
        d.coulomb_load[j] *= 1 + (0.3 + 0.5 * far[0]) * pace
        d.stribeck[j] *= 1 + (1 + far[1]) * pace
        d.viscous[j] *= 1 - (0.2 + 0.3 * far[2]) * pace
        d.cold[j] *= 1 - (0.3 + 0.3 * far[3]) * pace
        return plant, motion
