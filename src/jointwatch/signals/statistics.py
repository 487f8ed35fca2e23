"""Simple statistics of signals along their last axis, safe for signals that never change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

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
    return STATISTICS["rms"](_Moments(values))


def peak_to_peak(values: Float[np.ndarray, "*batch time"]) -> Float[np.ndarray, "*batch"]:
    """Largest minus smallest value.

    >>> import numpy as np
    >>> float(peak_to_peak(np.array([3.0, -1.0, 0.0])))
    4.0
    """
    return STATISTICS["peak_to_peak"](_Moments(values))


def skewness(values: Float[np.ndarray, "*batch time"]) -> Float[np.ndarray, "*batch"]:
    """E[(x - mean)^3] / std^3, the population's; 0 for a signal that never changes.

    >>> import numpy as np
    >>> float(skewness(np.array([1.0, 2.0, 3.0])))
    0.0
    """
    return STATISTICS["skewness"](_Moments(values))


def kurtosis(values: Float[np.ndarray, "*batch time"]) -> Float[np.ndarray, "*batch"]:
    """E[(x - mean)^4] / std^4, not the excess: 3 for Gaussian noise, 1.5 for a sine, at least 1.

    0 for a signal that never changes, where it is not defined.

    >>> import numpy as np
    >>> round(float(kurtosis(np.sin(2 * np.pi * np.arange(100) / 100))), 6)
    1.5
    """
    return STATISTICS["kurtosis"](_Moments(values))


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
    moments = _Moments(values)
    return np.stack([STATISTICS[name](moments) for name in chosen], axis=-1)


class _Moments:
    """What the statistics of one array share, each computed once, and only if asked for."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = np.asarray(values, np.float64)

    @cached_property
    def mean(self) -> np.ndarray:
        return np.asarray(self.values.mean(axis=-1))

    @cached_property
    def low(self) -> np.ndarray:
        return np.asarray(self.values.min(axis=-1))

    @cached_property
    def high(self) -> np.ndarray:
        return np.asarray(self.values.max(axis=-1))

    @cached_property
    def _centred(self) -> np.ndarray:
        return self.values - self.mean[..., None]

    @cached_property
    def _square(self) -> np.ndarray:
        return np.square(self._centred)

    @cached_property
    def variance(self) -> np.ndarray:
        return np.asarray(self._square.mean(axis=-1))

    def shape(self, power: int) -> np.ndarray:
        """E[(x - mean)^power] / std^power, 0 where the signal never changes."""
        std = np.sqrt(self.variance)
        flat = std <= _FLAT * np.maximum(np.abs(self.low), np.abs(self.high))
        other = self._square if power == 4 else self._centred
        moment = np.einsum("...t,...t->...", self._square, other) / self.values.shape[-1]
        safe = np.where(flat, 1.0, std)
        # divided step by step: the power of a tiny deviation would underflow
        return np.where(flat, 0.0, moment / safe**2 / safe ** (power - 2))


STATISTICS: dict[str, Callable[[_Moments], np.ndarray]] = {
    "mean": lambda moments: moments.mean,
    "std": lambda moments: np.asarray(np.sqrt(moments.variance)),
    "rms": lambda moments: np.asarray(np.sqrt(moments.variance + moments.mean**2)),
    "kurtosis": lambda moments: moments.shape(4),
    "skewness": lambda moments: moments.shape(3),
    "min": lambda moments: moments.low,
    "max": lambda moments: moments.high,
    "peak_to_peak": lambda moments: np.asarray(moments.high - moments.low),
}
