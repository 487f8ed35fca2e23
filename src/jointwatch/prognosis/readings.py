"""From grades of a drive's sessions to the dated readings that a wear trend is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from scipy.stats import norm

from jointwatch.core.errors import UsageError
from jointwatch.prognosis.forecast import Reading

__all__ = ["COMMON_SHARE", "Graded", "common_error", "readings_of"]

COMMON_SHARE = 0.9
"""Share of a grade's squared error that all sessions of a drive have in common (docs/transmission-error.md): drives
wear by laws of their own, so that a drive that is graded too high once is graded too high for good."""


class Graded(Protocol):
    """Errors with intervals, such as `diagnosis.base.Grades`, one row a session."""

    @property
    def error_rad(self) -> np.ndarray: ...

    @property
    def low_rad(self) -> np.ndarray: ...

    @property
    def high_rad(self) -> np.ndarray: ...

    @property
    def coverage(self) -> float: ...


def readings_of(
    grades: Graded, time_days: Sequence[float] | np.ndarray, *, common_share: float = COMMON_SHARE
) -> list[Reading]:
    """Readings of one drive, in order of time. Their uncertainty is what differs from session to session; what the
    sessions have in common, `common_error`, is for the trend to be told once.

    Parameters
    ----------
    grades : with intervals, one row a session: `grades.by("session")`. time_days : (row,) when the session was.
    common_share : of the squared error.

    Errors: `UsageError` for times that do not fit, grades without intervals, or a share that is not in [0, 1).

    >>> from types import SimpleNamespace
    >>> graded = SimpleNamespace(coverage=0.9, error_rad=np.array([3e-4, 2e-4]),
    ...                          low_rad=np.array([1e-4, 1e-4]), high_rad=np.array([5e-4, 3e-4]))
    >>> [(reading.time_days, round(1e6 * reading.uncertainty_rad, 1)) for reading in readings_of(graded, [7, 0])]
    [(0.0, 19.2), (7.0, 38.5)]
    """
    days = np.asarray(time_days, float)
    if days.shape != grades.error_rad.shape:
        raise UsageError(f"one time for each of {len(grades.error_rad)} sessions is needed, got {days.shape}")
    own = np.sqrt(1 - _checked(common_share)) * _deviation(grades)
    order = np.argsort(days, kind="stable")
    return [Reading(float(days[i]), float(grades.error_rad[i]), float(own[i])) for i in order]


def common_error(grades: Graded, limit_rad: float, *, common_share: float = COMMON_SHARE) -> float:
    """Standard uncertainty that all readings of a drive share when it is at the limit: `common_rad` of `WearTrend`.

    Parameters
    ----------
    grades : with intervals, of drives from below to above the limit, such as those that were learned; how wide an
        interval is near the limit is read from them.

    >>> from types import SimpleNamespace
    >>> graded = SimpleNamespace(coverage=0.9, error_rad=np.array([4e-4, 2e-4]),
    ...                          low_rad=np.array([1e-4, 1e-4]), high_rad=np.array([7e-4, 3e-4]))
    >>> round(1e6 * common_error(graded, 3e-4), 1)
    115.4
    """
    order = np.argsort(grades.error_rad, kind="stable")
    at_limit = np.interp(limit_rad, grades.error_rad[order], _deviation(grades)[order])
    return float(np.sqrt(_checked(common_share)) * at_limit)


def _deviation(grades: Graded) -> np.ndarray:
    """(row,) standard deviation, the interval taken for a normal one."""
    width = grades.high_rad - grades.low_rad
    if not np.isfinite(width).all():
        raise UsageError("grades without intervals make no readings; grade with a view that gives them (profile)")
    found: np.ndarray = width / (2 * norm.ppf((1 + grades.coverage) / 2))
    return found


def _checked(share: float) -> float:
    if not 0 <= share < 1:
        raise UsageError(f"a common share lies from 0 to below 1, got {share}")
    return share
