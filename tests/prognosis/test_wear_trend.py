"""Wear trends: dates whose intervals hold, few false trends, later dates with less wear, and honest refusals."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from scipy.stats import binom

from jointwatch.core.errors import UsageError
from jointwatch.core.levels import LEVEL_RAD
from jointwatch.prognosis.forecast import Answer, Reading, WearForecast
from jointwatch.prognosis.wear_trend import WearTrend

NOISE = 1.5e-5
DRAWS = 150


def history(
    rng: np.random.Generator, *, weeks: int = 30, power: float = 1.0, reached: float = 0.6, noise: float = NOISE
) -> tuple[list[Reading], float]:
    """(readings, true day of the limit): after `weeks` the error has gone `reached` of the way to the limit."""
    start = rng.uniform(0.6e-4, 1.6e-4)
    days = 7.0 * np.arange(weeks)
    growth = reached * (LEVEL_RAD - start)
    error = start + growth * (days / days[-1]) ** power + noise * rng.standard_normal(weeks)
    readings = [Reading(float(d), float(e), NOISE) for d, e in zip(days, error, strict=True)]
    return readings, float(days[-1] * (1 / reached) ** (1 / power))


@pytest.mark.parametrize("power", [1.0, 2.0, 3.0])
def test_the_interval_of_the_date_holds_it_at_the_stated_rate(power: float) -> None:
    rng = np.random.default_rng(21)
    trend = WearTrend(draws=600)
    hits = np.zeros(2)
    for _ in range(DRAWS):
        readings, true = history(rng, power=power)
        found = trend.forecast(readings)
        assert found.answer is Answer.DATE
        hits += [low <= true <= high for low, high in (found.date_80, found.date_95)]
    for count, rate in zip(hits, (0.8, 0.95), strict=True):
        low, high = binom.interval(0.998, DRAWS, rate)
        assert low <= count <= high


def test_the_model_does_not_pretend_to_know_the_form_of_wear() -> None:
    """Early in an accelerating history straight and curved are both held possible; later they are told apart."""
    rng = np.random.default_rng(22)
    early = [WearTrend(draws=400).forecast(history(rng, weeks=10, power=2.0)[0]).accelerating for _ in range(20)]
    late = [WearTrend(draws=400).forecast(history(rng, weeks=80, power=2.0)[0]).accelerating for _ in range(20)]
    even = [WearTrend(draws=400).forecast(history(rng, weeks=80, power=1.0)[0]).accelerating for _ in range(20)]
    assert 0.1 < np.median(even) + 0.1 < np.median(early) < np.median(late)
    assert np.median(late) > 0.99
    assert np.median(even) < 0.5


def test_a_flat_history_has_a_trend_as_seldom_as_stated() -> None:
    rng = np.random.default_rng(23)
    trend = WearTrend(alpha=0.05, draws=100)
    found = [
        trend.forecast([Reading(7.0 * week, 2e-4 + NOISE * rng.standard_normal(), NOISE) for week in range(16)])
        for _ in range(400)
    ]
    low, high = binom.interval(0.998, 400, 0.05)
    assert low <= sum(one.p_value < 0.05 for one in found) <= high
    assert {one.answer for one in found} <= {Answer.NO_TREND, Answer.CANNOT_SAY, Answer.DATE}
    quiet = [one for one in found if one.answer is Answer.NO_TREND]
    assert len(quiet) > 300
    assert all(one.not_before_days >= one.now_days + 28 for one in quiet)


def test_more_readings_narrow_the_date_and_more_wear_brings_it_forward() -> None:
    rng = np.random.default_rng(24)
    trend = WearTrend(draws=400)

    def width(weeks: int, every: int) -> float:
        spans = []
        for _ in range(25):
            found = trend.forecast(history(rng, weeks=weeks, power=1.5)[0][::every])
            spans.append(found.date_80[1] - found.date_80[0])
        return float(np.median(spans))

    assert width(61, 1) < 0.8 * width(61, 4)  # the same time, four times the readings
    dates = [
        np.median([trend.forecast(history(rng, reached=r)[0]).date_days for _ in range(10)]) for r in (0.4, 0.6, 0.8)
    ]
    assert dates[0] > dates[1] > dates[2]


def test_step_by_step_is_batch() -> None:
    readings, _ = history(np.random.default_rng(25), weeks=14)
    trend = WearTrend(draws=300)
    state = trend.init()
    for i, reading in enumerate(readings, 1):
        before = state
        state, stepped = trend.step(state, reading)
        assert len(before.readings) == i - 1
        batch = trend.forecast(readings[:i])
        for field in fields(WearForecast):
            np.testing.assert_array_equal(getattr(stepped, field.name), getattr(batch, field.name))


def test_answers_and_sentences() -> None:
    rng = np.random.default_rng(26)
    few = WearTrend().forecast(history(rng)[0][:3])
    assert few.answer is Answer.CANNOT_SAY
    assert few.weeks_needed == 5
    assert few.sentence == "Cannot say when 0.025 deg is reached: about 5 more weeks of readings needed."
    dated = WearTrend().forecast(history(rng, power=3.0)[0])
    assert dated.sentence.startswith("The error grows (accelerating")
    assert f"in {dated.date_days - dated.now_days:.0f} days" in dated.sentence
    over, true = history(rng, reached=1.3)
    above = WearTrend().forecast(over)
    assert (above.answer, above.sentence[:24]) == (Answer.ABOVE, "Already above 0.025 deg ")
    assert above.date_80[0] < true < above.date_80[1]
    assert WearTrend().forecast(over[-3:]).answer is Answer.ABOVE
    near = [Reading(7.0 * week, 0.97 * LEVEL_RAD + 3e-5 * rng.standard_normal(), 3e-5) for week in range(9)]
    unsure = WearTrend(alpha=1e-4).forecast(near)
    assert unsure.answer is Answer.CANNOT_SAY
    assert unsure.sentence.startswith("Cannot say")
    slow = [Reading(7.0 * week, 1e-4 + 2e-8 * week + 1e-9 * rng.standard_normal(), 1e-9) for week in range(30)]
    assert "beyond the horizon" in WearTrend().forecast(slow).sentence


def test_the_weeks_asked_for_are_about_enough() -> None:
    rng = np.random.default_rng(27)
    level, noise = 0.8 * LEVEL_RAD, 5e-5
    asked, enough = 0, 0
    for _ in range(30):
        readings = [Reading(7.0 * week, level + noise * rng.standard_normal(), noise) for week in range(10)]
        found = WearTrend(draws=400).forecast(readings)
        if found.answer is not Answer.CANNOT_SAY or not np.isfinite(found.weeks_needed):
            continue
        asked += 1
        more = [
            Reading(7.0 * week, level + noise * rng.standard_normal(), noise)
            for week in range(10, 10 + int(np.ceil(1.5 * found.weeks_needed)))
        ]
        enough += WearTrend(draws=400).forecast([*readings, *more]).answer is not Answer.CANNOT_SAY
    assert asked >= 10
    assert enough >= 0.6 * asked


def test_a_stray_reading_changes_little_and_sudden_wear_stays() -> None:
    readings, _ = history(np.random.default_rng(28), power=1.0)
    clean = WearTrend().forecast(readings)
    stray = list(readings)
    stray[12] = Reading(stray[12].time_days, stray[12].error_rad + 20 * NOISE, NOISE)
    found = WearTrend().forecast(stray)
    assert found.set_aside == (12,)
    assert found.date_days == pytest.approx(clean.date_days, rel=0.05)
    worn = [*readings[:-3], *(Reading(r.time_days, r.error_rad + 20 * NOISE, NOISE) for r in readings[-3:])]
    assert not set(WearTrend().forecast(worn).set_aside) & {27, 28, 29}


def test_intervals_and_shared_uncertainty() -> None:
    reading = Reading.of_interval(3.0, 2e-4, 1.8e-4, 2.2e-4, level=0.8)
    assert reading.uncertainty_rad == pytest.approx(2e-5 / 1.2816, rel=1e-3)
    readings, _ = history(np.random.default_rng(29))
    alone, shared = WearTrend().forecast(readings), WearTrend(common_rad=4e-5).forecast(readings)
    assert np.ptp(shared.date_80) > 1.5 * np.ptp(alone.date_80)


def test_an_interval_says_its_level() -> None:
    with pytest.raises(TypeError, match="level"):
        Reading.of_interval(3.0, 2e-4, 1.8e-4, 2.2e-4)  # type: ignore[call-arg]
    with pytest.raises(UsageError, match="between 0 and 1"):
        Reading.of_interval(3.0, 2e-4, 1.8e-4, 2.2e-4, level=95.0)


def test_intervals_in_words() -> None:
    rng = np.random.default_rng(30)
    near = [
        Reading(7.0 * week, (0.6 + 0.4 * week / 29) * LEVEL_RAD + 2e-5 * rng.standard_normal(), 2e-5)
        for week in range(30)
    ]
    found = WearTrend().forecast(near)
    assert found.date_95[0] - found.now_days < 0.5 < found.date_95[1] - found.now_days
    assert f"95 %: within {found.date_95[1] - found.now_days:.0f} days." in found.sentence
    far, _ = history(rng)
    found = WearTrend(draws=400).forecast(far)
    short = WearTrend(draws=400, horizon_days=found.date_days - found.now_days).forecast(far)
    assert f"80 %: in {found.date_80[0] - found.now_days:.0f} days or later, 95 %" in short.sentence


@pytest.mark.parametrize("fall", [5e-6, 2e-5])
def test_a_falling_history_is_called_so(fall: float) -> None:
    rng = np.random.default_rng(31)
    readings = [Reading(7.0 * week, 4e-4 - fall * week + 1e-6 * rng.standard_normal(), 1e-5) for week in range(16)]
    found = WearTrend().forecast(readings)
    assert found.answer is Answer.NO_TREND
    assert np.isfinite(found.now_rad).all()
    assert found.sentence.endswith(
        "The readings fall, which wear does not: was the drive serviced, or load or measurement changed?"
    )
    assert "fall" not in WearTrend().forecast(history(rng)[0]).sentence


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit_rad", float("nan")), ("limit_rad", -1.0), ("limit_rad", float("inf")), ("alpha", 5.0), ("alpha", 0.0),
        ("min_readings", 1), ("notice_days", float("nan")), ("notice_days", -1.0), ("horizon_days", -5.0),
        ("common_rad", -1.0), ("draws", 0), ("draws", 150.5),
    ],
)  # fmt: skip
def test_arguments_out_of_range(name: str, value: float) -> None:
    readings, _ = history(np.random.default_rng(32), weeks=9)
    with pytest.raises(UsageError, match=rf"{name} is .*, got {value}"):
        WearTrend(**{name: value}).forecast(readings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("readings", "says"),
    [
        ([], "at least one reading"),
        ([Reading(0.0, float("nan"), 1e-5)], "reading 1"),
        ([Reading(0.0, 1e-4, 1e-5), Reading(1.0, 1e-4, 0.0)], "reading 2: .* positive uncertainty"),
        ([Reading(1.0, 1e-4, 1e-5), Reading(0.0, 1e-4, 1e-5)], "reading 2 is earlier"),
    ],
)
def test_readings_that_cannot_be(readings: list[Reading], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        WearTrend().forecast(readings)
