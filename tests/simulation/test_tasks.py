"""Every task on every robot: smooth, within limits, reproducible; and what each task promises by itself."""

from __future__ import annotations

import time

import numpy as np
import pytest

from jointwatch.core import catalog
from jointwatch.core.errors import UsageError
from jointwatch.simulation.motion import MOTION_RATE_HZ, Motion
from jointwatch.simulation.rigid_body import RigidBody
from jointwatch.simulation.robot import RobotModel, load_robot, robots
from jointwatch.simulation.tasks.base import Task, load_task

STEP_S = 1 / MOTION_RATE_HZ
TURNING = [name for name in robots() if load_robot(name).joint_kind == "revolute"]
SHORT = "ur3e"  # half a metre of reach, the default places are beyond it
ARMS = [name for name in TURNING if load_robot(name).n_joints >= 6 and name != SHORT]
CASES = [(task, name) for task in catalog.names("tasks") for name in (ARMS if task == "pick_and_place" else TURNING)]
CYCLES = 8


def _motion(task: str, robot: str = "ur5e", seed: int = 0, cycles: int = CYCLES, **parameters: object) -> Motion:
    return load_task(task, **parameters).motion(load_robot(robot), cycles, np.random.default_rng(seed))


def _sample(time_s: float) -> int:
    return round(time_s * MOTION_RATE_HZ)


def test_there_are_tasks_and_arms_to_test() -> None:
    assert {"excitation", "health_check", "pick_and_place", "reciprocation", "strokes"} <= set(catalog.names("tasks"))
    assert "ur5e" in ARMS


@pytest.mark.parametrize(("task", "robot"), CASES)
def test_position_is_the_integral_of_velocity_and_velocity_of_acceleration(task: str, robot: str) -> None:
    motion = _motion(task, robot)
    q, qd, qdd = motion.position_rad, motion.velocity_rad_s, motion.acceleration_rad_s2
    moved = 0.5 * STEP_S * np.cumsum(qd[1:] + qd[:-1], axis=0)
    assert np.abs(moved).max() > 0.1
    assert np.abs(q[1:] - q[0] - moved).max() < 1e-4
    gained = 0.5 * STEP_S * np.cumsum(qdd[1:] + qdd[:-1], axis=0)
    assert np.abs(qd[1:] - qd[0] - gained).max() < 2e-3 * np.abs(qd).max()


@pytest.mark.parametrize(("task", "robot"), CASES)
def test_acceleration_has_no_steps(task: str, robot: str) -> None:
    """Halving the time between samples halves the largest change of a continuous signal, not that of one with steps."""
    qdd = _motion(task, robot).acceleration_rad_s2
    change = [np.abs(qdd[every:] - qdd[:-every]).max() for every in (1, 2, 4)]
    assert change[0] < 0.6 * change[1] < 0.36 * change[2]


@pytest.mark.parametrize(("task", "robot"), CASES)
def test_limits_are_kept(task: str, robot: str) -> None:
    motion, limits = _motion(task, robot), load_robot(robot).limits
    low, high = limits.position_rad.value.T
    assert (motion.position_rad >= low).all()
    assert (motion.position_rad <= high).all()
    assert (np.abs(motion.velocity_rad_s) <= limits.speed_rad_s.value).all()
    assert (np.abs(motion.acceleration_rad_s2) <= limits.acceleration_rad_s2.value).all()


@pytest.mark.parametrize(("task", "robot"), CASES)
def test_cycles_follow_each_other_and_start_at_rest(task: str, robot: str) -> None:
    motion = _motion(task, robot)
    assert len(motion.cycles) == CYCLES
    assert motion.cycles[0].start_s == 0.0
    assert motion.cycles[-1].stop_s == pytest.approx(motion.duration_s, abs=1e-9)
    for one, two in zip(motion.cycles[:-1], motion.cycles[1:], strict=True):
        assert one.start_s < one.stop_s == two.start_s
    for mark in motion.cycles:
        assert np.abs(motion.velocity_rad_s[_sample(mark.start_s)]).max() < 1e-9
        assert np.abs(motion.acceleration_rad_s2[_sample(mark.start_s)]).max() < 1e-9


@pytest.mark.parametrize(("task", "robot"), CASES)
def test_same_seed_same_bytes(task: str, robot: str) -> None:
    one, two, other = _motion(task, robot, 3), _motion(task, robot, 3), _motion(task, robot, 4)
    for name in ("position_rad", "velocity_rad_s", "acceleration_rad_s2"):
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes()
    assert one.loads == two.loads
    assert one.cycles == two.cycles
    assert one.position_rad.tobytes() != other.position_rad.tobytes()


@pytest.mark.parametrize("robot", ARMS)
def test_pick_and_place_reaches_its_places_with_the_flange_down(robot: str) -> None:
    offset, scatter = np.array([0.02, -0.01, 0.03]), 0.002
    task = load_task("pick_and_place", offset_m=tuple(offset), scatter_m=scatter)
    model = load_robot(robot)
    motion = task.motion(model, 20, np.random.default_rng(1))
    position, turn = RigidBody(model).flange_pose(motion.position_rad)
    places = np.array([[0.45, -0.2, 0.2], [0.45, 0.2, 0.2]]) + offset
    visited = []
    for number, load in enumerate(motion.loads[1:]):
        k, place = _sample(load.start_s), places[number % 2]
        assert not motion.velocity_rad_s[k].any()
        assert np.abs(position[k] - place).max() <= 3 * scatter + 1e-6
        assert turn[k, :, 2] == pytest.approx([0.0, 0.0, -1.0], abs=1e-6)
        visited.append(position[k] - place)
    assert len(visited) == 40
    assert 0.7 * scatter < np.std(visited) < 1.3 * scatter
    exact = _motion("pick_and_place", robot, cycles=1, scatter_m=0.0)
    found, _ = RigidBody(model).flange_pose(exact.position_rad)
    for x, y, z in ((0.45, -0.2, 0.3), (0.45, -0.2, 0.2), (0.45, 0.2, 0.2), (0.45, 0.2, 0.3)):
        assert np.linalg.norm(found - (x, y, z), axis=1).min() < 1e-4
    assert exact.position_rad[0] == pytest.approx(model.kinematics.home_rad.value)
    assert exact.position_rad[-1] == pytest.approx(model.kinematics.home_rad.value, abs=1e-4)


@pytest.mark.parametrize("robot", ARMS)
def test_pick_and_place_keeps_its_timing_and_its_approach_speed(robot: str) -> None:
    motion = _motion("pick_and_place", robot, cycles=20)
    lasting = np.array([mark.stop_s - mark.start_s for mark in motion.cycles])
    assert lasting.min() > 5.0
    assert lasting.max() < 10.0
    assert 0.01 < lasting.std() < 0.2
    position, _ = RigidBody(load_robot(robot)).flange_pose(motion.position_rad)
    speed = np.linalg.norm(np.diff(position, axis=0), axis=1) * MOTION_RATE_HZ
    below = position[:-1, 2] < 0.28
    assert 0.05 < speed[below].max() < 0.27


def test_the_part_is_carried_from_pick_to_place_only() -> None:
    robot = load_robot("ur5e")
    motion = _motion("pick_and_place", cycles=5, part_kg=0.7, load_kg=1.1)
    y = RigidBody(robot).flange_pose(motion.position_rad)[0][:, 1]
    assert motion.loads[0].mass_kg == 1.1
    assert len(motion.loads) == 11
    for mark, taken, released in zip(motion.cycles, motion.loads[1::2], motion.loads[2::2], strict=True):
        assert mark.start_s < taken.start_s < released.start_s < mark.stop_s
        assert taken.mass_kg == pytest.approx(1.8)
        assert released.mass_kg == 1.1
        assert y[_sample(taken.start_s)] == pytest.approx(-0.2, abs=0.005)
        assert y[_sample(released.start_s)] == pytest.approx(0.2, abs=0.005)


def test_gripper_and_part_weigh_and_turn_as_the_two_together() -> None:
    both = _motion("pick_and_place", cycles=1, load_kg=0.9, part_kg=0.5).loads[1]
    assert both.com_m == pytest.approx((0, 0, (0.9 * 0.06 + 0.5 * 0.15) / 1.4))
    cube = 0.5 * 0.06**2 / 6
    about_flange = both.inertia_kg_m2[0] + both.mass_kg * both.com_m[2] ** 2
    assert about_flange == pytest.approx(2e-3 + 0.9 * 0.06**2 + cube + 0.5 * 0.15**2)
    assert both.inertia_kg_m2[2] == pytest.approx(1e-3 + cube)


def test_speed_makes_pick_and_place_slower() -> None:
    slow, fast = (_motion("pick_and_place", cycles=1, speed=speed, dwell_scatter_s=0.0) for speed in (0.2, 0.8))
    assert slow.duration_s > 1.3 * fast.duration_s


def test_pick_and_place_may_stop_above_its_home() -> None:
    model = load_robot("ur5e")
    home, _ = RigidBody(model).flange_pose(model.kinematics.home_rad.value[None])
    x, y, z = home[0].tolist()
    motion = _motion("pick_and_place", cycles=1, pick_m=(x, y, z - 0.1), scatter_m=0.0)
    assert np.isfinite(motion.acceleration_rad_s2).all()


def test_pick_and_place_says_what_it_cannot_reach() -> None:
    with pytest.raises(UsageError, match=r"\(2\.450, -0\.200, 0\.300\) m.*move this point"):
        _motion("pick_and_place", offset_m=(2.0, 0.0, 0.0))


@pytest.mark.parametrize("robot", TURNING)
def test_reciprocation_swings_one_joint_about_its_centre(robot: str) -> None:
    model = load_robot(robot)
    joint, home = model.n_joints, model.kinematics.home_rad.value
    motion = _motion("reciprocation", robot, joint=joint, amplitude_deg=20.0)
    others = np.delete(motion.position_rad - home, joint - 1, axis=1)
    assert not others.any()
    for mark in motion.cycles:
        swing = motion.position_rad[_sample(mark.start_s) : _sample(mark.stop_s), joint - 1] - home[joint - 1]
        assert np.rad2deg(swing[0]) == pytest.approx(-20.0)
        assert np.rad2deg(swing.max()) == pytest.approx(20.0)
        assert abs(swing.argmax() - len(swing) / 2) <= 1
        assert mark.stop_s - mark.start_s == pytest.approx(8.0, abs=0.04)


def test_reciprocation_cruises_at_the_speed_that_its_docstring_names() -> None:
    speed = np.abs(np.rad2deg(_motion("reciprocation", period_scatter_s=0.0).velocity_rad_s[:, 0]))
    assert speed.max() == pytest.approx(36.0)
    assert (speed > 36.0 - 1e-6).mean() == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("robot", TURNING)
def test_strokes_hold_each_speed_exactly(robot: str) -> None:
    motion = _motion("strokes", robot, cycles=5)
    assert [mark.name for mark in motion.cycles] == [f"{speed} deg/s" for speed in (5, 10, 20, 40, 5)]
    for mark, speed in zip(motion.cycles, (5, 10, 20, 40, 5), strict=True):
        part = np.rad2deg(motion.velocity_rad_s[_sample(mark.start_s) : _sample(mark.stop_s), 0])
        for direction in (1, -1):
            assert (direction * part).max() == pytest.approx(speed)
            assert (np.abs(direction * part - speed) < 1e-6).mean() > 0.1


def test_strokes_too_short_for_their_speed_are_refused() -> None:
    with pytest.raises(UsageError, match=r"joint 1 cannot reach 170 deg/s .* raise amplitude_deg"):
        _motion("strokes", speeds_deg_s=(20.0, 170.0), amplitude_deg=10.0, cycles=2)


@pytest.mark.parametrize("robot", TURNING)
def test_excitation_is_periodic_and_moves_every_joint_as_far_as_it_may(robot: str) -> None:
    motion, limits = _motion("excitation", robot, cycles=3), load_robot(robot).limits
    home = load_robot(robot).kinematics.home_rad.value
    once, again, _ = np.split(motion.position_rad, 3)
    assert (once == again).all()
    used = [
        np.abs(motion.position_rad - home).max(axis=0) / np.deg2rad(40.0),
        np.abs(motion.velocity_rad_s).max(axis=0) / (0.5 * limits.speed_rad_s.value),
        np.abs(motion.acceleration_rad_s2).max(axis=0) / (0.5 * limits.acceleration_rad_s2.value),
        (motion.position_rad.max(axis=0) - home) / (limits.position_rad.value[:, 1] - home),
        (motion.position_rad.min(axis=0) - home) / (limits.position_rad.value[:, 0] - home),
    ]
    assert np.max(used, axis=0) == pytest.approx(1.0)
    spectrum = np.abs(np.fft.rfft(once - once.mean(axis=0), axis=0))
    assert spectrum[6:].max() < 1e-9 * spectrum.max()


@pytest.mark.parametrize("robot", TURNING)
def test_health_check_moves_one_joint_a_cycle_slowly_then_fast(robot: str) -> None:
    model = load_robot(robot)
    n, home = model.n_joints, model.kinematics.home_rad.value
    motion = _motion("health_check", robot, cycles=n + 1)
    assert [mark.name for mark in motion.cycles] == [f"joint {j % n + 1}" for j in range(n + 1)]
    for number, mark in enumerate(motion.cycles):
        part = slice(_sample(mark.start_s), _sample(mark.stop_s))
        moved = np.abs(motion.position_rad[part] - home).max(axis=0)
        assert (moved > 0.1).tolist() == [j == number % n for j in range(n)]
        assert not np.delete(moved, number % n).any()
        speed = np.abs(motion.velocity_rad_s[part, number % n])
        first, second = speed[: len(speed) // 2].max(), speed[-_sample(2.0) :].max()
        assert first == pytest.approx(0.05 * model.limits.speed_rad_s.value[number % n], rel=0.01)
        assert second > 3 * first


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"amplitude_deg": 400.0, "period_s": 60.0}, r"joint 1 \(.*angle .*choose a smaller or nearer motion"),
        ({"period_s": 0.8}, r"joint 1 \(.*speed .*choose a slower motion"),
        ({"period_s": 1.5, "amplitude_deg": 30.0, "ramp": 0.1}, r"joint 1 \(.*acceleration .*choose a slower motion"),
        ({"joint": 9}, r"no joint 9, .* has 6"),
    ],
)
def test_what_the_robot_cannot_do_is_refused_by_joint(parameters: dict[str, float], message: str) -> None:
    task = load_task("reciprocation", **parameters)
    with pytest.raises(UsageError, match=message):
        task.motion(load_robot("ur5e"), 2, np.random.default_rng(0))


def test_places_out_of_reach_are_refused_and_nearer_ones_reached() -> None:
    with pytest.raises(UsageError, match=r"cannot point down at .* move this point"):
        _motion("pick_and_place", SHORT)
    nearer = load_task("pick_and_place", pick_m=(0.3, -0.1, 0.15), place_m=(0.3, 0.1, 0.15))
    assert len(nearer.motion(load_robot(SHORT), 1, np.random.default_rng(0)).cycles) == 1


def test_wrong_names_and_values_are_refused() -> None:
    with pytest.raises(UsageError, match=r"no tasks entry 'welding'; there are .*pick_and_place"):
        load_task("welding")
    with pytest.raises(UsageError, match=r"reciprocation, parameter perod_s: .*period_s"):
        load_task("reciprocation", perod_s=3.0)
    with pytest.raises(UsageError, match=r"parameter period_s: .*greater than 0"):
        load_task("reciprocation", period_s=-3.0)
    with pytest.raises(UsageError, match="at least 1 cycle"):
        _motion("reciprocation", cycles=0)


def test_robots_that_do_not_fit_are_refused() -> None:
    robot: RobotModel = load_robot("ur5e").model_copy(update={"joint_kind": "prismatic"})
    with pytest.raises(UsageError, match="slide"):
        load_task("reciprocation").motion(robot, 1, np.random.default_rng(0))


@pytest.mark.parametrize("name", catalog.names("tasks"))
def test_a_file_is_a_task(name: str) -> None:
    task = load_task(name)
    assert isinstance(task, Task)
    assert type(task).__name__.lower() == name.replace("_", "")
    documented = f"{type(task).__doc__} {Task.__doc__}"
    assert all(key in documented for key in type(task).model_fields)


@pytest.mark.parametrize("name", catalog.names("tasks"))
def test_a_hundred_cycles_are_made_at_once(name: str) -> None:
    _motion(name, cycles=1)
    times = []
    for _ in range(2):
        start = time.process_time()
        _motion(name, cycles=100)
        times.append(time.process_time() - start)
    assert min(times) < 1.5
