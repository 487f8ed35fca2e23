"""MiniRocket: every number is what the method's definition says, and it sees what statistics of a window do not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from jointwatch.bundle import store
from jointwatch.core import Windows
from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.detectors.base import as_windows
from jointwatch.features import mini_rocket
from jointwatch.features.base import Features
from jointwatch.features.cycle_statistics import CycleStatistics
from jointwatch.features.mini_rocket import MiniRocket

GOLDEN = (1 + np.sqrt(5)) / 2


def _noise(count: int = 6, channels: int = 3, length: int = 60, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, channels, length))


def _convolved(signal: np.ndarray, kernel: int, dilation: int) -> np.ndarray:
    """One window of summed channels, by definition: zeros stand outside of it."""
    weights = [2.0 if tap in list(combinations(range(9), 3))[kernel] else -1.0 for tap in range(9)]
    answer = np.zeros(len(signal))
    for time in range(len(signal)):
        for tap, weight in enumerate(weights):
            place = time + (tap - 4) * dilation
            if 0 <= place < len(signal):
                answer[time] += weight * signal[place]
    return answer


def _columns(features: MiniRocket) -> Iterator[tuple[int, int, int, int]]:
    """Column, place of the dilation, dilation and kernel of each feature."""
    for column, name in enumerate(features.get_feature_names_out()):
        _, _, dilation, _, kernel, _, _ = name.split()
        yield column, features.dilations_.tolist().index(int(dilation)), int(dilation), int(kernel)


@pytest.mark.parametrize(("length", "channels"), [(60, 3), (9, 1), (300, 2)])
def test_each_feature_is_the_share_of_its_own_convolution_above_its_bias(length: int, channels: int) -> None:
    values = _noise(channels=channels, length=length)
    features = MiniRocket(features=84 * 12).fit(_noise(channels=channels, length=length, seed=1))
    table = features.transform(values)
    seen = set()
    for column, place, dilation, kernel in list(_columns(features))[:: 23 if length < 100 else 31]:
        padded = (place + kernel) % 2 == 0
        for row in range(2):
            answer = _convolved(values[row, features.subsets_[place, kernel]].sum(axis=0), kernel, dilation)
            if not padded:
                answer = answer[4 * dilation : len(answer) - 4 * dilation]
            assert table[row, column] == pytest.approx((answer > features.biases_[column]).mean(), abs=1e-12)
        seen.add((padded, dilation > 1))
    assert len(seen) == (2 if length == 9 else 4)


def test_biases_are_golden_quantiles_of_the_padded_answer_of_a_window_fitted_on() -> None:
    values = _noise(count=1, length=40)
    features = MiniRocket(features=84 * 7).fit(values)
    for column, place, dilation, kernel in list(_columns(features))[::19]:
        answer = _convolved(values[0, features.subsets_[place, kernel]].sum(axis=0), kernel, dilation)
        expected = np.quantile(answer, (column + 1) * GOLDEN % 1)
        assert features.biases_[column] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("length", [9, 25, 57, 256, 257, 1000])
def test_dilations_grow_until_the_kernel_spans_the_window(length: int) -> None:
    features = MiniRocket().fit(_noise(count=1, channels=1, length=length))
    assert len(features.feature_names_) == 9996 == 84 * features.thresholds_.sum()
    assert features.dilations_[0] == 1
    assert features.dilations_[-1] == (length - 1) // 8
    assert (np.diff(features.dilations_) > 0).all()
    assert features.thresholds_.min() >= 119 // 32
    few = MiniRocket(features=500, max_dilations=2).fit(_noise(count=1, channels=1, length=length))
    assert few.dilations_.tolist() == sorted({1, (length - 1) // 8})
    assert few.transform(_noise(channels=1, length=length)).shape == (6, 420)


def test_subsets_hold_one_to_nine_channels_and_say_whose_a_feature_is() -> None:
    features = MiniRocket().fit(_noise(count=2, channels=14, length=100))
    sizes = features.subsets_.sum(axis=2)
    assert (sizes.min(), sizes.max()) == (1, 9)
    assert features.subsets_.any(axis=(0, 1)).all()
    # 2**u with u even between 0 and log2(10): as many subsets of one channel as log10(2).
    assert (sizes == 1).mean() == pytest.approx(np.log10(2), abs=0.05)
    for column, place, _, kernel in _columns(features):
        own = np.flatnonzero(features.subsets_[place, kernel])
        assert features.feature_channel_[column] == (own[0] if len(own) == 1 else -1)


def test_the_seed_decides_everything() -> None:
    values = _noise()
    first, again, other = (MiniRocket(features=840, random_state=seed).fit(values) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.transform(values), again.transform(values))
    assert (first.subsets_ != other.subsets_).any()
    assert (first.transform(values) != other.transform(values)).mean() > 0.5


def test_blocks_and_long_windows_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = _noise(count=5, channels=2, length=700)
    features = MiniRocket(features=420).fit(values)
    table = features.transform(values)
    monkeypatch.setattr(mini_rocket, "_MEMORY", 1)
    np.testing.assert_array_equal(features.transform(values), table)


def _rhythms(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Sines of 6 or 9 turns at any phase with noise: of equal mean and spread."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    turns = np.linspace(0.0, 2 * np.pi, 128, endpoint=False) * np.where(labels, 9, 6)[:, None]
    signal = np.sin(turns + rng.uniform(0, 2 * np.pi, (count, 1)))
    values = np.stack([signal, np.zeros_like(signal)], axis=1)
    return values + rng.standard_normal(values.shape), labels


def _accuracy(features: Features) -> float:
    pipeline = make_pipeline(features, StandardScaler(), RidgeClassifierCV(alphas=np.logspace(-3, 3, 10)))
    return float(pipeline.fit(*_rhythms(80, seed=0)).score(*_rhythms(200, seed=1)))


def test_ridge_separates_rhythms_that_statistics_do_not() -> None:
    assert _accuracy(MiniRocket(features=1680)) > 0.95
    assert _accuracy(CycleStatistics(names=["mean", "std"])) < 0.65


def _with_absent(values: np.ndarray, present: np.ndarray) -> Windows:
    return replace(as_windows(values), mask=present)


def test_absent_channels_count_as_zero_whatever_stands_there() -> None:
    values, present = _noise(count=8), np.ones((8, 3), bool)
    present[2:, 1] = False
    features = MiniRocket(features=840).fit(_with_absent(values, present))
    table = features.transform(_with_absent(values, present))
    emptied = values * present[:, :, None]
    np.testing.assert_array_equal(features.transform(_with_absent(emptied, present)), table)
    measured = features.transform(_with_absent(emptied, np.ones_like(present)))
    several = features.feature_channel_ < 0
    np.testing.assert_array_equal(table[:, several], measured[:, several])
    own = features.feature_channel_ == 1
    assert own.any()
    assert (table[2:, own] == 0).all()
    # Thresholds come from the two windows that have the channel: elsewhere the answer is nothing but zeros.
    assert (features.biases_[own] != 0).all()
    assert table[:2, own].std() > 0


def test_standing_channels_answer_exactly_zero() -> None:
    levels = np.random.default_rng(0).uniform(-1000, 1000, (10, 1, 1)) * np.ones((1, 1, 50))
    features = MiniRocket(features=840).fit(levels[:1])
    table = features.transform(levels)
    valid = [column for column, place, _, kernel in _columns(features) if (place + kernel) % 2]
    sign = np.sign(features.biases_[valid])
    assert (sign != 0).any()
    np.testing.assert_array_equal(table[:, valid], np.tile(sign < 0, (10, 1)))


def test_it_is_stored_and_loaded(tmp_path: Path) -> None:
    values = _noise()
    features = MiniRocket(features=840).fit(values)
    loaded = store.load(store.save(features, tmp_path))
    np.testing.assert_array_equal(loaded.transform(values), features.transform(values))


def test_wrong_use_is_said() -> None:
    with pytest.raises(UsageError, match="9 samples or more, got 8; cut longer windows"):
        MiniRocket().fit(_noise(length=8))
    with pytest.raises(UsageError, match="84 or more"):
        MiniRocket(features=83).fit(_noise())
    with pytest.raises(UsageError, match="max_dilations"):
        MiniRocket(max_dilations=0).fit(_noise())
    with pytest.raises(NotEnoughData, match="windows"):
        MiniRocket().fit(_noise(count=0))
