"""Figure of the study without transfer: scores against the share of the training data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jointwatch.reports.paper_figures import curves_with_bands
from jointwatch.reports.study_figures import save
from jointwatch.studies.base import Results

__all__ = ["CAPTIONS", "drawn", "figures"]

CAPTIONS = {"alone": "AD-CNN without transfer against the share of the training data; bands are 95 % intervals"}


def drawn(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """No row: shares of maps and shares of units have no axis in common but the share."""
    return []


def figures(results: Results, out: Path) -> list[Path]:
    """One panel a metric, one line a split; returns the paths, PNG before SVG."""
    rows = [{**record, "method": record["split"]} for record in results.details["figures"]]
    return save(curves_with_bands(rows), out / "alone")
