"""Figures of the further fleets of the study of transmission error: joints of an arm, drives that wear for a year."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jointwatch.core.levels import LEVEL_RAD
from jointwatch.reports.study_figures import MARKERS, OKABE_ITO, STYLE, save
from jointwatch.reports.wear_trend_figure import wear_trend_figure
from jointwatch.studies._confusions import CHANCE
from jointwatch.studies._transmission_error_aging import (
    FORECASTS,
    HEADLINE,
    LINE,
    MEAN_LIFE,
    Sessions,
    forecast_of,
    history,
)
from jointwatch.studies._transmission_error_arm import CARRIED, INSIDE, TREES_OWN
from jointwatch.studies._transmission_error_methods import OWN, PROFILE
from jointwatch.studies.base import Results

__all__ = [
    "CAPTIONS",
    "dates_figure",
    "forecasts_figure",
    "history_figure",
    "joints_figure",
    "more_figures",
    "said_by_joint_figure",
]

CAPTIONS: Final = {
    "arm_joints": "Each joint of an arm: share of worn sessions whose level is met; 95 % intervals from whole arms",
    "arm_said": "Each joint of an arm: error said of a worn session, with its 90 % interval, against the true one",
    "aging_history": "A drive until the forecast, and what came after; of all drives the median date error",
    "aging_dates": "Forecast date with its 80 % interval against the true one, one point a drive",
    "aging_forecasts": "How often intervals hold the date, and how far it is off; 95 % intervals from whole drives",
}

Record = Mapping[str, Any]

_LEVEL_DEG = float(np.degrees(LEVEL_RAD))
_SHOWN_LIMIT, _SHOWN_WAY = 0.075, 0.6
_GREY = "#888888"
_METHODS = {
    PROFILE + OWN: "profile, own baseline",
    TREES_OWN: "trees on simple statistics, own baseline",
    PROFILE: "profile, no baseline",
    CHANCE: CHANCE,
}


def more_figures(results: Results, out: Path) -> list[Path]:
    """Draw what there is of both fleets; returns the paths, PNG before SVG."""
    details = results.details
    drawn: dict[str, Figure] = {}
    if details.get("arm"):
        drawn["arm_joints"] = joints_figure(details["arm"])
        drawn["arm_said"] = said_by_joint_figure(details["arm_sessions"])
    if details.get("aging_dates"):
        drawn["aging_history"] = history_figure(details)
        drawn["aging_dates"] = dates_figure(details["aging_dates"])
        drawn["aging_forecasts"] = forecasts_figure(details["aging_forecasts"])
    return [path for name, figure in drawn.items() for path in save(figure, out / name)]


def joints_figure(records: Sequence[Record]) -> Figure:
    """Exact and within one level by joint: points with intervals, a colour a method; a column a way of learning."""
    joints = sorted({record["joint"] for record in records})
    ways = [way for way in (INSIDE, CARRIED) if any(record["way"] == way for record in records)]
    metrics = {"accuracy": "level met exactly", "within one level": "within one level"}
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(1.0 + 3.6 * len(ways), 5.0), layout="constrained")
        axes = figure.subplots(2, len(ways), sharex=True, sharey=True, squeeze=False)
        for column, way in enumerate(ways):
            for line, (metric, title) in enumerate(metrics.items()):
                axis = axes[line, column]
                for i, (method, name) in enumerate(_METHODS.items()):
                    own = {
                        r["joint"]: r for r in records if (r["way"], r["method"], r["metric"]) == (way, method, metric)
                    }
                    at = np.array([joints.index(joint) for joint in own]) + 0.17 * (i - (len(_METHODS) - 1) / 2)
                    _points(axis, at, list(own.values()), i, name)
                axis.set_title(f"{title}, {way}", fontsize=10, loc="left")
                axis.set_xticks(range(len(joints)), [str(joint) for joint in joints])
                axis.set_ylim(0.0, 1.04)
                axis.grid(axis="x", visible=False)
        _legend(figure, 2)
        figure.supxlabel("joint", fontsize=10)
        figure.supylabel("share of worn sessions", fontsize=10)
    return figure


def said_by_joint_figure(records: Sequence[Record]) -> Figure:
    """Said against true error, a column a joint: arms held out on top, carried below; own baseline."""
    own = [record for record in records if record["method"] == PROFILE + OWN]
    joints = sorted({record["joint"] for record in own})
    ways = [way for way in (INSIDE, CARRIED) if any(record["way"] == way for record in own)]
    end = _LEVEL_DEG * max(8.0, *(max(record["true"], record["degree"]) for record in own)) + 0.01
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(0.8 + 1.75 * len(joints), 0.7 + 1.9 * len(ways)), layout="constrained")
        axes = figure.subplots(len(ways), len(joints), sharex=True, sharey=True, squeeze=False)
        for line, way in enumerate(ways):
            for axis, joint in zip(axes[line], joints, strict=True):
                mine = [r for r in own if (r["way"], r["joint"]) == (way, joint)]
                true, said, low, high = (
                    _LEVEL_DEG * np.array([r[name] for r in mine]) for name in ("true", "degree", "low", "high")
                )
                held = (low <= true) & (true <= high)
                axis.plot([0, end], [0, end], color=_GREY, linewidth=0.9, linestyle="--", zorder=1)
                for chosen, colour in ((held, OKABE_ITO[0]), (~held, OKABE_ITO[1])):
                    axis.vlines(true[chosen], low[chosen], high[chosen], color=colour, linewidth=0.9, alpha=0.6)
                    axis.plot(true[chosen], said[chosen], "o", color=colour, markersize=2.8)
                axis.set_xlim(0, end)
                axis.set_ylim(0, end)
                axis.set_xticks([0, 0.1, 0.2])
                axis.set_yticks([0, 0.1, 0.2])
                axis.set_title(f"joint {joint}: {held.mean():.0%} inside", fontsize=9, loc="left")
            axes[line, 0].set_ylabel(way.replace(" the ", "\nthe "), fontsize=9)
        figure.supxlabel("true static error, deg", fontsize=10)
        figure.supylabel("said, with its 90 % interval, deg", fontsize=10)
    return figure


def history_figure(details: Mapping[str, Sequence[Record]], *, drive: str | None = None) -> Figure:
    """One drive's forecast for the larger limit at 60 % of the way, and its true error before and after.

    Parameters
    ----------
    details : of the study. drive : which; None = the one whose date is off by the median of all.
    """
    said = [
        record
        for record in details["aging_dates"]
        if (record["limit"], record["way"], record["method"]) == (_SHOWN_LIMIT, _SHOWN_WAY, HEADLINE)
        and "date" in record
        and drive in (None, record["drive"])
    ]
    said.sort(key=lambda record: abs(record["date"] - record["true"]))
    shown = said[len(said) // 2]
    setup = next(record for record in details["aging_setup"] if record["limit"] == _SHOWN_LIMIT)
    own = _sessions(details["aging_sessions"]).of(shown["drive"])
    readings = history(own, shown["now"], setup["common_share"])
    forecast = forecast_of(HEADLINE, _SHOWN_LIMIT, setup["common_rad"]).forecast(readings)
    figure = wear_trend_figure(readings, forecast, limit_rad=float(np.radians(_SHOWN_LIMIT)), title=shown["drive"])
    axis = figure.axes[0]
    end = axis.get_xlim()[1]
    inside = 7 * own.week <= end
    axis.plot(7 * own.week[inside], own.true[inside], color="black", linewidth=1.1, linestyle="--", label="true error")
    axis.plot([7 * shown["true"]], [_SHOWN_LIMIT], "x", color="black", markersize=8, markeredgewidth=2, zorder=7)
    for legend in figure.legends:
        legend.remove()
    with matplotlib.rc_context(STYLE):
        figure.legend(loc="outside lower center", ncols=3, fontsize=9)
    return figure


def dates_figure(records: Sequence[Record]) -> Figure:
    """Forecast against true week: a line of panels a limit, a column a moment; those not inside stand out."""
    own = [record for record in records if record["method"] == HEADLINE]
    limits, ways = (sorted({record[key] for record in own}) for key in ("limit", "way"))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(0.8 + 2.6 * len(ways), 0.6 + 2.5 * len(limits)), layout="constrained")
        axes = figure.subplots(len(limits), len(ways), sharex="row", sharey="row", squeeze=False)
        for line, limit in enumerate(limits):
            row = [record for record in own if record["limit"] == limit]
            dated = [record for record in row if "date" in record]
            top = 1.5 * max(record["true"] for record in row)
            for axis, way in zip(axes[line], ways, strict=True):
                mine = [record for record in dated if record["way"] == way]
                true, date, low, high = (
                    np.array([r[name] for r in mine]) for name in ("true", "date", "low80", "high80")
                )
                held = (low <= true) & (true <= high)
                axis.plot([0, top], [0, top], color=_GREY, linewidth=0.9, linestyle="--", zorder=1)
                for chosen, colour in ((held, OKABE_ITO[0]), (~held, OKABE_ITO[1])):
                    axis.vlines(true[chosen], low[chosen], np.minimum(high[chosen], top), color=colour, linewidth=1.2)
                    axis.plot(true[chosen], date[chosen], "o", color=colour, markersize=3.5)
                count = sum(record["way"] == way for record in row)
                axis.set_title(
                    f"{limit:g} deg, at {way:.0%} of the way\n{held.sum()} of {len(mine)} inside"
                    + (f", {count - len(mine)} without a date" if count > len(mine) else ""),
                    fontsize=9,
                    loc="left",
                )
                axis.set_xlim(min(record["true"] for record in row) - 2, max(record["true"] for record in row) + 2)
                axis.set_ylim(0, top)
        figure.supxlabel("week in which the limit is reached", fontsize=10)
        figure.supylabel("week foretold, with its 80 % interval", fontsize=10)
    return figure


def forecasts_figure(records: Sequence[Record]) -> Figure:
    """Shares of dates inside their intervals and mean absolute error by moment; a line of panels a limit."""
    limits, ways = (sorted({record[key] for record in records}) for key in ("limit", "way"))
    metrics = {
        "share of dates inside the 80 % interval": ("inside the 80 % interval", 0.8),
        "share of dates inside the 95 % interval": ("inside the 95 % interval", 0.95),
        "mean absolute date error, weeks": ("mean absolute error, weeks", None),
    }
    methods = (*FORECASTS, LINE, MEAN_LIFE)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(0.8 + 2.7 * len(metrics), 1.2 + 2.3 * len(limits)), layout="constrained")
        axes = figure.subplots(len(limits), len(metrics), squeeze=False)
        for line, limit in enumerate(limits):
            for axis, (metric, (title, nominal)) in zip(axes[line], metrics.items(), strict=True):
                for i, method in enumerate(methods):
                    own = [r for r in records if (r["limit"], r["method"], r["metric"]) == (limit, method, metric)]
                    at = np.array([ways.index(r["way"]) for r in own]) + 0.13 * (i - (len(methods) - 1) / 2)
                    _points(axis, at, own, i, method)
                if nominal is not None:
                    axis.axhline(nominal, color="black", linewidth=1.0, linestyle=":")
                    axis.set_ylim(0.0, 1.04)
                else:
                    axis.set_ylim(bottom=0.0)
                axis.set_title(f"{limit:g} deg: {title}", fontsize=9, loc="left")
                axis.set_xticks(range(len(ways)), [f"{way:.0%}" for way in ways])
                axis.set_xlim(-0.5, len(ways) - 0.5)
                axis.grid(axis="x", visible=False)
        _legend(figure, 2)
        figure.supxlabel("share of the way to the limit, in time, at which the forecast is made", fontsize=10)
    return figure


def _points(axis: Axes, at: np.ndarray, records: Sequence[Record], number: int, label: str) -> None:
    """Means with their intervals; none where there is no record."""
    if not len(at):
        return
    mean, low, high = (np.array([r[name] for r in records], float) for name in ("mean", "low", "high"))
    axis.vlines(at, low, high, color=OKABE_ITO[number], linewidth=1.3)
    axis.plot(at, mean, MARKERS[number], color=OKABE_ITO[number], markersize=4.5, linestyle="", label=label)


def _legend(figure: Figure, columns: int) -> None:
    """One for all panels."""
    known: dict[str, Any] = {}
    for axis in figure.axes:
        known |= dict(zip(*reversed(axis.get_legend_handles_labels()), strict=True))
    figure.legend(known.values(), known.keys(), loc="outside upper center", ncols=columns, fontsize=9)


def _sessions(records: Sequence[Record]) -> Sessions:
    names = {"unit": "drive", "week": "week", "true": "true", "said": "said", "low": "low", "high": "high"}
    return Sessions({name: [record[key] for record in records] for name, key in names.items()})
