"""Whole cycles: sample k is the same phase in every window, whatever the cycle's duration or the clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jointwatch.core import Channel, Cycle, Quantity, Recording, Robot
from jointwatch.windows.by_cycle import by_cycle

Make = Callable[..., Recording]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(1.0, 6.0), min_size=1, max_size=5),
    st.integers(20, 300),
    st.floats(40, 400),
    st.integers(0, 99),
)
def test_equal_phase_at_equal_place(durations: list[float], length: int, rate_hz: float, seed: int) -> None:
    edges = np.concatenate([[0.0], np.cumsum(durations)])
    time_s = np.cumsum(np.random.default_rng(seed).uniform(0.9, 1.1, int((edges[-1] + 1) * rate_hz))) / rate_hz
    time_s = time_s[time_s < edges[-1] + 0.5]
    phase = np.interp(time_s, edges, np.arange(len(edges)))
    values = np.sin(2 * np.pi * phase)
    arm = Robot.of("demo", "arm", "arm-1", joints=1)
    cycles = tuple(Cycle(a, b) for a, b in pairwise(edges))
    channels = (Channel(Quantity.POSITION, 1),)
    windows = by_cycle(Recording(time_s, values[None], channels, arm, "s", cycles=cycles), length=length)
    assert len(windows) == len(durations)
    assert np.isnan(windows.rate_hz)
    expected = np.sin(2 * np.pi * np.arange(length) / length)
    step = 1.1 / rate_hz / np.array(durations)  # a value may be held for one step at the ends
    error = np.abs(windows.values[:, 0] - expected)
    assert (error.max(axis=1) < 0.01 + 2 * np.pi * step * 1.5).all()
    assert error[:, length // 5 : -length // 5].max() < 0.02
    np.testing.assert_allclose(windows.index.cycle_s, durations)
    np.testing.assert_allclose(windows.index.phase, 0.5)


def test_what_a_shorter_window_cannot_hold_is_filtered_out(arm_recording: Make) -> None:
    recording = arm_recording(cycles=2, rate_hz=1000.0, noise_a=0.0)
    hum = 0.5 * np.sin(2 * np.pi * 180 * recording.time_s)
    with_hum = replace(recording, values=recording.values + hum)
    length = 100  # 2 s a cycle: 50 samples a second
    clean, noisy = (by_cycle(r, length=length).values for r in (recording, with_hum))
    assert np.abs(noisy - clean)[:, :, 10:-10].max() < 0.005


def test_a_cycle_rests_on_its_own_samples_alone(arm_recording: Make) -> None:
    recording = arm_recording(cycles=3, rate_hz=500.0)
    values = recording.values.copy()
    outside = (recording.time_s < 2.0) | (recording.time_s >= 4.0)
    values[:, outside] = 1e3
    other = by_cycle(replace(recording, values=values), length=150)
    np.testing.assert_array_equal(other.values[1], by_cycle(recording, length=150).values[1])


def test_what_is_left_out_is_counted_by_reason(arm_recording: Make) -> None:
    recording = arm_recording(cycles=6)
    values = recording.values.copy()
    values[2, 250:290] = np.nan  # cycle 2
    values[0, 420:423] = np.nan  # cycle 3: short, bridged
    marks = (*recording.cycles[:5], Cycle(10.0, 10.03), Cycle(11.0, 30.0))
    windows = by_cycle(replace(recording, values=values, cycles=marks, breaks=(700,)), length=100)
    assert [name.rpartition("/")[2] for name in windows.index.cycle] == ["1", "3", "5"]
    assert dict(windows.skipped) == {"nan": 1, "gap": 2, "too_short": 1}


def test_unmarked_recordings_and_masks_work_as_in_sliding(arm_recording: Make) -> None:
    six, seven = arm_recording(joints=6), arm_recording(joints=7, unit="arm-2")
    windows = by_cycle([six, replace(seven, cycles=())], length=60)
    assert len(windows) == 6 + 1
    assert windows.presence.sum(axis=1).tolist() == [18] * 6 + [21]
    assert windows.index.cycle_s[-1] == pytest.approx(12.0)
