"""A wrong commutation angle: less torque for the current, ripple with the electrical angle."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from jointwatch.simulation.faults.base import Case, Fault
from jointwatch.simulation.motion import Motion
from jointwatch.simulation.plant import Plant

__all__ = ["CommutationError"]


class CommutationError(Fault):
    """2 to 15-25 degrees electrical."""

    scope: ClassVar[str] = "joint"

    def _apply(self, plant: Plant, motion: Motion, case: Case) -> Motion:
        sign = 1.0 if case.law.random() < 0.5 else -1.0
        plant.drives.commutation_rad[case.joint - 1] = sign * np.radians(
            2 + case.law.uniform(13.0, 23.0) * case.severity
        )
        return motion
