"""The table that `jointwatch score` leaves: scores.parquet, or scores.csv where the extra `fit` is not installed."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np

__all__ = ["write_scores"]


def write_scores(columns: Mapping[str, np.ndarray], out: Path, origin: Mapping[str, str | int] | None = None) -> Path:
    """Write one row a decision into `out` (made if absent). `origin` are facts of the bundle that decided: further
    columns, so that rows of several bundles can be put together."""
    out.mkdir(parents=True, exist_ok=True)
    rows = len(next(iter(columns.values())))
    columns = {**columns, **{f"bundle {name}": np.full(rows, fact) for name, fact in (origin or {}).items()}}
    try:
        import polars as pl
    except ModuleNotFoundError:  # a small installation: text holds every digit, too
        path = out / "scores.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(zip(*(values.tolist() for values in columns.values()), strict=True))
        return path
    path = out / "scores.parquet"
    pl.DataFrame({name: np.ascontiguousarray(values) for name, values in columns.items()}).write_parquet(path)
    return path
