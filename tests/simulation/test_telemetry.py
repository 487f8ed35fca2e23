"""The telemetry chain does what the robot file says, number by number."""

from __future__ import annotations

import time
from dataclasses import fields

import numpy as np
import pytest

from jointwatch.core import Recording
from jointwatch.core.errors import UsageError
from jointwatch.simulation._sensing import low_pass, play
from jointwatch.simulation.plant import SensorState
from jointwatch.simulation.telemetry import KINDS, observe, telemetry_state

RNG = np.random.default_rng


def _of(seen, key):
    return seen.values[[channel.key for channel in seen.channels].index(key)]


def test_noise_has_the_stated_deviation_white_without_and_coloured_behind_a_filter(
    make_plant, make_trace, quiet_sensor
):
    sensors = {
        "current": quiet_sensor(noise=[0.01, 0.02, 0.03, 0.04, 0.05, 0.0]),
        "velocity": quiet_sensor(noise=0.002, filter_hz=10.0),
    }
    seen = observe(make_trace(200.0), make_plant(sensors), RNG(0))
    for joint, deviation in enumerate([0.01, 0.02, 0.03, 0.04, 0.05, 0.0], start=1):
        assert _of(seen, f"current/{joint}").std() == pytest.approx(deviation, rel=0.03)
    white, coloured = _of(seen, "current/1"), _of(seen, "velocity/1")
    assert coloured.std() == pytest.approx(0.002, rel=0.05)
    assert abs(np.corrcoef(white[1:], white[:-1])[0, 1]) < 0.03
    expected = np.exp(-2 * np.pi * 10.0 / 100.0)
    assert np.corrcoef(coloured[1:], coloured[:-1])[0, 1] == pytest.approx(expected, abs=0.03)


def test_reported_values_lie_on_the_grid_of_the_resolution(make_plant, make_trace, quiet_sensor):
    lsb = 2 * np.pi / 2**14
    sensors = {"position": quiet_sensor(resolution=lsb, noise=1e-3), "position.commanded": quiet_sensor(resolution=lsb)}
    trace = make_trace(motor_position_rad=np.sin, commanded_rad=np.sin)
    seen = observe(trace, make_plant(sensors, zero_rad=np.full(6, 0.3), sign=-np.ones(6)), RNG(0))
    counts = seen.values / lsb
    np.testing.assert_allclose(counts, np.rint(counts), atol=1e-6)
    assert len(np.unique(np.rint(counts[0]))) > 100
    error = _of(seen, "position.commanded/1") + (np.sin(seen.time_s) - 0.3)
    assert 0.4 * lsb < abs(error).max() < 0.51 * lsb  # rounded, nothing else


@pytest.mark.parametrize("corner_hz", [5.0, 20.0])
def test_firmware_filter_is_3_db_down_at_its_corner_and_6_db_an_octave_above(
    make_plant, make_trace, quiet_sensor, corner_hz
):
    plant = make_plant({"current": quiet_sensor(filter_hz=corner_hz)}, rate_hz=1000.0)
    # Far above, the trace's own rate takes a little more: it is straight between its samples.
    for ratio, expected, share in [(0.1, 1 / np.sqrt(1.01), 0.01), (1.0, np.sqrt(0.5), 0.01), (4.0, 17**-0.5, 0.07)]:
        trace = make_trace(current_a=lambda t, f=ratio * corner_hz: np.sin(2 * np.pi * f * t))
        late = observe(trace, plant, RNG(0)).values[0, 4000:]
        assert np.sqrt(2) * late.std() == pytest.approx(expected, rel=share)


def test_filter_starts_settled_and_follows_a_ramp_by_its_time_constant():
    ramp = 3.0 + np.maximum(np.arange(5000) / 1000 - 1, 0.0)[None]
    out = low_pass(ramp, np.array([2.0]), 1000.0)
    np.testing.assert_allclose(out[0, :1000], 3.0, atol=1e-12)
    assert ramp[0, -1] - out[0, -1] == pytest.approx(1 / (2 * np.pi * 2.0), rel=1e-6)


def test_latency_shifts_the_signal_and_the_phase_of_the_clock_is_random(make_plant, make_trace, quiet_sensor):
    trace = make_trace(motor_position_rad=lambda t: 0.5 * t)
    delays = [0.0, 0.004, 0.0125, 0.02, 0.03, 0.05]
    plant = make_plant({"position": quiet_sensor(latency_s=delays)})
    seen = observe(trace, plant, RNG(0))
    for joint, delay in enumerate(delays):
        lag = seen.time_s[10:] - seen.values[joint, 10:] / 0.5
        np.testing.assert_allclose(lag, delay, atol=1e-9)
    assert (seen.values[:, 0] >= 0).all()  # nothing from before the start
    phases = [observe(trace, plant, RNG(seed)).time_s[0] for seed in range(40)]
    assert min(phases) >= 0
    assert 0.008 < max(phases) < 0.01
    assert min(phases) < 0.002


def test_clock_has_the_stated_step_jitter_and_does_not_wander(make_plant, make_trace):
    seen = observe(make_trace(200.0), make_plant(rate_hz=100.0, jitter_s=8e-4), RNG(1))
    steps = np.diff(seen.time_s)
    assert steps.mean() == pytest.approx(0.01, rel=1e-4)
    assert steps.std() == pytest.approx(8e-4, rel=0.03)
    nominal = seen.time_s[0] + 0.01 * np.arange(len(seen.time_s))
    assert abs(seen.time_s - nominal).max() < 6 * 8e-4
    wild = observe(make_trace(200.0), make_plant(rate_hz=100.0, jitter_s=0.05), RNG(1))
    assert (np.diff(wild.time_s) > 0).all()


def test_rows_drop_and_repeat_at_the_stated_rates_and_long_gaps_are_breaks(make_plant, make_trace, quiet_sensor):
    sensors = {"position": quiet_sensor(), "current": quiet_sensor(noise=0.01)}
    plant = make_plant(sensors, drop_probability=0.3, repeat_probability=0.06)
    seen = observe(make_trace(200.0, motor_position_rad=lambda t: t), plant, RNG(2))
    full = seen.notes["dropped"] + len(seen.time_s)
    assert abs(full - 200.0 * 100) <= 1
    assert seen.notes["dropped"] / full == pytest.approx(0.3, abs=0.015)
    same = (seen.values[:, 1:] == seen.values[:, :-1]).all(axis=0)
    assert seen.notes["repeated"] == same.sum()
    assert same.mean() == pytest.approx(0.06, abs=0.01)
    np.testing.assert_allclose(seen.values[0][1:][~same], seen.time_s[1:][~same], atol=1e-9)
    steps = np.diff(seen.time_s)
    expected = np.flatnonzero(steps > 5 * np.median(steps)) + 1
    assert len(expected) > 5
    assert seen.breaks == tuple(expected)


def test_sign_and_zero_follow_the_brand(make_plant, make_trace, quiet_sensor):
    signs = np.array([1.0, -1, 1, -1, 1, -1])
    zeros = np.array([0.0, 0.5, -0.25, 1.0, 0.0, 2.0])
    ones = {name: (lambda t: np.ones_like(t)) for name in (
        "motor_position_rad", "link_position_rad", "motor_velocity_rad_s", "link_velocity_rad_s", "current_a",
        "joint_torque_nm", "temperature_c", "commanded_rad", "commanded_rad_s", "model_torque_nm",
    )}  # fmt: skip
    ones["commanded_rad"] = lambda t: np.full_like(t, 1.5)
    plant = make_plant({kind: quiet_sensor() for kind in KINDS}, sign=signs, zero_rad=zeros)
    seen = observe(make_trace(1.0, **ones), plant, RNG(0))
    model = plant.robot
    nm_a = model.number("drive.ratio") * model.number("drive.torque_constant_nm_a")
    expected = {
        "position": signs * (1 - zeros),
        "position.commanded": signs * (1.5 - zeros),
        "position_error": signs * 0.5,
        "torque": signs * nm_a,
        "torque.model": signs,
        "current": signs,
        "velocity.commanded": signs,
        "temperature": np.ones(6),
    }
    for kind, values in expected.items():
        quantity, _, component = kind.partition(":")
        for joint in range(1, 7):
            key = f"{quantity}/{joint}" + (f":{component}" if component else "")
            np.testing.assert_allclose(_of(seen, key), values[joint - 1], atol=1e-12, err_msg=key)
    for joint in range(1, 7):
        np.testing.assert_allclose(_of(seen, f"position/{joint}:link"), signs[joint - 1] * (1 - zeros[joint - 1]))
        np.testing.assert_allclose(_of(seen, f"velocity/{joint}:link"), signs[joint - 1])


def test_sensor_errors_are_gain_offset_drift_and_ripple_twice_a_turn(make_plant, make_trace, quiet_sensor):
    sensor = quiet_sensor(gain=1.1, offset=0.2, drift_per_s=0.01, ripple=0.5, ripple_phase=0.7)
    trace = make_trace(10.0, joint_torque_nm=lambda t: 0 * t + 3.0, link_position_rad=lambda t: t)
    seen = observe(trace, make_plant({"joint_torque": sensor}), RNG(0))
    t = seen.time_s
    np.testing.assert_allclose(seen.values[2], 3.3 + 0.2 + 0.01 * t + 0.5 * np.sin(2 * t + 0.7), atol=1e-9)


def test_hysteresis_loop_is_as_wide_as_stated_and_equals_the_step_by_step_operator(
    make_plant, make_trace, quiet_sensor
):
    trace = make_trace(20.0, joint_torque_nm=lambda t: 5 * np.sin(t))
    seen = observe(trace, make_plant({"joint_torque": quiet_sensor(hysteresis=0.4)}), RNG(0))
    late = seen.time_s > 2.0
    true, phase = 5 * np.sin(seen.time_s[late]), np.cos(seen.time_s[late])
    up, down = (abs(true) < 1) & (phase > 0), (abs(true) < 1) & (phase < 0)
    np.testing.assert_allclose((true - seen.values[0, late])[up], 0.4, atol=1e-3)
    np.testing.assert_allclose((true - seen.values[0, late])[down], -0.4, atol=1e-3)
    x = np.cumsum(RNG(3).standard_normal(777))
    y = [x[0]]
    for value in x[1:]:
        y.append(min(max(y[-1], value - 1.3), value + 1.3))
    np.testing.assert_allclose(play(x[None], np.array([1.3]))[0], y)


def test_same_seed_same_bytes_other_seed_other_noise(make_trace, make_plant, robot):
    trace = make_trace(5.0, current_a=np.sin)
    plant = make_plant(telemetry_state(robot, RNG(4)).sensors, drop_probability=0.01, repeat_probability=0.01)
    one, same, other = (observe(trace, plant, RNG(seed)) for seed in (7, 7, 8))
    assert one.values.tobytes() == same.values.tobytes()
    assert one.time_s.tobytes() == same.time_s.tobytes()
    assert one.values.tobytes() != other.values.tobytes()


def test_units_scatter_as_the_robot_file_says_and_keep_their_sensors(robot):
    units = [telemetry_state(robot, RNG(seed)) for seed in range(300)]
    sensor = robot.telemetry.signals["current"]
    gains = np.array([unit.sensors["current"].gain for unit in units])
    offsets = np.array([unit.sensors["current"].offset for unit in units])
    assert (gains - 1).std() == pytest.approx(float(sensor.gain_error.value), rel=0.06)
    assert offsets.std() == pytest.approx(float(sensor.offset.value), rel=0.06)
    assert abs(np.corrcoef(gains[:, 0], offsets[:, 0])[0, 1]) < 0.2
    again, plain = telemetry_state(robot, RNG(5)), telemetry_state(robot, RNG(5), scatter=0.0)
    for column in fields(SensorState):
        np.testing.assert_array_equal(
            getattr(again.sensors["current"], column.name), getattr(units[5].sensors["current"], column.name)
        )
    assert (plain.sensors["current"].gain == 1).all()
    assert (plain.sensors["current"].offset == 0).all()
    assert (units[0].sensors["position.commanded"].noise == 0).all()


def test_torque_sensors_of_the_joints_of_a_unit_differ(robot):
    signals = dict(robot.telemetry.signals)
    sensor = signals["current"]
    ripple = sensor.ripple.model_copy(update={"value": np.array(0.3)})
    signals["joint_torque"] = sensor.model_copy(update={"ripple": ripple})
    measuring = robot.model_copy(update={"telemetry": robot.telemetry.model_copy(update={"signals": signals})})
    drawn = telemetry_state(measuring, RNG(0)).sensors["joint_torque"]
    assert len(set(drawn.ripple)) == len(set(drawn.ripple_phase)) == 6
    assert np.exp(np.log(drawn.ripple).mean()) == pytest.approx(0.3, rel=0.5)


def test_what_is_recorded_makes_a_valid_recording(make_trace, robot, make_plant):
    plant = make_plant()
    plant.telemetry = telemetry_state(robot, RNG(0))
    seen = observe(make_trace(5.0, motor_position_rad=np.sin), plant, RNG(0))
    recording = Recording(seen.time_s, seen.values, seen.channels, robot.fleet_robot("u"), "s", breaks=seen.breaks)
    assert recording.rate_hz == pytest.approx(500.0, rel=1e-3)
    assert not np.isnan(recording.values).any()


def test_unknown_signals_and_too_little_data_are_usage_errors(make_plant, make_trace, quiet_sensor, robot):
    with pytest.raises(UsageError, match=r"no signal 'voltage'.*temperature"):
        observe(make_trace(1.0), make_plant({"voltage": quiet_sensor()}), RNG(0))
    signals = {"smell": robot.telemetry.signals["current"]}
    odd = robot.model_copy(update={"telemetry": robot.telemetry.model_copy(update={"signals": signals})})
    with pytest.raises(UsageError, match="no signal 'smell'"):
        telemetry_state(odd, RNG(0))
    with pytest.raises(UsageError, match="too short"):
        observe(make_trace(0.005), make_plant(), RNG(0))
    with pytest.raises(UsageError, match="rows are recorded"):
        observe(make_trace(1.0), make_plant(drop_probability=1.0), RNG(0))


def test_a_joint_minute_takes_milliseconds(make_plant, make_trace, robot):
    plant, trace = make_plant(), make_trace(60.0, current_a=np.sin, motor_position_rad=np.sin)
    plant.telemetry = telemetry_state(robot, RNG(0))
    observe(trace, plant, RNG(0))
    walls = []
    for _ in range(5):
        began = time.perf_counter()
        observe(trace, plant, RNG(0))
        walls.append(time.perf_counter() - began)
    assert min(walls) / 6 < 0.05  # 5 ms where the machine is free
