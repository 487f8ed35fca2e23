"""Stretches of equal values, for labels and flags that are given row by row."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

__all__ = ["constant_runs", "true_runs"]


def true_runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """(start, stop) of every stretch of True, stop exclusive.

    >>> true_runs(np.array([0, 1, 1, 0, 1], bool))
    [(1, 3), (4, 5)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(flags, np.int8), [0]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def constant_runs(*columns: np.ndarray) -> list[tuple[int, int]]:
    """(start, stop) of every stretch in which none of the columns changes.

    >>> constant_runs(np.array([1, 1, 2, 2]), np.array([0, 0, 0, 5]))
    [(0, 2), (2, 3), (3, 4)]
    """
    changed = np.zeros(len(columns[0]) + 1, bool)
    changed[[0, -1]] = True
    for column in columns:
        changed[1:-1] |= column[1:] != column[:-1]
    edges = np.flatnonzero(changed)
    return [(int(a), int(b)) for a, b in pairwise(edges)]
