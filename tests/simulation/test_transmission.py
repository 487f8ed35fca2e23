"""The static transmission error: worked by hand, by level, and as a simulated measuring machine finds it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from jointwatch.core import catalog
from jointwatch.core.levels import LEVEL_RAD
from jointwatch.simulation.drivetrain import simulate_drives
from jointwatch.simulation.motion import Motion
from jointwatch.simulation.plant import Drives, Plant
from jointwatch.simulation.robot import load_robot
from jointwatch.simulation.transmission import static_error
from jointwatch.simulation.unit import draw_unit

RNG = np.random.default_rng
ARCSEC = np.pi / 180 / 3600
TURNED = 2 * np.pi * 20 / 100  # of the output after 20 turns of the input, ratio 100


@pytest.fixture
def drives(perfect: Callable[..., Plant]) -> Drives:
    return perfect().drives


def test_one_output_order_by_hand(drives: Drives) -> None:
    """cos(x + 72 deg) - cos(x) is at most 2 sin(36 deg), the second order's at most 2 sin(72 deg), and its fifth
    would come back: five times 72 degrees are a turn."""
    for column, worst in ((0, 2 * np.sin(TURNED / 2)), (1, 2 * np.sin(TURNED)), (2, 2 * np.sin(1.5 * TURNED))):
        drives.output_rad[:] = 0.0
        drives.output_rad[0, column] = 50 * ARCSEC
        found = static_error(drives, 1)
        assert found.output_rad == pytest.approx(abs(worst) * 50 * ARCSEC, rel=1e-3)
        assert found.lost_rad == 0.0
        assert found.total_rad == found.output_rad
    drives.ratio[:] = 20.0
    assert static_error(drives, 1).output_rad == pytest.approx(0.0, abs=1e-15)  # a whole turn of the output


def test_lost_motion_by_hand(drives: Drives) -> None:
    drives.output_rad[:] = 0.0
    drives.backlash_rad[:] = 40 * ARCSEC
    drives.hysteresis_nm[:] = [0.3, 0.2]
    drives.stiffness[:] = [20000.0, 30000.0, 40000.0]
    assert static_error(drives, 1).lost_rad == pytest.approx(20 * ARCSEC + 0.5 / 20000.0)


@pytest.mark.parametrize(
    ("share", "level"), [(1e-9, 1), (0.5, 1), (0.999, 1), (1.001, 2), (1.999, 2), (3.5, 4), (4.9, 5), (5.1, 6), (60, 6)]
)
def test_levels_are_steps_of_a_fortieth_degree_and_the_last_is_open(drives: Drives, share: float, level: int) -> None:
    assert np.rad2deg(LEVEL_RAD) == pytest.approx(0.025)
    drives.output_rad[:] = [share * LEVEL_RAD / (2 * np.sin(TURNED / 2)), 0.0, 0.0]
    assert static_error(drives, 1).level == level


def test_a_drive_without_any_error_is_in_the_first_level(drives: Drives) -> None:
    drives.output_rad[:] = 0.0
    assert (static_error(drives, 1).total_rad, static_error(drives, 1).level) == (0.0, 1)


def test_what_the_wave_generator_does_is_not_seen() -> None:
    drives = draw_unit(load_robot("ur5e"), RNG(3)).drives
    before = [static_error(drives, joint) for joint in range(1, 7)]
    drives.wave_rad *= 7
    drives.wave_phase += 1.0
    drives.beat *= 2
    assert [static_error(drives, joint) for joint in range(1, 7)] == before
    drives.output_rad[3] *= 2
    after = [static_error(drives, joint) for joint in range(1, 7)]
    assert after[3].output_rad == pytest.approx(2 * before[3].output_rad)
    assert after[:3] + after[4:] == before[:3] + before[4:]


@pytest.mark.parametrize("seed", range(5))
def test_it_grows_with_wear_from_a_new_drives_limit_to_several_levels(seed: int) -> None:
    robot = load_robot("harmonic_rig")
    unit = draw_unit(robot, RNG(seed))
    rest = np.zeros((1, 1))
    fault = catalog.load("faults", "reducer_wear")()
    severities = np.linspace(0, 1, 11)
    errors = []
    for severity in severities:
        worn, _ = fault.apply(unit, Motion(rest, rest, rest), 1, severity, RNG(seed + 100), RNG(0))
        errors.append(static_error(worn.drives, 1).total_rad)
    assert (np.diff(errors) > 0).all()
    assert errors[0] < LEVEL_RAD
    assert errors[-1] > 2 * LEVEL_RAD


def _measured(plant: Plant, course: Callable[..., Motion], start: float) -> tuple[float, float]:
    """Chord and half the lost motion as a measuring machine finds them: the joint is stopped at the start and 20 input
    turns on, both approached from below and from above."""
    end, run = start + TURNED, np.deg2rad(6)
    points = [start - run, start, start, end, end, end + run, end, end, start, start]
    legs = [5.0, 1.0, 14.0, 1.0, 5.0, 5.0, 1.0, 14.0, 1.0]
    trace = simulate_drives(plant, course(points, legs, ramp_s=4.0), rate_hz=4000)
    lag = (trace.link_position_rad - trace.motor_position_rad)[0]
    stops = np.cumsum(legs)[[1, 3, 6, 8]] * 1000
    start_up, end_up, end_down, start_down = (lag[int(stop) - 60 : int(stop) - 10].mean() for stop in stops)
    assert np.abs(trace.motor_velocity_rad_s[0, [int(stop) - 20 for stop in stops]]).max() < 1e-4
    return (end_up + end_down - start_up - start_down) / 2, ((start_down - start_up) + (end_down - end_up)) / 4


@pytest.mark.parametrize("hysteresis_nm", [0.0, 1.0])
def test_it_is_what_a_measuring_machine_finds_on_the_simulated_drive(
    hysteresis_nm: float, perfect: Callable[..., Plant], course: Callable[..., Motion]
) -> None:
    """Without load; the arm rubs so much that it does not coast. The worst start of a once-per-turn error has the
    chord across its steepest place."""
    amplitude, gap = 60 * ARCSEC, 50 * ARCSEC
    plant = perfect(
        output_rad=[amplitude, 0.0, 0.0], output_phase=0.0, backlash_rad=gap, wave_rad=[20e-6, 150e-6, 20e-6, 10e-6],
        link_friction=6.0, coulomb=0.5, stribeck=0.1, viscous=0.5,
    )  # fmt: skip
    plant.drives.hysteresis_nm[:] = hysteresis_nm * np.array([0.6, 0.4])
    plant.drives.hysteresis_rad[:] = [1e-5, 3e-5]
    plant.gravity_m_s2[:] = 0.0
    plant.controller.velocity_integral[:] = 0.0  # the motor comes to rest without turning back
    expected = static_error(plant.drives, 1)
    assert expected.output_rad == pytest.approx(2 * np.sin(TURNED / 2) * amplitude, rel=1e-3)
    chord, lost = _measured(plant, course, np.pi / 2 - TURNED / 2)
    assert abs(chord) == pytest.approx(expected.output_rad, rel=0.01)
    assert lost == pytest.approx(expected.lost_rad, rel=0.03)
    # From another start the same drive seems better.
    better, _ = _measured(plant, course, -TURNED / 2)
    assert abs(better) < 0.05 * expected.output_rad
