"""The description of a robot among those that come with the package, found by what a recording says of it."""

from __future__ import annotations

from functools import cache

from jointwatch.core import Robot
from jointwatch.simulation.robot import RobotModel, load_robot, robots

__all__ = ["description_of"]


def description_of(robot: Robot) -> RobotModel | None:
    """The description of that model of that brand, or None; letter case and signs do not matter.

    >>> found = description_of(Robot.of("universal-robots", "ur5e", "cell 7", joints=6))
    >>> found.model if found else None
    'UR5e'
    >>> description_of(Robot.of("demo", "arm", "arm-1", joints=2)) is None
    True
    """
    found = _by_name().get((_plain(robot.brand), _plain(robot.model)))
    return found if found is not None and found.n_joints == len(robot.joints) else None


@cache
def _by_name() -> dict[tuple[str, str], RobotModel]:
    return {(_plain(m.brand), _plain(m.model)): m for m in map(load_robot, robots())}


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
