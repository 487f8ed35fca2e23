"""Figures of the contact study: AUROC against labelled events, each strategy's network, what contact does to joints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from jointwatch.reports.study_figures import MARKERS, OKABE_ITO, STYLE, save
from jointwatch.reports.tables import blocks_by_metrics
from jointwatch.studies.base import Results

__all__ = ["CAPTIONS", "blocks", "drawn", "figures", "joints_figure", "labels_figure", "strategies_figure"]

Record = Mapping[str, Any]

_WINDOWS, _EVENTS = "AUROC of windows", "AUROC of events"
_CURVES = (
    "drift direction + own trees",
    "target only: drift + own trees",
    "target only: trees",
    "matched joints: logistic",
    "source as it is: logistic",
    "source as it is: trees",
    "target only: mahalanobis",
)
_FIRST = {
    "drift direction + own trees": "drift direction: logistic",
    "target only: drift + own trees": "target only: drift without labels",
}
"""What a method is without any label."""
_LEVELS = ("target only: drift without labels", "target only: drift + own trees")
_NETWORKS = ("joints by number: ", "drift direction: ")
_STRATEGY_COLOURS = dict(zip(_NETWORKS, (OKABE_ITO[1], OKABE_ITO[0]), strict=True))
_GREY = "#666666"
CAPTIONS = {
    "labels": "How well contact is ranked on events that no method saw, against the target's labelled events. With "
    "none, `drift direction` has the source's labels only, and `target only` the target's own drift. Whiskers: 95 % "
    "intervals by event; grey: chance",
    "strategies": "One small network, adapted by each strategy, in two frames; lines: what the target alone reaches. "
    "Whiskers: 95 % intervals by event",
    "joints": "How the error at the end of a window ranks contact, joint by joint: above 0.5 contact drives it up, "
    "below down. The same joint number means another thing in another arm",
}


def drawn(rows: Sequence[Record]) -> list[Record]:
    """No row: the figures below show them."""
    return []


def blocks(rows: Sequence[Record]) -> list[list[Record]]:
    """Scores, and wins and losses."""
    return blocks_by_metrics(rows)


def figures(results: Results, out: Path) -> list[Path]:
    """All figures there is something for; returns the paths, PNG before SVG."""
    rows = results.to_dict()["rows"]
    paths = save(labels_figure(rows), out / "labels")
    if any(str(row["method"]).startswith(_NETWORKS[0]) for row in rows):
        paths += save(strategies_figure(rows), out / "strategies")
    if joints := results.details.get("joints"):
        paths += save(joints_figure(joints), out / "joints")
    return paths


def labels_figure(rows: Sequence[Record]) -> Figure:
    """A panel a pair and a way to count, a curve a method; places on the axis are evenly spaced."""
    scored = [row for row in rows if row["metric"] in (_WINDOWS, _EVENTS) and row["mean"] is not None]
    pairs = _pairs(scored)
    metrics = (_WINDOWS, _EVENTS) if len(pairs) == 1 else (_WINDOWS,)
    panels = [(pair, metric) for pair in pairs for metric in metrics]
    columns = min(3, max(2, len(metrics))) if len(panels) > 1 else 1
    lines = -(-len(panels) // columns)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(3.4 * columns + 2.4, 0.5 + 2.9 * lines), layout="constrained")
        axes = figure.subplots(lines, columns, sharey=True, squeeze=False).ravel()
        known: dict[str, Any] = {}
        for axis, (pair, metric) in zip(axes, panels, strict=False):
            mine = [row for row in scored if row["metric"] == metric and _of_pair(row, pair)]
            budgets = sorted({_budget(row) for row in mine})
            place = {budget: i for i, budget in enumerate(budgets)}
            for i, method in enumerate(_CURVES):
                points = sorted(
                    (row for row in mine if _curve(row) == method and _is_first_or_own(row, method)), key=_budget
                )
                if not points:
                    continue
                known[method] = axis.errorbar(
                    [place[_budget(row)] + 0.06 * (i - len(_CURVES) / 2) for row in points],
                    [row["mean"] for row in points],
                    yerr=[_below(points), _above(points)],
                    marker=MARKERS[i],
                    markersize=5,
                    linewidth=1.4,
                    elinewidth=0.9,
                    color=OKABE_ITO[i],
                )
            axis.axhline(0.5, color=_GREY, linewidth=0.9, linestyle=":")
            axis.set_xticks(range(len(budgets)), [str(budget) for budget in budgets])
            title = f"{pair[0]} to {pair[1]}" if len(pairs) > 1 else metric
            axis.set_title(title, fontsize=10, loc="left")
        for axis in axes[len(panels) :]:
            axis.set_visible(False)
        figure.supxlabel("labelled events of the target", fontsize=10)
        figure.supylabel("AUROC and 95 % interval" if len(pairs) == 1 else _WINDOWS, fontsize=10)
        figure.legend(known.values(), known.keys(), loc="outside right center", fontsize=9)
    return figure


def strategies_figure(rows: Sequence[Record]) -> Figure:
    """A panel a pair and number of labelled events, a line a strategy, a dot a frame; best along the drift above."""
    scored = [row for row in rows if row["metric"] == _WINDOWS and row["mean"] is not None]
    nets = [row for row in scored if _network(row)]
    panels = sorted({(row["source"], row["target"], _budget(row)) for row in nets})
    names = sorted({_network(row) for row in nets}, key=lambda name: _mean_of(nets, name))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(3.2 * len(panels) + 2.2, 0.9 + 0.24 * len(names)), layout="constrained")
        axes = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False).ravel()
        known: dict[str, Any] = {}
        for axis, (source, target, budget) in zip(axes, panels, strict=True):
            for shift, (frame, colour) in zip((-0.14, 0.14), _STRATEGY_COLOURS.items(), strict=True):
                mine = [
                    row
                    for row in nets
                    if (row["source"], row["target"], _budget(row)) == (source, target, budget)
                    and str(row["method"]).startswith(frame)
                ]
                if mine:
                    known[frame.removesuffix(": ")] = axis.errorbar(
                        [row["mean"] for row in mine],
                        [names.index(_network(row)) + shift for row in mine],
                        xerr=[_below(mine), _above(mine)],
                        linestyle="none",
                        marker=MARKERS[0 if shift < 0 else 1],
                        markersize=4.5,
                        elinewidth=0.9,
                        color=colour,
                    )
            for row in scored:
                if row["method"] in _LEVELS and row["target"] == target and _budget(row) == budget:
                    known["target only"] = axis.axvline(row["mean"], color=_GREY, linestyle="--", linewidth=1.1)
            axis.axvline(0.5, color=_GREY, linestyle=":", linewidth=0.9)
            axis.set_yticks(range(len(names)), [name.replace("_", " ") for name in names], fontsize=9)
            pair = f"{source} to {target}\n" if len({panel[:2] for panel in panels}) > 1 else ""
            axis.set_title(f"{pair}{budget} labelled events", fontsize=10, loc="left")
        figure.supxlabel(_WINDOWS, fontsize=10)
        figure.legend(known.values(), known.keys(), loc="outside right center", fontsize=9)
    return figure


def joints_figure(records: Sequence[Record]) -> Figure:
    """A panel an arm, a bar a joint, from chance to its AUROC."""
    arms = list(dict.fromkeys(str(record["arm"]) for record in records))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(2.5 * len(arms) + 0.9, 2.7), layout="constrained")
        axes = figure.subplots(1, len(arms), sharey=True, squeeze=False).ravel()
        for axis, arm in zip(axes, arms, strict=True):
            mine = [record for record in records if record["arm"] == arm]
            height = [float(record["end_auroc"]) - 0.5 for record in mine]
            colours = [OKABE_ITO[1] if value > 0 else OKABE_ITO[0] for value in height]
            axis.bar([record["joint"] for record in mine], height, bottom=0.5, color=colours, width=0.7)
            axis.axhline(0.5, color=_GREY, linewidth=0.9)
            axis.set_ylim(0.0, 1.0)
            axis.set_xticks([record["joint"] for record in mine])
            axis.grid(visible=False, axis="x")
            axis.set_title(arm, fontsize=10, loc="left")
            axis.set_xlabel("joint")
        axes[0].set_ylabel("AUROC of the error\nat the window's end")
    return figure


def _pairs(rows: Sequence[Record]) -> list[tuple[str, str]]:
    return sorted({(row["source"], row["target"]) for row in rows if row["source"] != row["target"]})


def _of_pair(row: Record, pair: tuple[str, str]) -> bool:
    return row["target"] == pair[1] and row["source"] in pair


def _curve(row: Record) -> str:
    """The curve a row belongs to."""
    return next((curve for curve, first in _FIRST.items() if row["method"] == first), str(row["method"]))


def _is_first_or_own(row: Record, method: str) -> bool:
    return _budget(row) == 0 or row["method"] == method


def _budget(row: Record) -> int:
    return int(str(row["labels"]).split()[0])


def _network(row: Record) -> str:
    """Name of the strategy, empty where there is no network."""
    frame = next((frame for frame in _NETWORKS if str(row["method"]).startswith(frame)), "")
    name = str(row["method"]).removeprefix(frame)
    return name if frame and name != "logistic" else ""


def _mean_of(rows: Sequence[Record], name: str) -> float:
    own = [row["mean"] for row in rows if str(row["method"]) == _NETWORKS[1] + name]
    return sum(own) / len(own) if own else 0.0


def _below(rows: Sequence[Record]) -> list[float]:
    return [max(row["mean"] - row["low"], 0.0) if row["low"] is not None else 0.0 for row in rows]


def _above(rows: Sequence[Record]) -> list[float]:
    return [max(row["high"] - row["mean"], 0.0) if row["high"] is not None else 0.0 for row in rows]
