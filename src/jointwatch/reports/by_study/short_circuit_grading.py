"""Figures of the short-circuit study: states confused, negative sequences in a plane, severities of unseen phases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from jointwatch.reports.paper_figures import confusion_matrix, heat_map
from jointwatch.reports.study_figures import MARKERS, STYLE, save
from jointwatch.reports.tables import blocks_by_metrics
from jointwatch.studies._short_circuit_methods import ACROSS_OURS, INSIDE_OURS, NAIVE
from jointwatch.studies._short_circuit_rows import PHASES
from jointwatch.studies.base import Results

__all__ = ["CAPTIONS", "blocks", "confused_figure", "drawn", "figures", "plane_figure", "severities_figure"]

Record = Mapping[str, Any]

_INSIDE, _STRICT = "one repetition out", "one phase and one repetition out"
_ROWS = {"naive": NAIVE.name, "carried": ACROSS_OURS.name}
_SCALE = "viridis_r"
_REACH = 1.12  # of the axes, times the largest value
CAPTIONS = {
    "confusion": "States said of recordings whose repetition was left out",
    "plane": "Negative sequence of each recording against the angle of its positive sequence: as measured; as change "
    "against the healthy motor; the change turned back by 120 degrees a phase. A cross marks a recording that does not "
    "show its state",
    "severities": "Severity said of windows of a phase whose faults were never learned, of a repetition that was left "
    "out as well, share of the true severity: trees on statistics (naive) and change of sequences with relabelled "
    "phases (carried)",
}


def drawn(rows: Sequence[Record]) -> list[Record]:
    """No row: what matters is drawn here, and the tables hold the rest."""
    return []


def blocks(rows: Sequence[Record]) -> list[list[Record]]:
    """Each split by itself, recordings before windows."""
    kinds = dict.fromkeys((row["split"], what) for row in rows for what in ("recordings", "windows"))
    return [
        block
        for split, what in kinds
        for block in blocks_by_metrics([row for row in rows if row["split"] == split and what in row["metric"]])
    ]


def figures(results: Results, out: Path) -> list[Path]:
    """Confusions, plane and severities; returns the paths, PNG before SVG."""
    details, paths = results.details, []
    cells = [
        cell
        for cell in details.get("confusion_of_recordings", [])
        if (cell["split"], cell["method"]) == (_INSIDE, INSIDE_OURS.name)
    ]
    if cells:
        paths += save(confused_figure(cells), out / "confusion")
    if details.get("plane"):
        paths += save(plane_figure(details["plane"], details.get("doubts", [])), out / "plane")
    graded = [cell for cell in details.get("severity_of_windows", []) if cell["split"] == _STRICT]
    if graded:
        paths += save(severities_figure(graded), out / "severities")
    return paths


def confused_figure(cells: Sequence[Record]) -> Figure:
    """Counts of recordings; `cells` that are not there are empty."""
    found = {str(cell[key]) for key in ("true", "said") for cell in cells}
    names = sorted(found, key=lambda name: (name != "healthy", name))
    return confusion_matrix(_counts(cells, names), names, title=str(cells[0]["split"]), of="recordings")


def plane_figure(points: Sequence[Record], doubts: Sequence[Record]) -> Figure:
    """Three panels of phasors; colour is severity, marker the phase.

    Parameters
    ----------
    points : with `negative_*_a`, `change_*_a`, `turned_*_a`, `phase`, `severity`, `recording`. doubts : with
        `recording` and `doubtful`.
    """
    odd = {record["recording"] for record in doubts if record["doubtful"]}
    top = max(1, *(int(point["severity"]) for point in points))
    shade = matplotlib.colormaps[_SCALE]
    marker = dict(zip(("", *PHASES), MARKERS, strict=False))
    titles = {
        "negative": "as measured",
        "change": "change against healthy",
        "turned": "change, turned to phase A",
    }
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(10.6, 3.6), layout="constrained")
        panels = figure.subplots(1, len(titles), sharex=True, sharey=True)
        reach = _REACH * max(abs(point[f"{what}_{part}_a"]) for point in points for what in titles for part in _PARTS)
        for axis, (what, title) in zip(panels, titles.items(), strict=True):
            axis.axhline(0, color="#999999", linewidth=0.8)
            axis.axvline(0, color="#999999", linewidth=0.8)
            for point in points:
                x, y = (point[f"{what}_{part}_a"] for part in _PARTS)
                colour = shade(0.08 + 0.9 * point["severity"] / top)
                axis.plot(
                    x, y, marker[point["phase"]], color=colour, markeredgecolor="#333333", markeredgewidth=0.4, ms=6.5
                )
                if point["recording"] in odd:
                    axis.plot(x, y, "x", color="#D55E00", ms=9, markeredgewidth=1.6)
            axis.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
            axis.set_title(title, fontsize=10, loc="left")
            axis.set_xlabel("real part (A)")
        panels[0].set_ylabel("imaginary part (A)")
        figure.legend(handles=_legend(marker, shade, top, bool(odd)), loc="outside right center", fontsize=9)
    return figure


def severities_figure(cells: Sequence[Record]) -> Figure:
    """True against said severity, a panel a method and phase: share of the true severity's windows."""
    names = sorted({str(cell[key]) for key in ("true", "said") for cell in cells}, key=int)
    panels = {}
    for title, method in _ROWS.items():
        for target in (f"phase {phase}" for phase in PHASES):
            counts = _counts([c for c in cells if (c["method"], c["target"]) == (method, target)], names)
            there = counts.sum(axis=1, keepdims=True)
            panels[f"{title}: {target}"] = np.divide(counts, there, out=np.full_like(counts, np.nan), where=there > 0)
    return heat_map(
        panels,
        names,
        names,
        row_label="true severity",
        column_label="severity said",
        value_label="share of the true severity's windows",
        low=0.0,
        high=1.0,
        frame=[(k, k) for k in range(len(names))],
    )


_PARTS = ("real", "imaginary")


def _counts(cells: Sequence[Record], names: Sequence[str]) -> np.ndarray:
    counts = np.zeros((len(names), len(names)))
    for cell in cells:
        counts[names.index(str(cell["true"])), names.index(str(cell["said"]))] += cell["count"]
    return counts


def _legend(marker: Mapping[str, str], shade: Any, top: int, odd: bool) -> list[Line2D]:
    empty: dict[str, Any] = {"linestyle": "none", "markeredgecolor": "#333333", "markersize": 6.5}
    phases = [
        Line2D(
            [],
            [],
            marker=sign,
            color="white" if phase else shade(0.08),
            label=f"phase {phase}" if phase else "healthy",
            **empty,
        )
        for phase, sign in marker.items()
    ]
    levels = [
        Line2D([], [], marker="s", color=shade(0.08 + 0.9 * k / top), label=f"{10 * k} % shorted", **empty)
        for k in range(1, top + 1)
    ]
    doubt = [Line2D([], [], marker="x", color="#D55E00", linestyle="none", ms=8, mew=1.6, label="label doubted")]
    return [*phases, *levels, *(doubt if odd else [])]
