"""Every fault keeps the contract, and each of those in joints and around the robot does what its name says."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from jointwatch.core import catalog
from jointwatch.core.errors import UsageError
from jointwatch.simulation.drivetrain import simulate_drives
from jointwatch.simulation.faults import Fault
from jointwatch.simulation.motion import MOTION_RATE_HZ, Motion
from jointwatch.simulation.plant import Contact, Plant
from jointwatch.simulation.rigid_body import RigidBody
from jointwatch.simulation.robot import RobotModel, load_robot
from jointwatch.simulation.tasks.base import load_task
from jointwatch.simulation.telemetry import observe
from jointwatch.simulation.trace import Trace
from jointwatch.simulation.transmission import static_error
from jointwatch.simulation.unit import draw_unit

RNG = np.random.default_rng
NAMES = catalog.names("faults")
ROBOT = {"rv_pitting": "industrial6", "torque_sensor_drift": "iiwa7"}  # where a UR5e cannot have it
PHYSICAL = [name for name in NAMES if catalog.load("faults", name).scope != "telemetry"]
IN_JOINTS = [name for name in NAMES if catalog.load("faults", name).scope == "joint"]
CYCLES = 3


def _fault(name: str) -> Fault:
    return catalog.load("faults", name)()


def _joint(name: str) -> int:
    return 2 if _fault(name).scope == "joint" else 0


def _unit(name: str = "ur5e", seed: int = 0) -> Plant:
    return draw_unit(load_robot(name), RNG(seed))


@pytest.fixture(scope="module")
def handling() -> dict[str, Motion]:
    return {
        robot: load_task("pick_and_place").motion(load_robot(robot), CYCLES, RNG(0))
        for robot in ("ur5e", "industrial6", "iiwa7")
    }


def _strokes(joint: int, speed_deg_s: float = 20.0, robot: str = "ur5e", **parameters: Any) -> Motion:
    task = load_task(
        "strokes", joint=joint, speeds_deg_s=(speed_deg_s,), load_kg=0.9, dwell_scatter_s=0.0, **parameters
    )
    return task.motion(load_robot(robot), 1, RNG(0))


def _apply(
    name: str, severity: float, motion: Motion, plant: Plant | None = None, joint: int | None = None, law: int = 1
) -> tuple[Plant, Motion]:
    fault = _fault(name)
    plant = _unit(ROBOT.get(name, "ur5e")) if plant is None else plant
    cycles = (1,) if fault.episodic else ()
    return fault.apply(
        plant, motion, _joint(name) if joint is None else joint, severity, RNG(law), RNG(law + 1000), cycles=cycles
    )


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every number and string that a plant or motion is made of, by its place."""
    if isinstance(value, RobotModel):
        return
    if dataclasses.is_dataclass(value):
        value = {column.name: getattr(value, column.name) for column in dataclasses.fields(value)}
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{name}.{key}")
    elif isinstance(value, list | tuple):
        yield f"{name}.len", len(value)
        for i, item in enumerate(value):
            yield from _leaves(item, f"{name}.{i}")
    elif isinstance(value, np.ndarray):
        yield name, value.tobytes()
    else:
        yield name, value


def _state(plant: Plant, motion: Motion) -> dict[str, Any]:
    return {"plant" + name: value for name, value in _leaves(plant)} | {
        "motion" + name: value for name, value in _leaves(motion)
    }


def _numbers(plant: Plant) -> dict[str, np.ndarray]:
    """Latent parameters of drives and sensors as arrays."""
    found = {name: np.asarray(value) for name, value in vars(plant.drives).items()}
    for kind, sensor in plant.telemetry.sensors.items():
        found |= {f"{kind}.{name}": np.asarray(value) for name, value in vars(sensor).items()}
    return found


# --- contract -------------------------------------------------------------------------------------------------------


def test_all_promised_faults_are_there() -> None:
    assert {
        "axis_weakening", "backlash", "base_wobble", "collision", "commutation_error", "encoder_drift",
        "flexspline_crack", "friction_rise", "loosening", "lost_grip", "lubricant_loss", "over_temperature",
        "payload_change", "reducer_wear", "rv_pitting", "torque_sensor_drift",
    } <= set(PHYSICAL)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_severity_0_changes_nothing_and_more_changes_something(name: str, handling: dict[str, Motion]) -> None:
    robot = ROBOT.get(name, "ur5e")
    plant, motion = _unit(robot), handling[robot]
    healthy = _state(plant, motion)
    same_plant, same_motion = _apply(name, 0.0, motion, plant)
    assert _state(same_plant, same_motion) == healthy
    assert same_plant is not plant
    for severity in (0.01, 1.0):
        assert _state(*_apply(name, severity, motion, plant)) != healthy
    assert _state(plant, motion) == healthy  # what was given stays


@pytest.mark.parametrize("name", NAMES)
def test_one_specimen_and_chance_give_one_result(name: str, handling: dict[str, Motion]) -> None:
    motion = handling[ROBOT.get(name, "ur5e")]
    assert _state(*_apply(name, 0.7, motion)) == _state(*_apply(name, 0.7, motion))


@pytest.mark.parametrize("name", IN_JOINTS)
def test_a_fault_in_a_joint_grows_on_one_path_and_stays_in_its_joint(name: str, handling: dict[str, Motion]) -> None:
    motion = handling[ROBOT.get(name, "ur5e")]
    healthy = _numbers(_unit(ROBOT.get(name, "ur5e")))
    changes = []
    for severity in (0.1, 0.3, 0.6, 1.0):
        plant, same = _apply(name, severity, motion)
        assert same is motion
        changes.append({key: np.abs(value - healthy[key]) for key, value in _numbers(plant).items()})
    touched = {key for key, change in changes[-1].items() if change.any()}
    assert touched
    for key in touched:
        steps = np.diff(np.stack([change[key] for change in changes]), axis=0)
        assert (steps >= 0).all(), key
        others = np.delete(changes[-1][key], _joint(name) - 1, axis=0)
        assert not others.any(), key
    size = [sum(change[key].sum() / np.abs(healthy[key]).max().clip(1e-9) for key in touched) for change in changes]
    assert (np.diff(size) > 0).all()


@pytest.mark.parametrize("name", sorted(set(IN_JOINTS) - {"rv_pitting", "friction_rise", "over_temperature"}))
def test_specimens_differ_in_how_far_a_fault_goes(name: str, handling: dict[str, Motion]) -> None:
    motion = handling[ROBOT.get(name, "ur5e")]
    one, two = (_numbers(_apply(name, 0.8, motion, law=law)[0]) for law in (1, 2))
    assert any((one[key] != two[key]).any() for key in one)


@pytest.mark.parametrize("name", NAMES)
def test_wrong_calls_are_refused(name: str, handling: dict[str, Motion]) -> None:
    fault, robot = _fault(name), ROBOT.get(name, "ur5e")
    plant, motion = _unit(robot), handling[robot]
    cycles = (0,) if fault.episodic else ()
    good = _joint(name)
    for severity in (-0.1, 1.1, float("nan")):
        with pytest.raises(UsageError, match="severity"):
            fault.apply(plant, motion, good, severity, RNG(0), RNG(0), cycles=cycles)
    for joint in (-1, plant.robot.n_joints + 1, True, 1.5) + ((0,) if fault.scope == "joint" else ()):
        with pytest.raises(UsageError, match="joint must be"):
            fault.apply(plant, motion, joint, 0.5, RNG(0), RNG(0), cycles=cycles)
    with pytest.raises(UsageError, match="3 cycles"):
        fault.apply(plant, motion, good, 0.5, RNG(0), RNG(0), cycles=(CYCLES,))
    if fault.episodic:
        with pytest.raises(UsageError, match="say which"):
            fault.apply(plant, motion, good, 0.5, RNG(0), RNG(0))


@pytest.mark.parametrize(("name", "robot"), [
    ("rv_pitting", "ur5e"), ("flexspline_crack", "industrial6"), ("torque_sensor_drift", "ur5e"),
])  # fmt: skip
def test_a_robot_that_cannot_have_it_is_refused(name: str, robot: str, handling: dict[str, Motion]) -> None:
    plant = _unit(robot)
    assert not _fault(name).suits(plant.robot, 2)
    assert not _fault(name).suits(plant.robot, 0)
    with pytest.raises(UsageError, match="cannot have"):
        _fault(name).apply(plant, handling[robot], 2, 0.5, RNG(0), RNG(0))


# --- what they do ---------------------------------------------------------------------------------------------------


def _mean_current(plant: Plant, motion: Motion) -> np.ndarray:
    return np.abs(simulate_drives(plant, motion).current_a).mean(axis=1)


def _line(trace: Trace, plant: Plant, joint: int, order: float, span: slice) -> float:
    """Amplitude of the link velocity at a multiple of the motor's turn."""
    angle = order * plant.drives.ratio[joint - 1] * trace.motor_position_rad[joint - 1, span]
    u = np.linspace(-1, 1, len(angle))
    basis = np.stack([np.cos(angle), np.sin(angle), *(u**k for k in range(5))], axis=1)
    found, *_ = np.linalg.lstsq(basis, trace.link_velocity_rad_s[joint - 1, span], rcond=None)
    return float(np.hypot(*found[:2]))


def _cruise(trace: Trace, joint: int, direction: int = 1) -> slice:
    speed = trace.commanded_rad_s[joint - 1] * direction
    rows = np.flatnonzero(speed > 0.999 * speed.max())
    return slice(int(rows[0]) + 100, int(rows[-1]) - 100)


@pytest.mark.parametrize(("name", "rise"), [
    ("friction_rise", 0.05), ("lubricant_loss", 0.05), ("reducer_wear", 0.03), ("commutation_error", 0.02),
    ("axis_weakening", 0.08),
])  # fmt: skip
def test_what_the_motor_has_to_give_more_shows_in_the_current_of_that_joint_only(name: str, rise: float) -> None:
    motion = _strokes(1)
    healthy = _mean_current(_unit(), motion)
    small, large = (_mean_current(_apply(name, severity, motion, joint=1)[0], motion) for severity in (0.4, 1.0))
    assert healthy[0] < small[0] < large[0]
    assert large[0] / healthy[0] - 1 > rise
    np.testing.assert_allclose(large[1:3], healthy[1:3], rtol=0.01)


def test_friction_rise_heats_the_joint() -> None:
    motion = _strokes(1, 60.0)
    plants = [_unit(), _apply("friction_rise", 1.0, motion, joint=1)[0]]
    warm = []
    for plant in plants:
        plant.drives.heat_capacity /= 50
        plant.ambient_c = 40.0
        warm.append(simulate_drives(plant, motion).temperature_c[0, -1] - 40.0)
    drag = plants[1].drives.drag_nm[0] / plants[0].drives.coulomb[0]
    assert 0.3 <= drag <= 0.6
    assert warm[0] > 0.1
    assert warm[1] > 1.03 * warm[0]


def test_lubricant_loss_makes_a_peak_at_creeping_and_friction_that_cares_less_for_temperature() -> None:
    healthy, dry = _unit(), _apply("lubricant_loss", 1.0, _strokes(1), joint=1)[0]

    def current(plant: Plant, speed: float, temperature: float) -> float:
        plant = plant.copy()
        plant.drives.temperature_c[:] = temperature
        motion = _strokes(1, speed, amplitude_deg=2.0 + 0.6 * speed)
        trace = simulate_drives(plant, motion)
        return float(np.abs(trace.current_a[0, _cruise(trace, 1, 1)]).mean())

    creeping, fast = ([current(plant, speed, 40.0) for plant in (healthy, dry)] for speed in (2.5, 80.0))
    assert creeping[1] / creeping[0] > 1.3
    assert creeping[1] / creeping[0] > fast[1] / fast[0] + 0.2
    cold = [current(plant, 80.0, 15.0) / current(plant, 80.0, 60.0) for plant in (healthy, dry)]
    assert cold[0] > cold[1] > 1.0


def test_reducer_wear_grows_the_wave_line_and_the_static_error() -> None:
    motion = _strokes(1, 10.0)
    plants = [_unit(), *(_apply("reducer_wear", severity, motion, joint=1)[0] for severity in (0.5, 1.0))]
    lines, errors = [], []
    for plant in plants:
        trace = simulate_drives(plant, motion)
        lines.append(_line(trace, plant, 1, 2.0, _cruise(trace, 1)))
        errors.append(static_error(plant.drives, 1).total_rad)
    assert lines[0] < lines[1] < lines[2]
    assert lines[2] / lines[0] > 1.7
    assert errors[0] < errors[1] < errors[2]


def test_rv_pitting_knocks_once_for_every_pin_in_a_turn_of_the_output() -> None:
    motion = _strokes(2, 30.0, "industrial6", amplitude_deg=60.0)
    healthy = _unit("industrial6")
    plant, _ = _apply("rv_pitting", 1.0, motion)
    pins = plant.robot.number("drive.rv_pins")[1]
    order = pins / plant.drives.ratio[1]
    before, after = simulate_drives(healthy, motion), simulate_drives(plant, motion)
    span = _cruise(after, 2)
    # g += a exp(-(phase / width)^2 / 2) has a first harmonic of a width sqrt(2 / pi), times its angular speed.
    speed = pins * 30 * np.pi / 180
    expected = plant.drives.bump_rad[1] * plant.drives.bump_width_rad[1] * np.sqrt(2 / np.pi) * speed
    assert _line(after, plant, 2, order, span) == pytest.approx(expected, rel=0.3)
    assert _line(after, plant, 2, order, span) > 5 * _line(before, plant, 2, order, span)
    assert _line(after, plant, 2, order, span) > 5 * _line(after, plant, 2, 1.37 * order, span)
    assert plant.drives.coulomb_load[1] > healthy.drives.coulomb_load[1]


def test_a_cracked_flexspline_is_soft_once_and_twice_a_turn(
    perfect: Callable[..., Plant], course: Callable[..., Motion]
) -> None:
    plant = perfect(stiffness=20000.0, damping=0.0)
    plant, _ = _apply("flexspline_crack", 1.0, course([0.0, 0.1], [1.0]), plant, joint=1)
    drives = plant.drives
    drives.output_rad[:] = 0.0
    drives.wave_rad[:] = 0.0
    trace = simulate_drives(plant, course([-np.pi, np.pi], [8.0]))
    windup = (trace.motor_position_rad - trace.link_position_rad)[0]
    angle = trace.link_position_rad[0] + drives.crack_phase[0]
    # torque = K windup (1 - dip), the dip in orders of the output
    terms = np.stack([np.ones_like(angle), np.cos(angle), np.cos(2 * angle), np.sin(angle), np.sin(2 * angle)])
    dip, *_ = np.linalg.lstsq((20000.0 * windup * terms).T, 20000.0 * windup - trace.joint_torque_nm[0], rcond=None)
    depth = drives.crack[0]
    assert 0.2 <= depth <= 0.4
    np.testing.assert_allclose(dip, depth * np.array([3 / 8, 1 / 2, 1 / 8, 0, 0]), atol=0.02 * depth)


@pytest.mark.parametrize("severity", [0.3, 1.0])
def test_backlash_is_what_the_link_lags_more_after_a_reversal(severity: float) -> None:
    motion = _strokes(1, 10.0)
    plants = [_unit(), _apply("backlash", severity, motion, joint=1)[0]]
    lags = []
    for plant in plants:
        plant.drives.link_friction[0] = 3.0
        plant.drives.hysteresis_nm[0] = 0.0
        trace = simulate_drives(plant, motion, rate_hz=8000)
        windup = (trace.motor_position_rad - trace.link_position_rad)[0]
        lags.append(windup[_cruise(trace, 1, 1)].mean() - windup[_cruise(trace, 1, -1)].mean())
    more = plants[1].drives.backlash_rad[0] - plants[0].drives.backlash_rad[0]
    assert severity * 3 / 60 <= np.rad2deg(more) <= severity * 6 / 60
    assert lags[1] - lags[0] == pytest.approx(more, rel=0.05)


def test_a_loose_joint_winds_up_more_under_the_same_load(handling: dict[str, Motion]) -> None:
    home = load_robot("ur5e").kinematics.home_rad.value
    still = np.tile(home, (round(1.0 * MOTION_RATE_HZ), 1))
    motion = Motion(still, 0 * still, 0 * still)
    plants = [_unit(), _apply("loosening", 1.0, motion)[0]]
    sags = []
    for plant in plants:
        plant.drives.backlash_rad[:] = 0.0
        trace = simulate_drives(plant, motion)
        sags.append((trace.motor_position_rad - trace.link_position_rad)[1, -1])
    drives = plants[1].drives
    share = drives.stiffness[1, 0] / plants[0].drives.stiffness[1, 0]
    assert 0.4 <= share <= 0.7
    assert 1.1 < sags[1] / sags[0] < 1.1 / share
    assert drives.damping[1] == pytest.approx(0.6 * plants[0].drives.damping[1])


def test_commutation_error_takes_more_current_and_ripples_at_the_electrical_order() -> None:
    motion = _strokes(1, 3.0, amplitude_deg=6.0)
    plants = [_unit(), _apply("commutation_error", 1.0, motion, joint=1)[0]]
    means, ripples = [], []
    for plant in plants:
        plant.drives.ripple[:] = 0.0
        plant.drives.cogging[:] = 0.0
        trace = simulate_drives(plant, motion)
        span = _cruise(trace, 1)
        angle = plant.drives.pole_pairs[0] * plant.drives.ratio[0] * trace.motor_position_rad[0, span]
        current = trace.current_a[0, span]
        u = np.linspace(-1, 1, len(angle))
        basis = np.stack([np.cos(angle), np.sin(angle), *(u**k for k in range(5))], axis=1)
        found, *_ = np.linalg.lstsq(basis, current, rcond=None)
        means.append(np.abs(current).mean())
        ripples.append(np.hypot(*found[:2]) / np.abs(current).mean())
    angle = abs(plants[1].drives.commutation_rad[0])
    assert np.deg2rad(15) <= angle <= np.deg2rad(25)
    assert means[1] / means[0] == pytest.approx(1 / np.cos(angle), rel=0.02)
    assert ripples[1] == pytest.approx(0.1 * np.tan(angle), rel=0.25)
    assert ripples[1] > 5 * ripples[0]


def test_a_weak_axis_saturates_where_a_sound_one_does_not() -> None:
    motion = load_task("strokes", joint=1, speeds_deg_s=(80.0,), acceleration=1.0).motion(load_robot("ur5e"), 1, RNG(0))
    sound, weak = _unit(), _apply("axis_weakening", 1.0, motion, joint=1)[0]
    for plant in (sound, weak):
        plant.drives.max_current[0] *= 0.5
    strong = simulate_drives(sound, motion)
    limit = 0.98 * np.abs(strong.current_a[0]).max() * 10 / 9
    share = weak.drives.max_current[0] / sound.drives.max_current[0]
    assert 0.7 <= share <= 0.9
    sound.drives.max_current[0], weak.drives.max_current[0] = limit, limit * share
    strong, feeble = simulate_drives(sound, motion), simulate_drives(weak, motion)
    assert (np.abs(strong.current_a[0]) < limit * 0.999).all()
    assert (np.abs(feeble.current_a[0]) > limit * share * 0.999).any()
    errors = [np.abs(trace.commanded_rad - trace.motor_position_rad)[0].max() for trace in (strong, feeble)]
    assert errors[1] > 1.5 * errors[0]


def test_over_temperature_is_hot_and_changes_friction() -> None:
    motion = _strokes(1, 60.0)
    hot, _ = _apply("over_temperature", 1.0, motion, joint=1)
    before, after = simulate_drives(_unit(), motion), simulate_drives(hot, motion)
    assert 15 <= after.temperature_c[0, 0] - before.temperature_c[0, 0] <= 40
    np.testing.assert_allclose(after.temperature_c[1:, 0], before.temperature_c[1:, 0])
    span = _cruise(after, 1)
    # Thinner grease, and a weaker magnet that hides a little of it in the current.
    assert after.motor_torque_nm[0, span].mean() < 0.9 * before.motor_torque_nm[0, span].mean()
    assert after.current_a[0, span].mean() < 0.95 * before.current_a[0, span].mean()


def test_encoder_drift_is_not_reported() -> None:
    home = load_robot("ur5e").kinematics.home_rad.value
    still = np.tile(home, (round(4.0 * MOTION_RATE_HZ), 1))
    motion = Motion(still, 0 * still, 0 * still)
    plant, _ = _apply("encoder_drift", 1.0, motion)
    before, after = simulate_drives(_unit(), motion), simulate_drives(plant, motion)
    moved = np.rad2deg((after.link_position_rad - before.link_position_rad)[:, -1])
    assert 0.04 < abs(moved[1]) < 0.11
    assert np.abs(np.delete(moved, 1)).max() < 0.002
    assert np.rad2deg(np.abs(after.motor_position_rad - before.motor_position_rad)[1]).max() < 0.005


def test_torque_sensor_drift_is_in_one_channel_and_nowhere_else(handling: dict[str, Motion]) -> None:
    motion, healthy = handling["iiwa7"], _unit("iiwa7")
    plant, _ = _apply("torque_sensor_drift", 1.0, motion)
    traces = [simulate_drives(each, motion, RNG(3)) for each in (healthy, plant)]
    for name in Trace.__dataclass_fields__:
        assert getattr(traces[0], name).tobytes() == getattr(traces[1], name).tobytes()
    seen = [observe(trace, each, RNG(4)) for trace, each in zip(traces, (healthy, plant), strict=True)]
    off = {
        channel.key: np.abs(one - two).mean()
        for channel, one, two in zip(seen[0].channels, seen[0].values, seen[1].values, strict=True)
        if (one != two).any()
    }
    assert set(off) == {"joint_torque/2"}
    full_scale = plant.robot.number("limits.torque_nm")[1]
    assert 0.003 * full_scale < off["joint_torque/2"] < 0.08 * full_scale


# --- around the robot -----------------------------------------------------------------------------------------------


def _force(contact: Contact, trace: Trace, robot: RobotModel) -> np.ndarray:
    """N on the flange, from where it truly is: spring and damper along the wall's direction."""
    first, last = (round(1000 * at) for at in (contact.start_s, contact.stop_s))
    q = np.ascontiguousarray(trace.link_position_rad[:, first:last].T)
    body, way = RigidBody(robot), np.array(contact.direction)
    depth = (body.flange_pose(q)[0] - body.flange_pose(q)[0][0]) @ way
    speed = np.einsum("x,txj,jt->t", way, body.flange_jacobian(q)[:, :3], trace.link_velocity_rad_s[:, first:last])
    press = contact.stiffness_n_m * (depth - contact.gap_m) + contact.damping_n_s_m * speed
    return np.where(depth > contact.gap_m, np.maximum(press, 0.0), 0.0)


@pytest.mark.parametrize("severity", [0.0001, 0.3, 0.6, 1.0])
@pytest.mark.parametrize("seed", range(6))
def test_a_collision_reaches_the_force_of_its_severity(severity: float, seed: int, handling: dict[str, Motion]) -> None:
    plant, motion = _apply("collision", severity, handling["ur5e"], law=seed)
    (contact,) = plant.contacts
    mark = handling["ur5e"].cycles[1]
    assert mark.start_s <= contact.start_s < contact.stop_s
    assert contact.start_s < mark.stop_s
    assert np.linalg.norm(contact.direction) == pytest.approx(1.0)
    trace = simulate_drives(plant, motion, rate_hz=8000)
    stops = motion is not handling["ur5e"]
    target = 20.0 * 12.5**severity
    peak = _force(contact, trace, plant.robot).max()
    assert target / 2 < peak < 2 * target
    assert not stops or severity > 0.5


def test_collisions_differ_in_hardness_and_half_of_the_grave_ones_stop_the_arm(handling: dict[str, Motion]) -> None:
    motion = handling["ur5e"]
    body = RigidBody(load_robot("ur5e"))
    stops, lengths = 0, []
    for seed in range(40):
        plant, after = _apply("collision", 0.8, motion, law=seed)
        stops += after is not motion
        lengths.append(plant.contacts[0].stop_s - plant.contacts[0].start_s)
        assert _apply("collision", 0.5, motion, law=seed)[1] is motion
    assert 10 <= stops <= 30
    assert min(lengths) < 0.03
    assert max(lengths) > 0.1
    assert body.n_joints == 6


def test_a_protective_stop_lengthens_its_cycle_and_keeps_the_path(handling: dict[str, Motion]) -> None:
    motion = handling["ur5e"]
    fault = _fault("collision")
    for seed in range(20):
        plant, after = fault.apply(_unit(), motion, 0, 1.0, RNG(0), RNG(seed), cycles=(0, 2))
        if after is not motion:
            break
    assert len(plant.contacts) == 2
    delays = [
        (new.stop_s - new.start_s) - (old.stop_s - old.start_s)
        for new, old in zip(after.cycles, motion.cycles, strict=True)
    ]
    assert delays[1] == pytest.approx(0.0, abs=1e-9)  # not struck
    assert max(delays) > 0.5
    assert all(delay < 2.2 for delay in delays)
    assert after.duration_s - motion.duration_s == pytest.approx(sum(delays), abs=1e-6)
    for one, two in zip(after.cycles[:-1], after.cycles[1:], strict=True):
        assert one.stop_s == two.start_s
    for contact, at in zip(plant.contacts, (0, 2), strict=True):
        assert after.cycles[at].start_s <= contact.start_s < after.cycles[at].stop_s
    # The same places in the same order: the way along the path is the same, and so is the end.
    assert len(after.loads) == len(motion.loads)
    lengths = [np.abs(np.diff(m.position_rad, axis=0)).sum(axis=0) for m in (motion, after)]
    np.testing.assert_allclose(lengths[1], lengths[0], rtol=1e-4)
    np.testing.assert_allclose(after.position_rad[-1], motion.position_rad[-1], atol=1e-4)
    moved = np.cumsum(after.velocity_rad_s, axis=0) / MOTION_RATE_HZ
    assert np.abs(after.position_rad - after.position_rad[0] - moved).max() < 5e-3
    step = np.abs(np.diff(after.velocity_rad_s, axis=0)).max() * MOTION_RATE_HZ
    assert step < 4 * np.abs(motion.acceleration_rad_s2).max()
    # A part that is held when the arm stops is held for longer, and let go at the same place.
    for old, new in zip(motion.loads[1:], after.loads[1:], strict=True):
        at, later = (min(round(load.start_s * MOTION_RATE_HZ), len(m.position_rad) - 1) for load, m in (
            (old, motion), (new, after)
        ))  # fmt: skip
        np.testing.assert_allclose(after.position_rad[later], motion.position_rad[at], atol=2e-3)


def _gravity_shift(plant: Plant, healthy: Motion, changed: Motion) -> tuple[np.ndarray, np.ndarray]:
    """(joint, time) torque across the gears with the changed motion less the healthy one, and of the model."""
    one, two = simulate_drives(plant, healthy), simulate_drives(plant, changed)
    return two.joint_torque_nm - one.joint_torque_nm, two.model_torque_nm - one.model_torque_nm


@pytest.mark.parametrize("seed", range(4))
def test_a_changed_payload_shifts_the_torque_of_gravity_and_the_controller_does_not_know(
    seed: int, handling: dict[str, Motion]
) -> None:
    motion, plant = handling["ur5e"], _unit()
    _, changed = _apply("payload_change", 1.0, motion, plant, law=seed)
    shift, believed = _gravity_shift(plant, motion, changed)
    assert not believed.any()
    taken, released = (load.start_s for load in motion.loads[3:5])  # in the second cycle
    held = slice(round(1000 * taken) + 200, round(1000 * released) - 200)
    lightest = min(load.mass_kg for load in motion.loads)
    true = next(load for load in changed.loads if load.start_s == taken)
    extra = true.mass_kg - motion.loads[3].mass_kg
    assert 0.3 < abs(extra) <= 0.5
    assert true.mass_kg > lightest
    tool = motion.loads[0]
    before, after = (
        (both.mass_kg * np.array(both.com_m) - tool.mass_kg * np.array(tool.com_m)) / (both.mass_kg - tool.mass_kg)
        for both in (motion.loads[3], true)
    )
    assert 0.01 <= np.hypot(*(after - before)[:2]) <= 0.05  # the part moved in the gripper, the gripper did not
    assert after[2] == pytest.approx(before[2])
    # The shoulder feels m g r at the reach of the task, the rest of the session nothing.
    assert np.sign(shift[1, held].mean()) == -np.sign(extra)
    assert 0.5 * 9.81 * 0.4 * abs(extra) < abs(shift[1, held].mean()) < 2 * 9.81 * 0.6 * abs(extra)
    elsewhere = np.ones(shift.shape[1], bool)
    elsewhere[held.start - 250 : held.stop + 1500] = False
    assert np.sqrt((shift[1, elsewhere] ** 2).mean()) < 0.01 * np.abs(shift[1, held]).mean()


def test_a_lost_part_is_gone_from_one_moment_on(handling: dict[str, Motion]) -> None:
    motion, plant = handling["ur5e"], _unit()
    taken, released = (load.start_s for load in motion.loads[3:5])
    moments = []
    for severity in (0.1, 0.5, 1.0):
        _, changed = _apply("lost_grip", severity, motion, plant)
        (new,) = [load for load in changed.loads if load.start_s not in {each.start_s for each in motion.loads}]
        assert taken < new.start_s < released
        assert new.mass_kg == min(load.mass_kg for load in motion.loads)
        shift, believed = _gravity_shift(plant, motion, changed)
        assert not believed.any()
        at, end = round(1000 * new.start_s), round(1000 * released)
        assert not shift[:, : at - 5].any()
        after = shift[1, at + 50 : end - 50]
        part = motion.loads[3].mass_kg - motion.loads[2].mass_kg
        assert (after > 0).mean() > 0.9  # the shoulder holds less
        assert 0.5 * 9.81 * 0.4 * part < after.mean() < 2 * 9.81 * 0.6 * part
        assert np.abs(shift[1, end + 1500 :]).max() < 0.1 * after.mean()
        moments.append((new.start_s - taken) / (released - taken))
    assert moments[0] > moments[1] > moments[2]
    assert moments[0] == pytest.approx(0.82, abs=0.06)
    assert moments[2] == pytest.approx(0.10, abs=0.06)


def test_a_grip_can_only_be_lost_where_something_is_held() -> None:
    motion = _strokes(1)
    with pytest.raises(UsageError, match="nothing is carried in cycle 0"):
        _fault("lost_grip").apply(_unit(), motion, 0, 0.5, RNG(0), RNG(0), cycles=(0,))


def test_a_wobbling_base_shakes_the_first_joints_more_and_more(handling: dict[str, Motion]) -> None:
    motion = handling["ur5e"]
    firm = simulate_drives(_unit(), motion)
    shaken, frequencies = [], []
    for severity in (0.05, 0.3, 0.6, 1.0):
        plant, same = _apply("base_wobble", severity, motion)
        assert same is motion
        assert plant.base is not None
        frequencies.append(plant.base.frequency_hz[0])
        trace = simulate_drives(plant, motion)
        shaken.append(float((trace.joint_torque_nm - firm.joint_torque_nm)[:3].std()))
        assert np.abs(trace.link_position_rad - firm.link_position_rad).max() < 5e-3
    assert 16 > frequencies[0] > frequencies[-1] > 5
    assert (np.diff(frequencies) < 0).all()
    assert (np.diff(shaken) > 0).all()
    assert shaken[0] < 0.3 * shaken[-1]  # a hardly loose base is hardly felt
    assert shaken[-1] > 0.2
