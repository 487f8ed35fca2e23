"""Readings that stand still: a sensor or the recorder hangs."""

from __future__ import annotations

from typing import ClassVar

from jointwatch.simulation.faults._law import factor
from jointwatch.simulation.faults._schedule import bursts, schedule
from jointwatch.simulation.faults.base import Case, Fault
from jointwatch.simulation.motion import Motion
from jointwatch.simulation.plant import Plant

__all__ = ["FrozenSamples"]

_STILL = 0.6  # share of a cycle at severity 1, assumed
_MOST = 0.9


class FrozenSamples(Fault):
    """Once in each struck cycle the readings stand still, for up to 60 % of it: those measured at `joint`, or without a
    joint the whole row.

    >>> from jointwatch.core import catalog
    >>> catalog.load("faults", "frozen_samples").episodic
    True
    """

    scope: ClassVar[str] = "telemetry"
    episodic: ClassVar[bool] = True

    def _apply(self, plant: Plant, motion: Motion, case: Case) -> Motion:
        share = min(case.severity * _STILL * factor(case.law), _MOST)
        for at in case.cycles:
            cycle = motion.cycles[at]
            for span_s in bursts(cycle.start_s, cycle.stop_s, share, case.chance, most=1):
                schedule(plant, "frozen", span_s, case.severity, case.joint)
        return motion
