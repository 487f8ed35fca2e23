"""Figures of the study of transfer: scores against the share of the source, the whole grid, ways of fine-tuning."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from jointwatch.reports.paper_figures import curves_with_bands, grouped_bars, heat_map
from jointwatch.reports.study_figures import save
from jointwatch.reports.tables import blocks_by_metrics
from jointwatch.studies._axis_carry import ALONE
from jointwatch.studies._folds import SPLITS
from jointwatch.studies.base import Results

__all__ = ["CAPTIONS", "blocks", "curves_figure", "drawn", "family_figure", "figures", "grid_figure"]

Record = Mapping[str, Any]

_IN_CURVES = ("accuracy", "precision", "recall", "F1")
_IN_GRID = ("accuracy", "balanced accuracy")
_IN_FAMILY = ("accuracy", "balanced accuracy", "MCC")
_MOST_LINES = 5
_NAMES = {"l2 sp": "L2-SP", "lora": "LoRA", "gradual unfreezing": "gradual\nunfreezing"}
CAPTIONS = {
    "fine_tuning": "Ways of fine-tuning with a tenth of the target's training data; bars are means, whiskers 95 % "
    "intervals",
    **{
        f"{stem}_{split}": f"{what}; {words}"
        for stem, what in (
            (
                "transfer",
                "AD-CNN carried, against the share of the source, a line for each share of the target; dashed in its "
                "colour: the same share of the target alone; bands are 95 % intervals",
            ),
            ("grid", "AD-CNN carried with every share of source and target; the first row is the target alone"),
        )
        for split, words in SPLITS.items()
    },
}


def drawn(rows: Sequence[Record]) -> list[Record]:
    """No row: curves, grid and bars show them all."""
    return []


def blocks(rows: Sequence[Record]) -> list[list[Record]]:
    """Scores, and wins and losses."""
    return blocks_by_metrics(rows)


def figures(results: Results, out: Path) -> list[Path]:
    """Curves and grid of each split, and the ways of fine-tuning; returns the paths, PNG before SVG."""
    paths: list[Path] = []
    grid = [r for r in results.details["grid"] if r["method"] == ALONE or r["source share"]]
    for split in dict.fromkeys(str(record["split"]) for record in grid):
        own = [record for record in grid if record["split"] == split]
        paths += save(curves_figure(own), out / f"transfer_{split}")
        paths += save(grid_figure(own), out / f"grid_{split}")
    return paths + save(family_figure(results.details["family"]), out / "fine_tuning")


def curves_figure(grid: Sequence[Record]) -> Figure:
    """One panel a metric, a line for each share of the target; of many shares the first two, the middle and the last.

    Parameters
    ----------
    grid : records of one split, see `studies.axis_transfer`; source share 0 is the target alone.
    """
    shares = _shares(grid, "target share")
    if len(shares) > _MOST_LINES:
        shares = [*shares[:2], shares[(len(shares) - 1) // 2], shares[-1]]
    rows = [
        {**record, "method": f"{100 * share:g} % of target" + ("" if carried else " alone")}
        for carried in (True, False)
        for share in shares
        for record in grid
        if record["metric"] in _IN_CURVES
        and record["target share"] == share
        and bool(record["source share"]) == carried
    ]
    figure = curves_with_bands(rows, x="source share", x_label="share of the source's training data")
    artists: list[list[Any]] = [[*axis.get_lines()] for axis in figure.axes]
    artists += [[*legend.legend_handles] for legend in figure.legends]
    for lines in artists:
        for line, level in zip(lines[: len(shares)], lines[len(shares) :], strict=False):
            level.set_color(line.get_color())
    return figure


def grid_figure(grid: Sequence[Record]) -> Figure:
    """Share of the source by row, of the target by column, a panel a metric."""
    sources, targets = (_shares(grid, key) for key in ("source share", "target share"))
    cells = {metric: np.full((len(sources), len(targets)), np.nan) for metric in _IN_GRID}
    for record in grid:
        if record["metric"] in cells:
            place = sources.index(record["source share"]), targets.index(record["target share"])
            cells[record["metric"]][place] = record["mean"]
    return heat_map(
        cells,
        [f"{100 * share:g}" if share else "alone" for share in sources],
        [f"{100 * share:g}" for share in targets],
        row_label="share of the source (%)",
        column_label="share of the target (%)",
        value_label="score (mean)",
    )


def family_figure(family: Sequence[Record]) -> Figure:
    """A group of bars a way of fine-tuning, a bar a metric, a panel a split."""
    rows = [
        {
            **record,
            "method": record["metric"],
            "metric": _NAMES.get(str(record["method"]), str(record["method"])),
            "split": SPLITS[str(record["split"])],
        }
        for metric in _IN_FAMILY
        for record in family
        if record["metric"] == metric
    ]
    least = min((float(r[end]) for r in rows for end in ("mean", "low") if math.isfinite(r[end])), default=0.0)
    return grouped_bars(rows, panel="split", low=min(0.0, math.floor(10 * least) / 10))


def _shares(grid: Sequence[Record], key: str) -> list[float]:
    return sorted({float(record[key]) for record in grid})
