"""What the torque of a joint is made of, as columns for a linear fit: gravity, inertia, velocity products, friction."""

from __future__ import annotations

from itertools import combinations, combinations_with_replacement

import numpy as np

from jointwatch.core.errors import MissingExtra, UsageError
from jointwatch.simulation.motion import Load
from jointwatch.simulation.robot import load_robot

__all__ = ["Terms"]

_SIGN = 0.02  # share of the largest speed over which Coulomb friction turns round
_SLOWEST = 0.05  # share of the fastest joint's speed below which a joint counts as standing, whose speed is noise
_STRIBECK = 0.1  # share of the largest speed at which the surplus of a slow joint has fallen to 1/e


class Terms:
    """Columns for samples of one robot: those that all joints share, and each joint's own.

    Parameters
    ----------
    robot : name of its description (`simulation/robots`), or "" for a basis that suits any serial arm.
    joints : how many.
    speed : (joint,) largest speed, which sets the scale of friction.

    With a description a joint's own columns are its gravity torque for a unit field along x, y and z of the base, its
    inertial and velocity torque, what 1 kg adds at the flange and 0.1 m in front of it, its acceleration (the rotor)
    and friction; there are no shared ones. Without, sines and cosines of all angles, of sums and differences of two,
    and of sums of neighbours; accelerations, also times sine and cosine of each angle; products of two speeds; and
    each joint's friction.

    Attribute `blocks` : how many columns in a row are of one kind and size, shared ones first, then a joint's own.

    Errors: `UsageError` where the description has another number of joints.
    """

    def __init__(self, robot: str, joints: int, speed: np.ndarray) -> None:
        self.robot, self.joints = robot, joints
        self.blocks: tuple[int, ...] = (3, 2, 2, 1, 1, 4)
        speed = np.maximum(speed, _SLOWEST * speed.max(initial=0.0))
        self.speed = np.where(speed > 0, speed, 1.0)
        if not robot:
            pairs = joints * (joints - 1) // 2
            chains = (joints - 1) * (joints - 2) // 2
            angles, products = joints + 2 * pairs + chains, pairs + joints
            self.blocks = (2 * angles, joints * (2 * joints + 1), products, 4)
            return
        model = load_robot(robot)
        if model.n_joints != joints:
            raise UsageError(f"{robot} has {model.n_joints} joints, the windows hold positions of {joints}")
        try:
            from jointwatch.simulation.rigid_body import RigidBody
        except ModuleNotFoundError as error:
            raise MissingExtra(str(error.name), extra="sim") from error
        self._sign, self._zero = model.telemetry.sign.value, model.telemetry.zero_rad.value
        self._body = RigidBody(model)
        at = [Load(0.0, 1.0, (0.0, 0.0, reach), (0.0,) * 6) for reach in (0.0, 0.1)]
        self._loaded = [RigidBody(model, load) for load in at]

    def columns(self, q: np.ndarray, v: np.ndarray, a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(sample, shared column) and (joint, sample, own column) of positions, velocities and accelerations
        (sample, joint)."""
        speed = v / self.speed
        sign = np.tanh(speed / _SIGN)
        slow = sign * np.exp(-np.abs(speed) / _STRIBECK)
        friction = np.stack([sign, speed, sign * np.sqrt(np.abs(speed)), slow], axis=2).transpose(1, 0, 2)
        if not self.robot:
            return _any_arm(q, v, a), friction
        q, v, a = self._sign * q + self._zero, self._sign * v, self._sign * a
        rest = np.zeros_like(q)
        field = -self._body.momentum_jacobian(q).transpose(2, 0, 1)
        held = self._body.inverse_dynamics(q, rest, rest)
        turning = self._body.inverse_dynamics(q, v, rest)
        moving = self._body.inverse_dynamics(q, v, a)
        first, second = (body.inverse_dynamics(q, v, a) for body in self._loaded)
        parts = [turning - held, moving - turning, first - moving, second - first, a, sign * np.abs(held)]
        own = np.concatenate([field, np.stack(parts, axis=2).transpose(1, 0, 2), friction], axis=2)
        return np.empty((len(q), 0)), own


def _any_arm(q: np.ndarray, v: np.ndarray, a: np.ndarray) -> np.ndarray:
    """(sample, column) for any serial arm: its torques are trigonometric polynomials of the angles, linear in the
    accelerations and in products of two speeds; these are the terms of low degree."""
    joints = q.shape[1]
    angles = [q[:, i] for i in range(joints)]
    for i, j in combinations(range(joints), 2):
        angles += [q[:, i] + q[:, j], q[:, i] - q[:, j]]
    angles += [q[:, i:j].sum(axis=1) for i in range(joints) for j in range(i + 3, joints + 1)]
    every = np.stack(angles, axis=1)
    around = np.concatenate([np.ones((len(q), 1)), np.sin(q), np.cos(q)], axis=1)
    inertia = (a[:, :, None] * around[:, None, :]).reshape(len(q), -1)
    pairs = np.stack([v[:, i] * v[:, j] for i, j in combinations_with_replacement(range(joints), 2)], axis=1)
    return np.concatenate([np.sin(every), np.cos(every), inertia, pairs], axis=1)
