"""Resampling keeps what can be kept, removes what would alias, bridges little and invents nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jointwatch.core.errors import UsageError
from jointwatch.signals.resample import low_pass, resample


def _inner(count: int) -> slice:
    return slice(count // 10, -count // 10)


@pytest.mark.parametrize(("native_hz", "rate_hz"), [(1000.0, 250.0), (1000.0, 25.0), (125.0, 100.0), (500.0, 200.0)])
@pytest.mark.parametrize("share", [1.02, 1.2])
def test_tone_above_the_new_nyquist_is_gone(native_hz: float, rate_hz: float, share: float) -> None:
    time_s = np.arange(round(20 * native_hz)) / native_hz
    tone = np.sin(2 * np.pi * share * rate_hz / 2 * time_s)
    (segment,) = resample(time_s, tone[None], rate_hz)
    residue = np.abs(segment.values[0][_inner(len(segment.time_s))]).max()
    assert 20 * np.log10(residue) < -40
    naive = np.interp(segment.time_s, time_s, tone)[_inner(len(segment.time_s))]
    assert np.abs(naive).max() > 0.5  # without the filter it would be there, at a wrong frequency


@pytest.mark.parametrize("native_hz", [1000.0, 400.0, 130.0])
def test_chirp_below_the_new_nyquist_is_kept_within_one_percent(native_hz: float) -> None:
    rate_hz, duration_s = 100.0, 20.0
    top_hz = 0.78 * rate_hz / 2

    def chirp(t: np.ndarray) -> np.ndarray:
        return np.sin(np.pi * top_hz / duration_s * t**2)

    time_s = np.arange(round(duration_s * native_hz)) / native_hz
    (segment,) = resample(time_s, chirp(time_s)[None], rate_hz)
    error = segment.values[0] - chirp(segment.time_s)
    assert np.abs(error[_inner(len(error))]).max() < 0.01


def test_going_up_on_an_irregular_clock_is_within_one_percent_to_a_fifth_of_the_rate() -> None:
    rng = np.random.default_rng(0)
    time_s = 1e4 + np.cumsum(rng.uniform(0.008, 0.012, 2000))
    for hz in (1.0, 5.0, 18.0):
        (segment,) = resample(time_s, np.sin(2 * np.pi * hz * time_s)[None], 250.0)
        error = segment.values[0] - np.sin(2 * np.pi * hz * segment.time_s)
        assert np.abs(error[_inner(len(error))]).max() < (0.01 if hz < 18 else 0.02)
        assert np.allclose(np.diff(segment.time_s), 1 / 250)


def test_filter_has_no_delay_and_keeps_slopes_to_the_ends() -> None:
    time_s = np.arange(3000) / 1000
    (segment,) = resample(time_s, np.stack([2 + 3 * time_s, np.exp(-(((time_s - 1.5) / 0.1) ** 2))]), 100.0)
    np.testing.assert_allclose(segment.values[0], 2 + 3 * segment.time_s, atol=1e-3)
    assert segment.time_s[np.argmax(segment.values[1])] == pytest.approx(1.5, abs=0.005)


def test_same_uniform_clock_gives_the_same_samples() -> None:
    values = np.random.default_rng(0).standard_normal((3, 500))
    (segment,) = resample(7.3 + np.arange(500) / 125, values, 125.0)
    np.testing.assert_array_equal(segment.values, values)


def test_breaks_and_gaps_of_the_clock_split() -> None:
    time_s = np.concatenate([np.arange(100), np.arange(150, 250)]) / 100
    found = resample(time_s, np.ones((1, 200)), 100.0, breaks=[40])
    assert [len(segment.time_s) for segment in found] == [40, 60, 100]
    assert found.splits == {"gap": 2}
    assert found[2].time_s[0] == pytest.approx(1.5)


def test_short_losses_are_bridged_and_long_ones_split_and_both_are_counted() -> None:
    time_s = np.arange(400) / 100
    values = np.stack([np.sin(2 * np.pi * time_s), np.cos(2 * np.pi * time_s)])
    lost = values.copy()
    lost[0, 50:53] = np.nan  # 3 samples: 0.04 s between good ones
    lost[1, 200:230] = np.nan
    found = resample(time_s, lost, 100.0, max_gap_s=0.05)
    assert [len(segment.time_s) for segment in found] == [200, 170]
    assert (found.filled, found.splits) == (3, {"nan": 1})
    np.testing.assert_allclose(found[0].values, values[:, :200], atol=1e-4)


def test_lost_ends_are_cut_not_extrapolated() -> None:
    values = np.ones((2, 100))
    values[0, :2] = np.nan
    values[1, -3:] = np.nan
    found = resample(np.arange(100) / 100, values, 300.0)
    assert found[0].time_s[0] == pytest.approx(0.02)
    assert found[0].time_s[-1] == pytest.approx(0.96)


def test_a_loss_that_reaches_into_a_longer_one_is_not_extrapolated_from_its_far_side() -> None:
    time_s = np.arange(400) / 100
    values = np.stack([time_s**2, np.sin(40 * time_s)])
    values[0, 200:230] = np.nan
    values[1, 228:232] = np.nan  # short, but its near side lies in what is left out
    found = resample(time_s, values, 100.0, max_gap_s=0.06)
    assert [segment.time_s[0] for segment in found] == [0.0, 2.32]


def test_nothing_is_left_of_a_channel_that_was_never_recorded() -> None:
    values = np.ones((2, 50))
    values[1] = np.nan
    found = resample(np.arange(50) / 10, values, 10.0)
    assert len(found) == 0
    assert found.splits


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 60),
    st.floats(5, 400),
    st.integers(0, 2**32 - 1),
    st.floats(0, 0.3),
)
def test_segments_are_finite_inside_the_samples_and_in_order(
    count: int, rate_hz: float, seed: int, loss: float
) -> None:
    rng = np.random.default_rng(seed)
    time_s = np.cumsum(rng.uniform(0.005, 0.02, count))
    values = rng.standard_normal((2, count))
    values[rng.random(values.shape) < loss] = np.nan
    found = resample(time_s, values, rate_hz, breaks=sorted(set(rng.integers(1, count, 2).tolist())))
    before = -np.inf
    for segment in found:
        assert segment.values.shape == (2, len(segment.time_s))
        assert np.isfinite(segment.values).all()
        assert before < segment.time_s[0]
        # it begins where every channel is known, and does not reach beyond the last sample where all are
        whole = time_s[np.isfinite(values).all(axis=0)]
        assert segment.time_s[0] in whole
        assert segment.time_s[-1] <= whole[-1]
        before = segment.time_s[-1]


def test_wrong_use_is_said() -> None:
    with pytest.raises(UsageError, match="rate_hz"):
        resample(np.arange(5.0), np.ones((1, 5)), 0.0)
    with pytest.raises(UsageError, match="increasing"):
        resample(np.array([0.0, 2.0, 1.0]), np.ones((1, 3)), 10.0)
    with pytest.raises(UsageError, match="low-pass"):
        low_pass(np.ones((1, 10)), 10.0, 5.0)
