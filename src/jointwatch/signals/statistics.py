"""Simple statistics of signals along their last axis, safe for signals that never change."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from jointwatch.core.errors import UsageError

__all__ = ["STATISTICS", "kurtosis", "peak_to_peak", "rms", "skewness", "statistics"]

_FLAT = 1e-6  # spread below this share of the largest value is rounding of float32, not signal


def rms(values: Float[np.ndarray, "*batch time"]) -> Float[np.ndarray, "*batch"]:
    """Root mean square.

    >>> import numpy as np
    >>> float(rms(np.array([3.0, -3.0])))
    3.0
    """
    return np.asarray(np.sqrt(np.mean(np.square(values, dtype=np.float64), axis=-1)))


def peak_to_peak(values: Float[np.ndarray, "*batch time"]) -> Float[np.ndarray, "*batch"]:
    """Largest minus smallest value.

    >>> import numpy as np
    >>> float(peak_to_peak(np.array([3.0, -1.0, 0.0])))
    4.0
    """
    return np.asarray(np.ptp(np.asarray(values, np.float64), axis=-1))


def skewness(values: Float[np.ndarray, "*batch time"]) -> Float[np.ndarray, "*batch"]:
    """E[(x - mean)^3] / std^3, the population's; 0 for a signal that never changes.

    >>> import numpy as np
    >>> float(skewness(np.array([1.0, 2.0, 3.0])))
    0.0
    """
    return _standard_moment(values, 3)


def kurtosis(values: Float[np.ndarray, "*batch time"]) -> Float[np.ndarray, "*batch"]:
    """E[(x - mean)^4] / std^4, not the excess: 3 for Gaussian noise, 1.5 for a sine, at least 1.

    0 for a signal that never changes, where it is not defined.

    >>> import numpy as np
    >>> round(float(kurtosis(np.sin(2 * np.pi * np.arange(100) / 100))), 6)
    1.5
    """
    return _standard_moment(values, 4)


def statistics(
    values: Float[np.ndarray, "*batch time"], names: Sequence[str] | None = None
) -> Float[np.ndarray, "*batch statistic"]:
    """The named statistics, default all of `STATISTICS` in their order, stacked along a last axis.

    Errors: `UsageError` for an unknown name or a signal without samples.

    >>> import numpy as np
    >>> statistics(np.array([[1.0, 3.0], [2.0, 2.0]]), ["mean", "std", "kurtosis"]).tolist()
    [[2.0, 1.0, 1.0], [2.0, 0.0, 0.0]]
    """
    chosen = tuple(STATISTICS) if names is None else tuple(names)
    unknown = [name for name in chosen if name not in STATISTICS]
    if unknown:
        raise UsageError(f"no statistic {', '.join(unknown)}; there are {', '.join(STATISTICS)}")
    if values.shape[-1] == 0:
        raise UsageError("statistics need at least one sample")
    return np.stack([STATISTICS[name](values).astype(np.float64) for name in chosen], axis=-1)


def _standard_moment(values: np.ndarray, power: int) -> np.ndarray:
    x = np.asarray(values, np.float64)
    x = x - x.mean(axis=-1, keepdims=True)
    square = np.square(x)
    variance = square.mean(axis=-1)
    flat = np.sqrt(variance) <= _FLAT * np.abs(values).max(axis=-1)
    moment = (square * square if power == 4 else square * x).mean(axis=-1)
    # the ratio first: squares of a tiny variance would underflow
    return np.where(
        flat, 0.0, moment / np.where(flat, 1.0, variance) / np.where(flat, 1.0, variance) ** (power / 2 - 1)
    )


STATISTICS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mean": lambda values: np.asarray(np.mean(values, axis=-1, dtype=np.float64)),
    "std": lambda values: np.asarray(np.std(values, axis=-1, dtype=np.float64)),
    "rms": rms,
    "kurtosis": kurtosis,
    "skewness": skewness,
    "min": lambda values: np.asarray(np.min(values, axis=-1)),
    "max": lambda values: np.asarray(np.max(values, axis=-1)),
    "peak_to_peak": peak_to_peak,
}
