"""Figures of the study of settings: samples a block against blocks a map, a matrix a split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from jointwatch.reports.paper_figures import heat_map
from jointwatch.reports.study_figures import save
from jointwatch.studies.base import Results

__all__ = ["CAPTIONS", "drawn", "figures", "settings_figure"]

Record = Mapping[str, Any]

_STEMS = {"accuracy": "settings_accuracy", "balanced accuracy": "settings_balanced_accuracy", "MCC": "settings_mcc"}
CAPTIONS = {
    stem: f"AD-CNN, {metric} by samples a block and blocks a map, with 95 % intervals; a dash is a map longer than "
    "every session"
    for metric, stem in _STEMS.items()
}


def drawn(rows: Sequence[Record]) -> list[Record]:
    """No row: the matrices show them."""
    return []


def figures(results: Results, out: Path) -> list[Path]:
    """One figure a metric; returns the paths, PNG before SVG."""
    paths: list[Path] = []
    for metric, stem in _STEMS.items():
        paths += save(settings_figure(results.details["figures"], metric), out / stem)
    return paths


def settings_figure(records: Sequence[Record], metric: str) -> Figure:
    """S1 by row, N_t by column, a panel a split."""
    blocks, lengths = ([int(n) for n in sorted({record[key] for record in records})] for key in ("S1", "N_t"))
    splits = list(dict.fromkeys(str(record["split"]) for record in records))
    cells = {split: np.full((3, len(blocks), len(lengths)), np.nan) for split in splits}
    for record in records:
        if record["metric"] == metric:
            place = blocks.index(record["S1"]), lengths.index(record["N_t"])
            cells[str(record["split"])][:, *place] = record["mean"], record["low"], record["high"]
    return heat_map(
        {split: cell[0] for split, cell in cells.items()},
        [str(block) for block in blocks],
        [str(length) for length in lengths],
        row_label="S1: samples a block",
        column_label="$N_t$: blocks a map",
        value_label=metric,
        ends={split: (cell[1], cell[2]) for split, cell in cells.items()},
    )
