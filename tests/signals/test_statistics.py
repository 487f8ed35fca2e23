"""Statistics agree with their definitions and stay finite for signals that never change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from jointwatch.core.errors import UsageError
from jointwatch.signals.statistics import STATISTICS, kurtosis, rms, skewness, statistics


def test_moments_agree_with_scipy() -> None:
    values = np.random.default_rng(0).gamma(2.0, size=(4, 3, 500))
    np.testing.assert_allclose(kurtosis(values), stats.kurtosis(values, axis=-1, fisher=False))
    np.testing.assert_allclose(skewness(values), stats.skew(values, axis=-1))


def test_known_values() -> None:
    sine = np.sin(2 * np.pi * np.arange(1000) / 100)
    figures = dict(zip(STATISTICS, statistics(sine), strict=True))
    assert figures["kurtosis"] == pytest.approx(1.5)
    assert figures["rms"] == pytest.approx(np.sqrt(0.5))
    assert figures["peak_to_peak"] == pytest.approx(2.0)
    assert figures["skewness"] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("value", [0.0, 0.1, -3.7e6, 1e-20])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_constant_signals_are_finite_and_have_no_shape(value: float, dtype: type) -> None:
    figures = dict(zip(STATISTICS, statistics(np.full(200, value, dtype)), strict=True))
    assert all(np.isfinite(figure) for figure in figures.values())
    assert figures["kurtosis"] == figures["skewness"] == 0


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 200), st.floats(0.01, 100), st.floats(-100, 100), st.integers(0, 999))
def test_shape_does_not_depend_on_units(count: int, scale: float, offset: float, seed: int) -> None:
    x = np.random.default_rng(seed).standard_normal(count)
    for shape in (kurtosis, skewness):
        np.testing.assert_allclose(shape(offset + scale * x), shape(x), rtol=1e-5, atol=1e-5)
    assert kurtosis(x) >= 1 - 1e-9


def test_tiny_signals_do_not_underflow() -> None:
    x = np.random.default_rng(0).standard_normal(1000)
    assert kurtosis(1e-60 * x) == pytest.approx(float(kurtosis(x)))
    assert rms(1e-60 * x) > 0


def test_wrong_use_is_said() -> None:
    with pytest.raises(UsageError, match="median"):
        statistics(np.ones(5), ["mean", "median"])
    with pytest.raises(UsageError, match="sample"):
        statistics(np.ones((3, 0)))
