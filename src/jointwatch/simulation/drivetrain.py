"""From a plant and a motion to what truly happens in every joint."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.signal import lfilter

from jointwatch.core.errors import UsageError
from jointwatch.simulation._kernel import (
    ENERGIES,
    SLOW_S,
    Course,
    Disturbance,
    friction_tables,
    integrate,
    pack,
)
from jointwatch.simulation.motion import MOTION_RATE_HZ, Load, Motion
from jointwatch.simulation.plant import BaseMode, Contact, Controller, Drives, Plant
from jointwatch.simulation.rigid_body import RigidBody
from jointwatch.simulation.trace import Trace

__all__ = ["simulate_drives"]

_PRESLIDING_RAD = 2e-4  # of the output before friction is fully developed
_BRISTLE_DAMPING = 0.3  # of the rotor on its bristles
_STABLE = 0.7  # of the limit of stability that a step may use
_MOST_SUBSTEPS = 64
_SPARSE = 25  # every so many samples of the motion suffice to find the lightest link


def simulate_drives(
    plant: Plant,
    motion: Motion,
    rng: np.random.Generator | None = None,
    *,
    rate_hz: int = 4000,
) -> Trace:
    """Integrate all drives of the plant along the motion.

    Motor and link of every joint are two masses across a gear with kinematic error, torsion, hysteresis and play; the
    links are coupled by the mass matrix along the reference (they stay within milliradians of it). Motor-side feedback.

    Parameters
    ----------
    rng : for the slow wandering of friction; None = none.
    rate_hz : steps per second, a multiple of 1000; 8000 where play or impacts matter. A link that is too light for
        this, as a wrist without a tool, gets as many as it needs.

    Errors: `UsageError` if motion and robot have different joints, or the result is not finite.

    Source: two-mass flexible joint with power-consistent transmission error, LuGre friction with load and
    temperature (Bittencourt and others), Maxwell-slip hysteresis.
    """
    joints = plant.drives.n_joints
    if motion.position_rad.shape[1] != joints:
        raise UsageError(f"the motion is for {motion.position_rad.shape[1]} joints, the plant has {joints}")
    if rate_hz % 1000 or rate_hz < 1000:
        raise UsageError(f"rate_hz is a multiple of 1000, got {rate_hz}")
    course, torque = _course(plant, motion, rng)
    steps = round((len(motion.position_rad) - 1) / MOTION_RATE_HZ / SLOW_S)
    signals = np.empty((8, joints, steps))
    energy = np.zeros((joints, len(ENERGIES)))
    integrate(
        _parameters(plant.drives, plant.controller, plant.robot.number("drive.torque_constant_nm_a")),
        friction_tables(plant.drives.viscous_power),
        course,
        _disturbance(plant, motion),
        plant.ambient_c,
        plant.drives.temperature_c.astype(np.float64).copy(),
        max(rate_hz // 1000, _least_substeps(plant.drives, course.inverse_mass)),
        steps,
        signals,
        energy,
    )
    if not np.isfinite(signals).all():
        joint = int(np.flatnonzero(~np.isfinite(signals).all(axis=(0, 2)))[0]) + 1
        raise UsageError(f"the simulation of joint {joint} diverged; check its stiffness, inertia and gains")
    at = np.arange(steps) * SLOW_S
    clock = motion.time_s
    commanded = np.stack([np.interp(at, clock, motion.position_rad[:, j]) for j in range(joints)])
    speed = np.stack([np.interp(at, clock, motion.velocity_rad_s[:, j]) for j in range(joints)])
    model = np.stack([np.interp(at, clock, torque[:, j]) for j in range(joints)])
    return Trace(
        motor_position_rad=signals[0],
        motor_velocity_rad_s=signals[1],
        link_position_rad=signals[2],
        link_velocity_rad_s=signals[3],
        current_a=signals[4],
        joint_torque_nm=signals[5],
        temperature_c=signals[6],
        motor_torque_nm=signals[7],
        commanded_rad=commanded,
        commanded_rad_s=speed,
        model_torque_nm=model,
        energy_j=energy,
    )


def _course(plant: Plant, motion: Motion, rng: np.random.Generator | None) -> tuple[Course, np.ndarray]:
    """Terms along the reference with what is truly carried, and the torque the controller believes in."""
    q, qd, qdd = motion.position_rad, motion.velocity_rad_s, motion.acceleration_rad_s2
    joints = q.shape[1]
    bias, inverse = np.empty_like(q), np.empty((*q.shape, joints))
    expected = np.empty_like(q)
    for start, stop, load in _spans(motion.loads, len(q)):
        body = RigidBody(plant.robot, load)
        rows = slice(start, stop)
        mass = body.mass_matrix(q[rows])
        torque = body.inverse_dynamics(q[rows], qd[rows], qdd[rows], plant.gravity_m_s2)
        bias[rows] = torque - np.einsum("tij,tj->ti", mass, qdd[rows])
        inverse[rows] = np.linalg.inv(mass)
    for start, stop, load in _spans(motion.believed_loads or motion.loads, len(q)):
        rows = slice(start, stop)
        expected[rows] = RigidBody(plant.robot, load).inverse_dynamics(q[rows], qd[rows], qdd[rows])
    drives = plant.drives
    forward = expected + qdd * drives.rotor_inertia * drives.ratio**2
    arrays = [
        np.ascontiguousarray(a, np.float64) for a in (q, qd, qdd, bias, forward, _wander(plant, len(q), rng), inverse)
    ]
    return Course(1.0 / MOTION_RATE_HZ, *arrays), expected


def _least_substeps(drives: Drives, inverse_mass: np.ndarray) -> int:
    """Steps in a slow step that keep the lightest link stable on its spring and damper: explicit steps diverge where
    the sum of (frequency x step)^2 / 4 and damping rate x step / 2 passes 1."""
    stiffness = drives.stiffness.max(axis=1) + (drives.hysteresis_nm / drives.hysteresis_rad).sum(axis=1)
    root = np.sqrt(stiffness)
    fastest = np.linalg.eigvalsh(inverse_mass[::_SPARSE] * root[:, None] * root).max()
    damped = (drives.damping * np.einsum("tjj->tj", inverse_mass[::_SPARSE])).max()
    for substeps in range(1, _MOST_SUBSTEPS):
        step = SLOW_S / substeps
        if fastest * step**2 / 4 + damped * step / 2 <= _STABLE:
            return substeps
    return _MOST_SUBSTEPS


def _spans(loads: Sequence[Load], length: int) -> list[tuple[int, int, Load]]:
    starts = [min(round(load.start_s * MOTION_RATE_HZ), length) for load in loads]
    return [(a, b, load) for a, b, load in zip(starts, [*starts[1:], length], loads, strict=True) if b > a]


def _disturbance(plant: Plant, motion: Motion) -> Disturbance:
    q, joints = motion.position_rad, motion.position_rad.shape[1]
    contact = np.array([_contact_row(one) for one in plant.contacts]).reshape(-1, 8)
    flange, jacobian = np.zeros((1, 3)), np.zeros((1, 3, joints))
    if plant.contacts:
        body = RigidBody(plant.robot)
        flange, jacobian = body.flange_pose(q)[0], np.ascontiguousarray(body.flange_jacobian(q)[:, :3])
    base, momentum, force = np.zeros(6), np.zeros((1, 2, joints)), np.zeros((1, 2))
    if plant.base is not None:
        momentum, force, moved = _base_terms(plant, motion)
        base = _base_row(plant.base, moved)
    return Disturbance(contact, flange, jacobian, base, momentum, force)


def _base_terms(plant: Plant, motion: Motion) -> tuple[np.ndarray, np.ndarray, float]:
    """Momentum matrix along the reference, the rate at which it changes, and the mass that moves with the base."""
    body = RigidBody(plant.robot, motion.loads[0])
    momentum = np.ascontiguousarray(body.momentum_jacobian(motion.position_rad)[:, :2])
    swept = np.einsum("txj,tj->tx", momentum, motion.velocity_rad_s)
    total = np.gradient(swept, 1.0 / MOTION_RATE_HZ, axis=0)
    force = total - np.einsum("txj,tj->tx", momentum, motion.acceleration_rad_s2)
    return momentum, force, float(plant.robot.number("inertials.mass_kg").sum())


def _base_row(base: BaseMode, arm_kg: float) -> np.ndarray:
    omega = 2 * np.pi * np.asarray(base.frequency_hz)
    return np.array([*omega, *base.damping_ratio, base.mass_kg + arm_kg, 1.0])


def _contact_row(contact: Contact) -> Sequence[float]:
    return (
        contact.start_s, contact.stop_s, *contact.direction, contact.stiffness_n_m, contact.damping_n_s_m,
        contact.gap_m,
    )  # fmt: skip


def _parameters(drives: Drives, controller: Controller, nominal_constant: np.ndarray) -> np.ndarray:
    def polar(amplitude: np.ndarray, phase: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return amplitude * np.cos(phase), -amplitude * np.sin(phase)  # cos(k x + phase)

    rotor = drives.rotor_inertia * drives.ratio**2
    bristle = (drives.coulomb + drives.stribeck + drives.drag_nm) / _PRESLIDING_RAD
    first = drives.knee[:, 0] / drives.stiffness[:, 0]
    wave_cos, wave_sin = polar(drives.wave_rad, drives.wave_phase)
    output_cos, output_sin = polar(drives.output_rad, drives.output_phase)
    ripple_cos, ripple_sin = polar(drives.ripple, drives.ripple_phase)
    cogging_cos, cogging_sin = polar(drives.cogging, drives.cogging_phase)
    encoder_cos, encoder_sin = polar(drives.encoder_rad, drives.encoder_phase)
    values = {
        "ratio": drives.ratio,
        "rotor": rotor,
        "torque_per_a": drives.ratio * drives.torque_constant,
        "believed_torque_per_a": drives.ratio * nominal_constant,
        "electrical": np.rint(drives.pole_pairs),
        "max_current": drives.max_current,
        "stiffness": drives.stiffness,
        "knee": drives.knee,
        "knee_rad": np.stack([first, first + np.diff(drives.knee, axis=1)[:, 0] / drives.stiffness[:, 1]], axis=1),
        "damping": drives.damping,
        "hysteresis_nm": drives.hysteresis_nm,
        "hysteresis_stiffness": drives.hysteresis_nm / drives.hysteresis_rad,
        "half_gap": drives.backlash_rad / 2,
        "wave_cos": wave_cos,
        "wave_sin": wave_sin,
        "beat_cos": drives.beat * np.cos(drives.beat_phase),
        "beat_sin": drives.beat * np.sin(drives.beat_phase),
        "output_cos": output_cos,
        "output_sin": output_sin,
        "bump_rad": drives.bump_rad,
        "bump_order": drives.bump_order,
        "bump_sharpness": 1.0 / drives.bump_width_rad**2,
        "bump_phase": drives.bump_phase,
        "crack": drives.crack,
        "crack_cos": np.cos(drives.crack_phase),
        "crack_sin": np.sin(drives.crack_phase),
        "coulomb": drives.coulomb,
        "coulomb_load": drives.coulomb_load,
        "stribeck": drives.stribeck,
        "stribeck_speed": drives.stribeck_speed,
        "viscous": drives.viscous,
        "cold": drives.cold,
        "drag": drives.drag_nm,
        "bristle": bristle,
        "bristle_damping": _BRISTLE_DAMPING * np.sqrt(bristle * rotor),
        "link_friction": drives.link_friction,
        "cogging_cos": cogging_cos,
        "cogging_sin": cogging_sin,
        "ripple_cos": ripple_cos,
        "ripple_sin": ripple_sin,
        "commutation_cos": np.cos(drives.commutation_rad),
        "commutation_sin": np.sin(drives.commutation_rad),
        "encoder_cos": encoder_cos,
        "encoder_sin": encoder_sin,
        "encoder_drift": drives.encoder_drift_rad_s,
        "heat_capacity": drives.heat_capacity,
        "heat_conductance": 1.0 / drives.heat_resistance,
        "position_gain": controller.position_gain,
        "velocity_gain": controller.velocity_gain,
        "velocity_integral": controller.velocity_integral,
        "current_rate": 2 * np.pi * controller.current_rate_hz,
        "feedforward_speed": controller.feedforward_speed,
        "feedforward_torque": controller.feedforward_torque,
    }
    return pack(values)


def _wander(plant: Plant, steps: int, rng: np.random.Generator | None) -> np.ndarray:
    """(time, joint) slow random walk of friction about 1: lubricant film and mesh never repeat exactly."""
    joints = plant.drives.n_joints
    if rng is None or not plant.wander_share.any():
        return np.ones((steps, joints))
    keep = np.exp(-1.0 / (plant.wander_s * MOTION_RATE_HZ))
    kicks = rng.standard_normal((steps, joints)) * np.sqrt(1 - keep**2)
    kicks[0] /= np.sqrt(1 - keep**2)
    walk = lfilter([1.0], [1.0, -keep], kicks, axis=0)
    return np.exp(plant.wander_share * walk)
