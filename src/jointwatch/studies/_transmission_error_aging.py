"""Drives that wear for a year: each week's grade, and how early and how rightly the date of a limit is foretold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np

from jointwatch.core.levels import LEVEL_RAD
from jointwatch.diagnosis._profile_grades import ProfileGrades
from jointwatch.prognosis.forecast import Answer, Reading, WearForecast
from jointwatch.prognosis.readings import common_error, readings_of
from jointwatch.prognosis.wear_trend import WearTrend
from jointwatch.studies._fleet_table import Table
from jointwatch.studies._folds import folds
from jointwatch.studies._grading_scores import spread
from jointwatch.studies._ledger import Ledger
from jointwatch.studies._part import Part
from jointwatch.studies._transmission_error_profiles import figures_for, profile_table
from jointwatch.studies.base import Progress

__all__ = [
    "ALONE",
    "FORECASTS",
    "HEADLINE",
    "LIMITS_DEG",
    "LINE",
    "MEAN_LIFE",
    "SHARES",
    "Sessions",
    "aging_part",
    "forecast_of",
    "history",
]

LIMITS_DEG: Final = (0.05, 0.075)
SHARES: Final = (0.4, 0.6, 0.8)
ALONE: Final = "wear trend, readings independent"
HEADLINE: Final = "wear trend, common error, wear may slow"
LINE: Final = "straight line, least squares"
MEAN_LIFE: Final = "mean life of the training fleet"
FORECASTS: Final = {
    ALONE: {"common": False, "slowing": False},
    "wear trend, common error": {"common": True, "slowing": False},
    HEADLINE: {"common": True, "slowing": True},
}
_WEEKS = 52.0
_DAYS = 7.0
_CYCLES = 2
_COVERAGE = 0.9
_HORIZON_WEEKS = 3650 / _DAYS
_YOUNG = ("s01", "s02")  # of a drive that does not wear, its youth
_LEVEL_DEG = float(np.degrees(LEVEL_RAD))
_AGES = (0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)  # shares of the life, for the coverage


class Sessions:
    """Grades of sessions with their weeks and truth, one a row; a drive's are in order of time.

    unit : (row,) names. week : (row,) time. true, said, low, high : (row,) static error and interval, degrees.
    """

    def __init__(self, kept: Mapping[str, Sequence[Any]]) -> None:
        self.unit = np.array(kept["unit"])
        self.week, self.true, self.said, self.low, self.high = (
            np.array(kept[name], float) for name in ("week", "true", "said", "low", "high")
        )

    def of(self, unit: str) -> Sessions:
        own = np.flatnonzero(self.unit == unit)
        return self.take(own[np.argsort(self.week[own], kind="stable")])

    def take(self, rows: np.ndarray) -> Sessions:
        return Sessions({name: getattr(self, name)[rows] for name in ("unit", "week", "true", "said", "low", "high")})

    @property
    def coverage(self) -> float:
        """Nominal."""
        return _COVERAGE

    @property
    def error_rad(self) -> np.ndarray:
        return np.radians(self.said)

    @property
    def low_rad(self) -> np.ndarray:
        return np.radians(self.low)

    @property
    def high_rad(self) -> np.ndarray:
        return np.radians(self.high)

    def reaches(self, limit_deg: float) -> float:
        """Week at which a drive's true error reaches the limit; infinite if it does not."""
        if self.true[-1] < limit_deg:
            return float("inf")
        return float(np.interp(limit_deg, self.true, self.week))


def aging_part(train_folder: Path, folder: Path, seeds: int, ledger: Ledger, progress: Progress) -> Part:
    """Margins and dates of the drives in `folder` by a grader that learned other drives.

    Time: a worn session of severity s is that of week 52 s; the two sessions of the youth, the baseline, are of week 0.
    A forecast is made from all sessions up to 40, 60 and 80 % of the way in time to the true date. What of a grade's
    error all sessions of a drive share is measured on training drives held out. Nothing of the judged drives is used.

    Parameters
    ----------
    train_folder : what the preset m2-drives makes, of which `fleet` is learned. folder : of the preset m2-aging.
    seeds : deals of the training drives to folds, over which the share is averaged.
    """
    train = profile_table(train_folder, ["fleet"], 1, ledger, progress)
    aging = profile_table(folder, ["aging"], 1, ledger, progress)
    steps: dict[str, Any] = {f"aging/held out/{seed}": partial(_held_out, train, seed) for seed in range(seeds)}
    steps["aging/worn"] = partial(_graded, train, aging)
    if (folder / "still").is_dir():
        still = _as_watched(profile_table(folder, ["still"], 1, ledger, progress))
        steps["aging/still"] = partial(_graded, train, still)
    found = ledger.every(steps, progress)
    known = [Sessions(found[f"aging/held out/{seed}"]) for seed in range(seeds)]
    share = float(np.mean([_common_share(one) for one in known]))
    common = {limit: common_error(known[0], np.radians(limit), common_share=share) for limit in LIMITS_DEG}
    worn = Sessions(found["aging/worn"])
    part = Part()
    part.table(
        "aging_setup",
        [{"limit": limit, "common_rad": error, "common_share": share} for limit, error in common.items()],
    )
    part.table("aging_sessions", _records(worn))
    _margins(part, worn)
    dates = ledger.once("aging/dates", partial(_dates, worn, train, common, share))
    part.table("aging_dates", dates)
    _forecasts(part, dates)
    _early(part, worn)
    if "aging/still" in found:
        idle = Sessions(found["aging/still"])
        _false(part, ledger.once("aging/false dates", partial(_false_dates, idle, common, share)))
        part.table("aging_still", _records(idle))
    part.notes.append(
        f"of the squared error of grades {share:.0%} is common to all sessions of a drive (training drives held out)"
    )
    return part


def history(sessions: Sessions, until_week: float, share: float) -> list[Reading]:
    """A drive's readings up to a week; what all share of their error is left to the trend's `common_rad`."""
    known = sessions.take(np.flatnonzero(sessions.week <= until_week))
    return readings_of(known, _DAYS * known.week, common_share=share)


def forecast_of(name: str, limit_deg: float, common_rad: float) -> WearTrend:
    """The trend of one of `FORECASTS`."""
    options = FORECASTS[name]
    return WearTrend(
        limit_rad=float(np.radians(limit_deg)),
        common_rad=common_rad if options["common"] else 0.0,
        slowing=options["slowing"],
    )


def _as_watched(table: Table) -> Table:
    """Drives that never wear: only their first sessions are their baseline."""
    label = np.where(np.isin(table.index.session, _YOUNG), "normal", "anomalous")
    return replace(table, index=replace(table.index, label=label))


def _held_out(train: Table, seed: int) -> dict[str, list[Any]]:
    """Grades of the training drives' worn sessions while the drive was held out."""
    error, told = train.of("error_rad"), np.full((3, len(train)), np.nan)
    figures = figures_for(train, "unit")
    for known, asked in folds(train.stub, "unit", seed):
        view = _learned(train.take(known), seed)
        told[:, asked] = _told(view, figures[asked], train.take(asked))
    worn = train.index.label != "normal"
    return _kept(train, error, told, _last_of_session(train) & worn)


def _graded(train: Table, table: Table) -> dict[str, list[Any]]:
    told = _told(_learned(train, 0), figures_for(table, "unit"), table)
    return _kept(table, table.of("error_rad"), told, _last_of_session(table))


def _learned(train: Table, seed: int) -> ProfileGrades:
    view = ProfileGrades(baseline="unit", cycles=_CYCLES, coverage=_COVERAGE, random_state=seed)
    return view.fit(figures_for(train, "unit"), train.index, train.of("error_rad"), train.index.unit)


def _told(view: ProfileGrades, figures: np.ndarray, table: Table) -> np.ndarray:
    """(3, row) error, low and high, rad."""
    said = view.adapt(figures, table.index).table(figures, table.index)
    return np.stack([said.error_rad, said.low_rad, said.high_rad])


def _last_of_session(table: Table) -> np.ndarray:
    """(row,) the last cycle of each session, which the earlier ones are judged with."""
    order = np.lexsort((table.index.start_s, table.index.unit_session))
    sessions = table.index.unit_session[order]
    last = np.zeros(len(order), bool)
    last[order[np.append(sessions[1:] != sessions[:-1], True)]] = True
    return last


def _kept(table: Table, error: np.ndarray, told: np.ndarray, rows: np.ndarray) -> dict[str, list[Any]]:
    week = np.rint(_WEEKS * table.of("severity"))
    idle = table.of("group") == "still"
    number = np.array([int(name.removeprefix("s")) for name in table.index.session])
    week = np.where(idle, np.maximum(number - len(_YOUNG), 0), week)[rows]
    values = dict(zip(("true", "said", "low", "high"), np.degrees([error, *told])[:, rows], strict=True))
    return {
        "unit": table.index.unit[rows].tolist(),
        "week": week.tolist(),
        **{name: np.round(one, 6).tolist() for name, one in values.items()},
    }


def _common_share(known: Sessions) -> float:
    """Share of the mean square error that sessions of a drive have in common, by analysis of variance."""
    common, own = [], []
    for unit in np.unique(known.unit):
        error = (known.said - known.true)[known.unit == unit]
        if len(error) > 1:
            own.append(float(error.var(ddof=1)))
            common.append(float(error.mean() ** 2) - own[-1] / len(error))
    between, within = max(float(np.mean(common)), 0.0), float(np.mean(own))
    return min(between / (between + within), 0.99)


def _records(sessions: Sessions) -> list[dict[str, Any]]:
    names = ("week", "true", "said", "low", "high")
    return [
        {"drive": str(unit), **{name: float(getattr(sessions, name)[row]) for name in names}}
        for row, unit in enumerate(sessions.unit)
    ]


def _margins(part: Part, worn: Sessions) -> None:
    """How often the interval of the margin holds it; the limit moves both alike, so that any limit has the same."""
    later = worn.take(np.flatnonzero(worn.week > 0))
    inside = ((later.low <= later.true) & (later.true <= later.high)).astype(float)
    place = {"method": "profile, ordinal, own baseline", "split": "other fleet", "source": "fleet", "target": "aging"}
    number = len(np.unique(later.unit))

    def figure(values: np.ndarray, metric: str) -> None:
        part.figure(spread(values[None], later.true, later.unit, _mean), metric, n=number, seeds=1, **place)

    figure(inside, f"share of margins inside the {_COVERAGE:.0%} interval")
    figure(np.abs(later.said - later.true), "mean absolute error, degree")
    for low, high in pairwise(_AGES):
        mine = (later.week > low * _WEEKS) & (later.week <= high * _WEEKS)
        if mine.any():
            away = (later.said - later.true)[mine]
            record = {"from_week": low * _WEEKS, "to_week": high * _WEEKS, "inside": float(inside[mine].mean())}
            wide = float((later.high - later.low)[mine].mean())
            true = float(later.true[mine].mean())
            part.table("aging_margins", [{**record, "bias": float(away.mean()), "width": wide, "true": true}])
    by_drive = {str(unit): float(inside[later.unit == unit].mean()) for unit in np.unique(later.unit)}
    worst = min(by_drive, key=lambda unit: by_drive[unit])
    part.notes.append(f"margin's interval, worst drive {worst}: holds it in {by_drive[worst]:.2f} of its sessions")
    last = part.details["aging_margins"][-1]
    part.notes.append(
        f"margin's interval, weeks {last['from_week']:.0f} to {last['to_week']:.0f} (mean error {last['true']:.3f} "
        f"deg): holds it in {last['inside']:.2f}, errors are said {abs(last['bias']):.3f} deg too "
        f"{'low' if last['bias'] < 0 else 'high'}"
    )


def _dates(worn: Sessions, train: Table, common: Mapping[float, float], share: float) -> list[dict[str, Any]]:
    """One record for each limit, moment, drive and method; weeks, infinite ones at the horizon."""
    found = []
    for limit in LIMITS_DEG:
        mean_life = _mean_life(train, limit)
        for unit in np.unique(worn.unit):
            own = worn.of(str(unit))
            true = own.reaches(limit)
            if not np.isfinite(true):
                continue
            for way in SHARES:
                now = float(np.floor(way * true))
                readings = history(own, now, share)
                place = {"limit": limit, "way": way, "drive": str(unit), "now": now, "true": true}
                for name in FORECASTS:
                    said = forecast_of(name, limit, common[limit]).forecast(readings)
                    found.append({**place, "method": name, **_date(said)})
                weeks, error = (np.array([getattr(r, name) for r in readings]) for name in ("time_days", "error_rad"))
                found.append({**place, "method": LINE, "date": _line(weeks / _DAYS, np.degrees(error), limit)})
                found.append({**place, "method": MEAN_LIFE, "date": max(mean_life, now)})
    return found


def _date(said: WearForecast) -> dict[str, Any]:
    if said.answer is not Answer.DATE:
        return {"answer": str(said.answer)}
    ends = {"low80": said.date_80[0], "high80": said.date_80[1], "low95": said.date_95[0], "high95": said.date_95[1]}
    dates = {"date": said.date_days, **ends}
    return {"answer": str(said.answer), **{k: min(v / _DAYS, _HORIZON_WEEKS) for k, v in dates.items()}}


def _line(week: np.ndarray, error: np.ndarray, limit: float) -> float:
    if len(week) < 2 or week[-1] == week[0]:
        return _HORIZON_WEEKS
    slope, start = np.polyfit(week, error, 1)
    return float(min((limit - start) / slope, _HORIZON_WEEKS)) if slope > 0 else _HORIZON_WEEKS


def _mean_life(train: Table, limit: float) -> float:
    """Weeks at which the drives that were learned would have reached the limit, each on a straight line from new."""
    true, severity = np.degrees(train.of("error_rad")), train.of("severity")
    weeks = []
    for unit in np.unique(train.index.unit):
        own = train.index.unit == unit
        new, worn = true[own & (severity == 0)].mean(), own & (severity > 0)
        growth = (true[worn].mean() - new) / (_WEEKS * severity[worn].mean())
        if true[worn].mean() > _LEVEL_DEG:
            weeks.append((limit - new) / growth)
    return float(np.mean(weeks))


def _forecasts(part: Part, dates: Sequence[Mapping[str, Any]]) -> None:
    for limit in LIMITS_DEG:
        for way in SHARES:
            own = [record for record in dates if (record["limit"], record["way"]) == (limit, way)]
            if not own:
                continue
            dated = {r["drive"] for r in own if r["method"] == HEADLINE and "date" in r}
            for method in (*FORECASTS, LINE, MEAN_LIFE):
                mine = [record for record in own if record["method"] == method]
                _of_method(part, mine, dated, method, limit, way)
    for limit in LIMITS_DEG:
        said = {
            (r["way"], r["method"]): r["mean"]
            for r in part.details["aging_forecasts"]
            if (r["limit"], r["metric"]) == (limit, "share of drives with a date")
        }
        share = ", ".join(f"{said[way, HEADLINE]:.2f} at {way:.0%}" for way in SHARES if (way, HEADLINE) in said)
        part.notes.append(f"limit {limit:g} deg, share of drives with a date: {share} of the way")


def _of_method(
    part: Part, mine: Sequence[Mapping[str, Any]], dated: set[str], method: str, limit: float, way: float
) -> None:
    place = {"method": method, "split": f"at {way:.0%} of the way", "source": "fleet", "target": f"limit {limit:g} deg"}
    first = len(part.rows)

    def figure(values: Sequence[float], metric: str, rows: Sequence[Mapping[str, Any]]) -> None:
        numbers, drives = np.array(values, float), np.array([row["drive"] for row in rows])
        if len(numbers):
            found = spread(numbers[None], np.zeros(len(numbers)), drives, _mean)
            part.figure(found, metric, n=len(numbers), seeds=1, **place)

    there = [row for row in mine if "date" in row]
    if method in FORECASTS:
        figure([float("date" in row) for row in mine], "share of drives with a date", mine)
        above = [float(row["answer"] == Answer.ABOVE) for row in mine]
        figure(above, "share of drives wrongly said to be above", mine)
        for nominal in ("80", "95"):
            inside = [row[f"low{nominal}"] <= row["true"] <= row[f"high{nominal}"] for row in there]
            figure([float(one) for one in inside], f"share of dates inside the {nominal} % interval", there)
        figure([row["high80"] - row["low80"] for row in there], "80 % interval, weeks", there)
    # the same drives for all methods; one that is said to be above the limit already is said to reach it now
    same = [row for row in mine if row["drive"] in dated and ("date" in row or row["answer"] == Answer.ABOVE)]
    off = [row.get("date", row["now"]) - row["true"] for row in same]
    figure([abs(weeks) for weeks in off], "mean absolute date error, weeks", same)
    figure(off, "mean date error, weeks", same)
    for row in part.rows[first:]:
        record = {"limit": limit, "way": way, "method": method, "metric": row.metric}
        part.table("aging_forecasts", [{**record, "mean": row.mean, "low": row.low, "high": row.high, "n": row.n}])


def _early(part: Part, worn: Sessions) -> None:
    """When the limit of a new drive is reached, which no forecast comes before."""
    weeks = [worn.of(str(unit)).reaches(_LEVEL_DEG) for unit in np.unique(worn.unit)]
    part.notes.append(
        f"{_LEVEL_DEG:.3g} deg is reached in week {np.median(weeks):.0f} (median; {min(weeks):.0f} to "
        f"{max(weeks):.0f}) of {_WEEKS:.0f}: before there are readings enough for a trend"
    )


def _false_dates(idle: Sessions, common: Mapping[float, float], share: float) -> list[dict[str, Any]]:
    """What is said each week of drives that do not wear."""
    limit = LIMITS_DEG[0]
    found = []
    for unit in np.unique(idle.unit):
        own = idle.of(str(unit))
        for week in range(4, int(own.week[-1]) + 1, 4):
            trend = forecast_of(HEADLINE, limit, common[limit])
            said = trend.forecast(history(own, week, share))
            record = {"drive": str(unit), "week": week, "answer": str(said.answer), "limit": limit}
            found.append({**record, "soon": bool(said.answer is Answer.DATE and said.date_80[0] < 7 * (week + 52))})
    return found


def _false(part: Part, said: Sequence[Mapping[str, Any]]) -> None:
    part.table("aging_false", said)
    place = {"method": HEADLINE, "split": "drives that do not wear", "source": "fleet", "target": "still"}
    drives = np.array([record["drive"] for record in said])
    number = len(np.unique(drives))
    for metric, hit in (
        ("share of answers that are a date", [record["answer"] == Answer.DATE for record in said]),
        ("share of answers with a date within a year", [record["soon"] for record in said]),
        ("share of answers without a trend", [record["answer"] == Answer.NO_TREND for record in said]),
    ):
        values = np.array(hit, float)
        found = spread(values[None], np.zeros(len(values)), drives, _mean)
        part.figure(found, metric, n=number, seeds=1, **place)


def _mean(values: np.ndarray, _: np.ndarray, weights: np.ndarray) -> np.ndarray:
    found: np.ndarray = weights @ values / weights.sum(axis=1)
    return found
