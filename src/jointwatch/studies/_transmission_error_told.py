"""What was said of every cycle, put together from the folds of each repetition."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from jointwatch.core.levels import LEVELS
from jointwatch.studies._confusions import confusions
from jointwatch.studies._part import Part
from jointwatch.studies._transmission_error_methods import Said
from jointwatch.studies._transmission_error_table import Cycles
from jointwatch.studies.base import Row

__all__ = ["METRICS", "Told", "confusion_cells", "counts_of", "fold_accuracy", "row_of", "told_plain", "told_with"]

METRICS = (
    "accuracy",
    "within one level",
    "mean absolute level error",
    "kappa",
    "macro precision",
    "macro recall",
    "Hamming loss",
)
"""Of levels; Hamming loss of one label a cycle is 1 - accuracy."""


def told_plain(step: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = step["said"]
    return found


def told_with(noise: str, step: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = step["noise"][noise]
    return found


class Told:
    """What each method said of the same rows in every repetition, put together from folds."""

    def __init__(
        self, steps: Mapping[str, Any], seeds: int, folds: int, said: Callable[[Any], Mapping[str, Any]]
    ) -> None:
        """steps : by `seed/fold`. said : step -> what was said, by key."""
        self.of: dict[str, list[tuple[np.ndarray, Said]]] = {}
        self.fold: dict[str, list[np.ndarray]] = {}
        for seed in range(seeds):
            parts = [steps[f"{seed}/{fold}"] for fold in range(folds) if f"{seed}/{fold}" in steps]
            rows = np.concatenate([part["rows"] for part in parts]).astype(np.int64)
            fold = np.repeat(np.arange(len(parts)), [len(part["rows"]) for part in parts])
            order = np.argsort(rows, kind="stable")
            for key in said(parts[0]):
                if all(key in said(part) for part in parts):
                    each = [Said.of_json(said(part)[key]) for part in parts]
                    self.of.setdefault(key, []).append((rows[order], _joined(each, order)))
                    self.fold.setdefault(key, []).append(fold[order])


def _joined(parts: Sequence[Said], order: np.ndarray) -> Said:
    columns = {}
    for name in ("level", "degree", "low", "high", "above"):
        values = np.concatenate([getattr(part, name) for part in parts])
        columns[name] = values[order] if len(values) else values
    return Said(**columns)


def counts_of(cycles: Cycles, clusters: np.ndarray, rows: np.ndarray, said: Said) -> np.ndarray:
    names = np.unique(clusters[rows])
    return confusions(clusters[rows], names, cycles.level[rows], said.level, LEVELS)


def confusion_cells(part: Part, what: str, method: str, split: str, count: str, confused: Sequence[np.ndarray]) -> None:
    mean = np.mean(confused, axis=0).sum(axis=0)
    place = {"part": what, "method": method, "split": split, "cycles": int(count)}
    part.table(
        "confusion",
        [
            {**place, "true": i + 1, "said": k + 1, "count": float(mean[i, k])}
            for i in range(LEVELS)
            for k in range(LEVELS)
        ],
    )


def fold_accuracy(cycles: Cycles, rows: np.ndarray, said: Said, fold: np.ndarray) -> np.ndarray:
    """(fold,) share of exact levels."""
    hit = cycles.level[rows] == said.level
    return np.array([hit[fold == number].mean() for number in np.unique(fold)])


def row_of(
    place: Mapping[str, str], count: str, metric: str, found: tuple[float, float, float], n: int, seeds: int
) -> Row:
    """One figure of a method that judges `count` cycles together."""
    method, split, source, target = (place[key] for key in ("method", "split", "source", "target"))
    return Row(method, split, source, target, f"T = {count}", metric, *found, n, seeds)
