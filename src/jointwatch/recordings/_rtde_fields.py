"""Names of Universal Robots' real-time data exchange (RTDE) as recorders write them: field, `_`, number from 0."""

from __future__ import annotations

import re

from jointwatch.core import Channel, Quantity, Source

__all__ = ["rtde_channel"]

_JOINT_FIELDS: dict[str, tuple[Quantity, Source, str, str]] = {
    "target_q": (Quantity.POSITION, Source.COMMANDED, "", "rad"),
    "target_qd": (Quantity.VELOCITY, Source.COMMANDED, "", "rad/s"),
    "target_qdd": (Quantity.ACCELERATION, Source.COMMANDED, "", "rad/s^2"),
    "target_current": (Quantity.CURRENT, Source.COMMANDED, "", "A"),
    "target_moment": (Quantity.TORQUE, Source.COMMANDED, "", "N m"),
    "actual_q": (Quantity.POSITION, Source.MEASURED, "", "rad"),
    "actual_qd": (Quantity.VELOCITY, Source.MEASURED, "", "rad/s"),
    "actual_current": (Quantity.CURRENT, Source.MEASURED, "", "A"),
    "joint_control_output": (Quantity.CURRENT, Source.COMMANDED, "control", "A"),
    "joint_temperatures": (Quantity.TEMPERATURE, Source.MEASURED, "", "degC"),
    "actual_joint_voltage": (Quantity.VOLTAGE, Source.MEASURED, "", "V"),
    "joint_mode": (Quantity.STATUS, Source.MEASURED, "mode", ""),
}
_TCP_FIELDS: dict[str, tuple[Quantity, Quantity, Source]] = {
    "actual_TCP_pose": (Quantity.TCP_POSITION, Quantity.TCP_ROTATION, Source.MEASURED),
    "target_TCP_pose": (Quantity.TCP_POSITION, Quantity.TCP_ROTATION, Source.COMMANDED),
    "actual_TCP_force": (Quantity.TCP_FORCE, Quantity.TCP_TORQUE, Source.MEASURED),
}
_ROBOT_FIELDS: dict[str, tuple[Quantity, str, str]] = {
    "actual_main_voltage": (Quantity.VOLTAGE, "main", "V"),
    "actual_robot_voltage": (Quantity.VOLTAGE, "robot", "V"),
    "actual_robot_current": (Quantity.CURRENT, "robot", "A"),
    "robot_mode": (Quantity.STATUS, "robot_mode", ""),
    "safety_mode": (Quantity.STATUS, "safety_mode", ""),
    "runtime_state": (Quantity.STATUS, "runtime_state", ""),
    "speed_scaling": (Quantity.STATUS, "speed_scaling", ""),
    "target_speed_fraction": (Quantity.STATUS, "target_speed_fraction", ""),
}
_NUMBERED = re.compile(r"(?P<field>\w+)_(?P<number>[0-5])")


def rtde_channel(name: str) -> tuple[Channel, str] | None:
    """(channel, unit) of a column, or None for a field that is no quantity of ours.

    >>> channel, unit = rtde_channel("actual_TCP_force_4")
    >>> channel.key, unit
    ('tcp_torque:y', 'N m')
    >>> rtde_channel("target_qd_0")[0].key, rtde_channel("output_int_register_3")
    ('velocity.commanded/1', None)
    """
    if name in _ROBOT_FIELDS:
        quantity, component, unit = _ROBOT_FIELDS[name]
        return Channel(quantity, component=component), unit
    match = _NUMBERED.fullmatch(name)
    if match is None:
        return None
    field, number = match["field"], int(match["number"])
    if field in _JOINT_FIELDS:
        quantity, source, component, unit = _JOINT_FIELDS[field]
        return Channel(quantity, number + 1, source, component), unit
    if field in _TCP_FIELDS:
        linear, angular, source = _TCP_FIELDS[field]
        channel = Channel(linear if number < 3 else angular, None, source, "xyz"[number % 3])
        return channel, channel.unit()
    return None
