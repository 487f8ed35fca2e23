"""Fixtures of the simulator's tests: a robot, a plant built by hand and a trace with nothing in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import numpy as np
import pytest

from jointwatch.simulation.motion import MOTION_RATE_HZ, Mark, Motion
from jointwatch.simulation.plant import Controller, Drives, Plant, SensorState, TelemetryState
from jointwatch.simulation.robot import RobotModel, load_robot
from jointwatch.simulation.tasks._moves import along
from jointwatch.simulation.trace import TRACE_RATE_HZ, Trace
from jointwatch.simulation.unit import draw_unit

_COLUMNS = {
    "stiffness": 3, "knee": 2, "hysteresis_nm": 2, "hysteresis_rad": 2, "wave_rad": 4, "wave_phase": 4, "output_rad": 3,
    "output_phase": 3, "ripple": 3, "ripple_phase": 3, "encoder_rad": 2, "encoder_phase": 2,
}  # fmt: skip

_IMPERFECTIONS = (
    "wave_rad", "output_rad", "beat", "hysteresis_nm", "backlash_rad", "cogging", "ripple", "encoder_rad",
    "link_friction", "coulomb_load",
)  # fmt: skip


@pytest.fixture(scope="session")
def robot() -> RobotModel:
    return load_robot("ur5e")


@pytest.fixture
def quiet_sensor() -> Callable[..., SensorState]:
    """Factory of a sensor of six joints without any error, but for the numbers given, one for all joints or each."""

    def make(**numbers: object) -> SensorState:
        perfect = {"gain": 1.0}
        return SensorState(
            **{
                column.name: np.broadcast_to(
                    np.asarray(numbers.get(column.name, perfect.get(column.name, 0.0)), float), 6
                ).copy()
                for column in fields(SensorState)
            }
        )

    return make


@pytest.fixture
def make_plant(robot: RobotModel, quiet_sensor: Callable[..., SensorState]) -> Callable[..., Plant]:
    """Factory of a plant whose drives are all ones, with these sensors on a perfect clock."""

    def make(sensors: dict[str, SensorState] | None = None, rate_hz: float = 100.0, **clock: object) -> Plant:
        n = robot.n_joints
        shape = {column.name: (n, _COLUMNS[column.name]) for column in fields(Drives) if column.name in _COLUMNS}
        perfect = {
            "jitter_s": 0.0,
            "drop_probability": 0.0,
            "repeat_probability": 0.0,
            "sign": np.ones(n),
            "zero_rad": np.zeros(n),
        }
        return Plant(
            robot=robot,
            drives=Drives(**{column.name: np.ones(shape.get(column.name, n)) for column in fields(Drives)}),
            controller=Controller(**{column.name: np.ones(n) for column in fields(Controller)}),
            telemetry=TelemetryState(
                rate_hz=rate_hz, sensors=sensors or {"position": quiet_sensor()}, **(perfect | clock)
            ),
            gravity_m_s2=np.array([0.0, 0.0, -9.81]),
            ambient_c=25.0,
            wander_share=np.zeros(n),
        )

    return make


@pytest.fixture
def make_trace(robot: RobotModel) -> Callable[..., Trace]:
    """Factory of traces of `duration_s`: all zero but for the signals given as functions of time or of joint."""

    def make(duration_s: float = 10.0, **signals: Callable[[np.ndarray], np.ndarray]) -> Trace:
        count = round(duration_s * TRACE_RATE_HZ)
        time_s = np.arange(count) / TRACE_RATE_HZ
        shape = (robot.n_joints, count)
        arrays = {
            column.name: np.zeros((robot.n_joints, 8) if column.name == "energy_j" else shape)
            for column in fields(Trace)
        }
        for name, signal in signals.items():
            assert name in arrays
            arrays[name] = np.broadcast_to(signal(time_s), shape).copy()
        return Trace(**arrays)

    return make


@pytest.fixture
def motion(robot: RobotModel) -> Motion:
    """Ten cycles of 2 s from 1 s on, in which nothing moves."""
    still = np.zeros((round(22 * MOTION_RATE_HZ), robot.n_joints))
    return Motion(still, still, still, cycles=tuple(Mark(1.0 + 2 * k, 3.0 + 2 * k) for k in range(10)))


@pytest.fixture
def perfect() -> Callable[..., Plant]:
    """Factory of a unit whose drives have no error but plain friction at 40 degC, so heavy that they stay there; of
    what is given by name, one number for all joints or an array."""

    def make(name: str = "harmonic_rig", **drives: object) -> Plant:
        plant = draw_unit(load_robot(name), np.random.default_rng(0))
        cold = {"heat_capacity": 1e9, **dict.fromkeys(_IMPERFECTIONS, 0.0)}
        for column, value in (cold | drives).items():
            getattr(plant.drives, column)[...] = value
        return plant

    return make


@pytest.fixture
def course() -> Callable[..., Motion]:
    """Factory of motions of the joint `joint` (from 1) of `home` through points (rad), each leg lasting as long as
    given; legs between equal points are rests. Speed rises and falls over `ramp_s`."""

    def make(
        points: list[float], legs_s: list[float], home: np.ndarray | None = None, joint: int = 1, ramp_s: float = 0.3
    ) -> Motion:
        home = np.zeros(1) if home is None else home
        path = np.tile(home, (len(points), 1))
        path[:, joint - 1] = points
        samples = np.array([round(leg * MOTION_RATE_HZ) for leg in legs_s])
        return Motion(*along(path, samples, np.minimum(ramp_s / np.array(legs_s), 0.5)))

    return make
