"""Loose flange bolts or a slack belt: the joint gets soft, with play and a low mode of its own."""

from __future__ import annotations

from typing import ClassVar

from jointwatch.simulation._units import ARCMIN
from jointwatch.simulation.faults.base import Case, Fault
from jointwatch.simulation.motion import Motion
from jointwatch.simulation.plant import Plant

__all__ = ["Loosening"]


class Loosening(Fault):
    """Stiffness -30..-60 %, play of 0.5-2 arcmin, damping -40 % at the end."""

    scope: ClassVar[str] = "joint"

    def _apply(self, plant: Plant, motion: Motion, case: Case) -> Motion:
        d, j = plant.drives, case.joint - 1
        d.stiffness[j] *= 1 - case.law.uniform(0.3, 0.6) * case.severity
        d.backlash_rad[j] += case.law.uniform(0.5, 2.0) * ARCMIN * case.severity
        d.damping[j] *= 1 - 0.4 * case.severity
        return motion
