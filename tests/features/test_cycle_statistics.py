"""Statistics of windows: the right numbers in the right columns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jointwatch.core import Channel, Index, Quantity, Windows
from jointwatch.core.errors import UsageError
from jointwatch.features.cycle_statistics import CycleStatistics
from jointwatch.signals.statistics import kurtosis, rms


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 12), st.integers(1, 4), st.integers(8, 60), st.integers(1, 8))
def test_each_feature_is_the_statistic_its_name_says(count: int, channels: int, length: int, segments: int) -> None:
    values = np.random.default_rng(count).standard_normal((count, channels, length))
    features = CycleStatistics(segments=segments).fit(values)
    table = features.transform(values)
    assert table.shape == (count, 8 * channels * segments)
    edges = np.linspace(0, length, segments + 1).round().astype(int)
    by_name = {"rms": rms, "kurtosis": kurtosis, "max": lambda x: x.max(axis=-1), "std": lambda x: x.std(axis=-1)}
    for column, name in enumerate(features.get_feature_names_out()):
        channel, statistic, *part = name.split()
        assert features.feature_channel_[column] == int(channel[1:])
        number = int(part[0].partition("of")[0]) - 1 if part else 0
        if statistic in by_name:
            piece = values[:, int(channel[1:]), edges[number] : edges[number + 1]]
            np.testing.assert_allclose(table[:, column], by_name[statistic](piece), rtol=1e-9)


def test_segments_together_cover_the_window() -> None:
    values = np.random.default_rng(0).standard_normal((3, 2, 100))
    parts = CycleStatistics(segments=4, names=["mean"]).fit_transform(values).reshape(3, 4, 2)
    np.testing.assert_allclose(parts.mean(axis=1), values.mean(axis=2))


def test_names_carry_channel_keys_of_windows() -> None:
    one = np.array(["a"])
    zero = np.zeros(1)
    index = Index(one, one, one, one, zero, zero + 1, zero, zero + 1, np.array(["normal"]), one, zero, zero)
    windows = Windows(np.ones((1, 1, 10)), (Channel(Quantity.CURRENT, 3),), index, 10.0)
    features = CycleStatistics(names=["rms"]).fit(windows)
    assert features.get_feature_names_out().tolist() == ["current/3 rms"]
    assert features.transform(windows).tolist() == [[1.0]]


def test_wrong_use_is_said() -> None:
    values = np.zeros((2, 1, 10))
    for wrong in (CycleStatistics(segments=0), CycleStatistics(segments=11), CycleStatistics(names=["mode"])):
        with pytest.raises(UsageError):
            wrong.fit(values)
