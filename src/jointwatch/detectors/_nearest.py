"""The nearest of stored vectors, searched by numpy: for installations without scikit-learn."""

from __future__ import annotations

import numpy as np

from jointwatch.signals.numerics import cdist

__all__ = ["nearest"]

_BLOCK = 256


def nearest(vectors: np.ndarray, count: int, rows: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """(row, count) distances and numbers of the vectors nearest to each row, the nearest first; without `rows` those
    of the vectors among themselves, each without itself.

    >>> distance, number = nearest(np.array([[0.0], [1.0], [3.0]]), 1)
    >>> distance.ravel().tolist(), number.ravel().tolist()
    ([1.0, 1.0, 2.0], [1, 0, 1])
    """
    asked = vectors if rows is None else rows
    distance, number = np.empty((len(asked), count)), np.empty((len(asked), count), np.intp)
    for start in range(0, len(asked), _BLOCK):
        apart = cdist(asked[start : start + _BLOCK], vectors)
        if rows is None:
            place = np.arange(len(apart))
            apart[place, start + place] = np.inf
        near = np.argsort(apart, axis=1, kind="stable")[:, :count]
        number[start : start + _BLOCK] = near
        distance[start : start + _BLOCK] = np.take_along_axis(apart, near, axis=1)
    return distance, number
