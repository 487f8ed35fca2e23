"""Figures of the study of transmission error: methods, confusions, T, noise, intervals, those of the publication."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from jointwatch.reports.by_study import _transmission_error_more as more
from jointwatch.reports.by_study import _transmission_error_paper as paper
from jointwatch.reports.paper_figures import confusion_matrix, curves_with_bands
from jointwatch.reports.study_figures import OKABE_ITO, STYLE, interval_figure, save
from jointwatch.reports.tables import blocks_by_metrics
from jointwatch.studies._transmission_error_methods import AE_HMM, OWN, PROFILE, TREES, TREES_BANDS
from jointwatch.studies.base import Results

__all__ = [
    "CAPTIONS",
    "blocks",
    "calibration_figure",
    "cycles_figure",
    "drawn",
    "figures",
    "methods_figure",
    "noise_figure",
    "predicted_figure",
]

Record = Mapping[str, Any]

_DRIVES = "drives held out"
_SHARES = {"accuracy": "exact level", "within one level": "within one level"}
_MAIN = (AE_HMM, TREES, TREES_BANDS, PROFILE)
_BASELINES = {"none": "no baseline", "own": "own baseline"}
CAPTIONS = {
    **paper.CAPTIONS,
    **more.CAPTIONS,
    "methods": "Drives held out, one cycle at a time: share of cycles graded right, and within one level, with 95 % "
    "intervals over drives",
    "cycles": "Drives held out: share of cycles graded right against the number of successive cycles judged together",
    "noise": "Drives held out: share of cycles graded right with white noise on current and torque of the judged "
    "cycles, or of all cycles, those that are learned too; in multiples of the sensors' own",
    "predicted": f"{PROFILE}: static error said of each worn session of drives never seen, with its interval, against "
    "the truth; shaded: one level off",
    "calibration": "Drives held out: share of cycles above the limit of 0.025 degree among those that are given a "
    "probability; below: how many cycles are given it",
    "confusion_protocol": f"{AE_HMM}, published protocol, cycles dealt at random",
    "confusion_session": f"{AE_HMM}, published drives, whole sessions held out",
    "confusion_code": f"{AE_HMM}, drives held out, no baseline",
    "confusion_profile": f"{PROFILE}, drives held out, no baseline",
    "confusion_profile_own": f"{PROFILE}, drives held out, own baseline",
}


def drawn(rows: Sequence[Record]) -> list[Record]:
    """No row: the figures here show them."""
    return []


def blocks(rows: Sequence[Record]) -> list[list[Record]]:
    """Protocol, drives, noise, wins and losses, each by themselves."""
    return blocks_by_metrics(rows)


def figures(results: Results, out: Path) -> list[Path]:
    """What there are records for; the paths, PNG before SVG."""
    details = results.details
    paths = paper.paper_figures(results, out) + more.more_figures(results, out)
    graded = details.get("graded", [])
    if graded:
        paths += save(methods_figure(graded), out / "methods")
        if len({record["cycles"] for record in graded}) > 1:
            paths += save(cycles_figure(graded), out / "cycles")
    for stem, part, method, split in (
        ("confusion_protocol", "protocol", AE_HMM, "random (optimistic)"),
        ("confusion_session", "protocol", AE_HMM, "session out"),
        ("confusion_code", _DRIVES, AE_HMM, "unit out"),
        ("confusion_profile", _DRIVES, PROFILE, "unit out"),
        ("confusion_profile_own", _DRIVES, PROFILE + OWN, "unit out"),
    ):
        cells = [
            cell
            for cell in details.get("confusion", [])
            if (cell["part"], cell["method"], cell["split"], cell["cycles"]) == (part, method, split, 1)
        ]
        if cells:
            name = method.removesuffix(OWN)
            title = f"{name}\n{CAPTIONS[stem].removeprefix(f'{name}, ')}"
            paths += save(_confused(cells, title), out / stem)
    for stem, draw, records in (
        ("noise", noise_figure, details.get("noise")),
        ("predicted", predicted_figure, details.get("predicted")),
        ("calibration", calibration_figure, details.get("calibration")),
    ):
        if records:
            paths += save(draw(records), out / stem)
    return paths


def methods_figure(records: Sequence[Record]) -> Figure:
    """Methods by their exact levels, best first; a panel for exact and one for within one level; one cycle each."""
    own = [record for record in records if record["cycles"] == 1 and record["metric"] in _SHARES]
    rank = {_full(record): -float(record["mean"]) for record in own if record["metric"] == "accuracy"}
    rows = [
        {
            "method": _full(record),
            "split": _SHARES[str(record["metric"])],
            "source": "",
            "target": "",
            "labels": "",
            "metric": "share of cycles",
            **{end: record[end] for end in ("mean", "low", "high")},
        }
        for record in sorted(own, key=lambda record: (rank[_full(record)], str(record["metric"])))
    ]
    return interval_figure(rows, "share of cycles")


def cycles_figure(records: Sequence[Record]) -> Figure:
    """A line a main method, a panel without and one with the drive's own baseline."""
    rows = [
        {**record, "panel": f"{_SHARES[record['metric']]}, {_BASELINES[record['baseline']]}"}
        for metric in _SHARES
        for baseline in _BASELINES
        for method in _MAIN
        for record in records
        if (record["metric"], record["baseline"], record["method"]) == (metric, baseline, method)
    ]
    return curves_with_bands(
        rows, x="cycles", x_label="cycles judged together, T", y_label="share of cycles", panel="panel", percent=False
    )


def noise_figure(records: Sequence[Record]) -> Figure:
    """A line a main method; noise in the judged cycles or in all, without and with the own baseline; one cycle."""
    rows = [
        {**record, "panel": f"{record['where']}, {_BASELINES[record['baseline']]}"}
        for where in dict.fromkeys(record["where"] for record in records)
        for baseline in _BASELINES
        for method in _MAIN
        for record in records
        if (record["where"], record["baseline"], record["method"]) == (where, baseline, method)
        and record["metric"] == "accuracy"
        and record["cycles"] == 1
    ]
    several = {(r["panel"], r["method"]) for r in rows if r["noise"]}
    return curves_with_bands(
        [row for row in rows if (row["panel"], row["method"]) in several],
        x="noise",
        x_label="noise added, multiples of the sensors' own",
        y_label="share of cycles graded right",
        panel="panel",
        percent=False,
    )


def predicted_figure(records: Sequence[Record]) -> Figure:
    """A point a session with its interval; a panel a method; lines at the levels' ends."""
    methods = list(dict.fromkeys(str(record["method"]) for record in records))
    top = max(math.ceil(max(float(record["true"]) for record in records)), 6)
    with matplotlib.rc_context({**STYLE, "axes.grid": False}):
        figure = Figure(figsize=(0.8 + 4.0 * len(methods), 4.1), layout="constrained")
        axes = figure.subplots(1, len(methods), sharex=True, sharey=True, squeeze=False).ravel()
        for axis, method in zip(axes, methods, strict=True):
            own = [record for record in records if record["method"] == method]
            true, said, low, high = (
                np.array([float(record[key]) for record in own]) for key in ("true", "said", "low", "high")
            )
            for edge in range(top + 1):
                axis.axhline(edge, color="#e4e4e4", linewidth=0.6, zorder=0)
                axis.axvline(edge, color="#e4e4e4", linewidth=0.6, zorder=0)
            axis.plot([0, top], [0, top], color="#888888", linewidth=1.0, linestyle="--", zorder=1)
            inside = (low <= true) & (true <= high)
            for mine, colour, label in (
                (inside, OKABE_ITO[0], "truth inside"),
                (~inside, OKABE_ITO[1], "truth outside"),
            ):
                axis.vlines(true[mine], low[mine], high[mine], color=colour, linewidth=0.8, alpha=0.45, zorder=2)
                axis.plot(true[mine], said[mine], "o", color=colour, markersize=3.2, zorder=3, label=label)
            axis.set_title(f"{method}\n{inside.mean():.0%} inside", loc="left", fontsize=10)
            axis.set_ylim(-0.2, top + 1.2)
        axes[0].legend(fontsize=8, loc="upper left", title="interval asked: 90 %", title_fontsize=8)
        figure.supxlabel("true static error (levels of 0.025°)", fontsize=10)
        figure.supylabel("said (levels)", fontsize=10)
    return figure


def calibration_figure(records: Sequence[Record]) -> Figure:
    """What was said against what was true, a line a method, and below how often it was said."""
    methods = list(dict.fromkeys(str(record["method"]) for record in records))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(5.6, 5.0), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        above.plot([0, 1], [0, 1], color="#888888", linewidth=1.0, linestyle="--")
        for number, method in enumerate(methods):
            own = [record for record in records if record["method"] == method]
            said, true, share = (np.array([float(r[key]) for r in own]) for key in ("said", "true", "share"))
            above.plot(said, true, color=OKABE_ITO[number], marker="o", markersize=4.5, linewidth=1.4, label=method)
            below.plot(said, share, color=OKABE_ITO[number], marker="o", markersize=3.5, linewidth=1.0)
        above.set_ylabel("share above the limit")
        above.set_ylim(-0.03, 1.03)
        above.legend(fontsize=9)
        below.set_ylabel("share of cycles")
        below.set_xlabel("probability of an error above the limit that was said")
        below.set_xlim(-0.03, 1.03)
    return figure


def _confused(cells: Sequence[Record], title: str) -> Figure:
    size = max(int(cell["true"]) for cell in cells)
    counts = np.zeros((size, size))
    for cell in cells:
        counts[int(cell["true"]) - 1, int(cell["said"]) - 1] = float(cell["count"])
    return confusion_matrix(counts, [str(k + 1) for k in range(size)], title=title, of="cycles")


def _full(record: Record) -> str:
    return f"{record['method']}{OWN if record['baseline'] == 'own' else ''}"
