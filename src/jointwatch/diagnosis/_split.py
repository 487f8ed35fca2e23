"""Units held out inside the training data, to choose an epoch and to calibrate."""

from __future__ import annotations

import numpy as np

from jointwatch.core import Index
from jointwatch.training.seed import generator

__all__ = ["held_out_units", "unit_folds"]


def held_out_units(index: Index, code: np.ndarray, share: float, seed: int) -> np.ndarray:
    """(row,) True for all rows of about `share` of the units; none where a class would be missing on a side."""
    units = np.unique(index.unit)
    if not share or len(units) < 2:
        return np.zeros(len(index), bool)
    count = min(max(round(share * len(units)), 1), len(units) - 1)
    order = generator(seed, 11).permutation(units)
    for first in range(len(units)):
        held = np.isin(index.unit, np.roll(order, -first)[:count])
        if np.array_equal(np.unique(code[held]), np.unique(code)) and np.array_equal(
            np.unique(code[~held]), np.unique(code)
        ):
            return held
    return np.zeros(len(index), bool)


def unit_folds(index: Index, folds: int, seed: int) -> list[np.ndarray]:
    """(row,) rows of each fold of units; fewer folds where there are fewer units."""
    units = generator(seed, 12).permutation(np.unique(index.unit))
    return [np.isin(index.unit, part) for part in np.array_split(units, min(folds, len(units)))]
