"""Rigid-body terms of a serial robot along a motion: torques, masses, momentum and the flange."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit

from jointwatch.core.errors import UsageError
from jointwatch.simulation.motion import Load
from jointwatch.simulation.robot import RobotModel

__all__ = ["STANDARD_GRAVITY", "RigidBody", "rotation"]

STANDARD_GRAVITY = (0.0, 0.0, -9.80665)
"""m/s2 in the base frame of a robot that stands upright."""


def rotation(rpy_rad: np.ndarray) -> np.ndarray:
    """Rotation matrices (..., 3, 3) of fixed-axis roll, pitch, yaw (..., 3): about x first, then y, then z.

    >>> rotation(np.array([0.0, 0.0, np.pi / 2])).round(9).tolist()
    [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [-0.0, 0.0, 1.0]]
    """
    (cr, cp, cy), (sr, sp, sy) = np.cos(np.moveaxis(rpy_rad, -1, 0)), np.sin(np.moveaxis(rpy_rad, -1, 0))
    rows = (
        (cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr),
        (sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr),
        (-sp, cp * sr, cp * cr),
    )
    return np.stack([np.stack(row, -1) for row in rows], -2)


class RigidBody:
    """A serial chain with what it carries, evaluated for all samples of a motion at once.

    Every spatial vector refers to the origin and the axes of the base, so bodies add up without transformations:
    recursive Newton-Euler for torques, composite rigid bodies for masses. Only links move; rotors are no part of it.

    Parameters
    ----------
    robot : kinematics, inertials and kind of joint.
    load : is fixed to the last link at the flange; one of 0 kg counts as none, whatever its inertia.

    Arrays are (time, joint) float64: rad, rad/s, rad/s2 and N m, or m, m/s, m/s2 and N where joints slide.

    Errors: `UsageError` where an array is not (time, joint) of this robot, or the load is not physical.

    Source: R. Featherstone, *Rigid Body Dynamics Algorithms*, Springer 2008, tables 5.1 and 6.2.

    >>> from jointwatch.simulation.robot import load_robot
    >>> body = RigidBody(load_robot("ur5e"))
    >>> q = np.random.default_rng(0).uniform(-1.0, 1.0, (4, 6))
    >>> rest = np.zeros_like(q)
    >>> holding = body.inverse_dynamics(q, rest, rest)
    >>> momentum = body.momentum_jacobian(q)
    >>> bool(np.allclose(holding, -np.einsum("tkj,k->tj", momentum, STANDARD_GRAVITY)))
    True
    """

    def __init__(self, robot: RobotModel, load: Load | None = None) -> None:
        kinematics, inertials = robot.kinematics, robot.inertials
        self.n_joints = robot.n_joints
        self._revolute = robot.joint_kind == "revolute"
        self._origin = np.array(kinematics.origin_m.value)
        self._turn = np.ascontiguousarray(rotation(kinematics.origin_rpy_rad.value))
        self._axis = np.array(kinematics.axis.value)
        self._flange = np.array(kinematics.flange_m.value)
        self._flange_turn = np.ascontiguousarray(rotation(kinematics.flange_rpy_rad.value))
        self._mass = np.array(inertials.mass_kg.value)
        self._com = np.array(inertials.com_m.value)
        self._inertia = np.stack([_symmetric(row) for row in inertials.inertia_kg_m2.value])
        if load is not None and load.mass_kg != 0.0:
            self._carry(load)

    def inverse_dynamics(
        self,
        q: np.ndarray,
        qd: np.ndarray,
        qdd: np.ndarray,
        gravity: Sequence[float] | np.ndarray = STANDARD_GRAVITY,
    ) -> np.ndarray:
        """(time, joint) torques on the links that give this motion; gravity (3,) in m/s2 in the base frame."""
        q, qd, qdd = self._checked(q), self._checked(qd), self._checked(qdd)
        if not q.shape == qd.shape == qdd.shape:
            raise UsageError(f"q, qd and qdd must have one shape, got {q.shape}, {qd.shape}, {qdd.shape}")
        field = np.array(gravity, np.float64)
        if field.shape != (3,):
            raise UsageError(f"gravity has 3 components in the base frame, got shape {field.shape}")
        return _inverse_dynamics(q, qd, qdd, field, *self._chain, self._mass, self._com, self._inertia)

    def mass_matrix(self, q: np.ndarray) -> np.ndarray:
        """(time, joint, joint) symmetric, positive definite, kg m2 at the output."""
        return _mass_matrix(self._checked(q), *self._chain, self._mass, self._com, self._inertia)

    def momentum_jacobian(self, q: np.ndarray) -> np.ndarray:
        """(time, 3, joint) H with the linear momentum H qd in the base frame, kg m; gravity's torque is -H^T g."""
        return _momentum_jacobian(self._checked(q), *self._chain, self._mass, self._com, self._inertia)

    def flange_pose(self, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Position (time, 3) in m and rotation (time, 3, 3) of the flange in the base frame; columns are its axes."""
        return _flange_pose(self._checked(q), *self._chain, self._flange, self._flange_turn)

    def flange_jacobian(self, q: np.ndarray) -> np.ndarray:
        """(time, 6, joint): linear, then angular velocity of the flange in the base frame for each joint's speed."""
        return _flange_jacobian(self._checked(q), *self._chain, self._flange)

    @property
    def _chain(self) -> tuple[bool, np.ndarray, np.ndarray, np.ndarray]:
        return self._revolute, self._origin, self._turn, self._axis

    def _checked(self, q: np.ndarray) -> np.ndarray:
        q = np.ascontiguousarray(q, np.float64)
        if q.ndim != 2 or q.shape[1] != self.n_joints:
            raise UsageError(f"expected (time, joint) with {self.n_joints} joints, got shape {q.shape}")
        return q

    def _carry(self, load: Load) -> None:
        com_in_flange, inertia = np.array(load.com_m, np.float64), _symmetric(np.array(load.inertia_kg_m2, np.float64))
        if not load.mass_kg > 0 or not np.isfinite(com_in_flange).all() or np.linalg.eigvalsh(inertia)[0] < 0:
            raise UsageError(f"a load needs a positive mass, a finite com and a non-negative inertia, got {load}")
        com = self._flange + self._flange_turn @ com_in_flange
        inertia = self._flange_turn @ inertia @ self._flange_turn.T
        total = self._mass[-1] + load.mass_kg
        arm = com - self._com[-1]
        reduced = self._mass[-1] * load.mass_kg / total
        self._inertia[-1] += inertia + reduced * (arm @ arm * np.eye(3) - np.outer(arm, arm))
        self._com[-1] += load.mass_kg / total * arm
        self._mass[-1] = total


def _symmetric(six: np.ndarray) -> np.ndarray:
    xx, yy, zz, xy, xz, yz = six
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])


@njit(cache=True)
def _advance(q, revolute, origin, turn, axis, R, p, S):  # type: ignore[no-untyped-def]
    """Move the frame (R, p) over one joint in place; S (6) becomes the joint's screw about the base's origin."""
    for i in range(3):
        p[i] += R[i, 0] * origin[0] + R[i, 1] * origin[1] + R[i, 2] * origin[2]
    x, y, z = axis[0], axis[1], axis[2]
    c, s = (np.cos(q), np.sin(q)) if revolute else (1.0, 0.0)
    d = 1.0 - c
    about = (
        (c + x * x * d, x * y * d - z * s, x * z * d + y * s),
        (y * x * d + z * s, c + y * y * d, y * z * d - x * s),
        (z * x * d - y * s, z * y * d + x * s, c + z * z * d),
    )
    for i in range(3):
        r0 = R[i, 0] * turn[0, 0] + R[i, 1] * turn[1, 0] + R[i, 2] * turn[2, 0]
        r1 = R[i, 0] * turn[0, 1] + R[i, 1] * turn[1, 1] + R[i, 2] * turn[2, 1]
        r2 = R[i, 0] * turn[0, 2] + R[i, 1] * turn[1, 2] + R[i, 2] * turn[2, 2]
        S[i] = r0 * x + r1 * y + r2 * z
        R[i, 0] = r0 * about[0][0] + r1 * about[1][0] + r2 * about[2][0]
        R[i, 1] = r0 * about[0][1] + r1 * about[1][1] + r2 * about[2][1]
        R[i, 2] = r0 * about[0][2] + r1 * about[1][2] + r2 * about[2][2]
    if revolute:
        S[3] = p[1] * S[2] - p[2] * S[1]
        S[4] = p[2] * S[0] - p[0] * S[2]
        S[5] = p[0] * S[1] - p[1] * S[0]
    else:
        for i in range(3):
            p[i] += q * S[i]
            S[3 + i] = S[i]
            S[i] = 0.0


@njit(cache=True)
def _restart(R, p):  # type: ignore[no-untyped-def]
    R[:] = 0.0
    p[:] = 0.0
    R[0, 0] = R[1, 1] = R[2, 2] = 1.0


@njit(cache=True)
def _place(R, p, mass, com, inertia, body):  # type: ignore[no-untyped-def]
    """body (10): mass, first moment (3) and inertia xx yy zz xy xz yz about the base's origin."""
    cx = p[0] + R[0, 0] * com[0] + R[0, 1] * com[1] + R[0, 2] * com[2]
    cy = p[1] + R[1, 0] * com[0] + R[1, 1] * com[1] + R[1, 2] * com[2]
    cz = p[2] + R[2, 0] * com[0] + R[2, 1] * com[1] + R[2, 2] * com[2]
    body[0], body[1], body[2], body[3] = mass, mass * cx, mass * cy, mass * cz
    body[4], body[5], body[6] = mass * (cy * cy + cz * cz), mass * (cx * cx + cz * cz), mass * (cx * cx + cy * cy)
    body[7], body[8], body[9] = -mass * cx * cy, -mass * cx * cz, -mass * cy * cz
    for k in range(3):
        for m in range(3):
            share = inertia[k, m]
            body[4] += R[0, k] * share * R[0, m]
            body[5] += R[1, k] * share * R[1, m]
            body[6] += R[2, k] * share * R[2, m]
            body[7] += R[0, k] * share * R[1, m]
            body[8] += R[0, k] * share * R[2, m]
            body[9] += R[1, k] * share * R[2, m]


@njit(cache=True)
def _momentum(body, v, out):  # type: ignore[no-untyped-def]
    """out (6) = spatial inertia times v (6): angular about the base's origin, then linear."""
    m, hx, hy, hz = body[0], body[1], body[2], body[3]
    out[0] = body[4] * v[0] + body[7] * v[1] + body[8] * v[2] + hy * v[5] - hz * v[4]
    out[1] = body[7] * v[0] + body[5] * v[1] + body[9] * v[2] + hz * v[3] - hx * v[5]
    out[2] = body[8] * v[0] + body[9] * v[1] + body[6] * v[2] + hx * v[4] - hy * v[3]
    out[3] = m * v[3] + v[1] * hz - v[2] * hy
    out[4] = m * v[4] + v[2] * hx - v[0] * hz
    out[5] = m * v[5] + v[0] * hy - v[1] * hx


@njit(cache=True)
def _inverse_dynamics(q, qd, qdd, gravity, revolute, origin, turn, axis, mass, com, inertia):  # type: ignore[no-untyped-def]
    samples, n = q.shape
    torque = np.empty((samples, n))
    R, p, S, body = np.empty((3, 3)), np.empty(3), np.empty((n, 6)), np.empty(10)
    v, a, f = np.empty(6), np.empty(6), np.empty((n, 6))
    momentum, force, step = np.empty(6), np.empty(6), np.empty(6)
    for t in range(samples):
        _restart(R, p)
        v[:] = 0.0
        a[:3] = 0.0
        for k in range(3):
            a[3 + k] = -gravity[k]
        for j in range(n):
            _advance(q[t, j], revolute, origin[j], turn[j], axis[j], R, p, S[j])
            _place(R, p, mass[j], com[j], inertia[j], body)
            for k in range(6):
                step[k] = S[j, k] * qd[t, j]
                v[k] += step[k]
            for k in range(3):
                k1, k2 = (k + 1) % 3, (k + 2) % 3
                a[k] += S[j, k] * qdd[t, j] + v[k1] * step[k2] - v[k2] * step[k1]
                a[3 + k] += S[j, 3 + k] * qdd[t, j]
                a[3 + k] += v[k1] * step[3 + k2] - v[k2] * step[3 + k1]
                a[3 + k] += v[3 + k1] * step[k2] - v[3 + k2] * step[k1]
            _momentum(body, v, momentum)
            _momentum(body, a, force)
            for k in range(3):
                k1, k2 = (k + 1) % 3, (k + 2) % 3
                f[j, k] = force[k] + v[k1] * momentum[k2] - v[k2] * momentum[k1]
                f[j, k] += v[3 + k1] * momentum[3 + k2] - v[3 + k2] * momentum[3 + k1]
                f[j, 3 + k] = force[3 + k] + v[k1] * momentum[3 + k2] - v[k2] * momentum[3 + k1]
        for j in range(n - 1, -1, -1):
            total = 0.0
            for k in range(6):
                total += S[j, k] * f[j, k]
                if j > 0:
                    f[j - 1, k] += f[j, k]
            torque[t, j] = total
    return torque


@njit(cache=True)
def _composites(q, revolute, origin, turn, axis, mass, com, inertia, R, p, S, bodies):  # type: ignore[no-untyped-def]
    """Screws S (joint, 6) and, for each joint, everything that it moves as one body."""
    _restart(R, p)
    n = len(q)
    for j in range(n):
        _advance(q[j], revolute, origin[j], turn[j], axis[j], R, p, S[j])
        _place(R, p, mass[j], com[j], inertia[j], bodies[j])
    for j in range(n - 1, 0, -1):
        for k in range(10):
            bodies[j - 1, k] += bodies[j, k]


@njit(cache=True)
def _mass_matrix(q, revolute, origin, turn, axis, mass, com, inertia):  # type: ignore[no-untyped-def]
    samples, n = q.shape
    matrix = np.empty((samples, n, n))
    R, p, S, bodies, momentum = np.empty((3, 3)), np.empty(3), np.empty((n, 6)), np.empty((n, 10)), np.empty(6)
    for t in range(samples):
        _composites(q[t], revolute, origin, turn, axis, mass, com, inertia, R, p, S, bodies)
        for j in range(n):
            _momentum(bodies[j], S[j], momentum)
            for i in range(j + 1):
                total = 0.0
                for k in range(6):
                    total += S[i, k] * momentum[k]
                matrix[t, i, j] = matrix[t, j, i] = total
    return matrix


@njit(cache=True)
def _momentum_jacobian(q, revolute, origin, turn, axis, mass, com, inertia):  # type: ignore[no-untyped-def]
    samples, n = q.shape
    jacobian = np.empty((samples, 3, n))
    R, p, S, bodies, momentum = np.empty((3, 3)), np.empty(3), np.empty((n, 6)), np.empty((n, 10)), np.empty(6)
    for t in range(samples):
        _composites(q[t], revolute, origin, turn, axis, mass, com, inertia, R, p, S, bodies)
        for j in range(n):
            _momentum(bodies[j], S[j], momentum)
            for k in range(3):
                jacobian[t, k, j] = momentum[3 + k]
    return jacobian


@njit(cache=True)
def _flange_pose(q, revolute, origin, turn, axis, flange, flange_turn):  # type: ignore[no-untyped-def]
    samples, n = q.shape
    position, rotations = np.empty((samples, 3)), np.empty((samples, 3, 3))
    R, p, S = np.empty((3, 3)), np.empty(3), np.empty(6)
    for t in range(samples):
        _restart(R, p)
        for j in range(n):
            _advance(q[t, j], revolute, origin[j], turn[j], axis[j], R, p, S)
        for i in range(3):
            position[t, i] = p[i]
            for k in range(3):
                position[t, i] += R[i, k] * flange[k]
                rotations[t, i, k] = (
                    R[i, 0] * flange_turn[0, k] + R[i, 1] * flange_turn[1, k] + R[i, 2] * flange_turn[2, k]
                )
    return position, rotations


@njit(cache=True)
def _flange_jacobian(q, revolute, origin, turn, axis, flange):  # type: ignore[no-untyped-def]
    samples, n = q.shape
    jacobian = np.empty((samples, 6, n))
    R, p, S, at = np.empty((3, 3)), np.empty(3), np.empty((n, 6)), np.empty(3)
    for t in range(samples):
        _restart(R, p)
        for j in range(n):
            _advance(q[t, j], revolute, origin[j], turn[j], axis[j], R, p, S[j])
        for i in range(3):
            at[i] = p[i] + R[i, 0] * flange[0] + R[i, 1] * flange[1] + R[i, 2] * flange[2]
        for j in range(n):
            for k in range(3):
                k1, k2 = (k + 1) % 3, (k + 2) % 3
                jacobian[t, k, j] = S[j, 3 + k] + S[j, k1] * at[k2] - S[j, k2] * at[k1]
                jacobian[t, 3 + k, j] = S[j, k]
    return jacobian
