"""A drive that is too hot: blocked cooling, a hot neighbour."""

from __future__ import annotations

from typing import ClassVar

from numpy.random import Generator

from jointwatch.simulation.faults.base import Fault
from jointwatch.simulation.motion import Motion
from jointwatch.simulation.plant import Plant

__all__ = ["OverTemperature"]


class OverTemperature(Fault):
    """15-40 K above what the session would give, and heat that leaves more slowly."""

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
        d.temperature_c[j] += law.uniform(15.0, 40.0) * severity
        d.heat_resistance[j] *= 1 + law.uniform(0.5, 1.0) * severity
        return plant, motion
