"""One specimen in one session: the true parameters that faults change and the kernel integrates."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from jointwatch.simulation.robot import RobotModel

__all__ = ["BaseMode", "Contact", "Controller", "Drives", "Plant", "SensorState", "TelemetryState"]


@dataclass
class Drives:
    """Latent parameters of all drives, (joint) or (joint, k) arrays; friction in N m and rad/s at the output.

    wave_rad (joint, 4) at orders 1, 2, 4, 6 of the motor with phase wave_phase; beat: share by which the wave error
    swells and fades once per output turn, with beat_phase; output_rad (joint, 3) at orders 1, 2, 3 of the output.
    bump_rad, bump_order (events per motor turn), bump_width_rad: local tooth or pin damage. crack: depth of the
    stiffness dip once and twice per output turn. cold: multiplies how much friction grows below 40 degC. hysteresis_nm
    (joint, 2) and hysteresis_rad (joint, 2): strength and reach of the two Maxwell-slip elements. encoder_rad (joint,
    2): error of the motor encoder at orders 1 and 2 of the motor, at the output. encoder_drift_rad_s: creeping offset.
    drag_nm: rubbing brake.
    """

    ratio: np.ndarray
    rotor_inertia: np.ndarray
    torque_constant: np.ndarray
    pole_pairs: np.ndarray
    max_current: np.ndarray
    stiffness: np.ndarray
    knee: np.ndarray
    damping: np.ndarray
    hysteresis_nm: np.ndarray
    hysteresis_rad: np.ndarray
    backlash_rad: np.ndarray
    wave_rad: np.ndarray
    wave_phase: np.ndarray
    beat: np.ndarray
    beat_phase: np.ndarray
    output_rad: np.ndarray
    output_phase: np.ndarray
    bump_rad: np.ndarray
    bump_order: np.ndarray
    bump_width_rad: np.ndarray
    bump_phase: np.ndarray
    crack: np.ndarray
    crack_phase: np.ndarray
    coulomb: np.ndarray
    coulomb_load: np.ndarray
    stribeck: np.ndarray
    stribeck_speed: np.ndarray
    viscous: np.ndarray
    viscous_power: np.ndarray
    cold: np.ndarray
    drag_nm: np.ndarray
    link_friction: np.ndarray
    cogging: np.ndarray
    cogging_phase: np.ndarray
    ripple: np.ndarray
    ripple_phase: np.ndarray
    commutation_rad: np.ndarray
    encoder_rad: np.ndarray
    encoder_phase: np.ndarray
    encoder_drift_rad_s: np.ndarray
    heat_capacity: np.ndarray
    heat_resistance: np.ndarray
    temperature_c: np.ndarray

    @property
    def n_joints(self) -> int:
        return len(self.ratio)

    def to_dict(self) -> dict[str, Any]:
        """JSON values, the latent truth."""
        return {column.name: getattr(self, column.name).tolist() for column in fields(self)}


@dataclass
class Controller:
    """Cascade gains as this unit has them, (joint): position_gain (1/s), velocity_gain (N m s at the output),
    velocity_integral (1/s), current_rate_hz, feedforward_speed, feedforward_torque."""

    position_gain: np.ndarray
    velocity_gain: np.ndarray
    velocity_integral: np.ndarray
    current_rate_hz: np.ndarray
    feedforward_speed: np.ndarray
    feedforward_torque: np.ndarray


@dataclass
class Contact:
    """A spring-damper wall that is at the flange from `start_s` to `stop_s`: what happens there pushes along
    `direction` (3, base frame, unit) once the flange has moved `gap_m` against it since `start_s`."""

    start_s: float
    stop_s: float
    direction: tuple[float, float, float]
    stiffness_n_m: float
    damping_n_s_m: float
    gap_m: float = 0.0


@dataclass
class BaseMode:
    """A base that gives way horizontally: natural frequency (Hz) and damping ratio in x and y, moving mass (kg)."""

    frequency_hz: tuple[float, float]
    damping_ratio: tuple[float, float]
    mass_kg: float


@dataclass
class SensorState:
    """One reported quantity of this unit, (joint) each: its errors and its filter."""

    resolution: np.ndarray
    noise: np.ndarray
    filter_hz: np.ndarray
    latency_s: np.ndarray
    offset: np.ndarray
    gain: np.ndarray
    ripple: np.ndarray
    ripple_phase: np.ndarray
    drift_per_s: np.ndarray
    hysteresis: np.ndarray


@dataclass
class TelemetryState:
    """Clock, conventions and sensors of this unit in this session; `faults` are what telemetry faults schedule:
    entries (name, start_s, stop_s, joint or None, strength)."""

    rate_hz: float
    jitter_s: float
    drop_probability: float
    repeat_probability: float
    sign: np.ndarray
    zero_rad: np.ndarray
    sensors: dict[str, SensorState]
    faults: list[tuple[str, float, float, int | None, float]] = field(default_factory=list)


@dataclass
class Plant:
    """What one session simulates. Faults change it in place; `copy` before.

    gravity_m_s2 (3) in the base frame (mounting); ambient_c; wander_share (joint), wander_s: standard deviation
    (share) and correlation time of slow friction changes; contacts, base: disturbances.
    """

    robot: RobotModel
    drives: Drives
    controller: Controller
    telemetry: TelemetryState
    gravity_m_s2: np.ndarray
    ambient_c: float
    wander_share: np.ndarray
    wander_s: float = 5.0
    contacts: list[Contact] = field(default_factory=list)
    base: BaseMode | None = None

    def copy(self) -> Plant:
        """An independent copy; the robot model, which nobody changes, is shared."""
        return copy.deepcopy(self, {id(self.robot): self.robot})
