"""The drivetrain obeys physics: energy, orders, friction, heat, limits, play, contacts and a soft base."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from jointwatch.core.errors import UsageError
from jointwatch.simulation._kernel import ENERGIES
from jointwatch.simulation.drivetrain import simulate_drives
from jointwatch.simulation.motion import MOTION_RATE_HZ, Load, Motion
from jointwatch.simulation.plant import BaseMode, Contact, Plant
from jointwatch.simulation.rigid_body import RigidBody
from jointwatch.simulation.robot import load_robot
from jointwatch.simulation.tasks.base import load_task
from jointwatch.simulation.trace import Trace
from jointwatch.simulation.unit import draw_unit

Perfect = Callable[..., Plant]
CourseOf = Callable[..., Motion]
RNG = np.random.default_rng
ARCSEC = np.pi / 180 / 3600
ARCMIN = 60 * ARCSEC
DEG = np.pi / 180


def _unit(name: str, seed: int = 0) -> Plant:
    return draw_unit(load_robot(name), RNG(seed))


def _task(name: str, robot: str, cycles: int = 1, **parameters: object) -> Motion:
    return load_task(name, **parameters).motion(load_robot(robot), cycles, RNG(1))


def _until(motion: Motion, stop_s: float) -> Motion:
    rows = slice(0, round(stop_s * MOTION_RATE_HZ))
    return Motion(
        motion.position_rad[rows], motion.velocity_rad_s[rows], motion.acceleration_rad_s2[rows], loads=motion.loads
    )


def _motor_nm(plant: Plant, trace: Trace, joint: int = 1) -> np.ndarray:
    """Torque of the motor at the output as the current tells it, at 40 degC and far from saturation."""
    return plant.drives.ratio[joint - 1] * plant.drives.torque_constant[joint - 1] * trace.current_a[joint - 1]


def _wave(trace: Trace, ratio: float, order: int, values: np.ndarray, span: slice) -> complex:
    """Complex amplitude a of Re(a e^(i k angle)) at k times the motor's angle, beside a slow course."""
    angle = order * ratio * trace.motor_position_rad[0, span]
    u = np.linspace(-1, 1, len(angle))
    basis = np.stack([np.cos(angle), -np.sin(angle), *(u**k for k in range(6))], axis=1)
    found, *_ = np.linalg.lstsq(basis, values[span], rcond=None)
    return complex(found[0], found[1])


# --- energy ---------------------------------------------------------------------------------------------------------


def _stored_j(plant: Plant, torque_nm: np.ndarray) -> np.ndarray:
    """Energy of the piecewise linear torsion spring of each joint at a torque: integral of torque over wind-up."""
    size = np.abs(torque_nm)
    edges = np.concatenate([np.zeros((len(size), 1)), plant.drives.knee, np.full((len(size), 1), np.inf)], axis=1)
    low, high = np.minimum(size[:, None], edges[:, :-1]), np.minimum(size[:, None], edges[:, 1:])
    return ((high**2 - low**2) / 2 / plant.drives.stiffness).sum(axis=1)


MOVES = [
    ("harmonic_rig", _task("reciprocation", "harmonic_rig", 2, centre_deg=40.0), 3.0),  # mass is constant
    ("ur5e", _task("excitation", "ur5e", 1, load_kg=0.9), 7.77),  # mass depends on the posture
]


@pytest.mark.parametrize(("robot", "motion", "stop_s"), MOVES)
def test_drives_neither_make_nor_lose_energy(robot: str, motion: Motion, stop_s: float) -> None:
    """Errors of the gear are ten times and more what is usual, so that an error in how they pass torque on shows."""
    plant = _unit(robot)
    drives = plant.drives
    drives.wave_rad *= 10
    drives.output_rad[:] = [0.03, 0.01, 0.005]
    drives.backlash_rad[:] = 4 * ARCMIN
    drives.hysteresis_nm *= 3
    for name in ("coulomb", "stribeck", "viscous"):
        setattr(drives, name, 0.3 * getattr(drives, name))
    trace = simulate_drives(plant, _until(motion, stop_s), rate_hz=8000)
    assert np.abs(trace.link_velocity_rad_s[:, -1]).max() > 0.2  # stopped while it moves
    account = dict(zip(ENERGIES, trace.energy_j.T, strict=True))
    # Work on the link includes what it rubs away.
    kept = ("motor_friction", "torsion_damping", "hysteresis", "link_work", "rotor", "spring")
    gap = account["motor_work"] + _stored_j(plant, trace.joint_torque_nm[:, 0]) - sum(account[name] for name in kept)
    total = sum(np.abs(account[name]).sum() for name in kept)
    assert (np.abs(gap) < 2e-3 * total).all()
    for name in ("motor_friction", "link_friction", "torsion_damping", "hysteresis"):
        assert (account[name] > 0).all(), name


@pytest.mark.parametrize(("robot", "motion", "stop_s"), MOVES)
def test_what_reaches_the_links_is_rubbed_away_moves_or_lifts_them(robot: str, motion: Motion, stop_s: float) -> None:
    plant, motion = _unit(robot), _until(motion, stop_s)
    trace = simulate_drives(plant, motion)
    account = dict(zip(ENERGIES, trace.energy_j.sum(axis=0), strict=True))
    body = RigidBody(plant.robot, motion.loads[0])
    last, speed = trace.link_position_rad[:, -1][None], trace.link_velocity_rad_s[:, -1]
    kinetic = 0.5 * speed @ body.mass_matrix(np.ascontiguousarray(last))[0] @ speed
    rest = np.zeros_like(motion.position_rad)
    gravity = body.inverse_dynamics(motion.position_rad, rest, rest, plant.gravity_m_s2)
    lifted = ((gravity[1:] + gravity[:-1]) / 2 * np.diff(motion.position_rad, axis=0)).sum(axis=1)
    assert kinetic > 0.05
    assert abs(lifted.sum()) > 1.0
    left = account["link_work"] - account["link_friction"] - kinetic - lifted.sum()
    assert abs(left) < 0.01 * np.abs(lifted).sum()


# --- orders ---------------------------------------------------------------------------------------------------------


def _line(plant: Plant, omega: float, depth: float, error: float, torque: float, inertia: float) -> tuple[complex, ...]:
    """Link velocity, motor velocity and motor torque (phasors) of the two masses with a kinematic error of amplitude
    `error` at `omega`, the ratio modulated by `depth` while `torque` passes."""
    drives, gains, s = plant.drives, plant.controller, 1j * omega
    rotor = drives.rotor_inertia[0] * drives.ratio[0] ** 2
    servo = gains.velocity_gain[0] * (1 + gains.position_gain[0] / s) * (1 + gains.velocity_integral[0] / s)
    segment = int(np.searchsorted(drives.knee[0], abs(torque)))
    gear = drives.stiffness[0, segment] + drives.damping[0] * s
    # Rotor: (s J + servo) motor + through = -depth torque; link: s J link = through = gear (motor/s + error - link/s).
    motor, link = np.linalg.solve(
        [[s * rotor + servo + gear / s, -gear / s], [-gear / s, s * inertia + gear / s]],
        [-gear * error - 1j * depth * torque, gear * error],
    )
    return link, motor, -servo * motor


@pytest.mark.parametrize(("order", "column"), [(1, 0), (2, 1), (4, 2), (6, 3)])
@pytest.mark.parametrize("gravity", [True, False])
def test_orders_of_the_wave_generator_reach_link_and_current(
    order: int, column: int, gravity: bool, perfect: Perfect, course: CourseOf
) -> None:
    """Link velocity follows the kinematic error, k omega A; the motor feels the ratio's modulation k N A of the torque
    that passes and the inertia of the link, a quarter turn apart."""
    amplitude = 120 * ARCSEC / order
    wave = np.zeros(4)
    wave[column] = amplitude
    plant = perfect(wave_rad=wave, wave_phase=0.0, coulomb=0.05, stribeck=0.01, viscous=0.05, max_current=1e3)
    plant.gravity_m_s2 *= gravity
    ratio, speed = plant.drives.ratio[0], 8 * DEG / order
    omega, depth = order * ratio * speed, order * ratio * amplitude
    duration_s = 12 * 2 * np.pi / (ratio * speed) + 1.0
    start = 80 * DEG
    trace = simulate_drives(plant, course([start, start + speed * (duration_s - 0.5)], [duration_s], ramp_s=0.5))
    span = slice(600, -600)
    velocity = trace.link_velocity_rad_s[0]
    assert trace.motor_velocity_rad_s[0, span].mean() == pytest.approx(speed, rel=2e-3)
    # In time the line lies at k times the motor's frequency.
    rest = velocity[span] - velocity[span].mean()
    spectrum = np.abs(np.fft.rfft(rest * np.hanning(len(rest)), 16 * len(rest)))
    assert np.fft.rfftfreq(16 * len(rest), 1e-3)[spectrum.argmax()] == pytest.approx(omega / (2 * np.pi), rel=0.02)
    # In the order domain it has the size and phase of two masses with this error between them.
    torque = float(trace.joint_torque_nm[0, span].mean())
    inertia = float(RigidBody(plant.robot).mass_matrix(np.array([[start]]))[0, 0, 0])
    expected_link, _, expected_motor = _line(plant, omega, depth, amplitude, torque, inertia)
    link = _wave(trace, ratio, order, velocity, span)
    motor = _wave(trace, ratio, order, _motor_nm(plant, trace), span)
    assert abs(link - expected_link) < 0.03 * abs(expected_link)
    assert abs(motor - expected_motor) < 0.03 * abs(expected_motor)
    # What the closed form must give where the motor hardly moves: kinematics, and the two ways into the current.
    inertial, modulated = inertia * omega**2 * amplitude, depth * torque
    assert abs(expected_motor) == pytest.approx(np.hypot(inertial, modulated), rel=0.15)
    if gravity:
        assert abs(modulated) > 3 * inertial
    else:
        assert abs(link) == pytest.approx(omega * amplitude, rel=0.1)
    for other in {1, 2, 3, 4, 6} - {order}:
        assert abs(_wave(trace, ratio, other, velocity, span)) < 0.05 * abs(link)


# --- steps, seeds ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("robot", "task"), [("ur5e", "pick_and_place"), ("ur5e", "excitation"), ("harmonic_rig", "reciprocation")]
)
def test_halving_the_step_changes_the_current_by_less_than_a_hundredth(robot: str, task: str) -> None:
    motion, plant = _task(task, robot), _unit(robot)
    coarse, fine = (simulate_drives(plant, motion, rate_hz=rate).current_a for rate in (4000, 8000))
    change = np.sqrt(((coarse - fine) ** 2).mean(axis=1))
    assert (change > 0).all()
    # A joint that holds still has hardly any current: there it is a hundredth of what would move it.
    drives = plant.drives
    size = np.maximum(np.sqrt((fine**2).mean(axis=1)), drives.coulomb / (drives.ratio * drives.torque_constant))
    assert (change < 0.01 * size).all()


@pytest.mark.parametrize("robot", ["ur10e", "iiwa7", "industrial6"])
def test_a_bare_wrist_neither_rattles_nor_creeps_because_of_the_step(robot: str) -> None:
    """The last link without a tool swings at several hundred hertz on its gear and rubs: the hardest for the step."""
    plant, motion = _unit(robot), _task("health_check", robot, load_robot(robot).n_joints)
    coarse, fine = (simulate_drives(plant, motion, rate_hz=rate) for rate in (4000, 16000))
    a, b = coarse.joint_torque_nm[-1], fine.joint_torque_nm[-1]
    assert a.std() == pytest.approx(b.std(), rel=0.02)
    assert np.abs(a).max() < 1.1 * np.abs(b).max()
    rest = slice(-250, None)
    assert np.abs(coarse.link_velocity_rad_s[-1, :200]).max() < 1e-3
    assert np.abs(coarse.link_velocity_rad_s[:-1, rest]).max() < 2e-3


def test_same_seed_same_bytes_other_seed_other_friction() -> None:
    plant, motion = _unit("ur5e"), _until(_task("pick_and_place", "ur5e"), 3.0)
    one, same, other, none = (
        simulate_drives(plant, motion, None if seed is None else RNG(seed)) for seed in (1, 1, 2, None)
    )
    for name in Trace.__dataclass_fields__:
        assert getattr(one, name).tobytes() == getattr(same, name).tobytes()
    assert one.current_a.tobytes() != other.current_a.tobytes()
    assert one.current_a.tobytes() != none.current_a.tobytes()
    assert one.commanded_rad.tobytes() == other.commanded_rad.tobytes()


# --- rest -----------------------------------------------------------------------------------------------------------


def test_the_holding_current_tells_from_where_the_joint_came(perfect: Perfect, course: CourseOf) -> None:
    plant = perfect()
    angle, legs = 30 * DEG, [2.0, 3.0]
    below, above = (simulate_drives(plant, course([start, angle, angle], legs)) for start in (angle - 0.2, angle + 0.2))
    held = [_motor_nm(plant, trace)[-500:].mean() for trace in (below, above)]
    for trace in (below, above):
        assert abs(trace.motor_position_rad[0, -1] - angle) < 1e-4
        assert np.ptp(_motor_nm(plant, trace)[-500:]) < 0.05  # it stays
    friction = plant.drives.coulomb[0] + plant.drives.stribeck[0]
    gravity = -RigidBody(plant.robot).inverse_dynamics(np.array([[angle]]), np.zeros((1, 1)), np.zeros((1, 1)))[0, 0]
    low, high = sorted(np.abs(held))
    assert low < abs(gravity) < high
    assert 0.3 * friction < high - low < 2.0 * friction


def test_the_gear_carries_gravity_at_rest(course: CourseOf) -> None:
    robot = load_robot("ur5e")
    home = robot.kinematics.home_rad.value
    plant = _unit("ur5e")
    load = Load(0.0, 2.0)
    moved = course([home[0], home[0] + 0.5, home[0] + 0.5], [1.5, 2.0], home)
    motion = Motion(moved.position_rad, moved.velocity_rad_s, moved.acceleration_rad_s2, loads=(load,))
    trace = simulate_drives(plant, motion)
    at, rest = motion.position_rad[-1:], np.zeros((1, 6))
    expected = RigidBody(robot, load).inverse_dynamics(at, rest, rest, plant.gravity_m_s2)[0]
    assert np.abs(expected).max() > 20
    np.testing.assert_allclose(trace.joint_torque_nm[:, -1], expected, atol=0.02, rtol=1e-3)


# --- friction and heat ----------------------------------------------------------------------------------------------


def _rubbing(plant: Plant, course: CourseOf, speed: float, centre: float = 0.0) -> float:
    """Friction at the motor: half of what a stroke up takes more than a stroke down through the same angles."""
    way = speed * 1.5
    motion = course([centre - way / 2, centre + way / 2, centre - way / 2], [1.5 + 0.3, 1.5 + 0.3])
    force = _motor_nm(plant, simulate_drives(plant, motion))
    return float(force[500:1300].mean() - force[2300:3100].mean()) / 2


def test_friction_falls_with_temperature_and_its_viscous_part_to_less_than_half(
    perfect: Perfect, course: CourseOf
) -> None:
    def rub(temperature: float, speed: float) -> float:
        plant = perfect(cold=1.0, temperature_c=temperature, max_current=1e3)
        plant.gravity_m_s2[:] = 0.0
        # The motor's constant falls by a thousandth for a kelvin: the same torque takes more current.
        return _rubbing(plant, course, speed) * (1 - 1e-3 * (temperature - 40))

    power = perfect().drives.viscous_power[0]

    def viscous(temperature: float) -> float:
        return (rub(temperature, 1.0) - rub(temperature, 0.5)) / (1 - 0.5**power)

    assert viscous(40.0) == pytest.approx(perfect().drives.viscous[0], rel=0.03)
    assert 2.0 < viscous(30.0) / viscous(80.0) < 3.0
    total = [rub(temperature, 0.5) for temperature in (20.0, 40.0, 60.0, 80.0)]
    assert (np.diff(total) < 0).all()
    assert 1.1 < total[0] / total[1] < 1.7  # a cold start


def test_friction_rises_with_the_torque_that_passes(perfect: Perfect, course: CourseOf) -> None:
    plant = perfect(coulomb_load=0.1, max_current=1e3)
    light, heavy = _rubbing(plant, course, 0.3), _rubbing(plant, course, 0.3, 90 * DEG)
    arm = abs(
        RigidBody(plant.robot).inverse_dynamics(np.array([[np.pi / 2]]), np.zeros((1, 1)), np.zeros((1, 1)))[0, 0]
    )
    assert heavy - light == pytest.approx(0.1 * arm, rel=0.1)
    plant.drives.coulomb_load[:] = 0.0
    assert _rubbing(plant, course, 0.3, 90 * DEG) == pytest.approx(_rubbing(plant, course, 0.3), rel=0.01)


def test_friction_falls_then_rises_with_speed(perfect: Perfect, course: CourseOf) -> None:
    """The Stribeck peak at creeping, and Coulomb and viscous friction as the drive states them."""
    plant = perfect(max_current=1e3)
    plant.gravity_m_s2[:] = 0.0
    drives = plant.drives
    rub = {speed: _rubbing(plant, course, speed) for speed in (0.01, 0.15, 1.0)}
    for speed, found in rub.items():
        dip = drives.stribeck[0] * np.exp(-((speed / drives.stribeck_speed[0]) ** 1.3))
        expected = drives.coulomb[0] + dip + drives.viscous[0] * speed ** drives.viscous_power[0]
        assert found == pytest.approx(expected, rel=0.03)


def test_a_drive_heats_in_motion_and_cools_at_rest_with_its_time_constant(perfect: Perfect, course: CourseOf) -> None:
    resistance, capacity = 2.0, 2.0
    plant = perfect(heat_capacity=capacity, heat_resistance=resistance, temperature_c=60.0)
    plant.gravity_m_s2[:] = 0.0
    still = course([0.0, 0.0], [10.0])
    cooling = simulate_drives(plant, still).temperature_c[0] - plant.ambient_c
    assert cooling[0] == pytest.approx(35.0, rel=1e-3)
    time_s = np.arange(len(cooling)) / 1000
    np.testing.assert_allclose(cooling, 35.0 * np.exp(-time_s / (resistance * capacity)), rtol=2e-3)
    plant.drives.temperature_c[:] = plant.ambient_c
    swings = course([-0.5, 0.5] * 10 + [-0.5], [1.0] * 20)
    warming = simulate_drives(plant, swings)
    rise = warming.temperature_c[0] - plant.ambient_c
    assert (np.diff(rise[::2000]) > 0).all()
    power = warming.energy_j[0, ENERGIES.index("motor_friction")] / 20.0
    rated = warming.current_a[0] / plant.drives.max_current[0]
    copper = 100.0 / resistance * (rated**2).mean()  # 100 K at steady peak current
    assert rise[-2000:].mean() == pytest.approx((power + copper) * resistance, rel=0.05)


# --- limits ---------------------------------------------------------------------------------------------------------


def test_the_current_stays_within_its_limit_and_the_integrator_does_not_wind_up(
    perfect: Perfect, course: CourseOf
) -> None:
    plant = perfect()
    plant.gravity_m_s2[:] = 0.0
    plant.controller.velocity_integral[:] = 40.0
    motion = course([0.0, 1.5, 1.5], [1.0, 4.0], ramp_s=0.15)
    free = simulate_drives(plant, motion)
    limit = 0.4 * np.abs(free.current_a).max()
    plant.drives.max_current[:] = limit
    held = simulate_drives(plant, motion)
    assert np.abs(held.current_a).max() <= limit * (1 + 1e-12)
    assert (np.abs(held.current_a) > 0.999 * limit).mean() > 0.04  # for 200 ms and more
    lag = np.abs(held.commanded_rad - held.motor_position_rad)
    assert lag.max() > 0.02
    assert held.motor_position_rad.max() - 1.5 < 1.2 * lag[:, :1000].max()
    assert abs(held.motor_position_rad[0, -1] - 1.5) < 1e-4


# --- play -----------------------------------------------------------------------------------------------------------


def test_play_is_a_dead_zone_at_reversal(perfect: Perfect, course: CourseOf) -> None:
    gap = 10 * ARCMIN
    plant = perfect(backlash_rad=gap, link_friction=2.0)
    plant.gravity_m_s2[:] = 0.0
    there_and_back = course([0.0, 0.1, 0.1, 0.0], [2.0, 1.0, 2.0])
    trace = simulate_drives(plant, there_and_back, rate_hz=8000)
    windup, torque = (trace.motor_position_rad - trace.link_position_rad)[0], trace.joint_torque_nm[0]
    up, down = slice(800, 1200), slice(3800, 4200)
    rubbing = 2.0 * 0.0588 / (0.0588 + 0.005)
    assert torque[up].mean() == pytest.approx(rubbing, rel=0.02)
    assert torque[down].mean() == pytest.approx(-rubbing, rel=0.02)
    elastic = 2 * rubbing / plant.drives.stiffness[0, 0]
    assert windup[up].mean() - windup[down].mean() == pytest.approx(gap + elastic, rel=0.01)
    # On the way back the motor turns first through the gap, freely, while the link stays.
    crossing = 3000 + np.arange(int(np.argmax(torque[3000:] < -0.05)))
    assert np.ptp(trace.motor_position_rad[0, crossing]) == pytest.approx(gap, rel=0.05)
    assert np.ptp(trace.link_position_rad[0, crossing]) < 0.01 * gap
    assert np.abs(torque[crossing]).max() < 0.06
    plant.drives.backlash_rad[:] = 0.0
    tight = simulate_drives(plant, there_and_back, rate_hz=8000)
    windup = (tight.motor_position_rad - tight.link_position_rad)[0]
    assert windup[up].mean() - windup[down].mean() == pytest.approx(elastic, rel=0.02)


# --- surroundings ---------------------------------------------------------------------------------------------------


def test_a_contact_brakes_the_link_and_shows_in_the_current() -> None:
    plant = _unit("ur5e")
    motion = _task("pick_and_place", "ur5e", part_kg=0.0)
    body = RigidBody(plant.robot)
    jacobian = body.flange_jacobian(motion.position_rad)[:, :3]
    velocity = np.einsum("txj,tj->tx", jacobian, motion.velocity_rad_s)
    at = int(np.linalg.norm(velocity, axis=1).argmax())
    start_s, way = at / MOTION_RATE_HZ, velocity[at] / np.linalg.norm(velocity[at])
    free = simulate_drives(plant, motion)
    stiffness, lasts_s = 8e3, 0.06
    plant.contacts = [Contact(start_s, start_s + lasts_s, tuple(way), stiffness, 0.0)]
    hit = simulate_drives(plant, motion)
    first, last = round(1000 * start_s), round(1000 * (start_s + lasts_s))
    np.testing.assert_array_equal(hit.current_a[:, :first], free.current_a[:, :first])
    # The flange is slower along the wall's direction, and the joints feel J^T F.
    point = jacobian[at + round(lasts_s * MOTION_RATE_HZ)]
    slower = way @ point @ (hit.link_velocity_rad_s - free.link_velocity_rad_s)[:, first:last]
    assert -np.linalg.norm(velocity[at]) < slower.min() < -0.03
    moved = np.einsum("tx,x->t", body.flange_pose(motion.position_rad)[0], way)
    depth = moved[at + round(lasts_s * MOTION_RATE_HZ)] - moved[at]
    force = stiffness * depth
    assert force > 50
    pushed = (hit.joint_torque_nm - free.joint_torque_nm)[:, first : last + 40]
    most = np.abs(pushed).max(axis=1)
    strong = np.abs(point.T @ way) > 0.2
    assert strong.any()
    assert (most[strong] > 0.2 * (np.abs(point.T @ way) * force)[strong]).all()
    main = int(np.abs(point.T @ way).argmax())
    more = (hit.current_a - free.current_a)[main, first : last + 60]
    sign = np.sign(point[:, main] @ way)
    assert (sign * more).max() > 0.2
    assert (sign * more).max() > 1.5 * (-sign * more).max() or np.abs(more).max() > 1.0
    late = slice(last + 2500, None)
    assert np.abs((hit.link_position_rad - free.link_position_rad)[:, late]).max() < 2e-4


def test_a_slow_push_is_felt_as_the_jacobian_says() -> None:
    """Pressing slowly into something soft, the gears carry what the flange pushes."""
    plant = _unit("ur5e")
    robot = plant.robot
    home = robot.kinematics.home_rad.value
    body = RigidBody(robot)
    way = np.array([1.0, 0.0, 0.0])
    towards = np.linalg.lstsq(body.flange_jacobian(home[None])[0], np.array([1.0, 0, 0, 0, 0, 0]), rcond=None)[0]
    steps = round(4.0 * MOTION_RATE_HZ)
    u = np.clip(np.arange(steps) / (2.5 * MOTION_RATE_HZ), 0, 1)
    s = 0.01 * (u**3 * (10 - 15 * u + 6 * u**2))
    position = home + s[:, None] * towards
    velocity = np.gradient(position, 1 / MOTION_RATE_HZ, axis=0)
    motion = Motion(position, velocity, np.gradient(velocity, 1 / MOTION_RATE_HZ, axis=0))
    free = simulate_drives(plant, motion)
    stiffness = 2000.0
    plant.contacts = [Contact(0.0, 10.0, (1.0, 0.0, 0.0), stiffness, 0.0)]
    pressed = simulate_drives(plant, motion)
    felt = (pressed.joint_torque_nm - free.joint_torque_nm)[:, -200:].mean(axis=1)
    where = np.ascontiguousarray(pressed.link_position_rad[:, -1][None])
    begin = np.ascontiguousarray(pressed.link_position_rad[:, 0][None])
    force = stiffness * (body.flange_pose(where)[0][0] - body.flange_pose(begin)[0][0]) @ way
    assert 10 < force <= 21
    expected = body.flange_jacobian(where)[0, :3].T @ way * force
    assert np.abs(expected).max() > 3
    np.testing.assert_allclose(felt, expected, atol=0.01 * np.abs(expected).max())


@pytest.mark.parametrize("frequency", [6.0, 10.0])
def test_a_soft_base_swings_at_its_frequency_and_shakes_the_joints(frequency: float, course: CourseOf) -> None:
    plant = _unit("ur5e")
    home = plant.robot.kinematics.home_rad.value
    motion = course([home[0], home[0] + 0.6, home[0] + 0.6], [0.8, 3.0], home, ramp_s=0.1)
    firm = simulate_drives(plant, motion)
    plant.base = BaseMode((frequency, frequency), (0.03, 0.03), 100.0)
    soft = simulate_drives(plant, motion)
    rest = slice(1300, None)
    shaken = soft.joint_torque_nm[0, rest] - soft.joint_torque_nm[0, rest].mean()
    spectrum = np.abs(np.fft.rfft(shaken * np.hanning(len(shaken)), 8 * len(shaken)))
    line_hz = np.fft.rfftfreq(8 * len(shaken), 1e-3)[spectrum.argmax()]
    assert line_hz == pytest.approx(frequency, rel=0.06)
    assert shaken.std() > 10 * firm.joint_torque_nm[0, rest].std()
    # Its ringing dies away as its damping says, within a factor of two for what the joints take or give.
    early, late = shaken[:600].std(), shaken[1500:2100].std()
    assert np.log(early / late) / 1.5 == pytest.approx(0.03 * 2 * np.pi * frequency, rel=1.0)


def test_a_drifting_encoder_moves_the_arm_and_not_what_is_reported(course: CourseOf) -> None:
    plant = _unit("ur5e")
    home = plant.robot.kinematics.home_rad.value
    motion = course([home[1], home[1]], [8.0], home, joint=2)
    before = simulate_drives(plant, motion)
    plant.drives.encoder_drift_rad_s[1] = 2e-4
    after = simulate_drives(plant, motion)
    assert abs(after.motor_position_rad[1, -1] - home[1]) < 3e-5
    moved = (after.link_position_rad - before.link_position_rad)[:, -1]
    assert moved[1] == pytest.approx(-8 * 2e-4, rel=0.05)
    assert np.abs(np.delete(moved, 1)).max() < 2e-5


# --- calls ----------------------------------------------------------------------------------------------------------


def test_what_cannot_be_simulated_is_refused(course: CourseOf) -> None:
    plant, motion = _unit("ur5e"), course([0.0, 0.1], [0.5])
    with pytest.raises(UsageError, match="for 1 joints, the plant has 6"):
        simulate_drives(plant, motion)
    rig = _unit("harmonic_rig")
    for rate_hz in (500, 4500):
        with pytest.raises(UsageError, match="multiple of 1000"):
            simulate_drives(rig, motion, rate_hz=rate_hz)
    rig.drives.damping[:] *= 1e6
    with pytest.raises(UsageError, match="joint 1 diverged"):
        simulate_drives(rig, motion)
