"""What truly happened in a session, before any sensor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["TRACE_RATE_HZ", "Trace"]

TRACE_RATE_HZ = 1000.0
"""Rate at which the kernel keeps the true signals."""


@dataclass(frozen=True, eq=False)
class Trace:
    """True signals, (joint, time) at `TRACE_RATE_HZ` from 0 s, output side unless said otherwise.

    motor_position_rad, motor_velocity_rad_s : of the motor over the ratio, with the encoder's own error, as the
        controller sees it. link_position_rad, link_velocity_rad_s : behind the gear. current_a : q-axis current.
    joint_torque_nm : transmitted by the gear, what a link-side sensor feels. temperature_c : of each drive.
    commanded_rad, commanded_rad_s : reference. model_torque_nm : rigid-body torque along the reference, as the
        controller believes it.
    motor_torque_nm : of the motor, before friction. energy_j : (joint, 8) account of the whole session, columns as
        `ENERGIES` of the kernel, for the energy balance.
    """

    motor_position_rad: np.ndarray
    motor_velocity_rad_s: np.ndarray
    link_position_rad: np.ndarray
    link_velocity_rad_s: np.ndarray
    current_a: np.ndarray
    joint_torque_nm: np.ndarray
    temperature_c: np.ndarray
    motor_torque_nm: np.ndarray
    commanded_rad: np.ndarray
    commanded_rad_s: np.ndarray
    model_torque_nm: np.ndarray
    energy_j: np.ndarray

    @property
    def time_s(self) -> np.ndarray:
        """(time,) clock of the trace."""
        return np.arange(self.current_a.shape[1]) / TRACE_RATE_HZ
