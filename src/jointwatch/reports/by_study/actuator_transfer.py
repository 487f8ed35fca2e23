"""Figures of the actuator study: states confused inside a load, scores against labelled runs, stages never seen."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from jointwatch.reports.paper_figures import confusion_matrix, curves_with_bands, grouped_bars
from jointwatch.reports.study_figures import save
from jointwatch.reports.tables import blocks_by_metrics
from jointwatch.studies._actuator_methods import ALONE, CARRIED, INSIDE, OWN, POOLED, Method
from jointwatch.studies._strokes import PROFILE
from jointwatch.studies.base import Results

__all__ = ["CAPTIONS", "blocks", "confused_figure", "drawn", "few_runs_figure", "figures", "stages_figure"]

Record = Mapping[str, Any]

_INSIDE = INSIDE[-1].name
_LINES = tuple(
    method.name
    for method in (
        Method(CARRIED, "discriminant", PROFILE),
        Method(POOLED, "discriminant", PROFILE),
        Method(POOLED, "trees"),
        Method(ALONE, "discriminant", PROFILE),
        Method(ALONE, "trees"),
        Method(OWN, "discriminant", PROFILE),
    )
)
_SPLITS = {"last runs out": "last", "all runs but the drawn ones out": "drawn"}
_KINDS = ("states", "families")
_WRAP = 13  # characters
CAPTIONS = {
    "stages": "Cycles of a stage that was never learned whose family is found, all other stages learned",
    **{
        f"few_runs_{kind}_{stem}": f"Macro F1 of {kind} against labelled runs of each state of the target load; "
        f"{split}; bands are 95 % intervals over runs"
        for split, stem in _SPLITS.items()
        for kind in _KINDS
    },
}


def drawn(rows: Sequence[Record]) -> list[Record]:
    """No row: what matters is drawn here, and the tables hold the rest."""
    return []


def blocks(rows: Sequence[Record]) -> list[list[Record]]:
    """Scores, stages, wins and losses, each by itself."""
    return blocks_by_metrics(rows)


def figures(results: Results, out: Path) -> list[Path]:
    """Confusions of each load, curves against labelled runs, bars of the stages; returns the paths, PNG before SVG."""
    paths: list[Path] = []
    rows, details = results.to_dict()["rows"], results.details
    finest = next((details[f"confusion_{kind}"] for kind in _KINDS if details.get(f"confusion_{kind}")), [])
    inside = [cell for cell in finest if cell["method"] == _INSIDE and cell["split"] in _SPLITS]
    for load in dict.fromkeys(str(cell["target"]) for cell in inside):
        own = [cell for cell in inside if cell["target"] == load]
        paths += save(confused_figure(own, load), out / f"confusion_{re.sub(r'[^A-Za-z0-9]+', '_', load).strip('_')}")
    for kind in _KINDS:
        for split, stem in _SPLITS.items():
            chosen = [row for row in rows if row["split"] == split and _is_macro(row, kind) and row["method"] in _LINES]
            if chosen:
                paths += save(few_runs_figure(chosen), out / f"few_runs_{kind}_{stem}")
    if details.get("stages"):
        paths += save(stages_figure(details["stages"]), out / "stages")
    return paths


def confused_figure(cells: Sequence[Record], load: str) -> Figure:
    """States of one load, last runs out; `cells` that are not there are empty."""
    names = list(dict.fromkeys(str(cell[key]) for key in ("true", "said") for cell in cells))
    counts = np.zeros((len(names), len(names)))
    for cell in cells:
        counts[names.index(str(cell["true"])), names.index(str(cell["said"]))] = cell["cycles"]
    titles = [name.replace("_", " ") for name in names]
    return confusion_matrix(counts, titles, title=f"{load}, {cells[0]['split']}", of="cycles")


def few_runs_figure(rows: Sequence[Record]) -> Figure:
    """A line a method, a panel a pair of loads.

    Parameters
    ----------
    rows : of one split and metric; labels begin with the number of labelled runs.
    """
    shown = [
        {**row, "runs": int(str(row["labels"]).split()[0]), "pair": f"{row['source']} → {row['target']}"}
        for method in _LINES
        for row in rows
        if row["method"] == method
    ]
    return curves_with_bands(
        shown,
        x="runs",
        x_label="labelled runs of each state of the target",
        y_label=str(rows[0]["metric"]),
        panel="pair",
        percent=False,
    )


def stages_figure(stages: Sequence[Record]) -> Figure:
    """A group of bars a stage, a bar a method, a panel a load."""
    rows = [
        {
            **record,
            "metric": textwrap.fill(str(record["stage"]).replace("_", " "), _WRAP),
            "mean": record["recall"],
            "low": None,
            "high": None,
        }
        for record in stages
    ]
    figure = grouped_bars(rows, y_label="share of cycles whose family is found", panel="load")
    figure.set_size_inches(
        max(figure.get_figwidth(), 1.0 + 0.95 * len({row["metric"] for row in rows})), figure.get_figheight()
    )
    for axis in figure.axes:
        axis.tick_params(axis="x", labelsize=8)
    return figure


def _is_macro(row: Record, kind: str) -> bool:
    return re.fullmatch(rf"macro F1 of \d+ {kind}", str(row["metric"])) is not None
