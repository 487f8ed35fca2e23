"""Figures of the study of a new brand: methods by target, faults by severity, brands before and after adaptation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from jointwatch.reports.paper_figures import heat_map
from jointwatch.reports.study_figures import MARKERS, OKABE_ITO, STYLE, save
from jointwatch.reports.tables import blocks_by_metrics
from jointwatch.studies._cross_brand_gate import GATED
from jointwatch.studies._cross_brand_methods import ALONE, CARRIED, ORACLE, OURS
from jointwatch.studies._cross_brand_told import ALL_TARGETS
from jointwatch.studies.base import Results

__all__ = [
    "CAPTIONS",
    "blocks",
    "drawn",
    "embeddings_figure",
    "faults_figure",
    "figures",
    "gains_figure",
    "methods_figure",
]

Record = Mapping[str, Any]

_RANK = {ALONE: 0, CARRIED: 1, GATED: 2}
CAPTIONS = {
    "methods_0": "AUROC of cycles on units never seen, no label of the target; 95 % interval by units",
    "methods_most": "AUROC of cycles on units never seen, with the largest budget of labels; 95 % interval by units",
    "faults": "AUROC of each fault against healthy cycles, by severity, no label of the target, all sources; a dash: "
    "not in the fleet",
    "faults_by_brand": "AUROC of each fault against healthy cycles, by brand, all severities",
    "gains": "Each borrowed model against target-only, pair by pair: below the line it is worse than the target alone",
    "embeddings": "Joints of both brands as the network sees them, on two main directions, before and after adaptation",
}


def drawn(rows: Sequence[Record]) -> list[Record]:
    """No row: what matters is drawn here, and the tables hold the rest."""
    return []


def blocks(rows: Sequence[Record]) -> list[list[Record]]:
    """Each metric by itself."""
    return blocks_by_metrics(rows)


def figures(results: Results, out: Path) -> list[Path]:
    """Everything that the details hold; returns the paths, PNG before SVG."""
    paths: list[Path] = []
    details = results.details
    methods = details.get("methods", [])
    budgets = sorted({int(row["budget"]) for row in methods})
    for stem, budget in (("methods_0", 0), ("methods_most", budgets[-1] if budgets else 0)):
        chosen = [row for row in methods if row["budget"] == budget]
        if chosen and (budget or stem == "methods_0"):
            paths += save(methods_figure(chosen), out / stem)
    faults = details.get("faults", [])
    if faults:
        paths += save(faults_figure(faults, by="severity"), out / "faults")
        paths += save(faults_figure(faults, by="target"), out / "faults_by_brand")
    pairs = [row for row in details.get("pairs", []) if row["reference"] == OURS]
    if pairs:
        paths += save(gains_figure(pairs), out / "gains")
    if details.get("embeddings"):
        paths += save(embeddings_figure(details["embeddings"]), out / "embeddings")
    return paths


def methods_figure(rows: Sequence[Record]) -> Figure:
    """A line a method, a panel a target; one colour for target-only, one for each source.

    Parameters
    ----------
    rows : of one budget, with `AUROC`, `AUROC low`, `AUROC high`.
    """
    targets = [name for name in dict.fromkeys(str(row["target"]) for row in rows) if name != ALL_TARGETS]
    if any(row["target"] == ALL_TARGETS for row in rows):
        targets.append(ALL_TARGETS)
    sources = list(dict.fromkeys(str(row["source"]) for row in rows))
    mean: dict[tuple[int, str], list[float]] = {}
    for row in rows:
        mean.setdefault(_line(row), []).append(float(row["AUROC"]))
    lines = sorted(mean, key=lambda line: (line[0], float(np.mean(mean[line]))))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(2.6 + 1.55 * len(targets), 1.1 + 0.2 * len(lines)), layout="constrained")
        axes = figure.subplots(1, len(targets), sharex=True, sharey=True, squeeze=False).ravel()
        for axis, target in zip(axes, targets, strict=True):
            for row in (row for row in rows if row["target"] == target):
                number = sources.index(str(row["source"]))
                y = lines.index(_line(row)) + 0.16 * (number - (len(sources) - 1) / 2) * (row["approach"] != ALONE)
                colour = OKABE_ITO[number % len(OKABE_ITO)]
                ends = [row.get("AUROC low"), row.get("AUROC high")]
                if all(end is not None and np.isfinite(end) for end in ends):
                    axis.plot(ends, [y, y], color=colour, linewidth=1.2, alpha=0.7, solid_capstyle="butt")
                axis.plot([row["AUROC"]], [y], marker=MARKERS[number % len(MARKERS)], color=colour, markersize=4)
            axis.axvline(0.5, color="#999999", linewidth=0.8)
            axis.axvline(0.95, color="#999999", linewidth=0.8, linestyle=":")
            axis.set_title(target, fontsize=10, loc="left")
            axis.set_yticks(range(len(lines)), [line[1] for line in lines], fontsize=8)
            axis.set_ylim(-0.6, len(lines) - 0.4)
            axis.set_xlim(0.35, 1.0)
            axis.set_xticks([0.5, 0.7, 0.95], ["0.5", "0.7", "0.95"], fontsize=8)
        figure.supxlabel("AUROC of cycles (mean and 95 % interval by units; dotted: the aim)", fontsize=9)
        handles = [
            Line2D(
                [], [], color=OKABE_ITO[i % len(OKABE_ITO)], marker=MARKERS[i % len(MARKERS)], markersize=5, label=label
            )
            for i, label in enumerate("target only" if not source else f"from {source}" for source in sources)
        ]
        figure.legend(handles=handles, loc="outside upper right", ncols=len(handles), fontsize=8)
    return figure


def _line(row: Record) -> tuple[int, str]:
    name = str(row["method"]).replace("_", " ")
    name = "oracle (true parameters)" if row["method"] == ORACLE else name
    if row["approach"] == ALONE:
        return 0, f"{name}, alone"
    return _RANK.get(str(row["approach"]), 1), f"{name}, gated" if row["approach"] == GATED else (
        "network as it is" if name == "network" else name
    )


def faults_figure(records: Sequence[Record], *, by: str) -> Figure:
    """A row a fault, a column a range of severity or a brand; the project's detector beside the oracle.

    Parameters
    ----------
    by : `severity` or `target`.
    """
    sources = list(dict.fromkeys(str(row["source"]) for row in records if row["method"] == OURS))
    source = sources[-1]
    approach = CARRIED if source else ALONE
    ours = [
        row
        for row in records
        if row["method"] == OURS and row["source"] == source and row["approach"] == approach and row["budget"] == 0
    ]
    oracle = [row for row in records if row["method"] == ORACLE]
    whole = (0.0, 1.0)

    def column(row: Record) -> str | None:
        span = (float(row["severity from"]), float(row["severity to"]))
        if by == "target":
            return str(row["target"]) if span == whole and row["target"] != ALL_TARGETS else None
        name = "all" if span == whole else f"{span[0]:g}–{span[1]:g}"
        return name if row["target"] == ALL_TARGETS else None

    chosen = [row for row in ours if column(row)]
    columns = list(dict.fromkeys(str(column(row)) for row in sorted(chosen, key=lambda row: _order(row, by))))
    overall = {
        str(row["fault"]): float(row["AUROC"])
        for row in ours
        if row["target"] == ALL_TARGETS and (float(row["severity from"]), float(row["severity to"])) == whole
    }
    telemetry = {str(row["fault"]) for row in ours if row["telemetry"]}
    faults = sorted(overall, key=lambda fault: (fault in telemetry, -overall[fault]))
    panels = {}
    for title, rows in (("joint deviations", chosen), ("oracle", [row for row in oracle if column(row)])):
        table = np.full((len(faults), len(columns)), np.nan)
        for row in rows:
            if str(row["fault"]) in faults and column(row) in columns:
                table[faults.index(str(row["fault"])), columns.index(str(column(row)))] = row["AUROC"]
        if np.isfinite(table).any():
            panels[title] = table
    return heat_map(
        panels,
        [fault.replace("_", " ") + " (telemetry)" * (fault in telemetry) for fault in faults],
        columns,
        row_label="",
        column_label="brand" if by == "target" else "severity",
        value_label="AUROC against healthy cycles",
        low=0.5,
        high=1.0,
    )


def _order(row: Record, by: str) -> tuple[bool, float]:
    """Ranges of severity from the lowest, all of them last; brands as they come."""
    whole = float(row["severity from"]) == 0 and float(row["severity to"]) == 1
    return (whole, float(row["severity from"])) if by == "severity" else (whole, 0.0)


def gains_figure(records: Sequence[Record]) -> Figure:
    """A dot a pair of target and seed: AUROC less that of target-only; a panel a budget, the gated detector apart."""
    budgets = sorted({int(row["budget"]) for row in records})
    gain: dict[str, list[float]] = {}
    for row in records:
        gain.setdefault(_line(row)[1], []).append(float(row["gain"]))
    lines = sorted(gain, key=lambda name: float(np.mean(gain[name])))
    sources = list(dict.fromkeys(str(row["source"]) for row in records))
    with matplotlib.rc_context(STYLE):
        size = (2.4 + 2.3 * len(budgets), 1.1 + 0.21 * len(lines))
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(1, len(budgets), sharex=True, sharey=True, squeeze=False).ravel()
        for axis, budget in zip(axes, budgets, strict=True):
            for number, source in enumerate(sources):
                own = [row for row in records if row["budget"] == budget and row["source"] == source]
                y = [lines.index(_line(row)[1]) + 0.18 * (number - (len(sources) - 1) / 2) for row in own]
                x = [float(row["gain"]) for row in own]
                colour = OKABE_ITO[(number + 1) % len(OKABE_ITO)]
                axis.plot(x, y, MARKERS[number + 1], color=colour, markersize=3.5, alpha=0.7, label=f"from {source}")
            axis.axvline(0, color="#333333", linewidth=0.9)
            axis.set_title(f"{budget} labelled cycles", fontsize=10, loc="left")
            axis.set_yticks(range(len(lines)), lines, fontsize=8)
            axis.set_ylim(-0.6, len(lines) - 0.4)
        figure.supxlabel("AUROC less that of joint deviations on the target alone, same units and seed", fontsize=9)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=len(labels), fontsize=8)
    return figure


def embeddings_figure(points: Sequence[Record]) -> Figure:
    """Two panels, before and after; a colour a brand, filled = faulty joint."""
    moments = list(dict.fromkeys(str(point["when"]) for point in points))
    brands = list(dict.fromkeys(str(point["brand"]) for point in points))
    with matplotlib.rc_context({**STYLE, "axes.grid": False}):
        figure = Figure(figsize=(3.4 * len(moments) + 1.4, 3.3), layout="constrained")
        axes = figure.subplots(1, len(moments), squeeze=False).ravel()
        for axis, moment in zip(axes, moments, strict=True):
            for number, brand in enumerate(brands):
                colour = OKABE_ITO[number % len(OKABE_ITO)]
                for state, face in (("healthy", "none"), ("faulty", colour)):
                    own = [p for p in points if (p["when"], p["brand"], p["state"]) == (moment, brand, state)]
                    axis.scatter(
                        [p["x"] for p in own],
                        [p["y"] for p in own],
                        s=14,
                        facecolors=face,
                        edgecolors=colour,
                        linewidths=0.7,
                        alpha=0.75,
                        marker=MARKERS[number % len(MARKERS)],
                        label=f"{brand}, {state}",
                    )
            axis.set_title(f"{moment} adaptation", fontsize=10, loc="left")
            axis.set_xticks([])
            axis.set_yticks([])
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right center", fontsize=8)
    return figure
