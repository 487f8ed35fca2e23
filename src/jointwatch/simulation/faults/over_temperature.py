"""A drive that is too hot: blocked cooling, a hot neighbour."""

from __future__ import annotations

from typing import ClassVar

from jointwatch.simulation.faults.base import Case, Fault
from jointwatch.simulation.motion import Motion
from jointwatch.simulation.plant import Plant

__all__ = ["OverTemperature"]


class OverTemperature(Fault):
    """15-40 K above what the session would give, and heat that leaves more slowly."""

    scope: ClassVar[str] = "joint"

    def _apply(self, plant: Plant, motion: Motion, case: Case) -> Motion:
        d, j = plant.drives, case.joint - 1
        d.temperature_c[j] += case.law.uniform(15.0, 40.0) * case.severity
        d.heat_resistance[j] *= 1 + case.law.uniform(0.5, 1.0) * case.severity
        return motion
