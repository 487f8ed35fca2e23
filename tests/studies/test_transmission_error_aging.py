"""Dates of drives that wear: what sessions share is measured, intervals hold, and nothing comes from the future."""

from __future__ import annotations

import numpy as np
import pytest

from jointwatch.studies import _transmission_error_aging as aging
from jointwatch.studies._part import Part
from jointwatch.studies._transmission_error_aging import HEADLINE, LIMITS_DEG, LINE, MEAN_LIFE, Sessions

DEVIATION = 0.006  # degrees
SHARE = 0.9


def drives(units: int, weeks: np.ndarray, growth: float, seed: int) -> Sessions:
    """Even wear, errors said too high or low for good by drive, and a little by session."""
    rng = np.random.default_rng(seed)
    kept: dict[str, list[object]] = {name: [] for name in ("unit", "week", "true", "said", "low", "high")}
    for unit in range(units):
        common = np.sqrt(SHARE) * DEVIATION * rng.standard_normal()
        for week in rng.permutation(weeks):
            true = 0.013 + growth * (1 + 0.3 * (unit / units - 0.5)) * week
            said = true + common + np.sqrt(1 - SHARE) * DEVIATION * rng.standard_normal()
            numbers = (f"d{unit:02d}", week, true, said, said - 1.645 * DEVIATION, said + 1.645 * DEVIATION)
            for name, value in zip(kept, numbers, strict=True):
                kept[name].append(value)
    return Sessions(kept)


@pytest.fixture(scope="module")
def dates() -> list[dict[str, object]]:
    worn = drives(24, np.arange(53), 0.002, 1)
    common = dict.fromkeys(LIMITS_DEG, float(np.radians(np.sqrt(SHARE) * DEVIATION)))
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(aging, "_mean_life", lambda train, limit: (limit - 0.013) / 0.002)
        return aging._dates(worn, None, common, SHARE)  # type: ignore[arg-type]


def test_the_common_share_is_measured() -> None:
    assert aging._common_share(drives(300, np.arange(4), 0.0, 2)) == pytest.approx(SHARE, abs=0.03)


def test_only_what_was_before_is_known() -> None:
    own = drives(1, np.arange(53), 0.002, 3).of("d00")
    assert (np.diff(own.week) > 0).all()
    changed = own.take(np.arange(len(own.week)))
    changed.said[own.week > 20] = 9.0
    assert aging.history(changed, 20, SHARE) == aging.history(own, 20, SHARE)
    assert len(aging.history(own, 20, SHARE)) == 21


def test_dates_are_right_as_often_as_stated_only_with_the_common_error(dates: list[dict[str, object]]) -> None:
    part = Part()
    aging._forecasts(part, dates)
    said = {(r["limit"], r["way"], r["method"], r["metric"]): r["mean"] for r in part.details["aging_forecasts"]}
    for way in aging.SHARES[1:]:
        inside = [said[0.075, way, name, "share of dates inside the 80 % interval"] for name in (aging.ALONE, HEADLINE)]
        assert inside[0] < 0.55 < 0.65 < inside[1]
        assert said[0.075, way, HEADLINE, "share of dates inside the 95 % interval"] > 0.85
        for method in (HEADLINE, LINE):
            assert said[0.075, way, method, "mean absolute date error, weeks"] < 5
        assert (0.075, way, MEAN_LIFE, "mean absolute date error, weeks") in said
    assert said[0.05, 0.4, HEADLINE, "share of drives with a date"] < 1  # too few readings so early
    assert any(note.startswith("limit 0.05 deg") for note in part.notes)


def test_drives_that_do_not_wear_get_few_dates() -> None:
    idle = drives(8, np.arange(41), 0.0, 5)
    common = dict.fromkeys(LIMITS_DEG, float(np.radians(np.sqrt(SHARE) * DEVIATION)))
    found = aging._false_dates(idle, common, SHARE)
    assert len(found) == 8 * 10
    part = Part()
    aging._false(part, found)
    shares = {row.metric: row.mean for row in part.rows}
    assert shares["share of answers that are a date"] < 0.2
    assert shares["share of answers without a trend"] > 0.5


def test_margins_are_covered_as_their_errors_are() -> None:
    part = Part()
    aging._margins(part, drives(60, np.arange(0, 53, 4), 0.002, 6))
    inside = next(row for row in part.rows if row.metric.startswith("share of margins"))
    assert inside.mean == pytest.approx(0.9, abs=0.08)
    assert inside.low < inside.mean < inside.high
    assert [record["to_week"] for record in part.details["aging_margins"]][-1] == 52


def test_a_drive_that_never_reaches_the_limit_has_no_date() -> None:
    own = drives(1, np.arange(53), 0.0, 7).of("d00")
    assert own.reaches(0.05) == float("inf")
    assert drives(1, np.arange(53), 0.002, 7).of("d00").reaches(0.05) == pytest.approx(0.037 / (0.002 * 0.85))
