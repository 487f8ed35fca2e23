"""What numbers alone say of their columns: which rise steadily, and which are the derivative of which."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Pair", "derivative_pairs", "rises"]

_STRETCH_S = 0.1
_FIT = 0.97
_LEAST_STRETCHES = 20


@dataclass(frozen=True)
class Pair:
    """`velocity` is the derivative of `position` (column indices), times `factor`, with squared correlation `fit`."""

    position: int
    velocity: int
    factor: float
    fit: float


def rises(values: np.ndarray) -> float:
    """Share of steps upwards, 0 if the column is not a clock at all (constant, or hardly any numbers).

    >>> rises(np.arange(10.0)), rises(np.zeros(10))
    (1.0, 0.0)
    """
    there = values[np.isfinite(values)]
    if len(there) < max(3, 0.9 * len(values)):
        return 0.0
    return float((np.diff(there) > 0).mean())


def derivative_pairs(step_s: float, values: np.ndarray) -> list[Pair]:
    """Best pairs of position and velocity among columns (column, time) at constant steps.

    Every column is tried against every other: the change of one over short stretches against the integral of the other.

    >>> t = np.arange(1000) / 100
    >>> derivative_pairs(0.01, np.stack([np.sin(t) + np.sin(3 * t), np.cos(t) + 3 * np.cos(3 * t)]))[0].velocity
    1
    """
    count, length = values.shape
    reach = min(max(1, round(_STRETCH_S / step_s)), max(1, length // (2 * _LEAST_STRETCHES)))
    if length < reach + _LEAST_STRETCHES:
        return []
    whole = np.isfinite(values).all(axis=1) & (np.ptp(np.nan_to_num(values), axis=1) > 0)
    filled = np.where(whole[:, None], values, 0.0)
    total = np.concatenate(
        [np.zeros((count, 1)), np.cumsum(0.5 * (filled[:, 1:] + filled[:, :-1]), axis=1) * step_s], axis=1
    )
    moved = filled[:, reach:] - filled[:, :-reach]
    driven = total[:, reach:] - total[:, :-reach]
    both = moved @ driven.T
    energy_moved = np.einsum("ct,ct->c", moved, moved)
    energy_driven = np.einsum("ct,ct->c", driven, driven)
    usable = whole & (energy_moved > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        fit = both**2 / np.outer(energy_moved, energy_driven)
        factor = both / energy_driven
    fit = np.where(np.outer(usable, whole & (energy_driven > 0)), np.nan_to_num(fit), 0.0)
    np.fill_diagonal(fit, 0.0)
    pairs = []
    for position in range(count):
        velocity = int(fit[position].argmax())
        if fit[position, velocity] > _FIT:
            pairs.append(Pair(position, velocity, float(factor[position, velocity]), float(fit[position, velocity])))
    return pairs
