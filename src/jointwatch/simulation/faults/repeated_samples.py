"""Old rows sent again: a buffer is read twice."""

from __future__ import annotations

from typing import ClassVar

from jointwatch.simulation.faults._law import factor
from jointwatch.simulation.faults._schedule import bursts, schedule
from jointwatch.simulation.faults.base import Case, Fault
from jointwatch.simulation.motion import Motion
from jointwatch.simulation.plant import Plant

__all__ = ["RepeatedSamples"]

_OLD = 0.35  # share of a cycle at severity 1, assumed
_MOST = 0.48  # what repeats needs as much again before it


class RepeatedSamples(Fault):
    """In each struck cycle one to four blocks of rows bring the block before once more, with time stamps that go on; up
    to 35 % of the cycle is old.

    >>> from jointwatch.core import catalog
    >>> catalog.load("faults", "repeated_samples").episodic
    True
    """

    scope: ClassVar[str] = "telemetry"
    episodic: ClassVar[bool] = True

    def _apply(self, plant: Plant, motion: Motion, case: Case) -> Motion:
        share = min(case.severity * _OLD * factor(case.law), _MOST)
        for at in case.cycles:
            cycle = motion.cycles[at]
            for start_s, stop_s in bursts(cycle.start_s, cycle.stop_s, 2 * share, case.chance):
                # The first half is the block, the second half its repetition: the block is of this cycle too.
                schedule(plant, "repeated", (0.5 * (start_s + stop_s), stop_s), case.severity)
        return motion
