"""What every view of a drive's transmission error is: figures of each cycle by itself, then degree and levels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np

from jointwatch.core import Index, Recording, Windows
from jointwatch.core.errors import InputError
from jointwatch.core.estimator import BaseEstimator

__all__ = ["GradeTable", "GradeView", "check_rate", "kept"]


@dataclass(frozen=True, eq=False)
class GradeTable:
    """What a view says of its rows.

    Parameters
    ----------
    error_rad : (row,) median of the static error.
    low_rad, high_rad : (row,) its interval; NaN where the view gives none.
    probability : (row, level), rows sum to 1.
    score : (row, level) what the levels were decided by: log-likelihoods, or log-probabilities.
    """

    error_rad: np.ndarray
    low_rad: np.ndarray
    high_rad: np.ndarray
    probability: np.ndarray
    score: np.ndarray


class GradeView(BaseEstimator, ABC):
    """Recordings -> windows -> figures of each cycle -> grades. What is dear to compute, `measure`, learns nothing, so
    that it is done once for all folds of a study, and on line once for each cycle.

    Parameters
    ----------
    joint : number of the joint; None = the one that travels farthest.
    baseline : `unit` = figures relative to the unit's own healthy cycles (`windows.own_baseline`), or None.
    cycles : how many successive cycles of a session are judged together, T.
    coverage : of intervals.
    random_state : seed of everything.
    """

    joint: int | None
    baseline: Literal["unit"] | None
    cycles: int
    coverage: float
    random_state: int

    @abstractmethod
    def cut(self, recordings: Sequence[Recording]) -> Windows:
        """Whole cycles, one a row; needs no `fit`. The first time decides on the signals, which all later ones need."""

    @abstractmethod
    def measure(self, windows: Windows) -> np.ndarray:
        """(row, figure) of each cycle by itself: the same bits whatever stands beside it; needs no `fit`."""

    @abstractmethod
    def fit(self, figures: np.ndarray, index: Index, error_rad: np.ndarray, groups: np.ndarray) -> Self:
        """Learn from cycles of known error; healthy rows of the index give baselines.

        Parameters
        ----------
        figures : (row, figure). error_rad : (row,) from 0.
        groups : (row,) names of what is held out as a whole when the view calibrates itself.
        """

    @abstractmethod
    def adapt(self, figures: np.ndarray, index: Index) -> Self:
        """A copy that also knows the baselines that healthy rows give; needed with `baseline` only."""

    @abstractmethod
    def table(self, figures: np.ndarray, index: Index) -> GradeTable:
        """Grades of the rows. A row depends on the rows of its own session up to it and on no others."""


def kept(windows: Windows, good: np.ndarray, reason: str) -> Windows:
    """The good rows; the others are counted as skipped."""
    lost = int((~good).sum())
    if not lost:
        return windows
    return replace(windows[good], skipped={**windows.skipped, reason: windows.skipped.get(reason, 0) + lost})


def check_rate(recording: Recording, needed_hz: float, why: str) -> None:
    """Errors: `InputError` for a recording that is slower than needed (Hz)."""
    if recording.rate_hz < needed_hz:
        raise InputError(
            f"{recording.robot.unit}, session {recording.session!r}, has {recording.rate_hz:.4g} samples a second; "
            f"{why} needs {needed_hz:.4g}",
            file=recording.source or None,
            remedy="record faster, or leave it out",
        )
