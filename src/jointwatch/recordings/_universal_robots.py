"""What all arms of Universal Robots have in common."""

from __future__ import annotations

from jointwatch.core import Joint, Robot

__all__ = ["GEAR_RATIO", "JOINT_NAMES", "universal_robot"]

GEAR_RATIO = 101.0  # strain-wave gears of all joints, from the literature; not stated by the maker
JOINT_NAMES = ("base", "shoulder", "elbow", "wrist_1", "wrist_2", "wrist_3")


def universal_robot(model: str, unit: str) -> Robot:
    """Six-axis arm with the maker's joint names.

    >>> universal_robot("UR10e", "arm-1").joint(3).name
    'elbow'
    """
    joints = tuple(Joint(number, name, gear_ratio=GEAR_RATIO) for number, name in enumerate(JOINT_NAMES, 1))
    return Robot("Universal Robots", model, unit, joints)
