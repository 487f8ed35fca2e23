"""The time steps of all drives of an arm at once: what numba compiles."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, sqrt
from typing import NamedTuple

import numpy as np
from numba import njit

from jointwatch.core.errors import UsageError

__all__ = ["ENERGIES", "SLOW_S", "Course", "Disturbance", "friction_tables", "integrate", "pack"]

SLOW_S = 1e-3
"""Grid on which the reference, mass matrix, bias and temperature are renewed, and on which signals are kept."""

ENERGIES = (
    "motor_work", "motor_friction", "link_friction", "torsion_damping", "hysteresis", "link_work", "rotor", "spring",
)  # fmt: skip
"""Columns of the energy account, J: work of the motor, work into motor friction (heat and bristles), into link
friction, into torsion damping, into hysteresis elements (heat and storage), work on the link, and what rotor and
spring hold.
"""

_TABLE = 512
_STRIBECK_END = 36.0  # speeds over the Stribeck speed; beyond it exp(-x^1.3) < 1e-45
_SPEED_END = 16.0  # rad/s at the output
_STRIBECK_EXPONENT = 1.3
_LOAD_STRIBECK = 0.3  # how much of the load-dependent friction comes on top at standstill
_LINK_SOFTENING_RAD_S = 0.005
_KT_PER_K = 1e-3
_KT_SATURATION = 0.1
_STRIBECK_PER_K = 0.006
_STRIBECK_SPEED_PER_K = 0.01
_VISCOUS_FLOOR = 0.45  # share of viscous friction at 40 degC that temperature does not touch
_VISCOUS_T0_K = 20.0
_COULOMB_PER_K = 0.003
_WINDING_K = 100.0  # rise of the drive at steady peak current
_REFERENCE_C = 40.0
_MISALIGNED_RIPPLE = 0.1  # of the torque that a wrong commutation angle loses, at electrical orders 1 and 6


# One row of constants a joint, in N m, rad and A at the output: a single array keeps the loop free of reference
# counting.
SCALARS = (
    "ratio", "rotor", "torque_per_a", "believed_torque_per_a", "electrical", "max_current",
    "damping", "half_gap", "beat_cos", "beat_sin", "bump_rad", "bump_order", "bump_sharpness",
    "bump_phase", "crack", "crack_cos", "crack_sin", "coulomb", "coulomb_load", "stribeck",
    "stribeck_speed", "viscous", "cold", "drag", "bristle", "bristle_damping", "link_friction",
    "cogging_cos", "cogging_sin", "commutation_cos", "commutation_sin", "encoder_drift", "heat_capacity",
    "heat_conductance", "position_gain", "velocity_gain", "velocity_integral", "current_rate",
    "feedforward_speed", "feedforward_torque",
)  # fmt: skip
VECTORS = {
    "stiffness": 3, "knee": 2, "knee_rad": 2, "hysteresis_nm": 2, "hysteresis_stiffness": 2,
    "wave_cos": 4, "wave_sin": 4, "output_cos": 3, "output_sin": 3, "ripple_cos": 3, "ripple_sin":
    3, "encoder_cos": 2, "encoder_sin": 2,
}  # fmt: skip
(
    RATIO, ROTOR, TORQUE_PER_A, BELIEVED_TORQUE_PER_A, ELECTRICAL, MAX_CURRENT, DAMPING, HALF_GAP,
    BEAT_COS, BEAT_SIN, BUMP_RAD, BUMP_ORDER, BUMP_SHARPNESS, BUMP_PHASE, CRACK, CRACK_COS,
    CRACK_SIN, COULOMB, COULOMB_LOAD, STRIBECK, STRIBECK_SPEED, VISCOUS, COLD, DRAG, BRISTLE,
    BRISTLE_DAMPING, LINK_FRICTION, COGGING_COS, COGGING_SIN, COMMUTATION_COS, COMMUTATION_SIN, ENCODER_DRIFT,
    HEAT_CAPACITY, HEAT_CONDUCTANCE, POSITION_GAIN, VELOCITY_GAIN, VELOCITY_INTEGRAL, CURRENT_RATE,
    FEEDFORWARD_SPEED, FEEDFORWARD_TORQUE,
) = range(len(SCALARS))  # fmt: skip
(
    STIFFNESS, KNEE, KNEE_RAD, HYSTERESIS_NM, HYSTERESIS_STIFFNESS, WAVE_COS, WAVE_SIN, OUTPUT_COS,
    OUTPUT_SIN, RIPPLE_COS, RIPPLE_SIN, ENCODER_COS, ENCODER_SIN,
) = (len(SCALARS) + sum(list(VECTORS.values())[:i]) for i in range(len(VECTORS)))  # fmt: skip


def pack(values: Mapping[str, np.ndarray]) -> np.ndarray:
    """(joint, constant) rows of the kernel from arrays (joint) and (joint, k) by name; every name must be given."""
    columns = [np.asarray(values[name])[:, None] for name in SCALARS]
    for name, size in VECTORS.items():
        if np.shape(values[name])[1:] != (size,):
            raise UsageError(f"{name} must be (joint, {size}), got {np.shape(values[name])}")
        columns.append(np.asarray(values[name]))
    return np.ascontiguousarray(np.concatenate(columns, axis=1), np.float64)


class Course(NamedTuple):
    """Terms along the reference on its own clock with step `step_s`: position, velocity, acceleration, bias torque
    (without mass times acceleration), torque that the controller feeds forward, friction relative to its mean, (time,
    joint); inverse mass matrix (time, joint, joint)."""

    step_s: float
    position: np.ndarray
    velocity: np.ndarray
    acceleration: np.ndarray
    bias: np.ndarray
    forward: np.ndarray
    wander: np.ndarray
    inverse_mass: np.ndarray


class Disturbance(NamedTuple):
    """Contacts and a soft base. contact (contact, 8): start, stop (s), direction x y z, stiffness, damping, gap;
    flange (time, 3) and flange_jacobian (time, 3, joint) along the reference, empty without contacts. base (6):
    frequency x, y in rad/s, damping ratio x, y, mass with the arm, 1 if soft; momentum (time, 2, joint) and force
    (time, 2): momentum matrix and its change along the reference, empty with a stiff base."""

    contact: np.ndarray
    flange: np.ndarray
    flange_jacobian: np.ndarray
    base: np.ndarray
    momentum: np.ndarray
    force: np.ndarray


def friction_tables(viscous_power: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """exp(-x^1.3) over the square root of x, and v^power of each joint over the square root of v: roots make the grid
    fine where the curves bend."""
    root = np.linspace(0.0, 1.0, _TABLE + 1)
    stribeck = np.exp(-((root**2 * _STRIBECK_END) ** _STRIBECK_EXPONENT))
    speed = root**2 * _SPEED_END
    return stribeck, speed[None, :] ** np.asarray(viscous_power)[:, None]


@njit(cache=True, inline="always")
def _lookup(table: np.ndarray, place: float) -> float:
    place = min(max(place, 0.0), _TABLE - 1e-9)
    cell = int(place)
    return table[cell] + (place - cell) * (table[cell + 1] - table[cell])


@njit(cache=True, inline="always")
def _turn(c: float, s: float, angle: float) -> tuple[float, float]:
    """Cosine and sine after a further small angle (below 0.2 rad), to 1e-7 and renewed every slow step."""
    square = angle * angle
    dc = 1.0 - 0.5 * square * (1.0 - square * (1.0 / 12.0))
    ds = angle * (1.0 - square * (1.0 / 6.0) * (1.0 - square * (1.0 / 20.0)))
    return c * dc - s * ds, s * dc + c * ds


@njit(cache=True, inline="always")
def _power(c: float, s: float, times: int) -> tuple[float, float]:
    """Cosine and sine of a whole multiple of an angle, from those of the angle."""
    pc, ps = 1.0, 0.0
    while times > 0:
        if times & 1:
            pc, ps = pc * c - ps * s, pc * s + ps * c
        c, s = c * c - s * s, 2 * c * s
        times >>= 1
    return pc, ps


@njit(cache=True, inline="always")
def _kinematic_error(
    p: np.ndarray, j: int, angle: float, c1: float, s1: float, c2: float, s2: float, co: float, so: float
) -> tuple[float, float, float]:
    """Error g at the output with its slopes against motor (per output rad) and link; c1 ... s2 cosine and sine of once
    and twice the motor angle, co, so those of the link angle."""
    c4, s4 = c2 * c2 - s2 * s2, 2 * c2 * s2
    c6, s6 = c4 * c2 - s4 * s2, s4 * c2 + c4 * s2
    a1, a2, a4, a6 = p[j, WAVE_COS], p[j, WAVE_COS + 1], p[j, WAVE_COS + 2], p[j, WAVE_COS + 3]
    b1, b2, b4, b6 = p[j, WAVE_SIN], p[j, WAVE_SIN + 1], p[j, WAVE_SIN + 2], p[j, WAVE_SIN + 3]
    wave = a1 * c1 + b1 * s1 + a2 * c2 + b2 * s2 + a4 * c4 + b4 * s4 + a6 * c6 + b6 * s6
    slope = b1 * c1 - a1 * s1 + 2 * (b2 * c2 - a2 * s2) + 4 * (b4 * c4 - a4 * s4) + 6 * (b6 * c6 - a6 * s6)
    swell = 1.0 + p[j, BEAT_COS] * co - p[j, BEAT_SIN] * so
    swell_slope = -p[j, BEAT_COS] * so - p[j, BEAT_SIN] * co
    a1, a2, a3 = p[j, OUTPUT_COS], p[j, OUTPUT_COS + 1], p[j, OUTPUT_COS + 2]
    b1, b2, b3 = p[j, OUTPUT_SIN], p[j, OUTPUT_SIN + 1], p[j, OUTPUT_SIN + 2]
    o2, u2 = co * co - so * so, 2 * co * so
    o3, u3 = o2 * co - u2 * so, u2 * co + o2 * so
    error = wave * swell + a1 * co + b1 * so + a2 * o2 + b2 * u2 + a3 * o3 + b3 * u3
    motor_slope = p[j, RATIO] * slope * swell
    link_slope = wave * swell_slope + b1 * co - a1 * so + 2 * (b2 * o2 - a2 * u2) + 3 * (b3 * o3 - a3 * u3)
    if p[j, BUMP_RAD] > 0.0:
        bump = p[j, BUMP_ORDER] * angle + p[j, BUMP_PHASE]
        height = p[j, BUMP_RAD] * exp(p[j, BUMP_SHARPNESS] * (np.cos(bump) - 1.0))
        error += height
        motor_slope -= height * p[j, BUMP_SHARPNESS] * np.sin(bump) * p[j, BUMP_ORDER] * p[j, RATIO]
    return error, motor_slope, link_slope


@njit(cache=True, fastmath=True, error_model="numpy")
def integrate(
    p: np.ndarray,
    tables: tuple[np.ndarray, np.ndarray],
    course: Course,
    disturbance: Disturbance,
    ambient_c: float,
    temperature: np.ndarray,
    substeps: int,
    slow_steps: int,
    signals: np.ndarray,
    energy: np.ndarray,
) -> None:
    """Semi-implicit Euler from rest on the reference. signals (8, joint, slow_steps) receives motor position and
    velocity as the encoder tells them, link position and velocity, current, transmitted torque, temperature, motor
    torque; energy (joint, 8) the account. temperature (joint) is the start and is changed."""
    stribeck_table, viscous_table = tables
    n = len(p)
    dt = SLOW_S / substeps
    stribeck_scale = _TABLE / sqrt(_STRIBECK_END)
    speed_scale = _TABLE / sqrt(_SPEED_END)
    last = len(course.position) - 1
    contacts = len(disturbance.contact)
    soft_base = disturbance.base[5] > 0

    motor, motor_speed = course.position[0].copy(), course.velocity[0].copy()
    link, link_speed = course.position[0].copy(), course.velocity[0].copy()
    torsion_before = np.zeros(n)
    bristle = np.zeros(n)
    element = np.zeros((n, 2))
    integral, current = np.zeros(n), np.zeros(n)
    current_factor = 1.0 - np.exp(-p[:, CURRENT_RATE] * dt)
    per_step = 1.0 / dt
    inverse_bristle, inverse_torque_per_a = 1.0 / p[:, BRISTLE], 1.0 / p[:, BELIEVED_TORQUE_PER_A]
    inverse_max_current, step_per_rotor = 1.0 / p[:, MAX_CURRENT], dt / p[:, ROTOR]
    # What changes on the slow grid.
    reference, reference_speed, reference_acceleration = np.empty(n), np.empty(n), np.empty(n)
    bias, forward = np.empty(n), np.empty(n)
    inverse_mass = np.empty((n, n))
    viscous, stribeck, stribeck_root, coulomb, torque_per_a = (
        np.empty(n), np.empty(n), np.empty(n), np.empty(n), np.empty(n),
    )  # fmt: skip
    heat = np.zeros(n)
    # What the joints exchange within a step.
    on_link, rub, push, acceleration = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
    motor_cos, motor_sin, link_cos, link_sin = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    jacobian, flange = np.zeros((3, n)), np.zeros(3)
    touched = np.zeros((max(contacts, 1), 3))
    touching = np.zeros(max(contacts, 1))
    momentum, force = np.zeros((2, n)), np.zeros(2)
    base, base_speed, base_acceleration = np.zeros(2), np.zeros(2), np.zeros(2)

    # Start in balance: the torsion carries the bias, what is not fed forward stands in the integrator.
    for j in range(n):
        load = course.bias[0, j]
        warm = 1.0 - _KT_PER_K * (temperature[j] - _REFERENCE_C)
        current[j] = load / (p[j, TORQUE_PER_A] * warm * p[j, COMMUTATION_COS])
        rated = current[j] / p[j, MAX_CURRENT]
        current[j] /= 1.0 - _KT_SATURATION * rated * rated
        integral[j] = p[j, BELIEVED_TORQUE_PER_A] * current[j] - p[j, FEEDFORWARD_TORQUE] * course.forward[0, j]
        angle = p[j, RATIO] * motor[j]
        c1, s1 = np.cos(angle), np.sin(angle)
        c2, s2 = c1 * c1 - s1 * s1, 2 * c1 * s1
        error, _, _ = _kinematic_error(p, j, angle, c1, s1, c2, s2, np.cos(link[j]), np.sin(link[j]))
        lobe = 0.5 + 0.5 * (np.cos(link[j]) * p[j, CRACK_COS] - np.sin(link[j]) * p[j, CRACK_SIN])
        size = abs(load) / (1.0 - p[j, CRACK] * lobe * lobe)
        first, second = p[j, KNEE], p[j, KNEE + 1]
        if size <= first:
            wound = size / p[j, STIFFNESS]
        elif size <= second:
            wound = p[j, KNEE_RAD] + (size - first) / p[j, STIFFNESS + 1]
        else:
            wound = p[j, KNEE_RAD + 1] + (size - second) / p[j, STIFFNESS + 2]
        torsion = wound + p[j, HALF_GAP] if load >= 0 else -wound - p[j, HALF_GAP]
        link[j] = motor[j] + error - torsion
        torsion_before[j] = torsion

    for step in range(slow_steps):
        now = step * SLOW_S
        at = now / course.step_s
        k = min(int(at), last - 1)
        w = min(at - k, 1.0)
        h = course.step_s
        for j in range(n):
            # Cubic Hermite: position and velocity of the reference stay smooth between its samples.
            a, b = course.position[k, j], course.position[k + 1, j]
            va, vb = course.velocity[k, j] * h, course.velocity[k + 1, j] * h
            w2, w3 = w * w, w * w * w
            reference[j] = (2 * w3 - 3 * w2 + 1) * a + (w3 - 2 * w2 + w) * va + (3 * w2 - 2 * w3) * b + (w3 - w2) * vb
            reference_speed[j] = (
                (6 * w2 - 6 * w) * a + (3 * w2 - 4 * w + 1) * va + (6 * w - 6 * w2) * b + (3 * w2 - 2 * w) * vb
            ) / h
            reference_acceleration[j] = course.acceleration[k, j] * (1 - w) + course.acceleration[k + 1, j] * w
            bias[j] = course.bias[k, j] * (1 - w) + course.bias[k + 1, j] * w
            forward[j] = course.forward[k, j] * (1 - w) + course.forward[k + 1, j] * w
            for i in range(n):
                inverse_mass[j, i] = course.inverse_mass[k, j, i] * (1 - w) + course.inverse_mass[k + 1, j, i] * w
            # Heat since the last slow step, then what depends on temperature.
            rated = current[j] / p[j, MAX_CURRENT]
            gain = heat[j] / SLOW_S + rated * rated * _WINDING_K * p[j, HEAT_CONDUCTANCE]
            temperature[j] += (
                (gain - (temperature[j] - ambient_c) * p[j, HEAT_CONDUCTANCE]) * SLOW_S / p[j, HEAT_CAPACITY]
            )
            heat[j] = 0.0
            above = temperature[j] - _REFERENCE_C
            cold = p[j, COLD]
            thick = _VISCOUS_FLOOR + (1 - _VISCOUS_FLOOR) * exp(-above / _VISCOUS_T0_K)
            viscous[j] = p[j, VISCOUS] * max(0.2, 1.0 + cold * (thick - 1.0))
            stribeck[j] = p[j, STRIBECK] * max(0.2, 1.0 + _STRIBECK_PER_K * above)
            stribeck_root[j] = stribeck_scale / sqrt(
                p[j, STRIBECK_SPEED] * max(0.3, 1.0 + _STRIBECK_SPEED_PER_K * above)
            )
            scale = course.wander[k, j] * (1 - w) + course.wander[k + 1, j] * w
            viscous[j] *= scale
            coulomb[j] = p[j, COULOMB] * scale * max(0.3, 1.0 - cold * _COULOMB_PER_K * above) + p[j, DRAG]
            torque_per_a[j] = p[j, TORQUE_PER_A] * (1.0 - _KT_PER_K * above) * p[j, COMMUTATION_COS]
        if contacts > 0:
            for x in range(3):
                flange[x] = disturbance.flange[k, x] * (1 - w) + disturbance.flange[k + 1, x] * w
                for j in range(n):
                    jacobian[x, j] = (
                        disturbance.flange_jacobian[k, x, j] * (1 - w) + disturbance.flange_jacobian[k + 1, x, j] * w
                    )
        if soft_base:
            for x in range(2):
                force[x] = disturbance.force[k, x] * (1 - w) + disturbance.force[k + 1, x] * w
                for j in range(n):
                    momentum[x, j] = disturbance.momentum[k, x, j] * (1 - w) + disturbance.momentum[k + 1, x, j] * w

        for j in range(n):  # exact again before the small rotations drift
            angle = p[j, RATIO] * motor[j]
            motor_cos[j], motor_sin[j] = np.cos(angle), np.sin(angle)
            link_cos[j], link_sin[j] = np.cos(link[j]), np.sin(link[j])

        for sub in range(substeps):
            t = now + sub * dt
            for j in range(n):
                angle = p[j, RATIO] * motor[j]
                c1, s1, co, so = motor_cos[j], motor_sin[j], link_cos[j], link_sin[j]
                c2, s2 = c1 * c1 - s1 * s1, 2 * c1 * s1
                e1, f1 = _power(c1, s1, int(p[j, ELECTRICAL]))
                e2, f2 = e1 * e1 - f1 * f1, 2 * e1 * f1
                e3, f3 = e2 * e1 - f2 * f1, f2 * e1 + e2 * f1
                e6, f6 = e3 * e3 - f3 * f3, 2 * e3 * f3

                # Kinematic error g and its slopes against motor (per output rad) and link.
                error, motor_slope, link_slope = _kinematic_error(p, j, angle, c1, s1, c2, s2, co, so)

                # Torque across the gear.
                torsion = motor[j] + error - link[j]
                rate = motor_speed[j] * (1.0 + motor_slope) - link_speed[j] * (1.0 - link_slope)
                moved = torsion - torsion_before[j]
                torsion_before[j] = torsion
                half = p[j, HALF_GAP]
                engaged = abs(torsion) > half
                stretch = torsion - min(max(torsion, -half), half)
                size = abs(stretch)
                x1, x2 = p[j, KNEE_RAD], p[j, KNEE_RAD + 1]
                if size < x1:
                    elastic = p[j, STIFFNESS] * size
                    stored = 0.5 * elastic * size
                elif size < x2:
                    knee = p[j, KNEE]
                    elastic = knee + p[j, STIFFNESS + 1] * (size - x1)
                    stored = 0.5 * (knee * x1 + (knee + elastic) * (size - x1))
                else:
                    first, second = p[j, KNEE], p[j, KNEE + 1]
                    elastic = second + p[j, STIFFNESS + 2] * (size - x2)
                    stored = 0.5 * (first * x1 + (first + second) * (x2 - x1) + (second + elastic) * (size - x2))
                if stretch < 0:
                    elastic = -elastic
                if p[j, CRACK] > 0.0:
                    lobe = 0.5 + 0.5 * (co * p[j, CRACK_COS] - so * p[j, CRACK_SIN])
                    soft = 1.0 - p[j, CRACK] * lobe * lobe  # once and twice a turn
                    elastic *= soft
                    stored *= soft
                damped = p[j, DAMPING] * rate if engaged or half == 0.0 else 0.0
                slip = 0.0
                for e in range(2):
                    limit = p[j, HYSTERESIS_NM + e]
                    element[j, e] = min(max(element[j, e] + p[j, HYSTERESIS_STIFFNESS + e] * moved, -limit), limit)
                    slip += element[j, e]
                torque = elastic + damped + slip

                # Friction at the motor.
                v = motor_speed[j]
                root = sqrt(abs(v))
                near_rest = _lookup(stribeck_table, root * stribeck_root[j])
                level = (
                    coulomb[j] + stribeck[j] * near_rest
                    + p[j, COULOMB_LOAD] * abs(torque) * (1.0 + _LOAD_STRIBECK * near_rest)
                )  # fmt: skip
                steady = level * inverse_bristle[j]
                if v < 0:
                    steady = -steady
                bent = steady + (bristle[j] - steady) * exp(-abs(v) * dt / abs(steady))
                thick = viscous[j] * _lookup(viscous_table[j], root * speed_scale)
                friction = p[j, BRISTLE] * bent + p[j, BRISTLE_DAMPING] * (bent - bristle[j]) * per_step
                friction += thick if v > 0 else -thick
                bristle[j] = bent

                # Cascade on what the encoder says.
                a1, a2, b1, b2 = p[j, ENCODER_COS], p[j, ENCODER_COS + 1], p[j, ENCODER_SIN], p[j, ENCODER_SIN + 1]
                seen = motor[j] + a1 * c1 + b1 * s1 + a2 * c2 + b2 * s2 + p[j, ENCODER_DRIFT] * t
                seen_speed = v * (1.0 + p[j, RATIO] * (b1 * c1 - a1 * s1 + 2 * (b2 * c2 - a2 * s2)))
                if sub == 0:
                    signals[0, j, step] = seen
                    signals[1, j, step] = seen_speed
                    signals[2, j, step] = link[j]
                    signals[3, j, step] = link_speed[j]
                    signals[4, j, step] = current[j]
                    signals[5, j, step] = torque
                    signals[6, j, step] = temperature[j]
                ahead = sub * dt
                wanted = reference[j] + ahead * (reference_speed[j] + 0.5 * ahead * reference_acceleration[j])
                wanted_speed = reference_speed[j] + ahead * reference_acceleration[j]
                lag = p[j, FEEDFORWARD_SPEED] * wanted_speed + p[j, POSITION_GAIN] * (wanted - seen) - seen_speed
                command = (
                    p[j, VELOCITY_GAIN] * lag + integral[j] + p[j, FEEDFORWARD_TORQUE] * forward[j]
                ) * inverse_torque_per_a[j]
                limit = p[j, MAX_CURRENT]
                if command > limit:
                    command = limit
                elif command < -limit:
                    command = -limit
                else:  # anti-windup: the integrator rests while the current is limited
                    integral[j] += p[j, VELOCITY_GAIN] * p[j, VELOCITY_INTEGRAL] * lag * dt
                current[j] += (command - current[j]) * current_factor[j]

                rated = current[j] * inverse_max_current[j]
                ripple = (
                    p[j, RIPPLE_COS] * e1 + p[j, RIPPLE_SIN] * f1
                    + p[j, RIPPLE_COS + 1] * e2 + p[j, RIPPLE_SIN + 1] * f2
                    + p[j, RIPPLE_COS + 2] * e6 + p[j, RIPPLE_SIN + 2] * f6
                )  # fmt: skip
                drive = torque_per_a[j] * current[j] * (1.0 - _KT_SATURATION * rated * rated) * (1.0 + ripple)
                drive += p[j, COGGING_COS] * e6 + p[j, COGGING_SIN] * f6
                drive += _MISALIGNED_RIPPLE * p[j, TORQUE_PER_A] * current[j] * p[j, COMMUTATION_SIN] * (e1 + f6)
                if sub == 0:
                    signals[7, j, step] = drive

                through = torque * (1.0 + motor_slope)
                faster = v + (drive - friction - through) * step_per_rotor[j]
                middle = 0.5 * (v + faster)
                motor_speed[j] = faster
                motor[j] += faster * dt
                motor_cos[j], motor_sin[j] = _turn(c1, s1, p[j, RATIO] * faster * dt)
                on_link[j] = torque * (1.0 - link_slope)
                push[j] = on_link[j] - bias[j]
                heat[j] += abs(friction * middle) * dt
                energy[j, 0] += drive * middle * dt
                energy[j, 1] += friction * middle * dt
                energy[j, 3] += damped * moved
                energy[j, 4] += slip * moved
                energy[j, 7] = stored

            for c in range(contacts):
                contact = disturbance.contact[c]
                if t < contact[0] or t >= contact[1]:
                    touching[c] = 0.0
                    continue
                along, speed = 0.0, 0.0
                for x in range(3):
                    here, fast = flange[x], 0.0
                    for j in range(n):
                        here += jacobian[x, j] * (link[j] - reference[j])
                        fast += jacobian[x, j] * link_speed[j]
                    if touching[c] == 0.0:
                        touched[c, x] = here
                    along += contact[2 + x] * (here - touched[c, x])
                    speed += contact[2 + x] * fast
                touching[c] = 1.0
                depth = along - contact[7]
                if depth > 0:
                    press = max(contact[5] * depth + contact[6] * speed, 0.0)
                    for j in range(n):
                        for x in range(3):
                            push[j] -= jacobian[x, j] * contact[2 + x] * press
            if soft_base:
                for j in range(n):
                    for x in range(2):
                        push[j] -= momentum[x, j] * base_acceleration[x]
            for j in range(n):
                faster = 0.0
                for i in range(n):
                    faster += inverse_mass[j, i] * push[i]
                acceleration[j] = faster
            # Friction at the speed that it leaves, link by link (backward Euler): a light wrist would chatter at rest.
            for j in range(n):
                free = link_speed[j] + acceleration[j] * dt
                size = abs(free)
                brake = p[j, LINK_FRICTION] * inverse_mass[j, j] * dt + _LINK_SOFTENING_RAD_S - size
                left = (
                    2 * size * _LINK_SOFTENING_RAD_S / (brake + sqrt(brake * brake + 4 * size * _LINK_SOFTENING_RAD_S))
                )
                rub[j] = p[j, LINK_FRICTION] * left / (left + _LINK_SOFTENING_RAD_S)
                if free < 0:
                    rub[j] = -rub[j]
                for i in range(n):
                    acceleration[i] -= inverse_mass[i, j] * rub[j]
            if soft_base:
                for x in range(2):
                    reaction = -force[x]
                    for j in range(n):
                        reaction -= momentum[x, j] * acceleration[j]
                    omega, zeta, mass = disturbance.base[x], disturbance.base[2 + x], disturbance.base[4]
                    base_acceleration[x] = reaction / mass - omega * omega * base[x] - 2 * zeta * omega * base_speed[x]
                    base_speed[x] += base_acceleration[x] * dt
                    base[x] += base_speed[x] * dt
            for j in range(n):
                before = link_speed[j]
                link_speed[j] += acceleration[j] * dt
                link[j] += link_speed[j] * dt
                link_cos[j], link_sin[j] = _turn(link_cos[j], link_sin[j], link_speed[j] * dt)
                middle = 0.5 * (before + link_speed[j])
                energy[j, 2] += rub[j] * middle * dt
                energy[j, 5] += on_link[j] * middle * dt
    for j in range(n):
        energy[j, 6] = 0.5 * p[j, ROTOR] * motor_speed[j] * motor_speed[j]
