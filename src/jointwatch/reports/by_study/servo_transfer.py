"""Figure of the servo study: what each method finds, on the servo it learned from and on another."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from jointwatch.reports.paper_figures import grouped_bars
from jointwatch.reports.study_figures import save
from jointwatch.reports.tables import blocks_by_metrics
from jointwatch.studies.base import Results

__all__ = ["CAPTIONS", "blocks", "drawn", "figures", "servos_figure"]

Record = Mapping[str, Any]

_LEARNED = {
    "none": "normal sessions of the servo itself",
    "same servo": "labelled sessions of the servo itself",
    "another servo": "labelled sessions of another servo",
}
_PANELS = ("AUROC", "heatings detected", "false-alarm share")
_WRAP = 15  # characters
CAPTIONS = {
    "servos": "Heating of a servo by what a method learned from and looks at; the test session is never learned from; "
    "bars are means, whiskers 95 % intervals over sessions"
}


def drawn(rows: Sequence[Record]) -> list[Record]:
    """No row: the bars show them."""
    return []


def blocks(rows: Sequence[Record]) -> list[list[Record]]:
    """Scores, and wins and losses."""
    return blocks_by_metrics(rows)


def figures(results: Results, out: Path) -> list[Path]:
    """Bars of all methods; returns the paths, PNG before SVG."""
    return save(servos_figure(results.to_dict()["rows"]), out / "servos")


def servos_figure(rows: Sequence[Record]) -> Figure:
    """A group of bars a method, a bar for what it learned from, a panel a metric."""
    chosen = [
        {
            **row,
            "panel": row["metric"],
            "metric": textwrap.fill(str(row["method"]).partition(": ")[2], _WRAP),
            "method": words,
        }
        for panel in _PANELS
        for source, words in _LEARNED.items()
        for row in rows
        if str(row["metric"]).startswith(panel) and row["source"] == source
    ]
    figure = grouped_bars(chosen, panel="panel", y_label="mean and 95 % interval")
    figure.set_size_inches(1.0 + 1.15 * len({row["metric"] for row in chosen}), figure.get_figheight())
    for axis in figure.axes:
        axis.tick_params(axis="x", labelsize=8)
    return figure
