"""Figures of the study of imbalance: scores against the share of worn maps, on the source and after transfer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jointwatch.reports.paper_figures import curves_with_bands
from jointwatch.reports.study_figures import save
from jointwatch.studies.base import Results

__all__ = ["CAPTIONS", "drawn", "figures"]

Record = Mapping[str, Any]

_SHOWN = ("accuracy", "balanced accuracy", "MCC", "precision", "recall", "false-alarm share")
_WAYS = {"random": "random split (optimistic)", "unit": "whole units held out"}
CAPTIONS = {
    f"imbalance_{where}_{way}": f"{what} against the share of worn maps the source is learned from; {words}"
    for where, what in (("source", "Scores on the source axis"), ("target", "Scores after transfer"))
    for way, words in _WAYS.items()
}


def drawn(rows: Sequence[Record]) -> list[Record]:
    """No row: the share of worn maps is what they are to be drawn against."""
    return []


def figures(results: Results, out: Path) -> list[Path]:
    """A figure for each split and test axis, source first; returns the paths, PNG before SVG."""
    paths: list[Path] = []
    records = results.details["figures"]
    axes = list(dict.fromkeys(str(record["target"]) for record in records))
    for split in dict.fromkeys(str(record["split"]) for record in records):
        for where, axis in zip(("source", "target"), axes, strict=False):
            own = [r for r in records if r["split"] == split and r["target"] == axis]
            rows = [record for metric in _SHOWN for record in own if record["metric"] == metric]
            figure = curves_with_bands(rows, x="worn", x_label="share of worn maps in training")
            paths += save(figure, out / f"imbalance_{where}_{split.partition(' ')[0]}")
    return paths
