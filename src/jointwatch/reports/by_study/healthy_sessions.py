"""Figures of the study of healthy sessions: what more of them bring, for each method and each fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from jointwatch.reports.metric_curve import metric_curve
from jointwatch.reports.study_figures import OKABE_ITO, STYLE, save
from jointwatch.reports.tables import blocks_by_metrics
from jointwatch.studies._cross_brand_methods import ALONE, ORACLE, OURS
from jointwatch.studies._cross_brand_told import BEST_CASE, STATED_RATE
from jointwatch.studies.base import Results

__all__ = ["CAPTIONS", "blocks", "drawn", "faults_figure", "figures", "sessions_figure"]

Record = Mapping[str, Any]

CAPTIONS = {
    "sessions": "Cycles of units never seen, against the number of healthy sessions known of each unit; 95 % interval "
    "by units; the false-alarm share is that at thresholds set for 1 % (dotted) on other units",
    "faults": "AUROC of each fault against healthy cycles with the fewest and with the most healthy sessions known, "
    "joint deviations, target alone, all severities",
}
_METRICS = {
    "AUROC": "AUROC",
    f"recall {BEST_CASE}": "found at 1 % false alarms",
    "FPR": "false-alarm share at the threshold",
}
_SHOWN = ("mahalanobis", "pca", "knn", "random_score")


def drawn(rows: Sequence[Record]) -> list[Record]:
    """No row: what matters is drawn here, and the tables hold the rest."""
    return []


def blocks(rows: Sequence[Record]) -> list[list[Record]]:
    """Each metric by itself."""
    return blocks_by_metrics(rows)


def figures(results: Results, out: Path) -> list[Path]:
    """Everything that the details hold; returns the paths, PNG before SVG."""
    methods = results.details["methods"]
    last = str(methods[-1]["target"])  # all targets, where there are several
    paths = save(sessions_figure([row for row in methods if row["target"] == last]), out / "sessions")
    if len({row["known"] for row in results.details.get("faults", [])}) > 1:
        paths += save(faults_figure(results.details["faults"]), out / "faults")
    return paths


def sessions_figure(rows: Sequence[Record]) -> Figure:
    """A panel a metric, a line a method, sessions known to the right.

    Parameters
    ----------
    rows : with `approach`, `method`, `known` and the metrics with their ends.
    """
    lines: dict[str, list[Record]] = {}
    for row in rows:
        if row["method"] in (OURS, ORACLE, *_SHOWN):
            lines.setdefault(_line(row), []).append(row)
    numbers = sorted({int(row["known"]) for row in rows})
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 3.6), layout="constrained")
        axes = figure.subplots(1, len(_METRICS))
        for axis, (metric, said) in zip(axes, _METRICS.items(), strict=True):
            for number, (name, own) in enumerate(lines.items()):
                there = sorted((row for row in own if metric in row), key=lambda row: row["known"])
                if there:
                    at = np.array([numbers.index(int(row["known"])) for row in there])
                    metric_curve(axis, at + 0.04 * (number - len(lines) / 2), there, metric, number, name)
            if metric == "FPR":
                axis.axhline(STATED_RATE, color="#999999", linewidth=0.8, linestyle=":")
            axis.set_ylim(bottom=0.45 if metric == "AUROC" else 0.0)
            axis.set_xticks(range(len(numbers)), [str(number) for number in numbers])
            axis.set_title(said, fontsize=10, loc="left")
        axes[len(axes) // 2].set_xlabel("healthy sessions known of each unit", fontsize=9)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8)
    return figure


def _line(row: Record) -> str:
    name = str(row["method"]).replace("_", " ")
    if row["method"] == ORACLE:
        return "oracle (true parameters)"
    return name if row["approach"] == ALONE else f"{name}, from the others"


def faults_figure(records: Sequence[Record]) -> Figure:
    """A line a fault, from the fewest to the most sessions known; the one that gains most on top.

    Parameters
    ----------
    records : with `fault`, `known`, `AUROC`.
    """
    fewest, most = (end(int(row["known"]) for row in records) for end in (min, max))
    ends = {
        fault: [
            next(float(r["AUROC"]) for r in records if r["fault"] == fault and r["known"] == n) for n in (fewest, most)
        ]
        for fault in dict.fromkeys(str(row["fault"]) for row in records)
    }
    order = sorted(ends, key=lambda fault: ends[fault][1] - ends[fault][0])
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 1.1 + 0.26 * len(order)), layout="constrained")
        axis = figure.subplots()
        for y, fault in enumerate(order):
            axis.plot(ends[fault], [y, y], color="#999999", linewidth=1.2)
        for place, number in enumerate((fewest, most)):
            x = [ends[fault][place] for fault in order]
            face = OKABE_ITO[0] if place else "white"
            axis.plot(
                x,
                range(len(order)),
                "o",
                color=OKABE_ITO[0],
                markerfacecolor=face,
                markersize=6,
                label=f"{number} sessions",
            )
        axis.axvline(0.5, color="#999999", linewidth=0.8)
        axis.set_yticks(range(len(order)), [fault.replace("_", " ") for fault in order], fontsize=9)
        axis.set_xlabel("AUROC against healthy cycles", fontsize=9)
        figure.legend(loc="outside upper right", ncols=2, fontsize=8)
    return figure
