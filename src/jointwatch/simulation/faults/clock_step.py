"""A clock that is set forward and then held back until it is right again."""

from __future__ import annotations

from typing import ClassVar

from jointwatch.simulation.faults._law import factor
from jointwatch.simulation.faults._schedule import schedule
from jointwatch.simulation.faults.base import Case, Fault
from jointwatch.simulation.motion import Motion
from jointwatch.simulation.plant import Plant

__all__ = ["ClockStep"]

_BEGINS = (0.1, 0.5)  # share of the cycle that is over when the clock is set


class ClockStep(Fault):
    """Within each struck cycle the time stamps jump ahead, by about a second at severity 1 and by half of what is left
    of the cycle at most; until the cycle ends they run slow, so that the cycles after it are in time.

    >>> from jointwatch.core import catalog
    >>> catalog.load("faults", "clock_step").episodic
    True
    """

    scope: ClassVar[str] = "telemetry"
    episodic: ClassVar[bool] = True

    def _apply(self, plant: Plant, motion: Motion, case: Case) -> Motion:
        ahead = case.severity * factor(case.law)
        for at in case.cycles:
            cycle = motion.cycles[at]
            start_s = cycle.start_s + case.chance.uniform(*_BEGINS) * (cycle.stop_s - cycle.start_s)
            schedule(plant, "clock_step", (start_s, cycle.stop_s), ahead)
        return motion
