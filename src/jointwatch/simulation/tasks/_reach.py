"""Inverse kinematics: the joint angles that put the flange where a task wants it."""

from __future__ import annotations

import numpy as np

from jointwatch.core.errors import UsageError
from jointwatch.simulation.rigid_body import RigidBody

__all__ = ["downwards", "reach"]

_ITERATIONS = 200
_LONGEST_STEP_RAD = 0.2
_CONVERGED = 1e-9


def downwards(body: RigidBody, home_rad: np.ndarray) -> np.ndarray:
    """(3, 3) flange rotation that points straight down and is turned about the vertical as it is at home."""
    _, turn = body.flange_pose(home_rad[None])
    x = turn[0, :, 0] * (1.0, 1.0, 0.0)
    x /= np.linalg.norm(x)
    z = np.array([0.0, 0.0, -1.0])
    return np.stack([x, np.cross(z, x), z], axis=1)


def reach(
    body: RigidBody, start_rad: np.ndarray, position_m: np.ndarray, turn: np.ndarray, rest_rad: np.ndarray | None = None
) -> np.ndarray:
    """(point, joint) angles with the flange at `position_m` (point, 3) and turned as `turn` (3, 3).

    Damped least squares from `start_rad` (point, joint). Where the arm is redundant the spare motion tends to
    `rest_rad` (joint,), or stays as it is.

    Errors: `UsageError` that names the point where there is no way to it.

    Source: Y. Nakamura, H. Hanafusa, *Inverse kinematic solutions with singularity robustness*, J. Dyn. Sys. Meas.
    Control 108 (1986); spare motion: A. Liégeois, IEEE Trans. SMC 7 (1977).
    """
    q = np.array(start_rad, np.float64)
    identity = np.eye(6)
    for _ in range(_ITERATIONS):
        at, now = body.flange_pose(q)
        left = np.einsum("ij,tkj->tik", turn, now)
        tilt = 0.5 * np.stack(
            [left[:, 2, 1] - left[:, 1, 2], left[:, 0, 2] - left[:, 2, 0], left[:, 1, 0] - left[:, 0, 1]]
        )
        error = np.concatenate([position_m - at, tilt.T], axis=1)
        size = np.linalg.norm(error, axis=1)
        jacobian = body.flange_jacobian(q)
        back = jacobian.transpose(0, 2, 1)
        damping = np.minimum(1e-2 * size**2, 1e-4) + 1e-12
        inverse = back @ np.linalg.inv(jacobian @ back + damping[:, None, None] * identity)
        step = (inverse @ error[..., None])[..., 0]
        if rest_rad is not None and body.n_joints > 6:
            wish = 0.5 * (rest_rad - q)
            step += wish - (inverse @ (jacobian @ wish[..., None]))[..., 0]
        longest = np.abs(step).max(axis=1)
        if max(size.max(), longest.max()) < _CONVERGED:
            return q
        q += step * np.minimum(1.0, _LONGEST_STEP_RAD / np.maximum(longest, 1e-12))[:, None]
    worst = int(size.argmax())
    where = ", ".join(f"{value:.3f}" for value in position_m[worst])
    raise UsageError(f"the flange cannot point down at ({where}) m, it stays {size[worst]:.2g} off; move this point")
