"""Figures of the study of pre-training: AUROC against labels, against hours of pre-training, and real contacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from jointwatch.reports.by_study.cross_brand import methods_figure
from jointwatch.reports.metric_curve import metric_curve
from jointwatch.reports.study_figures import STYLE, save
from jointwatch.reports.tables import blocks_by_metrics
from jointwatch.studies._cross_brand_methods import ALONE, CARRIED, HEALTHY_ONLY, ORACLE, OURS
from jointwatch.studies._pretraining_methods import DISTANCE, FINE_TUNE, MINI_ROCKET, PROBE, SCRATCH
from jointwatch.studies.base import Results
from jointwatch.studies.pretraining import PRETRAINED, RANDOM

__all__ = ["CAPTIONS", "blocks", "contacts_figure", "drawn", "figures", "labels_figure", "scaling_figure"]

Record = Mapping[str, Any]

CAPTIONS = {
    "labels": "AUROC of cycles on units never seen against labelled cycles of the new brand; bars: 95 % interval by "
    "units; the strategies' line is, at every budget, the one that turned out best there",
    "methods": "AUROC of cycles on units never seen, with the largest budget of labels, beside what needs none; 95 % "
    "interval by units",
    "scaling": "AUROC on the brand never seen against hours of healthy windows in the pre-training; 0 = random "
    "weights; bars: 95 % interval by units",
    "contacts": "Contacts of a real arm: AUROC of decisions against free runs, mean and range of the seeds",
}
_BEST = "best strategy without pre-training"


def drawn(rows: Sequence[Record]) -> list[Record]:
    """No row: what matters is drawn here, and the tables hold the rest."""
    return []


def blocks(rows: Sequence[Record]) -> list[list[Record]]:
    """Each metric by itself."""
    return blocks_by_metrics(rows)


def figures(results: Results, out: Path) -> list[Path]:
    """Everything that the details hold; returns the paths, PNG before SVG."""
    details = results.details
    methods, weights = [row for row in details["methods"] if "AUROC" in row], details["weights"]
    paths = save(labels_figure(methods), out / "labels")
    most = max(int(row["budget"]) for row in methods)
    shown = [row for row in methods if row["budget"] == most or row["method"] in (ORACLE, *HEALTHY_ONLY)]
    paths += save(methods_figure(shown), out / "methods")
    paths += save(scaling_figure(methods, weights), out / "scaling")
    if details.get("contacts"):
        paths += save(contacts_figure(details["contacts"]), out / "contacts")
    return paths


def labels_figure(rows: Sequence[Record]) -> Figure:
    """A line a way, labels to the right.

    Parameters
    ----------
    rows : with `approach`, `method`, `source`, `budget`, `AUROC` and its ends.
    """
    richest = next((str(row["source"]) for row in reversed(rows) if row["approach"] == PRETRAINED), "")
    lines: dict[str, list[Record]] = {}
    for row in rows:
        name = _line(row, richest)
        if name:
            lines.setdefault(name, []).append(row)
    strategies: dict[int, Record] = {}
    for row in rows:
        if row["approach"] == CARRIED and row["method"] not in (OURS, "trees"):
            best = strategies.get(int(row["budget"]))
            if best is None or row["AUROC"] > best["AUROC"]:
                strategies[int(row["budget"])] = row
    lines[_BEST] = list(strategies.values())
    oracle = [float(row["AUROC"]) for row in rows if row["method"] == ORACLE]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.2, 4.4), layout="constrained")
        axis = figure.subplots()
        budgets = sorted({int(row["budget"]) for row in rows})
        for number, (name, own) in enumerate(line for line in lines.items() if line[1]):
            own = sorted(own, key=lambda row: row["budget"])
            x = np.array([budgets.index(int(row["budget"])) for row in own]) + 0.03 * (number - len(lines) / 2)
            metric_curve(axis, x, own, "AUROC", number, name)
        for value in oracle:
            axis.axhline(value, color="#999999", linewidth=0.8, linestyle=":")
        axis.set_xticks(range(len(budgets)), [str(budget) for budget in budgets])
        axis.set_xlabel("labelled cycles of the new brand" + ("; dotted: true parameters known" if oracle else ""))
        axis.set_ylabel("AUROC of cycles")
        figure.legend(loc="outside right upper", fontsize=8)
    return figure


def _line(row: Record, richest: str) -> str:
    """Name of the line that a row belongs to, "" = none."""
    approach, method, source = str(row["approach"]), str(row["method"]), str(row["source"])
    if approach == PRETRAINED and method in (DISTANCE, PROBE):
        return {richest: "pre-trained, frozen", RANDOM: "random weights, frozen"}.get(source, "")
    if approach == PRETRAINED and method == FINE_TUNE:
        return "random weights, fine-tuned" if source == RANDOM else "pre-trained, fine-tuned"
    if approach == ALONE and method in (SCRATCH, MINI_ROCKET):
        return "the same network from scratch" if method == SCRATCH else MINI_ROCKET
    if approach == ALONE and method == "mahalanobis":
        return "Mahalanobis distance"
    if method == OURS:
        return f"{OURS}, alone" if approach == ALONE else f"{OURS}, from all others"
    return ""


def scaling_figure(rows: Sequence[Record], weights: Sequence[Record]) -> Figure:
    """A line a budget, hours of pre-training to the right.

    Parameters
    ----------
    weights : `source` and `hours`.
    """
    hours = {str(row["source"]): float(row["hours"]) for row in weights}
    order = sorted(hours, key=hours.__getitem__)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.6), layout="constrained")
        axis = figure.subplots()
        budgets = sorted({int(row["budget"]) for row in rows})
        for number, budget in enumerate(budgets):
            own = [row for row in rows if row["budget"] == budget and row["method"] in (DISTANCE, PROBE)]
            own = sorted((row for row in own if row["source"] in hours), key=lambda row: hours[str(row["source"])])
            if own:
                x = np.array([order.index(str(row["source"])) for row in own]) + 0.04 * (number - len(budgets) / 2)
                metric_curve(axis, x, own, "AUROC", number, f"{budget} labels")
        axis.set_xticks(range(len(order)), [f"{hours[name]:.3g}" for name in order])
        axis.set_xlabel("hours of healthy windows in the pre-training")
        axis.set_ylabel("AUROC of cycles")
        figure.legend(loc="outside right upper", fontsize=8)
    return figure


def contacts_figure(records: Sequence[Record]) -> Figure:
    """A line a method: mean, lowest and highest AUROC of the seeds by number of free runs."""
    methods = list(dict.fromkeys(str(row["method"]) for row in records))
    budgets = sorted({int(row["free_runs"]) for row in records})
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.2, 4.2), layout="constrained")
        axis = figure.subplots()
        for number, method in enumerate(methods):
            found = [[r["auroc"] for r in records if r["method"] == method and r["free_runs"] == b] for b in budgets]
            own = [
                {"AUROC": float(np.mean(areas)), "AUROC low": min(areas), "AUROC high": max(areas)}
                for areas in found
                if areas
            ]
            x = np.array([i for i, areas in enumerate(found) if areas]) + 0.03 * (number - len(methods) / 2)
            metric_curve(axis, x, own, "AUROC", number, method.replace("_", " "))
        axis.set_xticks(range(len(budgets)), [str(budget) for budget in budgets])
        axis.set_xlabel("free runs known")
        axis.set_ylabel("AUROC of decisions")
        figure.legend(loc="outside right upper", fontsize=8)
    return figure
