"""The last few cycles of each cycle's own session: what is judged together."""

from __future__ import annotations

import numpy as np

from jointwatch.core import Index

__all__ = ["last_cycles", "mean_of_last"]


def last_cycles(index: Index, count: int) -> np.ndarray:
    """(row, count) row numbers of the last `count` cycles of the same unit and session, the row itself last; -1 in
    front where the session has not had as many.

    >>> text, t = np.array(["a", "a", "a"]), np.array([0.0, 2.0, 1.0])
    >>> index = Index(text, text, text, text, t, t + 1, t, t, np.full(3, "normal"), np.full(3, ""), t, t)
    >>> last_cycles(index, 2).tolist()
    [[-1, 0], [2, 1], [0, 2]]
    """
    found = np.full((len(index), count), -1, np.int64)
    if not len(index):
        return found
    _, member, *_ = index.grouped(index.unit_session)
    order = np.lexsort((index.start_s, member))
    own = member[order]
    for back in range(count):
        earlier = np.arange(len(order)) - back
        same = (earlier >= 0) & (own[np.maximum(earlier, 0)] == own)
        found[order[same], count - 1 - back] = order[earlier[same]]
    return found


def mean_of_last(figures: np.ndarray, last: np.ndarray) -> np.ndarray:
    """(row, feature) mean over the cycles that there are, added up in their order, so that a row is the same to the
    last bit whatever stands beside it.

    >>> mean_of_last(np.array([[1.0], [3.0]]), np.array([[-1, 0], [0, 1]])).ravel().tolist()
    [1.0, 2.0]
    """
    there = last >= 0
    total = np.zeros((len(last), figures.shape[1]))
    for column in range(last.shape[1]):
        total += np.where(there[:, column, None], figures[last[:, column]], 0.0)
    found: np.ndarray = total / there.sum(axis=1)[:, None]
    return found
