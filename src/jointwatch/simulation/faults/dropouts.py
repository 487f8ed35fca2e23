"""Rows that never arrive: the connection fails in bursts."""

from __future__ import annotations

from typing import ClassVar

from jointwatch.simulation.faults._law import factor
from jointwatch.simulation.faults._schedule import bursts, schedule
from jointwatch.simulation.faults.base import Case, Fault
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

    def _apply(self, plant: Plant, motion: Motion, case: Case) -> Motion:
        share = min(case.severity * _LOST * factor(case.law), _MOST)
        for at in case.cycles:
            cycle = motion.cycles[at]
            for span_s in bursts(cycle.start_s, cycle.stop_s, share, case.chance):
                schedule(plant, "dropouts", span_s, case.severity)
        return motion
