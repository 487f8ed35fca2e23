"""A slower low-pass in the firmware than before."""

from __future__ import annotations

from typing import ClassVar

from jointwatch.core.errors import UsageError
from jointwatch.simulation._telemetry_faults import SMOOTHED
from jointwatch.simulation.faults._law import factor
from jointwatch.simulation.faults._schedule import measured, rest_of_session, schedule
from jointwatch.simulation.faults.base import Case, Fault
from jointwatch.simulation.motion import Motion
from jointwatch.simulation.plant import Plant

__all__ = ["FilterChange"]


class FilterChange(Fault):
    """Velocities, currents and torques of `joint` or of all pass one more low-pass, down to about 5 Hz at severity 1,
    from the first struck cycle to the end of the session.

    Errors: `UsageError` if the robot reports none of them.

    >>> from jointwatch.core import catalog
    >>> catalog.load("faults", "filter_change").scope
    'telemetry'
    """

    scope: ClassVar[str] = "telemetry"

    def _apply(self, plant: Plant, motion: Motion, case: Case) -> Motion:
        if not measured(plant) & set(SMOOTHED):
            raise UsageError(f"filter_change: {plant.robot.model} reports no {', '.join(SMOOTHED)}")
        schedule(
            plant, "filter_change", rest_of_session(motion, case.cycles), case.severity * factor(case.law), case.joint
        )
        return motion
