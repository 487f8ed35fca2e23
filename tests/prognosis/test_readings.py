"""Readings of graded sessions: dates whose intervals hold though all sessions of a drive are wrong alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from jointwatch.core.errors import UsageError
from jointwatch.core.levels import LEVEL_RAD
from jointwatch.prognosis.forecast import Answer
from jointwatch.prognosis.readings import common_error, readings_of
from jointwatch.prognosis.wear_trend import WearTrend

SHARE = 0.9


@dataclass
class Graded:
    error_rad: np.ndarray
    low_rad: np.ndarray
    high_rad: np.ndarray
    coverage: float = 0.9


def graded(error: np.ndarray, deviation: float) -> Graded:
    reach = 1.645 * deviation
    return Graded(error, error - reach, error + reach)


def test_dates_hold_only_if_the_common_error_is_told() -> None:
    rng = np.random.default_rng(3)
    deviation, weeks, limit = 4e-5, np.arange(25), 2 * LEVEL_RAD
    hits = {True: 0, False: 0}
    for _ in range(120):
        true = 2e-4 + 1.5e-5 * weeks
        common = np.sqrt(SHARE) * deviation * rng.standard_normal()
        said = graded(true + common + np.sqrt(1 - SHARE) * deviation * rng.standard_normal(25), deviation)
        readings = readings_of(said, 7.0 * weeks, common_share=SHARE)
        date = 7 * (limit - 2e-4) / 1.5e-5
        for told in hits:
            error = common_error(said, limit, common_share=SHARE) if told else 0.0
            found = WearTrend(limit_rad=limit, common_rad=error, draws=400).forecast(readings)
            assert found.answer is Answer.DATE
            hits[told] += found.date_80[0] <= date <= found.date_80[1]
    assert hits[False] < 0.6 * 120 < 0.72 * 120 < hits[True]


def test_wear_that_slows_down_is_dated_when_it_may() -> None:
    rng = np.random.default_rng(4)
    weeks, limit = np.arange(25), 2 * LEVEL_RAD
    late: dict[bool, list[float]] = {True: [], False: []}
    hits = {True: 0, False: 0}
    for _ in range(60):
        true = 1.5e-4 + 9e-5 * weeks**0.6
        date = 7 * ((limit - 1.5e-4) / 9e-5) ** (1 / 0.6)
        readings = readings_of(graded(true + 1e-5 * rng.standard_normal(25), 1e-5), 7.0 * weeks, common_share=0.0)
        for slowing in hits:
            found = WearTrend(limit_rad=limit, slowing=slowing, draws=400).forecast(readings)
            hits[slowing] += found.date_95[0] <= date <= found.date_95[1]
            late[slowing].append(found.date_days - date)
    assert np.median(late[False]) < 3 * np.median(late[True]) - 7  # straight: weeks too early
    assert hits[False] < 30 < 50 < hits[True]


def test_readings_come_in_order_of_time_whatever_that_of_the_sessions() -> None:
    said = graded(np.array([3e-4, 1e-4, 2e-4]), 2e-5)
    found = readings_of(said, [14, 0, 7])
    assert [(one.time_days, one.error_rad) for one in found] == [(0.0, 1e-4), (7.0, 2e-4), (14.0, 3e-4)]


def test_what_makes_no_readings_is_refused() -> None:
    said = graded(np.array([3e-4, 1e-4]), 2e-5)
    with pytest.raises(UsageError, match="one time for each of 2 sessions"):
        readings_of(said, [0.0])
    with pytest.raises(UsageError, match="common share"):
        common_error(said, LEVEL_RAD, common_share=1.0)
    said.low_rad = np.full(2, np.nan)
    with pytest.raises(UsageError, match="without intervals"):
        readings_of(said, [0.0, 7.0])
