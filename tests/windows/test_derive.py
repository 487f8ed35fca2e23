"""Derived channels: right in value, blind to the future, and never across a break or a cycle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from jointwatch.core import Channel, Cycle, Quantity, Recording, Robot, Source
from jointwatch.core.errors import MissingChannel
from jointwatch.simulation.robot import load_robot
from jointwatch.windows.derive import derive

ARM = Robot.of("demo", "arm", "arm-1", joints=2)
INNOVATION = Channel.parse("current.derived/1:innovation")


def recording(values: np.ndarray, **changes: object) -> Recording:
    time_s = np.arange(len(values)) / 100
    base = Recording(time_s, values[None], (Channel(Quantity.CURRENT, 1),), ARM, "s")
    return replace(base, **changes)  # type: ignore[arg-type]


def test_innovation_forgets_the_level_and_shows_the_step() -> None:
    level = np.where(np.arange(600) < 400, 7.0, 8.0)
    shifted = derive(recording(level), [INNOVATION])[INNOVATION]
    assert np.allclose(shifted[:400], 0)
    assert shifted[400] == pytest.approx(1.0)
    assert shifted[400 + 50] == pytest.approx(np.exp(-1), abs=0.02)  # time constant 0.5 s


def test_innovation_uses_the_past_only() -> None:
    noise = np.random.default_rng(0).standard_normal(500)
    whole = derive(recording(noise), [INNOVATION])[INNOVATION]
    changed = noise.copy()
    changed[300:] += 50
    assert np.array_equal(derive(recording(changed), [INNOVATION])[INNOVATION][:300], whole[:300])


@pytest.mark.parametrize("how", [{"breaks": (250,)}, {"cycles": (Cycle(0.0, 2.5), Cycle(2.5, 5.0))}])
def test_innovation_starts_afresh_at_breaks_and_cycles(how: dict[str, object]) -> None:
    level = np.where(np.arange(500) < 250, 1.0, 9.0)
    assert np.allclose(derive(recording(level, **how), [INNOVATION])[INNOVATION], 0)


def test_innovation_keeps_lost_samples_lost_and_goes_on() -> None:
    values = np.full(300, 2.0)
    values[:5] = values[100:110] = np.nan
    found = derive(recording(values), [INNOVATION])[INNOVATION]
    assert np.array_equal(np.isnan(found), np.isnan(values))
    assert np.allclose(found[~np.isnan(values)], 0)


def test_innovation_does_not_guess_the_level_from_what_comes() -> None:
    values = np.where(np.arange(400) < 200, 1.0, 11.0)
    values[:20] = np.nan
    assert np.allclose(derive(recording(values), [INNOVATION])[INNOVATION][20:200], 0)
    lost = derive(recording(np.full(50, np.nan)), [INNOVATION])[INNOVATION]
    assert np.isnan(lost).all()


def test_velocity_and_tracking_error() -> None:
    time_s = np.arange(300) / 100
    position = np.sin(time_s)
    channels = (Channel(Quantity.POSITION, 1), Channel(Quantity.POSITION, 1, Source.COMMANDED))
    both = Recording(time_s, np.stack([position, position + 0.01]), channels, ARM, "s")
    found = derive(both, [Channel.parse("velocity.derived/1"), Channel.parse("position_error.derived/1")])
    assert np.allclose(found["velocity.derived/1"], np.cos(time_s), atol=1e-4)
    assert np.allclose(found["position_error.derived/1"], 0.01)


def test_joints_that_are_not_there_are_passed_over_and_unknown_rules_refused() -> None:
    one = recording(np.zeros(10))
    assert derive(one, [Channel.parse("velocity.derived/7")]) is one
    with pytest.raises(MissingChannel, match="innovation"):
        derive(one, [Channel.parse("voltage.derived/1")])
    with pytest.raises(MissingChannel, match="current/2"):
        derive(one, [Channel.parse("current.derived/2:innovation")])


def test_effort_is_what_the_robot_reports_torque_before_current_before_sensor() -> None:
    kinds = (Quantity.JOINT_TORQUE, Quantity.CURRENT, Quantity.TORQUE)
    effort = Channel(Quantity.EFFORT, 1, Source.DERIVED)
    for last in range(1, 4):
        channels = tuple(Channel(kind, 1) for kind in kinds[:last])
        values = np.arange(last)[:, None] + np.zeros((last, 10))
        reported = Recording(np.arange(10.0), values, channels, ARM, "s")
        assert (derive(reported, [effort])[effort] == last - 1).all()
    silent = Recording(np.arange(10.0), np.zeros((1, 10)), (Channel(Quantity.POSITION, 1),), ARM, "s")
    with pytest.raises(MissingChannel, match="neither torque nor current"):
        derive(silent, [effort])


def _moving(quantity: Quantity, robot: Robot = ARM, **more: float) -> Recording:
    """Joint 1 at 2 rad/s with 3 of the quantity, and others as said."""
    time_s = np.arange(100) / 100
    quantities = {Quantity.POSITION: 2.0 * time_s, quantity: np.full(100, 3.0)}
    quantities |= {Quantity(name): np.full(100, value) for name, value in more.items()}
    channels = tuple(Channel(name, 1) for name in quantities)
    return Recording(time_s, np.stack(list(quantities.values())), channels, robot, "s")


POWER = Channel.parse("power.derived/1")


def test_power_is_torque_times_velocity_whichever_torque_there_is() -> None:
    assert np.allclose(derive(_moving(Quantity.TORQUE, current=9.0), [POWER])[POWER], 6.0)
    assert np.allclose(derive(_moving(Quantity.JOINT_TORQUE, current=9.0), [POWER])[POWER], 6.0)
    assert np.allclose(derive(_moving(Quantity.CURRENT), [POWER])[POWER], 6.0)  # A rad/s: the robot is not known
    assert np.allclose(derive(_moving(Quantity.TORQUE, velocity=-5.0), [POWER])[POWER], -15.0)
    described = Robot.of("Universal Robots", "UR5e", "cell 7", 6)
    constant = load_robot("ur5e").number("drive.ratio")[0] * load_robot("ur5e").number("drive.torque_constant_nm_a")[0]
    assert np.allclose(derive(_moving(Quantity.CURRENT, described), [POWER])[POWER], 6.0 * constant)
    assert np.allclose(derive(_moving(Quantity.CURRENT, described, torque=1.0), [POWER])[POWER], 2.0)


def test_power_of_a_fall_is_given_back() -> None:
    """Over a closed path in a gravity field the work is zero, with friction it is what friction took."""
    time_s = np.arange(2001) / 1000
    angle, speed = np.sin(np.pi * time_s), np.pi * np.cos(np.pi * time_s)
    channels = (Channel(Quantity.POSITION, 1), Channel(Quantity.TORQUE, 1))
    for friction in (0.0, 2.0):
        torque = 10 * np.cos(angle) + friction * np.sign(speed)
        watt = derive(Recording(time_s, np.stack([angle, torque]), channels, ARM, "s"), [POWER])[POWER]
        assert np.trapezoid(watt, time_s) == pytest.approx(4 * friction, abs=0.02)


def test_power_without_torque_or_position_is_refused() -> None:
    with pytest.raises(MissingChannel, match="position/1"):
        derive(recording(np.zeros(10)), [POWER])
    still = Recording(np.arange(10.0), np.zeros((1, 10)), (Channel(Quantity.POSITION, 1),), ARM, "s")
    with pytest.raises(MissingChannel, match="neither torque nor current"):
        derive(still, [POWER])


def test_tracking_error_has_the_sign_of_what_is_still_to_go() -> None:
    """A joint that lags behind a ramp by 20 ms at 0.5 rad/s is 10 mrad short, and the error is in no other joint."""
    time_s = np.arange(300) / 100
    wanted = 0.5 * time_s
    rows = [wanted, wanted - 0.01, wanted, wanted]
    sources = (Source.COMMANDED, Source.MEASURED)
    channels = tuple(Channel(Quantity.POSITION, joint, source) for joint in (1, 2) for source in sources)
    errors = [Channel.parse(f"position_error.derived/{joint}") for joint in (1, 2)]
    found = derive(Recording(time_s, np.stack(rows), channels, ARM, "s"), errors)
    assert np.allclose(found[errors[0]], 0.01)
    assert np.allclose(found[errors[1]], 0.0)
    with pytest.raises(MissingChannel, match=r"position\.commanded/1"):
        derive(_moving(Quantity.TORQUE), [errors[0]])
