"""Denoising takes off noise, leaves smooth signals, and treats each signal by itself."""

from __future__ import annotations

import numpy as np
import pytest
import pywt
from jaxtyping import TypeCheckError

from jointwatch.core.errors import UsageError
from jointwatch.signals.wavelet_denoise import denoise


def swing(count: int = 2048) -> np.ndarray:
    """A reciprocating current: slow swing and a small ripple."""
    phase = 2 * np.pi * np.arange(count) / count
    return 2 * np.sin(2 * phase) + 0.3 * np.cos(16 * phase + 0.5)


def gain_db(clean: np.ndarray, noisy: np.ndarray, result: np.ndarray) -> float:
    return float(10 * np.log10(((noisy - clean) ** 2).sum() / ((result - clean) ** 2).sum()))


@pytest.mark.parametrize("wavelet", ["db4", "sym8"])
@pytest.mark.parametrize(
    ("mode", "threshold", "levels", "least_db"),
    [
        ("soft", "universal", None, 10),
        ("hard", "universal", None, 10),
        ("soft", "level", 4, 10),
        ("hard", "level", 4, 10),
    ],
)
def test_noise_goes(wavelet: str, mode: str, threshold: str, levels: int | None, least_db: float) -> None:
    clean = swing()
    for seed in range(5):
        noisy = clean + 0.1 * np.random.default_rng(seed).standard_normal(len(clean))
        result = denoise(noisy, wavelet=wavelet, mode=mode, threshold=threshold, levels=levels)  # type: ignore[arg-type]
        assert gain_db(clean, noisy, result) > least_db


def test_thresholds_by_level_meet_coloured_noise_that_the_finest_level_does_not_tell() -> None:
    clean = swing(8192)
    white = np.random.default_rng(0).standard_normal(8192 + 7)
    noisy = clean + 0.3 * np.convolve(white, np.ones(8) / 8, "valid")
    universal, by_level = (denoise(noisy, levels=5, threshold=each) for each in ("universal", "level"))
    assert gain_db(clean, noisy, by_level) > gain_db(clean, noisy, universal) + 2


def test_pure_noise_is_nearly_all_removed() -> None:
    noise = np.random.default_rng(0).standard_normal((20, 4096))
    left = np.stack([denoise(row) for row in noise])
    assert left.std() < 0.2  # the approximation keeps one coefficient in 32
    assert np.stack([denoise(row, levels=9) for row in noise]).std() < 0.1


def test_a_smooth_signal_without_noise_stays() -> None:
    clean = swing()
    for mode in ("soft", "hard"):
        assert np.abs(denoise(clean, mode=mode) - clean).max() < 2e-3 * np.ptp(clean)  # type: ignore[arg-type]
    periodic = denoise(clean, ends="periodic")
    assert np.abs(periodic - clean).max() < 2e-3 * np.ptp(clean)


@pytest.mark.parametrize("count", [1000, 1001])
def test_a_batch_equals_its_signals_one_by_one(count: int) -> None:
    rng = np.random.default_rng(1)
    batch = rng.standard_normal((3, 2, count)) * rng.uniform(0.01, 10, (3, 2, 1)) + swing(count)
    for threshold in ("universal", "level"):
        whole = denoise(batch, threshold=threshold)  # type: ignore[arg-type]
        assert whole.shape == batch.shape
        for place in np.ndindex(3, 2):
            np.testing.assert_array_equal(whole[place], denoise(batch[place], threshold=threshold))  # type: ignore[arg-type]


def test_thresholds_are_those_of_the_definition() -> None:
    noisy = swing() + 0.1 * np.random.default_rng(2).standard_normal(2048)
    coefficients = pywt.wavedec(noisy, "db4", "symmetric", 3)
    least = np.median(np.abs(coefficients[-1])) / 0.6745 * np.sqrt(2 * np.log(2048))
    kept = [coefficients[0], *(pywt.threshold(detail, least, "soft") for detail in coefficients[1:])]
    np.testing.assert_allclose(denoise(noisy, levels=3), pywt.waverec(kept, "db4", "symmetric"), atol=1e-5)


def test_what_has_no_noise_floor_comes_back() -> None:
    np.testing.assert_allclose(denoise(np.full((2, 300), 3.0)), 3.0)
    steps = np.repeat(np.arange(8.0), 64)
    np.testing.assert_allclose(denoise(steps), steps, atol=1e-9)
    assert denoise(np.zeros((0, 300))).shape == (0, 300)
    np.testing.assert_array_equal(denoise(np.arange(5.0)), np.arange(5.0))  # too short for any level


def test_what_is_unknown_is_refused() -> None:
    values = np.zeros(256)
    for options, said in (
        ({"wavelet": "daubechies"}, "no discrete wavelet daubechies"),
        ({"ends": "open"}, "no way open"),
        ({"levels": 9}, "between 0 and 5"),
    ):
        with pytest.raises(UsageError, match=said):
            denoise(values, **options)  # type: ignore[arg-type]
    for options in ({"mode": "firm"}, {"threshold": "sure"}):  # the annotations refuse it first where they are checked
        with pytest.raises((UsageError, TypeCheckError), match=r"soft|universal"):
            denoise(values, **options)  # type: ignore[arg-type]
