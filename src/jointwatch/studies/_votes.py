"""What the rows of a run or a recording say together."""

from __future__ import annotations

import numpy as np

__all__ = ["together"]

_LEAST = 1e-3  # share that a row leaves to every class, so that one row cannot veto its group


def together(shares: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """(row,) class that all rows of a group say, by the mean of their log shares.

    Parameters
    ----------
    shares : (row, class). groups : (row,) name of the run or recording.

    >>> together(np.array([[0.6, 0.4], [0.1, 0.9], [0.8, 0.2]]), np.array(["a", "a", "b"])).tolist()
    [1, 1, 0]
    """
    _, place = np.unique(groups, return_inverse=True)
    logs = np.log(shares + _LEAST)
    said: np.ndarray = np.stack([logs[place == k].mean(axis=0) for k in range(place.max() + 1)]).argmax(axis=1)[place]
    return said
