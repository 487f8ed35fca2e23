"""Figures of AdaTime's benchmark: all methods on all scenarios, ours beside the peer's code, label-free scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from jointwatch.reports.paper_figures import heat_map
from jointwatch.reports.study_figures import MARKERS, OKABE_ITO, STYLE, save
from jointwatch.reports.tables import blocks_by_metrics
from jointwatch.studies._adatime_methods import BEST, BY_SPLIT, CHOSEN, MEAN, MEAN_OF_SEEDS, SOURCE_ONLY, TARGET_ONLY
from jointwatch.studies._adatime_peer import PEER, SETTINGS, as_in_peer, peer_name
from jointwatch.studies.adatime import ALL
from jointwatch.studies.base import Results

__all__ = ["CAPTIONS", "blocks", "drawn", "figures", "methods_figure", "peer_figure", "scores_figure"]

Record = Mapping[str, Any]

_METRIC = "macro F1"
_CHOICE = CHOSEN.partition(":")[0]
_AGREEMENT = "agreement"
CAPTIONS = {
    "methods": "Target macro F1 of every strategy and of every choice made without labels; mean of the seeds, its "
    "lowest and highest below; the best strategy of each column framed, those with settings of the peer aside, whose "
    "search may have seen labels of targets",
    "peer": "The same methods here and in AdaTime's own code, scenario by scenario, mean of the seeds",
    "scores": "Agreement with the mean of all candidates, which needs no label, against the macro F1 that it stands "
    "for; a point is a strategy with one seed, circled what the consensus took",
}


def drawn(rows: Sequence[Record]) -> list[Record]:
    """No row: what matters is drawn here, and the tables hold the rest."""
    return []


def blocks(rows: Sequence[Record]) -> list[list[Record]]:
    """Scores, wins and losses, each by itself."""
    return blocks_by_metrics(rows)


def figures(results: Results, out: Path) -> list[Path]:
    """Methods by scenarios, ours beside the peer, scores against truth; returns the paths, PNG before SVG."""
    rows, details = results.to_dict()["rows"], results.details
    paths: list[Path] = []
    chosen = [row for row in rows if row["metric"] == _METRIC and row["split"] == BY_SPLIT]
    if chosen:
        paths += save(methods_figure(chosen), out / "methods")
    if details.get("peer"):
        paths += save(peer_figure(details["peer"]), out / "peer")
    if details.get("scores"):
        paths += save(scores_figure(details["scores"], details.get("choices", [])), out / "scores")
    return paths


def methods_figure(rows: Sequence[Record]) -> Figure:
    """A line a method, best mean first, then bounds, settings of the peer, choices; a column a scenario, mean last."""
    where = list(dict.fromkeys((row["source"], row["target"]) for row in rows))
    names = _ordered(rows)
    table = {(row["method"], row["source"], row["target"]): row for row in rows}
    values, low, high = (
        np.array([[_number(table.get((name, *place), {}).get(key)) for place in where] for name in names])
        for key in ("mean", "low", "high")
    )
    kinds = _strategies(names)
    best = np.nan_to_num(values[: len(kinds)], nan=-1.0).argmax(axis=0) if kinds else []
    frame = [(int(row), column) for column, row in enumerate(best)]
    columns = ["mean" if place[0] == ALL else f"{_short(place[0])} → {_short(place[1])}" for place in where]
    return heat_map(
        {"": values},
        names,
        columns,
        row_label="",
        column_label="source → target subject",
        value_label="target macro F1",
        low=0.5,
        high=1.0,
        ends={"": (low, high)},
        frame=frame,
    )


def peer_figure(records: Sequence[Record]) -> Figure:
    """A line a method, a column a scenario with their mean last, ours beside the peer's."""
    methods = list(dict.fromkeys(str(record["method"]) for record in records))
    scenarios = list(dict.fromkeys(str(record["scenario"]) for record in records))
    panels = {}
    for key, title in (("ours", "here"), ("AdaTime's code", "AdaTime's code")):
        found = {(record["method"], record["scenario"]): _number(record[key]) for record in records}
        values = np.array([[found.get((name, place), math.nan) for place in scenarios] for name in methods])
        panels[title] = np.column_stack([values, values.mean(axis=1)])
    return heat_map(
        panels,
        [_title(name) for name in methods],
        [*(place.replace("-", " → ") for place in scenarios), "mean"],
        row_label="",
        column_label="source → target subject",
        value_label="target macro F1",
        low=0.5,
        high=1.0,
    )


def scores_figure(records: Sequence[Record], choices: Sequence[Record]) -> Figure:
    """Agreement against macro F1, a panel a scenario, a marker a seed."""
    own = [record for record in records if record["score"] == _AGREEMENT]
    scenarios = list(dict.fromkeys(str(record["scenario"]) for record in own))
    taken = {(row["scenario"], row["seed"]): row["taken"] for row in choices if row["choice"] == CHOSEN}
    columns = min(3, max(1, len(scenarios)))
    lines = math.ceil(max(1, len(scenarios)) / columns)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(2.9 * columns + 0.6, 2.7 * lines + 0.3), layout="constrained")
        axes = figure.subplots(lines, columns, squeeze=False).ravel()
        for axis, scenario in zip(axes, scenarios, strict=False):
            points = [record for record in own if record["scenario"] == scenario]
            for seed in dict.fromkeys(point["seed"] for point in points):
                at = [point for point in points if point["seed"] == seed]
                style = {"marker": MARKERS[seed % len(MARKERS)], "color": OKABE_ITO[seed % len(OKABE_ITO)]}
                axis.scatter([p["value"] for p in at], [p[_METRIC] for p in at], s=22, alpha=0.75, lw=0, **style)
                ringed = [p for p in at if p["method"] == taken.get((scenario, seed))]
                axis.scatter(
                    [p["value"] for p in ringed], [p[_METRIC] for p in ringed], s=90, facecolors="none", ec="black"
                )
            axis.set_title(f"{scenario.replace('-', ' → ')}{_rank_correlation(points)}", fontsize=10, loc="left")
        for axis in axes[len(scenarios) :]:
            axis.set_visible(False)
        figure.supxlabel("agreement with the mean of all candidates", fontsize=10)
        figure.supylabel("target macro F1", fontsize=10)
    return figure


def _ordered(rows: Sequence[Record]) -> list[str]:
    names = [str(name) for name in dict.fromkeys(row["method"] for row in rows)]
    mean = {row["method"]: _number(row["mean"]) for row in rows if row["source"] == ALL}
    kinds = sorted(_strategies(names), key=lambda name: -mean.get(name, 0.0))
    return [*kinds, *(name for name in names if name not in kinds and name != BEST)]


def _strategies(names: Sequence[str]) -> list[str]:
    others = {SOURCE_ONLY, TARGET_ONLY, MEAN, MEAN_OF_SEEDS, BEST, *map(as_in_peer, SETTINGS)}
    return [name for name in names if name not in others and not name.startswith(_CHOICE)]


def _rank_correlation(points: Sequence[Record]) -> str:
    values, truth = ([float(point[key]) for point in points] for key in ("value", _METRIC))
    if len(set(values)) < 2 or len(set(truth)) < 2:
        return ""
    return f", rank correlation {spearmanr(values, truth).statistic:.2f}"


def _title(method: str) -> str:
    return peer_name(method) if method in PEER else method


def _short(subject: Any) -> str:
    return str(subject).removeprefix("subject ")


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
