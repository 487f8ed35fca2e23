"""Feature maps hold the statistics of the samples they were cut from, and stay inside what belongs together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from jointwatch.core import Channel, Condition, Cycle, Label, Recording, Robot
from jointwatch.core.errors import MissingChannel, UsageError
from jointwatch.windows.derive import derive
from jointwatch.windows.feature_maps import FeatureMaps

Make = Callable[..., Recording]


def _noise(samples: int, keys: tuple[str, ...] = ("torque/1",), seed: int = 0, **fields: object) -> Recording:
    values = np.random.default_rng(seed).standard_normal((len(keys), samples))
    arm = Robot.of("demo", "arm", "arm-1", joints=max(int(key.rpartition("/")[2]) for key in keys))
    return Recording(np.arange(samples) / 25, values, tuple(map(Channel.parse, keys)), arm, "s1", **fields)


def _by_hand(signals: np.ndarray, step: int, length: int, stride: int, spread: str) -> list[np.ndarray]:
    """Maps N_t x N_f of (signal, time), written out block by block."""
    table = []
    for block in range(signals.shape[1] // step):
        row = []
        for x in signals[:, block * step : (block + 1) * step]:
            mean = x.sum() / step
            variance = ((x - mean) ** 2).sum() / step
            kurtosis = ((x - mean) ** 4).sum() / step / variance**2 if variance > 0 else 0.0
            row += [mean, {"std": np.sqrt(variance), "variance": variance}[spread], kurtosis]
        table.append(row)
    starts = range(0, len(table) - length + 1, stride)
    return [np.array(table[start : start + length]) for start in starts]


@pytest.mark.parametrize("spread", ["std", "variance"])
@pytest.mark.parametrize(("step", "length", "stride"), [(5, 16, 8), (7, 4, 1), (3, 5, 9)])
def test_maps_are_the_formula_written_out(step: int, length: int, stride: int, spread: str) -> None:
    recording = _noise(601, ("position/1", "torque/1", "current/1"))
    maps = FeatureMaps(step, length, stride, statistics=("mean", spread, "kurtosis")).fit_transform(recording)
    expected = _by_hand(recording.values, step, length, stride, spread)
    assert len(maps) == len(expected) > 3
    np.testing.assert_allclose(maps.values.transpose(0, 2, 1), expected, rtol=2e-6, atol=1e-6)
    names = [c.key for c in maps.channels]
    assert names[:4] == ["position:mean", f"position:{spread}", "position:kurtosis", "torque:mean"]
    assert maps.rate_hz == pytest.approx(25 / step)
    np.testing.assert_allclose(maps.index.start_s, np.arange(len(maps)) * stride * step / 25)
    np.testing.assert_allclose(maps.index.stop_s - maps.index.start_s, length * step / 25)


def test_a_block_that_never_changes_has_no_spread_and_kurtosis_zero() -> None:
    recording = replace(_noise(100), values=np.full((1, 100), 7.3))
    maps = FeatureMaps(5, 4, 2, signals=("torque",)).fit_transform(recording)
    np.testing.assert_allclose(maps.values[:, :, 0], [[7.3, 0, 0]] * len(maps), rtol=1e-6)


@settings(max_examples=80, deadline=None)
@given(
    st.integers(2, 300),
    st.integers(1, 9),
    st.integers(2, 8),
    st.integers(1, 10),
    st.lists(st.integers(1, 299), max_size=3, unique=True),
    st.lists(st.integers(0, 299), max_size=3, unique=True),
)
def test_every_possible_map_is_there_or_counted(
    samples: int, step: int, length: int, stride: int, breaks: list[int], lost: list[int]
) -> None:
    recording = _noise(samples, breaks=tuple(sorted(i for i in breaks if i < samples)))
    values = recording.values.copy()
    values[0, [i for i in lost if i < samples]] = np.nan
    recording = replace(recording, values=values)
    maps = FeatureMaps(step, length, stride, signals=("torque",), statistics=("mean",)).fit_transform(recording)
    expected = []
    edges = [0, *recording.breaks, samples]
    for start, stop in pairwise(edges):
        for first in range(start, stop - length * step + 1, stride * step):
            if np.isfinite(values[0, first : first + length * step]).all():
                expected.append(first)
    np.testing.assert_allclose(maps.index.start_s * 25, expected)
    possible = len(range(0, samples - length * step + 1, stride * step))
    if not recording.breaks:
        assert len(maps) + maps.skipped.get("nan", 0) == possible
        assert maps.skipped.get("too_short", 0) == (possible == 0)


def _marked(conditions: list[Condition], pause: int = 0) -> Recording:
    """Cycles of 100 samples, with `pause` unmarked samples behind each."""
    width = (100 + pause) / 25
    marks = tuple(Cycle(i * width, i * width + 4.0, condition) for i, condition in enumerate(conditions))
    return _noise(len(conditions) * (100 + pause), cycles=marks)


HEALTHY, WORN = Condition(Label.NORMAL), Condition(Label.ANOMALOUS, "reducer_wear", 1, 0.3)


def test_maps_of_a_session_span_its_cycles_and_are_named_after_the_last() -> None:
    recording = _marked([HEALTHY, HEALTHY, HEALTHY])
    spanning = FeatureMaps(5, 16, 8, signals=("torque",)).fit_transform(recording)
    inside = FeatureMaps(5, 16, 8, signals=("torque",), within="cycle").fit_transform(recording)
    assert spanning.index.start_s.tolist() == [0.0, 1.6, 3.2, 4.8, 6.4, 8.0]
    assert [name[-1] for name in spanning.index.cycle] == ["1", "2", "2", "2", "3", "3"]
    assert inside.index.start_s.tolist() == [0.0, 4.0, 8.0]
    assert [name[-1] for name in inside.index.cycle] == ["1", "2", "3"]
    np.testing.assert_array_equal(spanning.values[5], inside.values[2])
    paused = FeatureMaps(5, 16, 8, signals=("torque",)).fit_transform(_marked([HEALTHY] * 3, pause=7))
    np.testing.assert_allclose(paused.index.start_s, [0.0, 4.28, 8.56])


def test_a_map_over_two_conditions_is_left_out_and_counted() -> None:
    maps = FeatureMaps(5, 16, 8, signals=("torque",)).fit_transform(_marked([HEALTHY, HEALTHY, WORN]))
    assert maps.index.start_s.tolist() == [0.0, 1.6, 3.2, 4.8, 8.0]
    assert maps.index.label.tolist() == ["normal"] * 4 + ["anomalous"]
    assert (maps.index.fault[-1], maps.index.joint[-1], maps.index.severity[-1]) == ("reducer_wear", 1, 0.3)
    assert dict(maps.skipped) == {"two_labels": 1}


def test_the_axis_is_the_joint_that_travels_farthest_or_the_one_that_is_named() -> None:
    recording = _noise(200, ("position/1", "position/2", "position/3", "torque/1", "torque/2", "torque/3"))
    travel = recording.values.copy()
    travel[:3] *= np.array([[1.0], [5.0], [2.0]])
    recording = replace(recording, values=travel)
    maps = FeatureMaps(signals=("torque/J",), statistics=("mean",), length=4).fit(recording)
    assert maps.axis_of(recording) == 2
    assert set(maps.transform(recording).index.domain) == {"axis2"}
    named = FeatureMaps(axis=3, signals=("torque",), statistics=("mean",), length=4).fit_transform(recording)
    assert set(named.index.domain) == {"axis3"}
    np.testing.assert_allclose(named.values[0, 0], recording["torque/3"][:20].reshape(4, 5).mean(axis=1), atol=1e-6)
    with pytest.raises(UsageError, match="no joint 9"):
        clone(maps).set_params(axis=9).fit_transform(recording)
    with pytest.raises(MissingChannel, match="axis="):
        maps.transform(recording.select(["torque/1", "torque/2"]))


def test_domains_are_those_of_sliding_windows() -> None:
    recording = replace(_noise(200), truth={"group": "left"})
    for domain, name in (("truth:group", "left"), ("unit", "arm-1"), (lambda r: r.session, "s1")):
        maps = FeatureMaps(signals=("torque",), length=4, domain=domain).fit_transform(recording)
        assert set(maps.index.domain) == {name}


def test_derived_signals_are_computed(arm_recording: Make) -> None:
    recording = arm_recording(joints=2)
    maps = FeatureMaps(axis=1, signals=("velocity.derived/J", "current.derived/J:innovation")).fit(recording)
    found = maps.transform(recording)
    assert [c.key for c in found.channels][::3] == ["velocity.derived:mean", "current.derived:innovation_mean"]
    velocity = derive(recording, [Channel.parse("velocity.derived/1")])["velocity.derived/1"]
    np.testing.assert_allclose(found.values[0, 0], velocity[:80].reshape(16, 5).mean(axis=1), atol=1e-6)


def test_a_signal_that_was_not_recorded_is_named_or_masked() -> None:
    recordings = [_noise(200, ("torque/1", "current/1")), _noise(200, ("torque/1",))]
    maps = FeatureMaps(signals=("torque", "current"), statistics=("mean", "std"))
    with pytest.raises(MissingChannel, match="current/1"):
        maps.fit_transform(recordings)
    masked = maps.set_params(missing="mask").fit_transform(iter(recordings))
    half = len(masked) // 2
    assert masked.presence[:half].all()
    assert masked.presence[half:].tolist() == [[True, True, False, False]] * half
    assert not masked.values[half:, 2:].any()
    effort = FeatureMaps(signals=("torque", "position_error.derived"), missing="mask").fit_transform(recordings)
    assert effort.presence[:, :3].all()
    assert not effort.presence[:, 3:].any()


def test_wrong_settings_are_named() -> None:
    recording = _noise(200)
    for changed, message in (
        ({"step": 0}, "step is at least 1"),
        ({"within": "day"}, "within is"),
        ({"statistics": ("mode",)}, "no statistic mode"),
        ({"signals": ("torque/2",)}, "the axis is put in"),
        ({"domain": "axes"}, "domain is"),
    ):
        with pytest.raises(UsageError, match=message):
            FeatureMaps(**{"signals": ("torque",), **changed}).fit_transform(recording)
    with pytest.raises(NotFittedError):
        FeatureMaps().transform(recording)
    slower = replace(recording, time_s=recording.time_s * 2)
    with pytest.raises(UsageError, match=r"12\.5 Hz"):
        FeatureMaps(signals=("torque",)).fit(recording).transform(slower)
