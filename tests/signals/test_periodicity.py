"""The period is found where there is one, and the confidence is low where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jointwatch.core.errors import UsageError
from jointwatch.signals.periodicity import period


@settings(max_examples=40, deadline=None)
@given(st.floats(0.5, 8.0), st.integers(0, 999), st.floats(0.0, 0.1))
def test_period_of_a_repeated_movement(period_s: float, seed: int, noise: float) -> None:
    rng = np.random.default_rng(seed)
    time_s = np.arange(0, 40, 0.02)
    phase = 2 * np.pi * time_s / period_s
    weight = rng.standard_normal((2, 3, 2)) + np.array([2.0, 0, 0])[None, :, None]  # the fundamental leads
    values = sum(
        weight[:, k, :1] * np.sin((k + 1) * phase) + weight[:, k, 1:] * np.cos((k + 1) * phase) for k in range(3)
    )
    found = period(values + noise * rng.standard_normal(values.shape), 50.0)
    assert found.period_s == pytest.approx(period_s, rel=0.02)
    assert found.confidence > 0.9


def test_noise_and_drift_are_not_trusted() -> None:
    rng = np.random.default_rng(0)
    assert period(rng.standard_normal((2, 3000)), 100.0).confidence < 0.2
    assert period(np.linspace(0, 1, 500)[None], 100.0).confidence == 0
    still = period(np.full((1, 500), 0.1), 100.0)
    assert still.confidence == 0
    assert np.isnan(still.period_s)


def test_confidence_falls_with_noise() -> None:
    sine = np.sin(2 * np.pi * np.arange(4000) / 400)
    noise = np.random.default_rng(0).standard_normal(4000)
    seen = [period((sine + level * noise)[None], 100.0, min_period_s=2.0).confidence for level in (0, 0.3, 1, 3)]
    assert seen[0] == pytest.approx(1)
    assert sorted(seen, reverse=True) == seen
    assert seen[3] < 0.3


def test_limits_are_kept() -> None:
    sine = np.sin(2 * np.pi * np.arange(1000) / 100)[None]
    assert period(sine, 100.0, min_period_s=1.5, max_period_s=2.5).period_s == pytest.approx(2.0, rel=0.01)
    with pytest.raises(UsageError, match="period"):
        period(sine, 100.0, min_period_s=4.0, max_period_s=3.0)
    with pytest.raises(UsageError, match="finite"):
        period(np.full((1, 100), np.nan), 100.0)
