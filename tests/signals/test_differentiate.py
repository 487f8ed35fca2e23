"""Differentiation is exact for cubics on any clock, at the ends, too."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jointwatch.core.errors import UsageError
from jointwatch.signals.differentiate import differentiate

_CUBIC = np.polynomial.Polynomial([0.3, -2.0, 1.5, 0.8])


@settings(max_examples=40, deadline=None)
@given(st.integers(5, 60), st.sampled_from([5, 7, 11]), st.sampled_from([1, 2, 3]), st.booleans(), st.integers(0, 999))
def test_derivative_of_a_cubic_is_exact(count: int, window: int, order: int, uniform: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    time_s = np.arange(count) / 100 if uniform else np.cumsum(rng.uniform(0.005, 0.015, count))
    found = differentiate(_CUBIC(time_s)[None], time_s, window=window, order=order)
    np.testing.assert_allclose(found[0], _CUBIC.deriv(order)(time_s), rtol=1e-5, atol=1e-5 * 100 ** (order - 1))


def test_both_clocks_agree() -> None:
    time_s = np.arange(300) / 100
    values = np.random.default_rng(0).standard_normal((2, 300)).cumsum(axis=1)
    nearly = time_s.copy()
    nearly[150] += 2e-5  # just irregular enough for the other way
    np.testing.assert_allclose(differentiate(values, time_s), differentiate(values, nearly), rtol=0.05, atol=0.5)


def test_wider_windows_pass_less_noise() -> None:
    noise = np.random.default_rng(0).standard_normal((1, 20_000))
    time_s = np.arange(20_000) / 100
    spread = [differentiate(noise, time_s, window=window)[0, 50:-50].std() for window in (5, 11, 21)]
    assert spread[0] > 2 * spread[1] > 4 * spread[2]


def test_a_lost_sample_loses_its_neighbours_only() -> None:
    time_s = np.arange(40) / 10
    values = np.stack([time_s, time_s])
    values[0, 20] = np.nan
    found = differentiate(values, time_s, window=5)
    assert np.flatnonzero(np.isnan(found[0])).tolist() == [18, 19, 20, 21, 22]
    np.testing.assert_allclose(found[1], 1.0)


def test_short_series_are_honest() -> None:
    assert np.isnan(differentiate(np.ones((1, 1)), np.zeros(1))).all()
    np.testing.assert_allclose(differentiate(np.array([[1.0, 3.0]]), np.array([0.0, 0.5])), 4.0)
    assert np.isnan(differentiate(np.ones((1, 2)), np.arange(2.0), order=2)).all()


def test_wrong_use_is_said() -> None:
    for wrong in ({"window": 4}, {"window": 3}, {"order": 0}):
        with pytest.raises(UsageError):
            differentiate(np.ones((1, 9)), np.arange(9.0), **wrong)
