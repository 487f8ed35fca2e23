"""Rigid-body terms against MuJoCo, energy and finite differences."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

import mujoco
import numpy as np
import pytest

from jointwatch.core.errors import UsageError
from jointwatch.simulation.motion import Load
from jointwatch.simulation.rigid_body import STANDARD_GRAVITY, RigidBody
from jointwatch.simulation.robot import Control, Drive, RobotModel, load_robot, robots

LOAD = Load(0.0, 3.2, (0.02, -0.03, 0.11), (0.021, 0.016, 0.012, 0.002, -0.003, 0.001))
GRAVITY = (1.7, -3.0, -9.0)
MADE_UP = ("revolute", "prismatic")


def _tagged(value: Any) -> dict[str, Any]:
    return {"value": value, "tag": "assumed", "source": "random"}


@lru_cache
def _robot(name: str) -> RobotModel:
    """A robot of the package, or a random chain of skew axes of the kind that is named."""
    if name not in MADE_UP:
        return load_robot(name)
    n = 5
    rng = np.random.default_rng(7)
    axis = rng.standard_normal((n, 3))
    inertia = np.concatenate([rng.uniform(0.05, 0.08, (n, 3)), rng.uniform(-0.01, 0.01, (n, 3))], axis=1)
    shapes = {"stiffness_nm_rad": (n, 3), "stiffness_knee_nm": (n, 2), "wave_error_arcsec": (n, 4)}
    shapes |= {"output_error_arcsec": (n, 3), "ripple_share": (n, 3)}
    clock = {key: _tagged(1.0) for key in ("rate_hz", "jitter_s", "drop_probability", "repeat_probability")}
    return RobotModel(
        brand="made up",
        model=name,
        joint_names=tuple(f"joint {i}" for i in range(n)),
        joint_kind=name,
        sources={"random": "drawn"},
        kinematics={
            "origin_m": _tagged(rng.uniform(-0.4, 0.4, (n, 3))),
            "origin_rpy_rad": _tagged(rng.uniform(-3, 3, (n, 3))),
            "axis": _tagged(axis / np.linalg.norm(axis, axis=1, keepdims=True)),
            "flange_m": _tagged([0.1, -0.05, 0.08]),
            "flange_rpy_rad": _tagged([0.4, -1.0, 2.0]),
            "home_rad": _tagged(np.zeros(n)),
        },
        inertials={
            "mass_kg": _tagged(rng.uniform(1.0, 8.0, n)),
            "com_m": _tagged(rng.uniform(-0.2, 0.2, (n, 3))),
            "inertia_kg_m2": _tagged(inertia),
        },
        limits={
            "position_rad": _tagged(np.tile([-3.0, 3.0], (n, 1))),
            **{key: _tagged(np.ones(n)) for key in ("speed_rad_s", "acceleration_rad_s2", "torque_nm")},
        },
        drive={key: _tagged(np.ones(shapes.get(key, n))) for key in Drive.model_fields},
        control={key: _tagged(np.ones(n)) for key in Control.model_fields},
        telemetry={**clock, "sign": _tagged(np.ones(n)), "zero_rad": _tagged(np.zeros(n)), "signals": {}},
    )


def _quaternion(rpy: np.ndarray) -> np.ndarray:
    quaternion = np.zeros(4)
    mujoco.mju_euler2Quat(quaternion, rpy, "XYZ")  # capital letters: fixed axes
    return quaternion


def _oracle(robot: RobotModel, load: Load | None, gravity: tuple[float, ...]) -> mujoco.MjModel:
    """The same numbers in MuJoCo, the load a body of its own."""
    spec = mujoco.MjSpec()
    spec.option.gravity = gravity
    spec.option.disableflags |= mujoco.mjtDisableBit.mjDSBL_CONTACT
    k, i = robot.kinematics, robot.inertials
    body = spec.worldbody
    for j in range(robot.n_joints):
        body = body.add_body(pos=k.origin_m.value[j], quat=_quaternion(k.origin_rpy_rad.value[j]))
        body.mass, body.ipos, body.fullinertia = i.mass_kg.value[j], i.com_m.value[j], i.inertia_kg_m2.value[j]
        body.explicitinertial = True
        kind = mujoco.mjtJoint.mjJNT_HINGE if robot.joint_kind == "revolute" else mujoco.mjtJoint.mjJNT_SLIDE
        body.add_joint(type=kind, axis=k.axis.value[j])
    flange = body.add_body(name="flange", pos=k.flange_m.value, quat=_quaternion(k.flange_rpy_rad.value))
    flange.explicitinertial = True
    if load is not None:
        flange.mass, flange.ipos, flange.fullinertia = load.mass_kg, load.com_m, load.inertia_kg_m2
    spec.compiler.balanceinertia = False
    spec.compiler.boundmass = spec.compiler.boundinertia = 0.0
    return spec.compile()


def _close(ours: np.ndarray, theirs: np.ndarray, tolerance: float = 1e-9) -> None:
    scale = np.abs(theirs).max()
    assert scale > 1e-3
    assert np.abs(ours - theirs).max() <= tolerance * scale


def _smooth(robot: RobotModel, seed: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Sums of sines with their exact derivatives, and the time step."""
    rng = np.random.default_rng(seed)
    step = 1e-4
    t = np.arange(0.0, 1.0, step)[:, None, None]
    size, rate, phase = rng.uniform((0.05, 1.0, 0.0), (0.5, 6.0, 6.0), (3, robot.n_joints, 3)).transpose(2, 0, 1)
    angle = rate * t + phase
    q = (size * np.sin(angle)).sum(1)
    return q, (size * rate * np.cos(angle)).sum(1), (-size * rate**2 * np.sin(angle)).sum(1), step


@pytest.mark.parametrize("load", [None, LOAD], ids=["bare", "loaded"])
@pytest.mark.parametrize("name", [*robots(), *MADE_UP])
def test_agrees_with_mujoco(name: str, load: Load | None) -> None:
    robot = _robot(name)
    rng = np.random.default_rng(11)
    q, qd, qdd = rng.uniform(-2.5, 2.5, (3, 20, robot.n_joints))
    body = RigidBody(robot, load)
    model = _oracle(robot, load, GRAVITY)
    data = mujoco.MjData(model)
    torque, mass, position, turn, jacobian, momentum = [], [], [], [], [], []
    for sample in zip(q, qd, qdd, strict=True):
        data.qpos, data.qvel, data.qacc = sample
        mujoco.mj_inverse(model, data)
        torque.append(data.qfrc_inverse.copy())
        full = np.zeros((robot.n_joints, robot.n_joints))
        mujoco.mj_fullM(model, data, full)
        mass.append(full)
        flange = model.body("flange").id
        position.append(data.xpos[flange].copy())
        turn.append(data.xmat[flange].reshape(3, 3).copy())
        linear, angular = np.zeros((2, 3, robot.n_joints))
        mujoco.mj_jacBody(model, data, linear, angular, flange)
        jacobian.append(np.concatenate([linear, angular]))
        whole = np.zeros((3, robot.n_joints))
        mujoco.mj_jacSubtreeCom(model, data, whole, 1)
        momentum.append(whole * model.body_mass.sum())
    _close(body.inverse_dynamics(q, qd, qdd, GRAVITY), np.stack(torque))
    _close(body.mass_matrix(q), np.stack(mass))
    _close(body.momentum_jacobian(q), np.stack(momentum))
    _close(body.flange_jacobian(q), np.stack(jacobian))
    ours = body.flange_pose(q)
    _close(ours[0], np.stack(position))
    _close(ours[1], np.stack(turn))


@pytest.mark.parametrize("name", [*robots(), *MADE_UP])
def test_power_is_the_change_of_energy(name: str) -> None:
    robot = _robot(name)
    q, qd, qdd, step = _smooth(robot)
    body = RigidBody(robot, LOAD)
    power = (body.inverse_dynamics(q, qd, qdd) * qd).sum(1)
    kinetic = 0.5 * np.einsum("ti,tij,tj->t", qd, body.mass_matrix(q), qd)
    lifting = -(np.einsum("tkj,tj->tk", body.momentum_jacobian(q), qd) @ STANDARD_GRAVITY)
    change = (kinetic[2:] - kinetic[:-2]) / (2 * step) + lifting[1:-1]
    assert np.abs(change).max() > 0.01
    _close(change, power[1:-1], 1e-5)


@pytest.mark.parametrize("name", [*robots(), *MADE_UP])
def test_torque_is_linear_in_acceleration_through_the_mass_matrix(name: str) -> None:
    robot = _robot(name)
    q, qd, qdd = np.random.default_rng(5).uniform(-2, 2, (3, 30, robot.n_joints))
    body = RigidBody(robot, LOAD)
    inertial = body.inverse_dynamics(q, qd, qdd) - body.inverse_dynamics(q, qd, np.zeros_like(q))
    mass = body.mass_matrix(q)
    _close(np.einsum("tij,tj->ti", mass, qdd), inertial)
    assert (mass == mass.transpose(0, 2, 1)).all()
    assert np.linalg.eigvalsh(mass).min() > 0
    holding = body.inverse_dynamics(q, np.zeros_like(q), np.zeros_like(q), GRAVITY)
    _close(-np.einsum("tkj,k->tj", body.momentum_jacobian(q), GRAVITY), holding)


@pytest.mark.parametrize("name", [*robots(), *MADE_UP])
def test_flange_jacobian_is_the_derivative_of_its_pose(name: str) -> None:
    robot = _robot(name)
    q, qd, _, step = _smooth(robot)
    body = RigidBody(robot)
    position, turn = body.flange_pose(q)
    twist = np.einsum("tij,tj->ti", body.flange_jacobian(q), qd)[1:-1]
    _close((position[2:] - position[:-2]) / (2 * step), twist[:, :3], 1e-5)
    spin = np.einsum("tij,tkj->tik", (turn[2:] - turn[:-2]) / (2 * step), turn[1:-1])
    angular = np.stack([spin[:, 2, 1], spin[:, 0, 2], spin[:, 1, 0]], 1)
    if robot.joint_kind == "prismatic":
        assert not angular.any()
        assert not twist[:, 3:].any()
    else:
        _close(angular, twist[:, 3:], 1e-5)


def test_a_load_hangs_at_the_flange() -> None:
    robot = _robot("revolute")
    q = np.random.default_rng(1).uniform(-2, 2, (10, robot.n_joints))
    zero = np.zeros_like(q)
    added = RigidBody(robot, LOAD).inverse_dynamics(q, zero, zero) - RigidBody(robot).inverse_dynamics(q, zero, zero)
    _, turn = RigidBody(robot).flange_pose(q)
    arm = np.einsum("tij,j->ti", turn, LOAD.com_m)
    jacobian = RigidBody(robot).flange_jacobian(q)
    weight = LOAD.mass_kg * np.array(STANDARD_GRAVITY)
    wrench = np.concatenate([np.tile(weight, (10, 1)), np.cross(arm, weight)], 1)
    _close(added, -np.einsum("tij,ti->tj", jacobian, wrench))


def test_nothing_carried_changes_nothing() -> None:
    robot = _robot("revolute")
    q = np.ones((2, robot.n_joints))
    assert (RigidBody(robot, Load(0.0, 0.0)).mass_matrix(q) == RigidBody(robot).mass_matrix(q)).all()


def test_refuses_what_it_cannot_mean() -> None:
    robot = _robot("revolute")
    body = RigidBody(robot)
    good = np.zeros((4, robot.n_joints))
    with pytest.raises(UsageError, match="5 joints"):
        body.mass_matrix(np.zeros((4, 6)))
    with pytest.raises(UsageError, match="one shape"):
        body.inverse_dynamics(good, good[:2], good)
    with pytest.raises(UsageError, match="3 components"):
        body.inverse_dynamics(good, good, good, (0.0, -9.81))
    with pytest.raises(UsageError, match="positive mass"):
        RigidBody(robot, Load(0.0, -1.0))


def test_is_fast_enough() -> None:
    robot = _robot("revolute")
    body = RigidBody(robot)
    q = np.random.default_rng(0).uniform(-1, 1, (20_000, robot.n_joints))
    body.mass_matrix(q[:1])
    body.inverse_dynamics(q[:1], q[:1], q[:1])
    best = []
    for work in (lambda: body.mass_matrix(q), lambda: body.inverse_dynamics(q, q, q)):
        times = []
        for _ in range(3):
            start = time.perf_counter()
            work()
            times.append(time.perf_counter() - start)
        best.append(min(times) / len(q))
    assert max(best) < 15e-6
