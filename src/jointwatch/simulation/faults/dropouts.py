"""Rows that never arrive: the connection fails in bursts."""

from __future__ import annotations

from typing import ClassVar

from numpy.random import Generator

from jointwatch.simulation.faults._schedule import bursts, reach, schedule
from jointwatch.simulation.faults.base import Fault
from jointwatch.simulation.motion import Motion
from jointwatch.simulation.plant import Plant

__all__ = ["Dropouts"]

_LOST = 0.5  # share of a cycle at severity 1, assumed
_MOST = 0.8


class Dropouts(Fault):
    """One to four bursts of lost rows in each struck cycle, together up to half of it; readers see gaps, not NaN.

    >>> from jointwatch.core import catalog
    >>> catalog.load("faults", "dropouts").episodic
    True
    """

    scope: ClassVar[str] = "telemetry"
    episodic: ClassVar[bool] = True

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
        share = min(severity * _LOST * reach(law), _MOST)
        for at in cycles:
            cycle = motion.cycles[at]
            for span_s in bursts(cycle.start_s, cycle.stop_s, share, chance):
                schedule(plant, "dropouts", span_s, severity)
        return plant, motion
