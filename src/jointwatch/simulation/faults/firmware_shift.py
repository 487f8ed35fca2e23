"""An update after which the effort column means something else."""

from __future__ import annotations

from typing import ClassVar

from jointwatch.core.errors import UsageError
from jointwatch.simulation._telemetry_faults import EFFORTS
from jointwatch.simulation.faults._law import factor
from jointwatch.simulation.faults._schedule import measured, rest_of_session, schedule
from jointwatch.simulation.faults.base import Case, Fault
from jointwatch.simulation.motion import Motion
from jointwatch.simulation.plant import Plant

__all__ = ["FirmwareShift"]


class FirmwareShift(Fault):
    """Currents of `joint` or of all turn into torques less the controller's model, behind another low-pass, and torques
    lose the model's share, from the first struck cycle to the end of the session; below severity 1 a mixture of both.

    Errors: `UsageError` if the robot reports no current and no torque.

    >>> from jointwatch.core import catalog
    >>> catalog.load("faults", "firmware_shift").scope
    'telemetry'
    """

    scope: ClassVar[str] = "telemetry"

    def _apply(self, plant: Plant, motion: Motion, case: Case) -> Motion:
        if not measured(plant) & set(EFFORTS):
            raise UsageError(f"firmware_shift: {plant.robot.model} reports no {', '.join(EFFORTS)}")
        schedule(
            plant, "firmware_shift", rest_of_session(motion, case.cycles), case.severity * factor(case.law), case.joint
        )
        return motion
