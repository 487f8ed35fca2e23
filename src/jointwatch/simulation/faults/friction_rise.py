"""A brake that rubs, a seal or bearing that drags: constant extra friction."""

from __future__ import annotations

from typing import ClassVar

from numpy.random import Generator

from jointwatch.simulation.faults.base import Fault
from jointwatch.simulation.motion import Motion
from jointwatch.simulation.plant import Plant

__all__ = ["FrictionRise"]


class FrictionRise(Fault):
    """Up to 30-60 % of the joint's Coulomb friction on top, which also heats it."""

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
        d.drag_nm[j] += law.uniform(0.3, 0.6) * d.coulomb[j] * severity
        return plant, motion
