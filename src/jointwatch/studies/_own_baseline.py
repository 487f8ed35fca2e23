"""Features against the unit's own healthy sessions: what is left once the specimen is known.

The idea is that of `windows.own_baseline`, which takes log ratios to means of sessions; the difficulty study stays on
this form, ratios to means of rows, because its published figures were taken with it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from jointwatch.studies._fleet_table import Table

__all__ = ["OWN", "against", "healthy_half"]

OWN = "against own healthy"
"""What the name of a method says of such features."""


def healthy_half(table: Table, seed: int) -> np.ndarray:
    """(row,) whether it belongs to the half of its unit's healthy sessions that is drawn as baseline.

    Drawn by whole sessions, and only from units that keep a healthy session to be judged, so that no healthy row is
    compared with itself.
    """
    rng = np.random.default_rng(seed)
    healthy = table.of("fault") == ""
    drawn: list[int] = []
    for unit in np.unique(table.index.unit):
        sessions = np.unique(table.session_of_row[healthy & (table.index.unit == unit)])
        drawn += rng.permutation(sessions)[: len(sessions) // 2].tolist()
    return np.isin(table.session_of_row, drawn)


def against(table: Table, baseline: np.ndarray) -> Table:
    """The other rows less the mean of their unit's baseline rows; divided by it where a feature is never negative or
    zero, unless it is a logarithm. Rows of units without a baseline are left out.

    Parameters
    ----------
    baseline : (row,) bool.
    """
    units = np.unique(table.index.unit[baseline])
    kept = ~baseline & np.isin(table.index.unit, units)
    ratio = (table.values > 0).all(axis=0) & np.array([" log " not in name for name in table.names], bool)
    values = table.values.copy()
    for unit in units:
        own = table.index.unit == unit
        mean = table.values[baseline & own].mean(axis=0)
        values[own] = np.where(ratio, values[own] / np.where(ratio, mean, 1.0), values[own] - mean)
    return replace(table, values=values).take(kept)
