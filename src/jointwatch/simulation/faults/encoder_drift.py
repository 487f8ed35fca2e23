"""A motor encoder whose zero creeps and whose scale is uneven."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from jointwatch.simulation._units import ARCMIN
from jointwatch.simulation.faults.base import Case, Fault
from jointwatch.simulation.motion import Motion
from jointwatch.simulation.plant import Plant

__all__ = ["EncoderDrift"]


class EncoderDrift(Fault):
    """The zero moves by up to 0.05-0.1 degree of the joint within the session; errors at one and two per motor turn
    grow to 2-5 arcmin of the motor.
    """

    scope: ClassVar[str] = "joint"

    def _apply(self, plant: Plant, motion: Motion, case: Case) -> Motion:
        d, j = plant.drives, case.joint - 1
        sign = 1.0 if case.law.random() < 0.5 else -1.0
        d.encoder_drift_rad_s[j] = sign * np.radians(case.law.uniform(0.05, 0.1)) * case.severity / motion.duration_s
        d.encoder_rad[j] += case.law.uniform(2.0, 5.0, 2) * ARCMIN / d.ratio[j] * case.severity
        return motion
