"""Cycles are found from the path: pauses, speed and where the recording starts do not matter."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from jointwatch.core import Channel, Quantity, Recording, Robot, Source
from jointwatch.core.errors import MissingChannel, NotEnoughData, UsageError
from jointwatch.windows.segmentation import find_cycles


def _work(
    seed: int,
    *,
    cycles: int = 12,
    rate_hz: float = 100.0,
    cycle_s: float = 3.0,
    pause_s: float = 0.0,
    jitter: float = 0.0,
    noise: float = 1e-4,
    cut_s: float = 0.0,
) -> tuple[Recording, np.ndarray]:
    """Three joints on one closed path again and again, at rest at its start, and the times at which it starts."""
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((3, 4, 2)) * np.array([1, 0.6, 0.4, 0.3])[:, None]

    def path(phase: np.ndarray) -> np.ndarray:
        eased = phase - np.sin(2 * np.pi * phase) / (2 * np.pi)
        k = 2 * np.pi * np.arange(1, 5)[:, None] * eased
        return weight[..., 0] @ np.sin(k) + weight[..., 1] @ np.cos(k)

    starts, parts, samples = [], [], 0
    for _ in range(cycles):
        count = round(cycle_s * (1 + jitter * rng.standard_normal()) * rate_hz)
        rest = round(pause_s * rng.uniform(0.3, 2) * rate_hz)
        starts.append(samples / rate_hz - cut_s)
        parts += [path(np.arange(count) / count), np.repeat(path(np.zeros(1)), rest, axis=1)]
        samples += count + rest
    values = np.concatenate(parts, axis=1)[:, round(cut_s * rate_hz) :]
    values = values + noise * rng.standard_normal(values.shape)
    arm = Robot.of("demo", "arm", "arm-1", joints=3)
    channels = tuple(Channel(Quantity.POSITION, j) for j in (1, 2, 3))
    return Recording(np.arange(values.shape[1]) / rate_hz, values, channels, arm, "s"), np.array(starts)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("settings", "whole"),
    [
        ({}, 12),
        ({"pause_s": 1.0}, 12),
        ({"jitter": 0.1}, 12),
        ({"cut_s": 1.3}, 11),
        ({"jitter": 0.1, "pause_s": 1.0, "cut_s": 1.3}, 11),
        ({"noise": 1e-3, "pause_s": 1.0}, 12),
        ({"rate_hz": 1000.0, "pause_s": 0.5}, 12),
        ({"rate_hz": 25.0, "pause_s": 0.5, "jitter": 0.05}, 12),
    ],
    ids=str,
)
def test_every_whole_cycle_is_found_at_one_point_of_the_path(settings: dict[str, float], whole: int, seed: int) -> None:
    recording, starts = _work(seed, **settings)
    found = find_cycles(recording).cycles
    assert len(found) == whole
    begin = np.array([cycle.start_s for cycle in found])
    offset = begin - starts[np.argmin(np.abs(begin[:, None] - starts), axis=1)]
    assert np.ptp(offset) < 0.2  # 7 % of a cycle, over cycles whose speed differs by up to +-20 %
    assert np.abs(offset).max() < 0.35  # behind the pause: the slow start still counts as rest
    duration = np.array([cycle.stop_s - cycle.start_s for cycle in found])
    assert (duration > 2.0).all()
    assert (duration < 3.8).all()


def test_pauses_of_different_length_belong_to_no_cycle() -> None:
    recording, _ = _work(0, pause_s=2.0)
    found = find_cycles(recording).cycles
    durations = [cycle.stop_s - cycle.start_s for cycle in found]
    assert np.ptp(durations) < 0.1
    assert sum(b.start_s - a.stop_s > 0.5 for a, b in pairwise(found)) == 11


def test_an_approach_and_a_stray_movement_stay_outside() -> None:
    recording, starts = _work(1, pause_s=0.5)
    time_s = np.arange(400) / 100
    approach = recording.values[:, :1] + np.array([[1.5], [-1.0], [0.7]]) * np.cos(np.pi * time_s / 8)
    last = recording.values[:, -1:]
    stray = last + np.array([[0.9], [1.1], [-1.2]]) * np.sin(np.pi * time_s / 4)
    values = np.concatenate([approach, recording.values, stray], axis=1)
    longer = replace(recording, time_s=np.arange(values.shape[1]) / 100, values=values)
    found = find_cycles(longer).cycles
    assert len(found) == 12
    assert found[0].start_s == pytest.approx(starts[0] + 4, abs=0.4)
    assert found[-1].stop_s < recording.duration_s + 4.1


def test_no_cycle_crosses_a_break_or_gap() -> None:
    recording, _ = _work(2)
    time_s = recording.time_s + np.where(np.arange(3600) >= 2000, 100.0, 0.0)
    found = find_cycles(replace(recording, time_s=time_s, breaks=(1000,))).cycles
    assert len(found) == 3 + 2 + 5  # whole cycles from 0 to 10, 10 to 20 and 20 to 36 s
    for cycle in found:
        assert not cycle.start_s < 10.0 - 1e-9 < cycle.stop_s - 0.011
        assert cycle.stop_s - cycle.start_s < 3.1


def test_commanded_position_is_preferred_and_a_channel_can_be_named(arm_recording: Callable[..., Recording]) -> None:
    recording = arm_recording(cycles=8)
    noise = np.random.default_rng(0).standard_normal((1, len(recording.time_s)))
    commanded = Channel(Quantity.POSITION, 1, Source.COMMANDED)
    shaken = recording.with_channels([commanded], noise)
    with pytest.raises(UsageError, match="confidence 0"):
        find_cycles(shaken)
    assert len(find_cycles(shaken, channel="position/2").cycles) == 8
    with pytest.raises(MissingChannel, match="position"):
        find_cycles(recording.select(["current/1"]))


@pytest.mark.parametrize("kind", ["walk", "noise", "ramp"])
def test_what_does_not_repeat_is_refused_with_its_confidence(kind: str) -> None:
    rng = np.random.default_rng(0)
    step = rng.standard_normal((2, 4000))
    values = {"walk": step.cumsum(axis=1), "noise": step, "ramp": np.linspace([0, 0], [1, 2], 4000).T}[kind]
    channels = (Channel(Quantity.POSITION, 1), Channel(Quantity.POSITION, 2))
    recording = Recording(np.arange(4000) / 100, values, channels, Robot.of("d", "a", "arm-1", joints=2), "monday")
    with pytest.raises(UsageError, match=r"'monday' of arm-1.*confidence 0\.[0-3]"):
        find_cycles(recording)
    with pytest.raises(UsageError, match="nothing moves"):
        find_cycles(replace(recording, values=np.full((2, 4000), 0.7)))


def test_too_few_cycles_are_refused() -> None:
    recording, _ = _work(0, cycles=1)
    with pytest.raises((UsageError, NotEnoughData), match="confidence"):
        find_cycles(recording)


def test_limits_choose_among_multiples(arm_recording: Callable[..., Recording]) -> None:
    recording = arm_recording(cycles=12)
    assert len(find_cycles(recording, min_period_s=3.0, max_period_s=5.0).cycles) == 6


def test_the_cycles_of_a_measured_axis_are_found(data_dir: Path) -> None:
    file = data_dir / "cranfield_linear_actuator" / "raw" / "normal.csv"
    if not file.is_file():
        pytest.skip(f"{file} is not there")
    with file.open() as stream:
        rows = [row for row in csv.DictReader(stream) if (row["load"], row["run"]) == ("20", "1")]
    commanded = np.array([float(row["set_point"]) for row in rows]) / 1000
    error = np.array([float(row["position_error"]) for row in rows]) / 1000
    channels = (Channel(Quantity.POSITION, 1, Source.COMMANDED), Channel(Quantity.POSITION, 1))
    axis = Robot.of("cranfield", "ball screw", "axis", joints=1, kind="prismatic")
    time_s = np.arange(len(rows)) / 25
    recording = Recording(time_s, np.stack([commanded, commanded - error]), channels, axis, "run 1")
    group = np.array([int(row["group"]) for row in rows])
    period_s = np.diff(time_s[np.flatnonzero(np.diff(group)) + 1]).mean()
    for channel in (None, "position/1"):
        found = find_cycles(recording, channel=channel).cycles
        assert len(found) in (4, 5)  # five, of which the first or last may be cut by the anchor
        durations = np.array([cycle.stop_s - cycle.start_s for cycle in found])
        np.testing.assert_allclose(durations, period_s, rtol=0.01 if channel is None else 0.1)
