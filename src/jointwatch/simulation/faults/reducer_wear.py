"""Wear of a reducer: softer, looser, less exact, more friction."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from jointwatch.core.levels import LEVEL_RAD
from jointwatch.simulation._units import ARCMIN, ARCSEC
from jointwatch.simulation.faults._law import scatter
from jointwatch.simulation.faults.base import Case, Fault
from jointwatch.simulation.motion import Motion
from jointwatch.simulation.plant import Plant

__all__ = ["ReducerWear"]

_LAWS = 8
_OWN = 0.4  # share of how far a law goes that is its own
_CHORD = 1.4  # worst difference over 72 degrees against the sum of the amplitudes, typical


class ReducerWear(Fault):
    """Every law has its own pace on a specimen; friction, which 25 Hz telemetry sees, and the output error, which
    decides about exactness, are related but not the same.

    At the end of life: wave error x 2-3, output error 3-6 times the limit of a new drive, first stiffness -15..-40 %,
    last -5..-15 %, lost motion + 1.5-3.5 arcmin, hysteresis + 50-100 %, Coulomb + 20-50 %, load-dependent friction
    + 30-50 %, viscous + 5-20 %.
    """

    scope: ClassVar[str] = "joint"

    def _apply(self, plant: Plant, motion: Motion, case: Case) -> Motion:
        d, j = plant.drives, case.joint - 1
        # Wear runs ahead in one respect and behind in another, and goes far in some, but not each on its own.
        pace = case.severity ** (scatter(case.law, 1) * np.sqrt(scatter(case.law, _LAWS)))
        far = (1 - _OWN) * case.law.uniform() + _OWN * case.law.uniform(size=_LAWS)
        d.wave_rad[j] *= 1 + (1 + far[0]) * pace[0]
        # A gear that was made badly also wears out worse: its quality shows in both errors.
        made = d.output_rad[j].sum() / (plant.robot.number("drive.output_error_arcsec")[j].sum() * ARCSEC)
        limit = (3 + 3 * far[1]) * LEVEL_RAD * np.sqrt(made)
        d.output_rad[j] *= 1 + max(limit / (_CHORD * d.output_rad[j].sum()) - 1, 0) * pace[1]
        d.stiffness[j, 0] *= 1 - (0.15 + 0.25 * far[2]) * pace[2]
        d.stiffness[j, 1] *= 1 - (0.10 + 0.15 * far[2]) * pace[2]
        d.stiffness[j, 2] *= 1 - (0.05 + 0.10 * far[2]) * pace[2]
        d.backlash_rad[j] += (1.5 + 2 * far[3]) * ARCMIN * pace[3]
        d.hysteresis_nm[j] *= 1 + (0.5 + 0.5 * far[4]) * pace[4]
        d.coulomb[j] *= 1 + (0.2 + 0.3 * far[5]) * pace[5]
        d.stribeck[j] *= 1 + (0.2 + 0.3 * far[5]) * pace[5]
        d.coulomb_load[j] *= 1 + (0.3 + 0.2 * far[6]) * pace[6]
        d.viscous[j] *= 1 + (0.05 + 0.15 * far[7]) * pace[7]
        return motion
