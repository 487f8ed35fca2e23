"""Figures of the study of every axis to every other: matrices of source by target, the target alone below them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from jointwatch.reports.paper_figures import heat_map
from jointwatch.reports.study_figures import save
from jointwatch.reports.tables import blocks_by_metrics
from jointwatch.studies._folds import SPLITS
from jointwatch.studies.base import Results

__all__ = ["CAPTIONS", "blocks", "drawn", "figures", "matrix_figure"]

Record = Mapping[str, Any]

_LABELS = {
    "friction carried, no labels": "no label of the target",
    "friction carried": "labels of a tenth of its units",
}
_FRAMED = "framed: source and target are one axis; last row: a tenth of the target alone; small: 95 % intervals"
CAPTIONS = {
    "matrix_network": f"Balanced accuracy of AD-CNN carried with a tenth of the target; {_FRAMED}",
    "matrix_friction": f"Balanced accuracy of friction carried, whole units held out; {_FRAMED}",
}


def drawn(rows: Sequence[Record]) -> list[Record]:
    """No row: the matrices show them."""
    return []


def blocks(rows: Sequence[Record]) -> list[list[Record]]:
    """Scores, and wins and losses."""
    return blocks_by_metrics(rows)


def figures(results: Results, out: Path) -> list[Path]:
    """A figure for the network and one for friction, as far as they ran; returns the paths, PNG before SVG."""
    paths: list[Path] = []
    records = results.details["matrix"]
    for stem, friction in (("matrix_network", False), ("matrix_friction", True)):
        own = [record for record in records if str(record["method"]).startswith("friction") == friction]
        if own:
            paths += save(matrix_figure(own), out / stem)
    return paths


def matrix_figure(records: Sequence[Record]) -> Figure:
    """Source by row, target by column; a panel a split, or a method where they share a split.

    Parameters
    ----------
    records : cells of one network or of friction, see `studies.axis_matrix`; source 0 is the target alone.
    """
    axes = sorted({int(record["target"]) for record in records})
    panels: dict[str, np.ndarray] = {}
    for record in records:
        if record["source"]:
            title = _LABELS.get(str(record["method"]), SPLITS[str(record["split"])])
            alone = [r for r in records if not r["source"] and r["split"] == record["split"]]
            panel = panels.setdefault(title, _filled(np.full((3, len(axes) + 1, len(axes)), np.nan), alone, axes))
            _filled(panel, [record], axes)
    every = np.concatenate([panel[0].ravel() for panel in panels.values()])
    least = float(np.nanmin(every))
    return heat_map(
        {title: panel[0] for title, panel in panels.items()},
        [*(f"axis {axis}" for axis in axes), "alone"],
        [f"axis {axis}" for axis in axes],
        row_label="learned on",
        column_label="used on",
        value_label="balanced accuracy",
        low=min(0.5, least),
        high=1.0,
        ends={title: (panel[1], panel[2]) for title, panel in panels.items()},
        frame=[(i, i) for i in range(len(axes))],
    )


def _filled(panel: np.ndarray, records: Sequence[Record], axes: list[int]) -> np.ndarray:
    for record in records:
        row = axes.index(record["source"]) if record["source"] else len(axes)
        panel[:, row, axes.index(record["target"])] = record["mean"], record["low"], record["high"]
    return panel
