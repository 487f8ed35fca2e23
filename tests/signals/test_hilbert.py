"""Amplitude and frequency are those of the signal, and the spectrum puts each in its bin."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import hilbert

from jointwatch.core.errors import UsageError
from jointwatch.signals.empirical_modes import empirical_modes
from jointwatch.signals.hilbert import instantaneous, marginal_spectrum

RATE_HZ = 500.0
TIME_S = np.arange(2000) / RATE_HZ


def test_amplitude_and_frequency_of_a_chirp_are_recovered() -> None:
    amplitude = 1 + 0.5 * np.sin(2 * np.pi * 0.5 * TIME_S)
    chirp = amplitude * np.cos(2 * np.pi * (10 * TIME_S + 5 * TIME_S**2))
    found, frequency_hz = instantaneous(chirp, RATE_HZ)
    inner = slice(100, -100)
    between = TIME_S + 0.5 / RATE_HZ
    assert np.abs(frequency_hz - (10 + 10 * between))[inner].max() < 0.5
    assert np.abs(found - amplitude)[inner].max() < 0.02


@pytest.mark.parametrize("count", [1000, 999, 5])
def test_the_analytic_signal_is_scipys(count: int) -> None:
    modes = np.random.default_rng(0).standard_normal((3, 2, count))
    analytic = hilbert(modes)
    amplitude, frequency_hz = instantaneous(modes, RATE_HZ)
    np.testing.assert_allclose(amplitude, np.abs(analytic), rtol=1e-9)
    turns = np.diff(np.unwrap(np.angle(analytic))) / (2 * np.pi)
    np.testing.assert_allclose(frequency_hz[..., :-1], turns * RATE_HZ, atol=1e-6)
    np.testing.assert_array_equal(frequency_hz[..., -1], frequency_hz[..., -2])


def test_a_tone_gives_amplitude_times_duration_in_its_bin() -> None:
    edges_hz = np.linspace(0, 120, 2477)
    tones = np.stack([2.0 * np.sin(2 * np.pi * 12.25 * TIME_S), 0.5 * np.sin(2 * np.pi * 60.25 * TIME_S)])
    spectrum = marginal_spectrum(tones, RATE_HZ, edges_hz)
    for hz, expected in ((12.25, 2.0 * 4), (60.25, 0.5 * 4)):
        place = np.searchsorted(edges_hz, hz, side="right") - 1
        assert spectrum[place] == pytest.approx(expected, rel=1e-6)
    assert spectrum.sum() == pytest.approx(10.0, rel=1e-6)


def test_nothing_is_lost_or_counted_twice() -> None:
    rng = np.random.default_rng(0)
    modes = empirical_modes(np.sin(2 * np.pi * 7 * TIME_S) + rng.standard_normal(2000))[:-1]
    amplitude, frequency_hz = instantaneous(modes, RATE_HZ)
    edges_hz = np.linspace(0, 200, 401)
    whole = marginal_spectrum(modes, RATE_HZ, edges_hz)
    inside = (frequency_hz >= 0) & (frequency_hz <= 200)
    assert 0.5 < inside.mean() < 1
    assert whole.sum() == pytest.approx(amplitude[inside].sum() / RATE_HZ)
    np.testing.assert_allclose(sum(marginal_spectrum(mode[None], RATE_HZ, edges_hz) for mode in modes), whole)
    parts = [marginal_spectrum(modes, RATE_HZ, edges_hz[part]) for part in (slice(0, 101), slice(100, None))]
    np.testing.assert_allclose(np.concatenate(parts), whole)
    expected = np.histogram(frequency_hz, edges_hz, weights=amplitude / RATE_HZ)[0]
    np.testing.assert_allclose(whole, expected, atol=1e-12)


def test_uneven_bins_are_pools_of_even_ones() -> None:
    modes = np.random.default_rng(1).standard_normal((4, 2000))
    even = marginal_spectrum(modes, RATE_HZ, np.arange(0.0, 101.0))
    uneven = marginal_spectrum(modes, RATE_HZ, np.array([0.0, 1, 5, 20, 100]))
    np.testing.assert_allclose(uneven, [even[0], even[1:5].sum(), even[5:20].sum(), even[20:].sum()])


def test_without_modes_the_spectrum_is_empty() -> None:
    assert marginal_spectrum(np.zeros((0, 100)), RATE_HZ, np.arange(5.0)).tolist() == [0.0] * 4
    assert marginal_spectrum(np.zeros((2, 100)), RATE_HZ, np.arange(5.0)).tolist() == [0.0] * 4


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(UsageError, match="increase"):
        marginal_spectrum(np.ones((1, 10)), 10.0, np.array([0.0, 2.0, 1.0]))
    with pytest.raises(UsageError, match="increase"):
        marginal_spectrum(np.ones((1, 10)), 10.0, np.array([0.0]))
    with pytest.raises(UsageError, match="positive rate"):
        instantaneous(np.ones(10), 0.0)
    with pytest.raises(UsageError, match="two samples"):
        instantaneous(np.ones(1), 10.0)
