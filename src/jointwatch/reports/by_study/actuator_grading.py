"""Figures of the grading study: stage said against true stage, ranks, coverage, confusions, the leading feature."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from jointwatch.reports.paper_figures import confusion_matrix
from jointwatch.reports.study_figures import MARKERS, OKABE_ITO, STYLE, interval_figure, save
from jointwatch.reports.tables import blocks_by_metrics
from jointwatch.studies._grading_methods import HEADLINES
from jointwatch.studies._grading_scores import RANK
from jointwatch.studies.base import Results

__all__ = ["CAPTIONS", "blocks", "coverage_figure", "drawn", "figures", "leading_figure", "stages_figure"]

Record = Mapping[str, Any]

_SHOWN = ("last runs out", "across loads")
_INTERVALS = re.compile(r"coverage, (?P<asked>\d+) % intervals by (?P<kind>\w+)")
_SPREAD = 0.32  # stages over which the runs of a stage are drawn side by side
CAPTIONS = {
    "stages": "Stage said of each run that was not learned, with its interval, against the true stage",
    "ranks_inside": "Rank correlation of the stage inside a load, cycle by cycle, with 95 % intervals over stages, "
    "each of which is one session",
    "ranks_across": "Rank correlation of the stage from load to load, cycle by cycle, with 95 % intervals over "
    "stages, each of which is one session",
    "coverage": "Share of cycles whose stage lies in its interval, from load to load, by whose held-out errors make "
    "the intervals, with 95 % intervals over stages; dashed lines are what was asked",
    "leading": "Mean current in the phase of the stroke that ranks the training runs best, less that of the load's "
    "normal runs, run by run",
}


def drawn(rows: Sequence[Record]) -> list[Record]:
    """No row: what matters is drawn here, and the tables hold the rest."""
    return []


def blocks(rows: Sequence[Record]) -> list[list[Record]]:
    """Scores, and intervals, each by themselves."""
    return blocks_by_metrics(rows)


def figures(results: Results, out: Path) -> list[Path]:
    """Stages, ranks, coverage, confusions of the headlines, leading features; the paths, PNG before SVG."""
    paths: list[Path] = []
    rows, details = results.to_dict()["rows"], results.details
    said = [record for record in details.get("predictions", []) if record["split"] in _SHOWN]
    if said:
        paths += save(stages_figure(said), out / "stages")
    for split, stem in zip(_SHOWN, ("inside", "across"), strict=True):
        ranks = [row for row in rows if row["metric"] == RANK and row["split"] == split]
        if ranks:
            paths += save(interval_figure(ranks, RANK), out / f"ranks_{stem}")
    covered = [
        row for row in rows if row["split"] == _SHOWN[1] and row["method"] in HEADLINES and _asked(row) is not None
    ]
    if covered:
        paths += save(coverage_figure(covered), out / "coverage")
    cells = [cell for cell in details.get("confusion", []) if cell["split"] in _SHOWN and cell["method"] in HEADLINES]
    for title in dict.fromkeys(_place(cell) for cell in cells):
        own = [cell for cell in cells if _place(cell) == title]
        stem = re.sub(r"[^A-Za-z0-9]+", "_", title.replace("→", "to")).strip("_")
        paths += save(_confused(own, title), out / f"confusion_{stem}")
    if details.get("leading"):
        paths += save(leading_figure(details["leading"]), out / "leading")
    return paths


def stages_figure(records: Sequence[Record]) -> Figure:
    """A point a run with its interval, side by side within a stage; a panel a pair of loads."""
    panels = list(dict.fromkeys(_place(record) for record in records))
    last = max(int(record["stage"]) for record in records)
    columns = min(2, len(panels))
    lines = -(-len(panels) // columns)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(1.2 + 3.9 * columns, 0.4 + 3.1 * lines), layout="constrained")
        axes = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
        for axis, title in zip(axes, panels, strict=False):
            own = [record for record in records if _place(record) == title]
            axis.plot([-0.5, last + 0.5], [-0.5, last + 0.5], color="#888888", linewidth=1.0, linestyle="--", zorder=1)
            x = _side_by_side([int(record["stage"]) for record in own])
            low, high = (np.array([float(record[end]) for record in own]) for end in ("low", "high"))
            degree = np.clip([float(record["degree"]) for record in own], 0.0, last)
            axis.vlines(x, low, high, color=OKABE_ITO[5], linewidth=1.3, zorder=2)
            axis.plot(x, degree, "o", color=OKABE_ITO[0], markersize=3.6, zorder=3)
            axis.set_title(f"{title}\n{own[0]['intervals']}", fontsize=10, loc="left")
            axis.set_xticks(range(last + 1))
            axis.set_yticks(range(last + 1))
            axis.set_ylim(-0.6, last + 0.6)
        for axis in axes[len(panels) :]:
            axis.set_visible(False)
        figure.supxlabel("true stage", fontsize=10)
        figure.supylabel("stage said", fontsize=10)
    return figure


def coverage_figure(rows: Sequence[Record]) -> Figure:
    """Coverage measured, by how intervals were made, against what was asked; a panel a pair of loads, side by side."""
    found = [(row, match) for row in rows if (match := _asked(row))]
    kinds = list(dict.fromkeys(match["kind"] for _, match in found))
    asked = sorted({int(match["asked"]) for _, match in found})
    panels = list(dict.fromkeys(_place(row) for row, _ in found))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(1.0 + 3.6 * len(panels), 3.4), layout="constrained")
        axes = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False).ravel()
        for axis, title in zip(axes, panels, strict=True):
            for place, share in enumerate(asked):
                axis.hlines(share / 100, place - 0.45, place + 0.45, color="black", linewidth=1.0, linestyle="--")
            for number, kind in enumerate(kinds):
                own = [(row, match) for row, match in found if _place(row) == title and match["kind"] == kind]
                x = [asked.index(int(match["asked"])) + 0.28 * (number - (len(kinds) - 1) / 2) for _, match in own]
                mean, low, high = (np.array([_number(row[key]) for row, _ in own]) for key in ("mean", "low", "high"))
                colour, label = OKABE_ITO[number], {"widened": "runs, widened"}.get(kind, kind)
                axis.vlines(x, low, high, color=colour, linewidth=1.6)
                axis.plot(x, mean, MARKERS[number], color=colour, markersize=6, label=label)
                for at, value in zip(x, mean, strict=True):
                    axis.annotate(f"{value:.2f}", (at, 0.03), ha="center", fontsize=8.5, color=colour)
            axis.set_title(title, fontsize=10, loc="left")
            axis.set_xticks(range(len(asked)), [f"{share} % asked" for share in asked])
            axis.set_xlim(-0.55, len(asked) - 0.45)
            axis.set_ylim(0, 1.04)
            axis.grid(axis="x", visible=False)
        handles, names = axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=len(kinds), fontsize=9)
        figure.supylabel("share of cycles covered", fontsize=10)
    return figure


def leading_figure(records: Sequence[Record]) -> Figure:
    """A point a run; a panel a load, a colour for each feature."""
    loads = list(dict.fromkeys(str(record["load"]) for record in records))
    kinds: dict[str, list[str]] = {}
    for record in records:
        sources = kinds.setdefault(str(record["feature"]), [])
        if record["source"] not in sources:
            sources.append(record["source"])
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(1.2 + 3.3 * len(loads), 3.6), layout="constrained")
        axes = figure.subplots(1, len(loads), sharex=True, sharey=True, squeeze=False).ravel()
        for axis, load in zip(axes, loads, strict=True):
            for number, (feature, sources) in enumerate(kinds.items()):
                own = [
                    record
                    for record in records
                    if (record["load"], record["feature"], record["source"]) == (load, feature, sources[0])
                ]
                axis.plot(
                    _side_by_side([int(record["stage"]) for record in own]),
                    [float(record["change"]) for record in own],
                    "o",
                    color=OKABE_ITO[number],
                    markersize=3.6,
                    label=f"{feature}, leads at {' and '.join(sources)}",
                )
            axis.axhline(0.0, color="#888888", linewidth=1.0, linestyle="--")
            axis.set_title(f"measured at {load}", fontsize=10, loc="left")
            axis.set_xticks(sorted({int(record["stage"]) for record in records}))
        handles, names = axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", fontsize=9)
        figure.supxlabel("true stage", fontsize=10)
        figure.supylabel("current against normal runs (A)", fontsize=10)
    return figure


def _confused(cells: Sequence[Record], title: str) -> Figure:
    size = 1 + max(int(cell[key]) for cell in cells for key in ("true", "said"))
    counts = np.zeros((size, size))
    for cell in cells:
        counts[int(cell["true"]), int(cell["said"])] = cell["cycles"]
    return confusion_matrix(counts, [str(stage) for stage in range(size)], title=title, of="cycles")


def _place(record: Record) -> str:
    if record["source"] == record["target"]:
        return f"inside {record['target']}"
    return f"{record['source']} → {record['target']}"


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)


def _asked(row: Record) -> re.Match[str] | None:
    return _INTERVALS.fullmatch(str(row["metric"]))


def _side_by_side(stages: Sequence[int]) -> np.ndarray:
    """Places of the runs of each stage, around the stage."""
    stage = np.array(stages)
    place = stage.astype(float)
    for one in np.unique(stage):
        own = np.flatnonzero(stage == one)
        place[own] += np.linspace(-_SPREAD, _SPREAD, len(own)) if len(own) > 1 else 0.0
    return place
