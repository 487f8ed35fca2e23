"""What every task is: parameters that become a reference motion within the robot's limits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from jointwatch.core import catalog
from jointwatch.core.errors import UsageError
from jointwatch.simulation.motion import GRIPPER, Load, Motion
from jointwatch.simulation.robot import RobotModel

__all__ = ["Task", "load_task"]


class Task(BaseModel, ABC):
    """A task for robots whose joints turn. Authors write `_motion`; a file holds one task, its stem is the name.

    Parameters
    ----------
    load_kg : what hangs at the flange all the time, with the shape of a two-finger gripper.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    load_kg: float = Field(0.0, ge=0)

    @abstractmethod
    def _motion(self, robot: RobotModel, cycles: int, rng: np.random.Generator) -> Motion:
        """The reference from rest to rest, `cycles` marks."""

    @final
    def motion(self, robot: RobotModel, cycles: int, rng: np.random.Generator) -> Motion:
        """The reference of `cycles` cycles, one behind the other without a gap, from rest to rest.

        Random draws come from `rng` alone: the same generator state gives the same bytes.

        Errors: `UsageError` that names the joint and a remedy where a limit of the robot does not allow the motion.
        """
        if cycles < 1:
            raise UsageError(f"a motion has at least 1 cycle, got {cycles}")
        if robot.joint_kind != "revolute":
            raise UsageError(f"tasks move joints that turn, those of {robot.brand} {robot.model} slide")
        motion = self._motion(robot, cycles, rng)
        _check_limits(motion, robot)
        return motion

    def _tool(self) -> Load:
        share = self.load_kg / GRIPPER.mass_kg
        xx, yy, zz, xy, xz, yz = (share * value for value in GRIPPER.inertia_kg_m2)
        return Load(0.0, self.load_kg, GRIPPER.com_m, (xx, yy, zz, xy, xz, yz))


def _check_limits(motion: Motion, robot: RobotModel) -> None:
    low, high = robot.limits.position_rad.value.T
    speed, acceleration = robot.limits.speed_rad_s.value, robot.limits.acceleration_rad_s2.value
    limits = (
        ("angle", "deg", motion.position_rad, low, high, "choose a smaller or nearer motion"),
        ("speed", "deg/s", motion.velocity_rad_s, -speed, speed, "choose a slower motion"),
        ("acceleration", "deg/s2", motion.acceleration_rad_s2, -acceleration, acceleration, "choose a slower motion"),
    )
    for what, unit, values, lowest, highest, remedy in limits:
        slack = 1e-9 * (highest - lowest)
        beyond = ((values < lowest - slack) | (values > highest + slack)).any(axis=0)
        if beyond.any():
            joint = int(beyond.argmax())
            reached = np.rad2deg([values[:, joint].min(), values[:, joint].max()])
            allowed = np.rad2deg([lowest[joint], highest[joint]])
            raise UsageError(
                f"joint {joint + 1} ({robot.joint_names[joint]}) would reach {what} {reached[0]:.4g} to "
                f"{reached[1]:.4g} {unit}, its limits are {allowed[0]:.4g} and {allowed[1]:.4g}; {remedy}"
            )


def load_task(name: str, **parameters: Any) -> Task:
    """The task `name` with these parameters, defaults for the others.

    Errors: `UsageError` for an unknown task, an unknown parameter or a value that it cannot have.

    >>> load_task("reciprocation", period_s=6.0).period_s
    6.0
    """
    kind: type[Task] = catalog.load("tasks", name)
    try:
        return kind(**parameters)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise UsageError(f"{name}, parameter {key}: {first['msg']}; it takes {', '.join(kind.model_fields)}") from None
