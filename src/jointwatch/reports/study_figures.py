"""Figures of a study from its result rows: dot-and-interval charts and curves against labels, PNG and SVG."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

__all__ = ["MARKERS", "OKABE_ITO", "STYLE", "interval_figure", "label_figure", "save", "study_figures"]

Row = Mapping[str, Any]

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Seven colours that people with any kind of colour blindness tell apart (Okabe and Ito 2008), without
the yellow that is lost on white."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "savefig.facecolor": "white",
    "svg.hashsalt": "jointwatch",  # the same rows give the same file
}
_MOST_CURVES = 7


def study_figures(rows: Sequence[Row], out: Path) -> list[Path]:
    """Draw every metric of the rows into `out`: one interval chart each and, where the number of labels varies, one
    curve against labels. Rows without a finite mean are left out. Returns the paths, PNG before SVG."""
    paths: list[Path] = []
    for metric in dict.fromkeys(str(row["metric"]) for row in rows):
        chosen = [row for row in rows if row["metric"] == metric and _finite(row["mean"])]
        if not chosen:
            continue
        stem = re.sub(r"[^A-Za-z0-9]+", "_", metric).strip("_").lower() or "metric"
        if _by_labels(chosen):
            paths += save(label_figure(chosen, metric), out / f"{stem}_against_labels")
        paths += save(interval_figure(chosen, metric), out / stem)
    return paths


def interval_figure(rows: Iterable[Row], metric: str) -> Figure:
    """Mean and 95 % interval of each method, one panel a split and direction; of several numbers of labels the most."""
    chosen = _most_labels([row for row in rows if row["metric"] == metric and _finite(row["mean"])])
    panels: dict[str, list[Row]] = {}
    for row in chosen:
        panels.setdefault(_panel(row, chosen), []).append(row)
    names = list(dict.fromkeys(_name(row, chosen) for row in chosen))
    columns = min(3, max(1, len(panels)))
    lines = math.ceil(max(1, len(panels)) / columns)
    size = (2.2 + 0.07 * max((len(n) for n in names), default=0) + 2.6 * columns, lines * (0.9 + 0.27 * len(names)))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
        for axis, (title, members) in zip(axes, panels.items(), strict=False):
            for row in members:
                y = names.index(_name(row, chosen))
                colour = OKABE_ITO[0]
                if _finite(row["low"]) and _finite(row["high"]):
                    axis.plot([row["low"], row["high"]], [y, y], color=colour, linewidth=1.8, solid_capstyle="butt")
                axis.plot([row["mean"]], [y], marker="o", color=colour, markersize=5)
            axis.set_title(title, fontsize=10, loc="left")
            axis.set_yticks(range(len(names)), names)
            axis.set_ylim(len(names) - 0.5, -0.5)
            axis.grid(axis="y", visible=False)
        for axis in axes[len(panels) :]:
            axis.set_visible(False)
        figure.supxlabel(f"{metric} (mean and 95 % interval)", fontsize=10)
    return figure


def label_figure(rows: Iterable[Row], metric: str) -> Figure:
    """Metric against the number of labels: a line with its intervals a method, one panel a split and direction.

    A method that was run with one number of labels only is a dashed level line. Of more than seven methods the best
    seven at their most labels are drawn, and the legend says so.
    """
    chosen = [row for row in rows if row["metric"] == metric and _finite(row["mean"]) and _labels(row) is not None]
    panels: dict[str, list[Row]] = {}
    for row in chosen:
        panels.setdefault(_panel(row, chosen), []).append(row)
    methods, dropped = _best_methods(chosen, metric)
    columns = min(3, max(1, len(panels)))
    lines = math.ceil(max(1, len(panels)) / columns)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(3.6 * columns + 2.0, 3.2 * lines), layout="constrained")
        axes = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
        drawn: set[float] = set()
        for axis, (title, members) in zip(axes, panels.items(), strict=False):
            for i, method in enumerate(methods):
                drawn |= _curve(axis, i, method, [row for row in members if row["method"] == method])
            axis.set_title(title, fontsize=10, loc="left")
            axis.set_xlabel("labels")
        for axis in axes[len(panels) :]:
            axis.set_visible(False)
        if len(drawn) > 2:
            axes[0].set_xscale("symlog", base=2, linthresh=1) if min(drawn) <= 0 else axes[0].set_xscale("log", base=2)
            axes[0].set_xticks(sorted(drawn), [f"{tick:g}" for tick in sorted(drawn)])
            axes[0].minorticks_off()
        axes[0].set_ylabel(f"{metric} (95 % interval)")
        known: dict[str, Any] = {}
        for axis in axes[: len(panels)]:
            for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
                known.setdefault(label, handle)
        more = f"{dropped} worse ones not drawn" if dropped > 0 else None
        figure.legend(known.values(), known.keys(), loc="outside right center", fontsize=9, title=more)
    return figure


def _best_methods(rows: Sequence[Row], metric: str) -> tuple[list[str], int]:
    """At most seven methods in order of appearance, best at their most labels, and how many are left out."""
    methods = list(dict.fromkeys(str(row["method"]) for row in rows))
    best = {m: max((_labels(r) or 0.0, float(r["mean"])) for r in rows if str(r["method"]) == m)[1] for m in methods}
    kept = sorted(methods, key=lambda m: best[m], reverse=not _lower_is_better(metric))[:_MOST_CURVES]
    return [m for m in methods if m in kept], len(methods) - len(kept)


def _lower_is_better(metric: str) -> bool:
    """Whether a metric's name says that less of it is better: delays, errors, false alarms."""
    name = metric.replace("_", " ").lower()
    return re.match(r"(?!recall|precision).*\b(false|delay|time|error|loss|seconds)\b", name) is not None


def _curve(axis: Any, i: int, method: str, rows: list[Row]) -> set[float]:
    """Draw one method; returns the numbers of labels it has points at."""
    points = sorted(((_labels(row) or 0.0, row) for row in rows), key=lambda point: point[0])
    colour = OKABE_ITO[i % len(OKABE_ITO)]
    if len(points) == 1:
        level = float(points[0][1]["mean"])
        axis.axhline(level, color=colour, linestyle="--", linewidth=1.4, label=f"{method} ({points[0][1]['labels']})")
        return set()
    if not points:
        return set()
    mean = [float(row["mean"]) for _, row in points]
    reach = [
        (m - float(row["low"]), float(row["high"]) - m) if _finite(row["low"]) and _finite(row["high"]) else (0.0, 0.0)
        for m, (_, row) in zip(mean, points, strict=True)
    ]
    # a little to the side of one another, so that intervals can be told apart
    x = [labels * 1.02 ** (i - _MOST_CURVES // 2) if labels > 0 else 0.02 * i for labels, _ in points]
    axis.errorbar(
        x,
        mean,
        yerr=[[max(0.0, low) for low, _ in reach], [max(0.0, high) for _, high in reach]],
        color=colour,
        marker=MARKERS[i % len(MARKERS)],
        markersize=5,
        linewidth=1.4,
        elinewidth=0.9,
        label=method,
    )
    return {labels for labels, _ in points}


def _by_labels(rows: Sequence[Row]) -> bool:
    """Whether some method was run with several numbers of labels."""
    seen: dict[tuple[str, ...], set[float]] = {}
    for row in rows:
        if (labels := _labels(row)) is not None:
            key = tuple(str(row[name]) for name in ("method", "split", "source", "target"))
            seen.setdefault(key, set()).add(labels)
    return any(len(labels) > 1 for labels in seen.values())


def _most_labels(rows: Sequence[Row]) -> list[Row]:
    """Of each method, split and direction the row with the most labels."""
    best: dict[tuple[str, ...], Row] = {}
    for row in rows:
        key = tuple(str(row[name]) for name in ("method", "split", "source", "target"))
        if key not in best or (_labels(row) or 0.0) > (_labels(best[key]) or 0.0):
            best[key] = row
    return list(best.values())


def _labels(row: Row) -> float | None:
    """The first number in the row's labels; None where there is none."""
    match = re.search(r"\d+(\.\d+)?", str(row["labels"]))
    return float(match[0]) if match else None


def _name(row: Row, rows: Sequence[Row]) -> str:
    """Method, with the number of labels where several are drawn together."""
    several = len({str(other["labels"]) for other in rows}) > 1
    return f"{row['method']} ({row['labels']})" if several and str(row["labels"]) else str(row["method"])


def _panel(row: Row, rows: Sequence[Row]) -> str:
    """Split and direction, as far as they differ between rows."""
    split = str(row["split"]) if len({r["split"] for r in rows}) > 1 else ""
    way = f"{row['source']} → {row['target']}" if len({(r["source"], r["target"]) for r in rows}) > 1 else ""
    return ", ".join(part for part in (split, way) if part)


def _finite(value: Any) -> bool:
    return value is not None and math.isfinite(value)


def save(figure: Figure, stem: Path) -> list[Path]:
    """PNG and SVG beside each other at `stem`; returns their paths, PNG before SVG."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    paths = [stem.with_name(stem.name + ".png"), stem.with_name(stem.name + ".svg")]
    FigureCanvasAgg(figure)
    with matplotlib.rc_context(STYLE):
        figure.savefig(paths[0], dpi=150, metadata={"Software": None})
        figure.savefig(paths[1], metadata={"Date": None})
    return paths
