"""What one part of a study contributes: rows, notes and tables, and whether figures fall into their bands."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jointwatch.studies._confusions import spread
from jointwatch.studies.base import Row

__all__ = ["LEAK", "SAME", "Part", "band_note"]

SAME = 0.005
"""Differences below this are ties."""
LEAK = 0.98
"""Above this, whole units held out, a result is suspected to come from a leak."""


@dataclass
class Part:
    """Rows, notes and tables, gathered step by step."""

    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    details: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def add(
        self,
        repetitions: Sequence[np.ndarray],
        metrics: Iterable[str],
        *,
        method: str,
        split: str,
        source: str,
        target: str,
        labels: str = "",
        suffix: str = "",
    ) -> dict[str, float]:
        """A row for each metric of (unit, true, said) counts, one array a seed; the means by metric.

        `suffix` says what is counted, as in `balanced accuracy of sessions`.
        """
        tested = int(np.any([counts.sum(axis=(1, 2)) > 0 for counts in repetitions], axis=0).sum())
        means = {}
        for metric in metrics:
            mean, low, high = spread(repetitions, metric)
            name = f"{metric}{suffix}"
            self.rows.append(
                Row(method, split, source, target, labels, name, mean, low, high, tested, len(repetitions))
            )
            means[metric] = mean
        return means

    def figure(
        self,
        found: tuple[float, float, float],
        metric: str,
        *,
        method: str,
        split: str,
        source: str,
        target: str,
        n: int,
        seeds: int,
    ) -> None:
        """One row of a figure that is computed elsewhere."""
        self.rows.append(Row(method, split, source, target, "", metric, *found, n, seeds))

    def pairs(
        self,
        gains: Sequence[float],
        *,
        method: str,
        split: str,
        source: str,
        target: str,
        labels: str,
        seeds: int,
        suffix: str = "",
    ) -> None:
        """Rows of how often one method beat another, lost to it or was level, pair by pair.

        Pairs in which either figure could not be computed do not count. `suffix` says what was compared.
        """
        known = [gain for gain in gains if not math.isnan(gain)]
        wins, losses = sum(gain > SAME for gain in known), sum(gain < -SAME for gain in known)
        for what, count in (("wins", wins), ("losses", losses), ("ties", len(known) - wins - losses)):
            metric = f"{what} of {len(known)} pairs{suffix}"
            self.rows.append(
                Row(method, split, source, target, labels, metric, count, math.nan, math.nan, len(known), seeds)
            )

    def table(self, name: str, records: Iterable[Mapping[str, Any]]) -> None:
        """Records for `NAME.csv` and the figures."""
        self.details.setdefault(name, []).extend(dict(record) for record in records)

    def join(self, other: Part) -> None:
        """Take over all of another part."""
        self.rows += other.rows
        self.notes += other.notes
        for name, records in other.details.items():
            self.table(name, records)


def band_note(what: str, value: float, low: float, high: float) -> str:
    """Whether a figure is as hard as it should be.

    >>> band_note("units held out", 0.95, 0.6, 0.9)
    'units held out: 0.950, band 0.60-0.90: too easy'
    """
    verdict = "met" if low <= value <= high else "too hard" if value < low else "too easy"
    return f"{what}: {value:.3f}, band {low:.2f}-{high:.2f}: {verdict}"
