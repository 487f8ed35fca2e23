"""Numbers in another unit: degrees for radians, milliamperes for amperes."""

from __future__ import annotations

from typing import ClassVar

from jointwatch.core import Quantity
from jointwatch.core.errors import UsageError
from jointwatch.simulation.faults._schedule import measured, rest_of_session, schedule
from jointwatch.simulation.faults.base import Case, Fault
from jointwatch.simulation.motion import Motion
from jointwatch.simulation.plant import Plant

__all__ = ["UnitChange"]


class UnitChange(Fault):
    """Positions in degrees or currents in mA, as the unit's law has it, of `joint` or of all, from the first struck
    cycle to the end of the session. A wrong unit is wrong at every severity above 0.

    Errors: `UsageError` if the robot reports neither.

    >>> from jointwatch.core import catalog
    >>> catalog.load("faults", "unit_change").episodic
    False
    """

    scope: ClassVar[str] = "telemetry"

    def _apply(self, plant: Plant, motion: Motion, case: Case) -> Motion:
        there = [quantity for quantity in (Quantity.POSITION, Quantity.CURRENT) if quantity in measured(plant)]
        if not there:
            raise UsageError(f"unit_change: {plant.robot.model} reports neither position nor current")
        quantity = there[int(case.law.integers(len(there)))]
        schedule(plant, f"unit_change:{quantity}", rest_of_session(motion, case.cycles), case.severity, case.joint)
        return motion
