"""What is read of a wearing drive, and what is said of its future: dates with intervals, in words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

import numpy as np
from scipy.stats import norm

from jointwatch.core.errors import UsageError

__all__ = ["SURELY", "Answer", "Reading", "WearForecast", "with_sentence"]

SURELY = 0.9
"""Probability from which something is said as a fact."""


class Answer(StrEnum):
    """What a history allows to be said."""

    ABOVE = "already above"
    DATE = "date"
    NO_TREND = "no trend"
    CANNOT_SAY = "cannot say"


@dataclass(frozen=True)
class Reading:
    """One estimate of a drive's error: when, how large, and its standard uncertainty."""

    time_days: float
    error_rad: float
    uncertainty_rad: float

    @classmethod
    def of_interval(cls, time_days: float, error_rad: float, low_rad: float, high_rad: float, *, level: float) -> Self:
        """A reading whose uncertainty is given as an interval, taken for a normal one.

        Parameters
        ----------
        level : coverage of the interval, as whoever made it says; `coverage` of `Grades`.

        Errors: `UsageError` for a level that is not between 0 and 1.

        >>> round(Reading.of_interval(0.0, 1e-4, 1e-4 - 1.96e-5, 1e-4 + 1.96e-5, level=0.95).uncertainty_rad, 8)
        1e-05
        """
        if not 0 < level < 1:
            raise UsageError(f"the level of an interval lies between 0 and 1, got {level}")
        return cls(time_days, error_rad, float((high_rad - low_rad) / (2 * norm.ppf((1 + level) / 2))))


@dataclass(frozen=True, eq=False)
class WearForecast:
    """What a history says; days count as the readings' do, an infinite one is beyond the horizon.

    Parameters
    ----------
    answer, sentence : one of `Answer`, and the same in plain words.
    p_value : of the Mann-Kendall test against growth; 1 with fewer readings than are needed.
    now_days : time of the last reading. now_rad : (3,) 2.5 %, 50 % and 97.5 % of the error then.
    probability_above : that the error is above the limit now.
    rate_rad_per_day : (3,) the same quantiles of the present rate of growth, taken to be positive.
    accelerating : probability that wear accelerates, of a power above 1. power : its median.
    date_days : median of the time at which the limit is reached. date_80, date_95 : its intervals.
    not_before_days : it is later with 95 %.
    weeks_needed : further weeks of readings at the same pace until something can be said; NaN if none would do.
    set_aside : indices, in order of time, of single stray readings that the next one did not confirm.
    band_days, band_rad : (time,) and (5, time), 2.5, 10, 50, 90, 97.5 % of the error; empty with too few readings.
    """

    answer: Answer
    sentence: str
    p_value: float
    now_days: float
    now_rad: np.ndarray
    probability_above: float
    rate_rad_per_day: np.ndarray
    accelerating: float
    power: float
    date_days: float
    date_80: tuple[float, float]
    date_95: tuple[float, float]
    not_before_days: float
    weeks_needed: float
    set_aside: tuple[int, ...]
    band_days: np.ndarray
    band_rad: np.ndarray


def with_sentence(forecast: WearForecast, limit_rad: float, falls: bool) -> WearForecast:
    """The forecast with its plain sentence; `falls` = the readings fall with time."""
    sentence = _sentence(forecast, limit_rad)
    if falls:
        sentence += " The readings fall, which wear does not: was the drive serviced, or load or measurement changed?"
    return replace(forecast, sentence=sentence)


def _sentence(found: WearForecast, limit_rad: float) -> str:
    limit = f"{np.degrees(limit_rad):.3g} deg"
    if found.answer is Answer.ABOVE:
        low, middle, high = np.degrees(found.now_rad)
        return (
            f"Already above {limit} (probability {found.probability_above:.0%}): now {middle:.3f} deg, "
            f"95 % {low:.3f} to {high:.3f} deg."
        )
    if found.answer is Answer.DATE:
        steady = "even" if found.power >= 1 else "slowing"
        surely = "accelerating" if found.accelerating > SURELY else steady if found.accelerating < 1 - SURELY else ""
        return (
            f"The error grows ({surely or 'perhaps accelerating'}, p = {found.p_value:.2g}) and reaches {limit} "
            f"{_when(found, found.date_days)}; 80 %: {_between(found, found.date_80)}, "
            f"95 %: {_between(found, found.date_95)}."
        )
    if found.answer is Answer.NO_TREND:
        earliest = _when(found, found.not_before_days)
        return f"No trend (p = {found.p_value:.2g}): {limit} is reached {earliest} at the earliest (95 %)."
    if np.isnan(found.weeks_needed):
        return f"Cannot say: the error is so near {limit} that further readings as uncertain as these would not tell."
    weeks = int(np.ceil(found.weeks_needed))
    count = f"{weeks} more {'week' if weeks == 1 else 'weeks'}"
    return f"Cannot say when {limit} is reached: about {count} of readings needed."


def _when(found: WearForecast, date: float) -> str:
    if np.isinf(date):
        return "beyond the horizon"
    days = date - found.now_days
    return "now" if days < 0.5 else f"in {days:.0f} days"


def _between(found: WearForecast, ends: tuple[float, float]) -> str:
    low, high = (_when(found, end) for end in ends)
    if low == high:
        return low
    if high == "beyond the horizon":
        return f"{low} or later"
    if low == "now":
        return high.replace("in ", "within ")
    return f"{low.removesuffix(' days')} to {high.removeprefix('in ')}"
