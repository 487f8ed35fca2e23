"""The numpy ways agree with SciPy's functions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import fft, interpolate, ndimage, signal
from scipy.spatial import distance as distances

from jointwatch.signals import _without_scipy as alone
from jointwatch.signals import numerics


def near(found: np.ndarray, true: np.ndarray) -> bool:
    return found.shape == true.shape and bool(np.abs(found - true).max() <= 1e-10 * np.abs(true).max())


@pytest.mark.parametrize("count", [2, 3, 4, 5, 6, 7, 8, 100, 1001])
def test_spline_of_irregular_samples(count: int) -> None:
    rng = np.random.default_rng(count)
    time_s = np.cumsum(rng.uniform(0.002, 0.02, count))
    values = np.cumsum(rng.standard_normal((3, count)), axis=1)
    at = np.linspace(time_s[0], time_s[-1], 777)
    assert near(alone.CubicSpline(time_s, values, axis=1)(at), interpolate.CubicSpline(time_s, values, axis=1)(at))
    assert near(alone.CubicSpline(time_s, values[0])(at), interpolate.CubicSpline(time_s, values[0])(at))


@pytest.mark.parametrize("width", [0.3, 0.02])
def test_low_pass_design(width: float) -> None:
    taps, beta = alone.kaiserord(60.0, width)
    assert (taps, beta) == pytest.approx(signal.kaiserord(60.0, width))
    args = {"window": ("kaiser", beta), "fs": 200.0}
    assert near(alone.firwin(taps | 1, 31.0, **args), signal.firwin(taps | 1, 31.0, **args))


@pytest.mark.parametrize(("length", "taps"), [(50, 50), (900, 31), (30_000, 301)])
@pytest.mark.parametrize("kernels", [1, 4])
def test_convolution(length: int, taps: int, kernels: int) -> None:
    rng = np.random.default_rng(0)
    values, kernel = rng.standard_normal((4, length)), rng.standard_normal((kernels, taps))
    found = alone.oaconvolve(values, kernel, mode="valid", axes=1)
    assert near(found, signal.oaconvolve(values, kernel, mode="valid", axes=1))


@pytest.mark.parametrize(("window", "order"), [(5, 1), (7, 1), (7, 2), (31, 3)])
def test_derivative(window: int, order: int) -> None:
    values = np.cumsum(np.random.default_rng(1).standard_normal((2, 500)), axis=1)
    args = {"deriv": order, "delta": 0.008, "axis": 1, "mode": "interp"}
    assert near(alone.savgol_filter(values, window, 3, **args), signal.savgol_filter(values, window, 3, **args))


@pytest.mark.parametrize("size", [3, 4, 40, 61, 501])
def test_running_mean(size: int) -> None:
    values = np.cumsum(np.random.default_rng(2).standard_normal(300))
    assert np.array_equal(alone.uniform_filter1d(values, size), ndimage.uniform_filter1d(values, size))


@pytest.mark.parametrize("length", [5, 400])
def test_gaussian(length: int) -> None:
    values = np.random.default_rng(3).standard_normal((2, 3, length))
    assert near(alone.gaussian_filter1d(values, 2.0, axis=2), ndimage.gaussian_filter1d(values, 2.0, axis=2))


@pytest.mark.parametrize("height", [None, 0.3])
@pytest.mark.parametrize("distance", [None, 7, 12.6])
def test_peaks_with_plateaus(height: float | None, distance: float | None) -> None:
    values = np.round(np.random.default_rng(4).standard_normal(2000), 1)
    found, true = (f(values, height=height)[0] for f in (alone.find_peaks, signal.find_peaks))
    assert found.tolist() == true.tolist()
    values += np.random.default_rng(5).standard_normal(2000)  # ties in height may be resolved either way
    true = signal.find_peaks(values, height=height, distance=distance)[0]
    assert alone.find_peaks(values, height=height, distance=distance)[0].tolist() == true.tolist()
    assert len(true) > 50
    for still in (np.zeros(9), np.arange(9.0)):
        assert len(alone.find_peaks(still)[0]) == 0


def test_smoothing() -> None:
    values = np.cumsum(np.random.default_rng(6).standard_normal(800))
    assert near(alone.one_pole(values, 0.03), numerics.one_pole(values, 0.03))
    assert numerics.one_pole is not alone.one_pole


def test_fourier() -> None:
    values = np.random.default_rng(7).standard_normal((2, 900))
    for length in (1, 2, 3, 7, 97, 899, 1009, 20_001):
        size = alone.next_fast_len(length, real=True)
        assert length <= size <= fft.next_fast_len(length, real=True) * 1.2
        left = size
        for prime in (2, 3, 5):
            while left % prime == 0:
                left //= prime
        assert left == 1
    assert near(alone.irfft(alone.rfft(values, 1000, axis=1), 1000), fft.irfft(fft.rfft(values, 1000, axis=1), 1000))


@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean"])
def test_distances(metric: str) -> None:
    rng = np.random.default_rng(8)
    rows, others = rng.standard_normal((30, 5)), rng.standard_normal((7, 5))
    assert near(alone.cdist(rows, others, metric), distances.cdist(rows, others, metric))
