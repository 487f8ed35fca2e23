"""Wavelet threshold denoising: small detail coefficients are taken for noise and removed."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pywt
from jaxtyping import Float

from jointwatch.core.errors import UsageError
from jointwatch.signals._wavelets import discrete_wavelet, most_levels

__all__ = ["denoise"]

_MAD_OF_GAUSSIAN = 0.6744897501960817  # median of the magnitude of standard normal noise


def denoise(
    values: Float[np.ndarray, "*batch time"],
    *,
    wavelet: str = "db4",
    levels: int | None = None,
    mode: Literal["soft", "hard"] = "soft",
    threshold: Literal["universal", "level"] = "universal",
    ends: str = "symmetric",
) -> Float[np.ndarray, "*batch time"]:
    """The signals (..., time) rebuilt from wavelet coefficients without the details that noise explains.

    The threshold is sigma * sqrt(2 ln time), which the largest of `time` draws of Gaussian noise hardly exceeds. Sigma
    is the median magnitude of detail coefficients over 0.6745. The approximation of the coarsest level stays as it is.

    Parameters
    ----------
    values : (..., time) finite; each signal has its own thresholds.
    wavelet : discrete wavelet that PyWavelets knows.
    levels : levels of details that are thresholded, from the finest; None = half of those that the filter fits in.
        Level k reaches from rate / 2**(k + 1) to rate / 2**k. Where the signal itself fills a level, its coefficients
        lose a threshold each, so the motion belongs below the last level.
    mode : `soft` moves what stays towards zero by the threshold and so leaves no steps; `hard` leaves it as it is.
    threshold : `universal` takes sigma from the finest level, for white noise. `level` takes it from each level
        itself, for coloured noise; a level that the motion fills is then taken for noise as a whole.
    ends : how the signal is continued, in PyWavelets' words. `symmetric` mirrors it at both ends and makes no step
        there, at most a corner; within one filter length of the level (7 * 2**k samples for `db4`) details of an
        end that slopes may stay above the threshold, so the ends are less denoised. For a signal that closes on itself
        `periodic` has no ends.

    A signal whose finest details are zero by half or more, as one that stands or is coarsely quantised, has sigma 0 and
    comes back as it was.

    Errors: `UsageError` for unknown names, or more levels than fit.

    Source: D. L. Donoho and I. M. Johnstone, Biometrika 81, 1994 (universal threshold); D. L. Donoho, IEEE Trans. Inf.
    Theory 41, 1995 (soft); I. M. Johnstone and B. W. Silverman, J. R. Stat. Soc. B 59, 1997 (by level).

    >>> import numpy as np
    >>> clean = np.sin(2 * np.pi * np.arange(2048) / 1024)
    >>> noisy = clean + 0.2 * np.random.default_rng(0).standard_normal(2048)
    >>> [round(float((each - clean).std()), 2) for each in (noisy, denoise(noisy))]
    [0.2, 0.05]
    """
    if mode not in ("soft", "hard") or threshold not in ("universal", "level"):
        raise UsageError(f"mode is soft or hard and threshold universal or level, got {mode} and {threshold}")
    known = discrete_wavelet(wavelet, ends)
    length = values.shape[-1]
    most = most_levels(length, known)
    if levels is not None and not 0 <= levels <= most:
        raise UsageError(f"levels is between 0 and {most} for {length} samples and the wavelet {wavelet}, got {levels}")
    signals = np.asarray(values, np.float64)
    depth = (most + 1) // 2 if levels is None else levels
    if depth == 0 or signals.size == 0:
        return signals.copy()
    approximation, *details = pywt.wavedec(signals, known, ends, depth, axis=-1)
    factor = float(np.sqrt(2 * np.log(length)) / _MAD_OF_GAUSSIAN)
    finest = np.median(np.abs(details[-1]), axis=-1, keepdims=True)
    for detail in details:
        spread = finest if threshold == "universal" else np.median(np.abs(detail), axis=-1, keepdims=True)
        _shrink(detail, factor * spread, mode)
    rebuilt: np.ndarray = pywt.waverec([approximation, *details], known, ends, axis=-1)[..., :length]
    return rebuilt


def _shrink(coefficients: np.ndarray, least: np.ndarray, mode: str) -> None:
    """In place, so that a long recording is not held more often than needed."""
    if mode == "hard":
        coefficients[np.abs(coefficients) <= least] = 0.0
    else:
        coefficients -= np.clip(coefficients, -least, least)
