"""Sliding windows hold what the recording holds at their times, and never cross a cycle or a break."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jointwatch.core import Channel, Condition, Cycle, Label, Quantity, Recording, Robot
from jointwatch.core.errors import MissingChannel, UsageError
from jointwatch.windows.sliding import sliding

Make = Callable[..., Recording]


def _clock(time_s: np.ndarray, **fields: object) -> Recording:
    """A recording whose only channel is its own clock, so that a window tells where it was cut."""
    arm = Robot.of("demo", "arm", "arm-1", joints=1)
    return Recording(time_s, time_s[None], (Channel(Quantity.POSITION, 1),), arm, "s", **fields)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 30),
    st.integers(1, 40),
    st.sampled_from([20.0, 50.0, 73.0, 100.0, 200.0]),
    st.lists(st.floats(0.3, 1.5), min_size=1, max_size=5),
    st.lists(st.integers(1, 399), max_size=3, unique=True),
    st.integers(0, 99),
)
def test_windows_lie_inside_one_cycle_and_no_break_and_hold_their_own_time(
    length: int, step: int, rate_hz: float, durations: list[float], breaks: list[int], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    time_s = np.cumsum(rng.uniform(0.009, 0.011, 400))
    edges = time_s[0] + np.concatenate([[0.0], np.cumsum(durations)])
    cycles = tuple(Cycle(a, b) for a, b in pairwise(edges))
    recording = _clock(time_s, cycles=cycles, breaks=tuple(sorted(breaks)))
    windows = sliding(recording, rate_hz=rate_hz, length=length, step=step)
    index = windows.index
    for i in range(len(windows)):
        cycle = cycles[int(index.cycle[i].rpartition("/")[2]) - 1]
        assert cycle.start_s - 1e-4 <= index.start_s[i]
        assert index.stop_s[i] - 1 / rate_hz < cycle.stop_s
        inside = (time_s >= index.start_s[i] - 1e-9) & (time_s <= index.stop_s[i] - 1 / rate_hz + 1e-9)
        assert not any(inside[b - 1] and inside[b] for b in breaks)
        assert 0 <= index.phase[i] <= 1
    expected = index.start_s[:, None] + np.arange(length) / rate_hz
    np.testing.assert_allclose(windows.values[:, 0], expected, atol=0.6 / rate_hz)
    if rate_hz == 200.0:  # nothing is filtered going up: the clock comes back exactly
        np.testing.assert_allclose(windows.values[:, 0], expected, atol=1e-5)


def test_windows_agree_with_the_recording(arm_recording: Make) -> None:
    recording = arm_recording(cycles=3, joints=2)
    windows = sliding(recording, rate_hz=100.0, length=40, step=30)
    per_cycle = (200 - 40) // 30 + 1
    assert windows.shape == (3 * per_cycle, 6, 40)
    assert windows.channels == recording.channels
    assert not windows.skipped
    second = windows[per_cycle + 1]
    start = round(float(second.index.start_s[0]) * 100)
    assert start == 230
    np.testing.assert_allclose(second.values[0], recording.values[:, 230:270], atol=1e-6)
    assert second.index.phase[0] == pytest.approx((2.5 - 2.0) / 2)
    assert second.index.cycle_s[0] == 2.0


def test_labels_come_from_the_cycle_then_from_the_recording(arm_recording: Make) -> None:
    recording = arm_recording(cycles=3, faulty=(1,))
    marks = (replace(recording.cycles[0], condition=Condition(Label.UNCERTAIN)), *recording.cycles[1:])
    windows = sliding(replace(recording, cycles=marks), rate_hz=100.0, length=200)
    assert windows.index.label.tolist() == ["uncertain", "anomalous", "normal"]
    assert windows.index.fault.tolist() == ["", "friction", ""]
    assert windows.index.joint.tolist() == [0, 1, 0]
    assert windows.index.severity[1] == 0.5
    whole = replace(recording, cycles=(Cycle(0.0, 6.0),), condition=Condition(Label.NORMAL))
    assert set(sliding(whole, rate_hz=100.0).index.label) == {"normal"}


def test_without_marks_each_continuous_stretch_is_a_cycle(arm_recording: Make) -> None:
    recording = arm_recording(cycles=4)
    time_s = recording.time_s + np.where(np.arange(800) >= 300, 5.0, 0.0)
    unmarked = replace(recording, time_s=time_s, cycles=(), breaks=(600,))
    windows = sliding(unmarked, rate_hz=100.0, length=100, step=100)
    assert windows.index.cycle.tolist() == [f"arm-1/s1/{n}" for n in (1, 1, 1, 2, 2, 2, 3, 3)]
    assert windows.index.cycle_s[0] == pytest.approx(3.0)


def test_cycle_names_do_not_repeat_over_recordings(arm_recording: Make) -> None:
    first, second = arm_recording(cycles=2), arm_recording(cycles=2, seed=1)
    named = replace(first, cycles=tuple(replace(c, name="pick") for c in first.cycles), session="s2")
    windows = sliding([first, second, named], rate_hz=100.0, length=200)
    names = windows.index.cycle.tolist()
    assert names[:4] == ["arm-1/s1/1", "arm-1/s1/2", "arm-1/s1/3", "arm-1/s1/4"]
    assert names[4:] == ["arm-1/s2/pick", "arm-1/s2/pick#2"]


def test_what_is_left_out_is_counted_by_reason(arm_recording: Make) -> None:
    recording = arm_recording(cycles=4)
    values = recording.values.copy()
    values[0, 300:350] = np.nan  # in cycle 2 of 200 samples
    marks = (*recording.cycles[:3], Cycle(6.0, 6.3), Cycle(50.0, 52.0))
    broken = replace(recording, values=values, cycles=marks, breaks=(500,))
    windows = sliding(broken, rate_hz=100.0, length=50, step=50)
    assert len(windows) == 4 + 3 + 4  # the second cycle loses one of four, the third goes around its break
    assert dict(windows.skipped) == {"nan": 1, "too_short": 1, "gap": 1}


def test_no_windows_at_all_is_an_answer_with_reasons(arm_recording: Make) -> None:
    windows = sliding(arm_recording(cycles=2), rate_hz=100.0, length=500)
    assert windows.shape == (0, 6, 500)
    assert dict(windows.skipped) == {"too_short": 2}


def test_arms_with_six_and_seven_joints_meet_under_a_mask(arm_recording: Make) -> None:
    six, seven = arm_recording(joints=6, unit="a"), arm_recording(joints=7, unit="b", brand="other")
    windows = sliding([six, seven], rate_hz=100.0, length=100)
    assert windows.shape[1] == 21
    absent = ~windows.presence
    assert absent[windows.index.unit == "a"].sum(axis=1).tolist() == [3] * 12
    assert not absent[windows.index.unit == "b"].any()
    assert (windows.values[absent] == 0).all()
    assert set(windows.index.domain) == {"demo", "other"}
    last = [c.joint == 7 for c in windows.channels]
    assert np.abs(windows.values[windows.index.unit == "b"][:, last]).max() > 0.5


def test_a_channel_that_should_be_there_is_missed_by_name(arm_recording: Make) -> None:
    recording = arm_recording()
    wanted = (*recording.channels, Channel(Quantity.TORQUE, 1))
    with pytest.raises(MissingChannel, match=r"torque/1.*missing='mask'"):
        sliding(recording, channels=wanted)
    windows = sliding(recording, channels=wanted, missing="mask")
    assert not windows.presence[:, -1].any()
    with pytest.raises(MissingChannel, match="none of the 1 wanted"):
        sliding(recording, channels=wanted[-1:], missing="mask")


def test_domains(arm_recording: Make) -> None:
    recording = replace(arm_recording(cycles=1), truth={"payload_kg": 5})
    for rule, expected in [
        ("brand", "demo"),
        ("model", "arm"),
        ("unit", "arm-1"),
        ("session", "s1"),
        ("truth:payload_kg", "5"),
        (lambda r: f"{r.robot.brand}-axes{len(r.robot.joints)}", "demo-axes2"),
    ]:
        assert set(sliding(recording, rate_hz=100.0, domain=rule).index.domain) == {expected}
    with pytest.raises(UsageError, match=r"no 'load'.*payload_kg"):
        sliding(recording, domain="truth:load")
    with pytest.raises(UsageError, match="domain"):
        sliding(recording, domain="colour")


def test_rate_none_keeps_the_shared_rate(arm_recording: Make) -> None:
    slow, fast = arm_recording(rate_hz=100.0), arm_recording(rate_hz=200.0, unit="arm-2")
    assert sliding(slow, rate_hz=None, length=50).rate_hz == 100.0
    with pytest.raises(UsageError, match="100 to 200 Hz"):
        sliding([slow, fast], rate_hz=None)
    assert sliding([slow, fast], rate_hz=125.0, length=50).rate_hz == 125.0


def test_wrong_use_is_said(arm_recording: Make) -> None:
    for wrong in ({"length": 1}, {"step": 0}, {"channels": ()} | {"missing": "drop"}):
        with pytest.raises(UsageError):
            sliding(arm_recording(cycles=1), **wrong)
    with pytest.raises(UsageError, match="no recordings"):
        sliding([])
