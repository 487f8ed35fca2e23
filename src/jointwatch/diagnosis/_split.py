"""What is held out inside the training data, to choose an epoch and to calibrate: whole units, or sessions of one."""

from __future__ import annotations

from typing import Literal

import numpy as np

from jointwatch.core import Index
from jointwatch.training.seed import generator

__all__ = ["Cluster", "cluster_of", "clusters", "folds", "held_out_units"]

Cluster = Literal["unit", "session"]


def cluster_of(index: Index) -> Cluster:
    """What is held out as a whole: units, or sessions where there is one unit only.

    With one unit nothing can be said of others: what is calibrated then holds for further sessions of that unit.
    """
    return "unit" if len(np.unique(index.unit)) > 1 else "session"


def clusters(index: Index, by: Cluster) -> np.ndarray:
    """(row,) name of its cluster."""
    return index.unit if by == "unit" else index.unit_session


def held_out_units(index: Index, code: np.ndarray, share: float, seed: int) -> np.ndarray:
    """(row,) True for all rows of about `share` of the clusters; none where a class would be missing on a side."""
    nothing = np.zeros(len(index), bool)
    if not share or not len(index):
        return nothing
    if cluster_of(index) == "session":
        sides = folds(index, code, round(1 / share), seed)
    else:
        units = np.unique(index.unit)
        count = min(max(round(share * len(units)), 1), len(units) - 1)
        order = generator(seed, 11).permutation(units)
        sides = [np.isin(index.unit, np.roll(order, -first)[:count]) for first in range(len(units))]
    kinds = np.unique(code)
    whole = (h for h in sides if all(np.array_equal(np.unique(code[side]), kinds) for side in (h, ~h)))
    return next(whole, nothing)


def folds(index: Index, code: np.ndarray, count: int, seed: int) -> list[np.ndarray]:
    """(row,) rows of each fold of clusters, those with the same classes dealt evenly; fewer folds than clusters."""
    names = clusters(index, cluster_of(index))
    order = generator(seed, 12).permutation(np.unique(names))
    kinds = {str(name): tuple(np.unique(code[names == name]).tolist()) for name in order}
    dealt = sorted(order.tolist(), key=kinds.__getitem__)  # the order within a kind is that of the lot
    count = min(count, len(dealt))
    return [np.isin(names, dealt[first::count]) for first in range(count)] if count > 1 else []
