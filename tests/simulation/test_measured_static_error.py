"""A simulated drive turned 20 input turns, measured by spheres on its output: the simulator's own static error."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from jointwatch.metrology.sphere_centres import SphereCentres
from jointwatch.metrology.static_error import measure_static_error
from jointwatch.simulation.drivetrain import simulate_drives
from jointwatch.simulation.motion import Motion
from jointwatch.simulation.plant import Plant
from jointwatch.simulation.transmission import static_error

ARCSEC = np.pi / 180 / 3600
ROD = np.array([[150.0, 0.0, 40.0], [110.0, 70.0, 40.0], [120.0, 20.0, 110.0]])
AXIS = np.array([0.3, -0.1, 1.0]) / np.linalg.norm([0.3, -0.1, 1.0])
NOISE_MM = 0.002


@pytest.mark.parametrize("order", [0, 1])
def test_measured_is_what_the_simulator_says(
    order: int, perfect: Callable[..., Plant], course: Callable[..., Motion]
) -> None:
    """The start is the worst one; without play the drive has no lost motion. The joint rests at both stops."""
    amplitude, turned = 60 * ARCSEC, 2 * np.pi * 20 / 100
    plant = perfect(
        output_rad=np.eye(3)[order] * amplitude, output_phase=0.0, wave_rad=[20e-6, 150e-6, 20e-6, 10e-6],
        link_friction=6.0, coulomb=0.5, stribeck=0.1, viscous=0.5,
    )  # fmt: skip
    plant.gravity_m_s2[:] = 0.0
    plant.drives.hysteresis_nm[:] = 0.0
    plant.controller.velocity_integral[:] = 0.0
    expected = static_error(plant.drives, 1)
    start = -np.pi / 2 / (order + 1) - turned / 2  # cos falls least there and rises most on the way
    run_up = np.deg2rad(6)
    motion = course([start - run_up, start, start, start + turned, start + turned], [5.0, 1.0, 14.0, 1.0], ramp_s=4.0)
    trace = simulate_drives(plant, motion, rate_hz=4000)
    stops = [slice(int(at * 1000) - 60, int(at * 1000) - 10) for at in (6.0, 21.0)]
    link, motor = trace.link_position_rad[0], trace.motor_position_rad[0]
    places = [float(link[stop].mean()) for stop in stops]
    short = turned - float(motor[stops[1]].mean() - motor[stops[0]].mean())  # the servo stops a little before the aim
    rng = np.random.default_rng(5)
    before, after = (
        np.stack([Rotation.from_rotvec((at + by) * AXIS).apply(ROD) for _ in range(12)])
        + NOISE_MM * rng.standard_normal((12, 3, 3))
        for at, by in ((places[0], 0.0), (places[1], short))
    )
    centres = SphereCentres(tuple(str(run) for run in range(12)), ("A", "B", "C"), before, after)
    found = measure_static_error(centres, noise_mm=NOISE_MM)
    assert found.low_rad < np.sign(found.error_rad) * expected.total_rad < found.high_rad
    assert abs(found.error_rad) == pytest.approx(expected.total_rad, rel=0.05)
    assert found.level == expected.level
