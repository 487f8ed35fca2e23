"""The period of a repeated movement from its autocorrelation, with how much it can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from jointwatch.core.errors import UsageError
from jointwatch.signals.numerics import find_peaks, irfft, next_fast_len, rfft

__all__ = ["Periodicity", "period"]

_AS_GOOD = 0.95  # a multiple of the period correlates as well as the period: the shortest of those wins


@dataclass(frozen=True)
class Periodicity:
    """A period and its confidence: correlation, 0 to 1, of the signal with itself one period later."""

    period_s: float
    confidence: float


def period(
    values: Float[np.ndarray, "channel time"],
    rate_hz: float,
    *,
    min_period_s: float | None = None,
    max_period_s: float | None = None,
) -> Periodicity:
    """Period after which all channels together repeat.

    The channels, each with mean 0 and variance 1 (those that never change are passed over), are correlated with
    themselves at every lag, normalised by the energy of the two overlapping parts, so that an exact repetition gives 1
    at any lag. The period is the shortest lag whose peak is at least 0.95 of the highest; the peak is refined
    by a parabola. A signal that does not repeat gives period NaN and confidence 0.

    Parameters
    ----------
    values : uniform samples, finite.
    min_period_s : default 4 samples. max_period_s : default half of the signal, at least two periods are seen then.

    Errors: `UsageError` for limits that leave no lag or samples that are not finite.

    >>> import numpy as np
    >>> found = period(np.sin(2 * np.pi * np.arange(500) / 62.5)[None], 25.0)
    >>> round(found.period_s, 2), round(found.confidence, 2)
    (2.5, 1.0)
    """
    length = values.shape[1]
    if not np.isfinite(values).all():
        raise UsageError("periodicity needs finite samples; resample first")
    low = 4 if min_period_s is None else max(2, int(np.floor(min_period_s * rate_hz)))
    high = length // 2 if max_period_s is None else min(int(np.ceil(max_period_s * rate_hz)), length - 2)
    if high <= low:
        raise UsageError(f"no period between {low / rate_hz:g} and {high / rate_hz:g} s can be looked for")
    correlation = _autocorrelation(values, high + 1)
    peaks = find_peaks(correlation)[0]
    peaks = peaks[(peaks >= low) & (peaks <= high) & (correlation[peaks] > 0)]
    if len(peaks) == 0:
        return Periodicity(float("nan"), 0.0)
    best = int(peaks[correlation[peaks] >= _AS_GOOD * correlation[peaks].max()][0])
    before, at, after = correlation[best - 1 : best + 2]
    shift = 0.5 * (before - after) / (before - 2 * at + after)
    return Periodicity((best + float(shift)) / rate_hz, float(np.clip(at, 0, 1)))


def _autocorrelation(values: Float[np.ndarray, "channel time"], last: int) -> Float[np.ndarray, " lag"]:
    """Correlation at lags 0 .. last, normalised by the energy of the overlapping parts."""
    length = values.shape[1]
    x = values - values.mean(axis=1, keepdims=True)
    spread = x.std(axis=1)
    alive = spread > 1e-9 * np.abs(values).max(axis=1, initial=0)
    if not alive.any():
        return np.zeros(last + 1)
    x = x[alive] / spread[alive, None]
    size = next_fast_len(2 * length, real=True)
    spectrum = rfft(x, size, axis=1)
    product = irfft((spectrum * spectrum.conj()).sum(axis=0), size)[: last + 1]
    energy = np.concatenate([[0.0], np.cumsum((x**2).sum(axis=0))])
    lags = np.arange(last + 1)
    early, late = energy[length - lags], energy[-1] - energy[lags]
    return product / np.sqrt(np.maximum(early * late, 1e-300))
