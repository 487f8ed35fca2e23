"""A motor encoder whose zero creeps and whose scale is uneven."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.random import Generator

from jointwatch.simulation._units import ARCMIN
from jointwatch.simulation.faults.base import Fault
from jointwatch.simulation.motion import Motion
from jointwatch.simulation.plant import Plant

__all__ = ["EncoderDrift"]


class EncoderDrift(Fault):
    """The zero moves by up to 0.05-0.1 degree of the joint within the session; errors at one and two per motor turn
    grow to 2-5 arcmin of the motor.
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
        sign = 1.0 if law.random() < 0.5 else -1.0
        d.encoder_drift_rad_s[j] = sign * np.radians(law.uniform(0.05, 0.1)) * severity / motion.duration_s
        d.encoder_rad[j] += law.uniform(2.0, 5.0, 2) * ARCMIN / d.ratio[j] * severity
        return plant, motion
