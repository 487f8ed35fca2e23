"""A wrong commutation angle: less torque for the current, ripple with the electrical angle."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.random import Generator

from jointwatch.simulation.faults.base import Fault
from jointwatch.simulation.motion import Motion
from jointwatch.simulation.plant import Plant

__all__ = ["CommutationError"]


class CommutationError(Fault):
    """2 to 15-25 degrees electrical."""

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
        sign = 1.0 if law.random() < 0.5 else -1.0
        plant.drives.commutation_rad[joint - 1] = sign * np.radians(2 + law.uniform(13.0, 23.0) * severity)
        return plant, motion
