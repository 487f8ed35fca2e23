"""A base that gives way: loose feet, a light stand."""

from __future__ import annotations

from typing import ClassVar

from jointwatch.simulation.faults.base import Case, Fault
from jointwatch.simulation.motion import Motion
from jointwatch.simulation.plant import BaseMode, Plant

__all__ = ["BaseWobble"]


class BaseWobble(Fault):
    """The base swings horizontally, softer and lighter with severity: 16 to 6 Hz, damping ratio 0.02-0.1, a stand of
    40-120 kg at the end and inversely more before, so that the arm shakes it more and more.
    """

    scope: ClassVar[str] = "robot"

    def _apply(self, plant: Plant, motion: Motion, case: Case) -> Motion:
        frequency = 16.0 - 10.0 * case.severity
        plant.base = BaseMode(
            (frequency * case.law.uniform(0.85, 1.0), frequency * case.law.uniform(0.85, 1.0)),
            (case.law.uniform(0.02, 0.1), case.law.uniform(0.02, 0.1)),
            case.law.uniform(40.0, 120.0) / case.severity,
        )
        return motion
