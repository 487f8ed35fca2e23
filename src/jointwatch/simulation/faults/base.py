"""What every fault is: a severity in, a changed specimen or reference out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, final

from numpy.random import Generator

from jointwatch.core.errors import UsageError
from jointwatch.simulation.motion import Motion
from jointwatch.simulation.plant import Plant
from jointwatch.simulation.robot import RobotModel

__all__ = ["Case", "Fault"]

SCOPES = ("joint", "robot", "telemetry")


@dataclass(frozen=True)
class Case:
    """Where and how a fault strikes: see `Fault.apply`."""

    joint: int
    severity: float
    law: Generator
    chance: Generator
    cycles: tuple[int, ...]


class Fault(ABC):
    """A fault at a severity from 0 (healthy) to 1 (end of life).

    Every module of this package holds one fault and is named as the catalog names it. Authors write `_apply`, which
    gets its own copy of the plant to change in place, and a motion that is never changed, only replaced.

    scope : what it concerns: one `joint`, the whole `robot`, or only its `telemetry`.
    episodic : True if it strikes single cycles, False if it lasts for the whole session.
    """

    scope: ClassVar[str]
    episodic: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if getattr(cls, "scope", None) not in SCOPES:
            raise UsageError(f"{cls.__name__}.scope must be one of {', '.join(SCOPES)}")

    def suits(self, robot: RobotModel, joint: int) -> bool:
        """Whether this robot can have the fault there."""
        return True

    @abstractmethod
    def _apply(self, plant: Plant, motion: Motion, case: Case) -> Motion:
        """Change the plant and return the motion. What is drawn must not depend on the severity, which is above 0."""

    @final
    def apply(
        self,
        plant: Plant,
        motion: Motion,
        joint: int,
        severity: float,
        law: Generator,
        chance: Generator,
        *,
        cycles: tuple[int, ...] = (),
    ) -> tuple[Plant, Motion]:
        """A faulty copy of the plant, and the motion as the fault leaves it.

        Parameters
        ----------
        plant, motion : healthy or with other faults; they stay as they are.
        joint : from 1; 0 = none, where the scope is not a joint.
        severity : 0 to 1; at 0 plant and motion come back equal bit for bit.
        law : how the fault acts on this specimen; seed it alike for one unit and all its severities lie on one path.
        chance : when and how it happens in this session.
        cycles : positions in `motion.cycles` of the cycles that an episodic fault strikes.

        Both generators are only spawned from, so that what one fault draws never shifts what the next one draws.

        Errors: `UsageError` for a severity outside [0, 1], a joint that the robot lacks, or cycles that do not exist.
        """
        name = type(self).__name__
        joints = plant.robot.n_joints
        least = 1 if self.scope == "joint" else 0
        if not 0.0 <= severity <= 1.0:
            raise UsageError(f"severity of {name} is in [0, 1], got {severity}")
        if isinstance(joint, bool) or int(joint) != joint or not least <= joint <= joints:
            raise UsageError(f"{name}: joint must be a whole number from {least} to {joints}, got {joint!r}")
        if not self.suits(plant.robot, int(joint)):
            raise UsageError(f"{plant.robot.model} cannot have {name} in joint {joint}; see `suits`")
        if self.episodic and not cycles:
            raise UsageError(f"{name} strikes single cycles: say which in `cycles`")
        if any(not 0 <= at < len(motion.cycles) for at in cycles):
            raise UsageError(f"{name}: the motion has {len(motion.cycles)} cycles, positions from 0, got {cycles}")
        own_law, own_chance = law.spawn(1)[0], chance.spawn(1)[0]
        copy = plant.copy()
        if severity == 0.0:
            return copy, motion
        case = Case(int(joint), float(severity), own_law, own_chance, tuple(cycles))
        return copy, self._apply(copy, motion, case)
