"""Derived channels: right in value, blind to the future, and never across a break or a cycle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from jointwatch.core import Channel, Cycle, Quantity, Recording, Robot, Source
from jointwatch.core.errors import MissingChannel
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
        derive(one, [Channel.parse("power.derived/1")])
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
