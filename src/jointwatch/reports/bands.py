"""Signals of a cycle against the band that healthy cycles keep at the same phase."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jointwatch.core import Channel, Index, Windows

__all__ = ["HealthyBand", "cycle_curves", "cycle_numbers", "healthy_band", "outside"]

_BINS = 100
_MOST_CYCLES = 400  # cycles that a band is taken from; more do not move its quantiles visibly
_LEAST_CYCLES = 3
_SAME_START = 0.02  # passes through the cycle start at least this share of it apart
_FLOOR = 0.05  # a band is taken as at least this share of the channel's healthy range wide


@dataclass(frozen=True, eq=False)
class HealthyBand:
    """2.5 %, 50 % and 97.5 % quantiles over healthy cycles, each (channel, phase bin).

    `cycles` is how many it rests on; `own` says whether they are of the same unit.
    """

    channels: tuple[Channel, ...]
    low: np.ndarray
    middle: np.ndarray
    high: np.ndarray
    cycles: int
    own: bool


def cycle_numbers(index: Index) -> np.ndarray:
    """(row,) which pass through the cycle each row belongs to, from 0.

    Where decisions are taken more often than once a cycle, `index.cycle` names the decisions; unit, session and the
    cycle's start on the clock tell the passes apart.
    """
    begin = (index.start_s + index.stop_s) / 2 - index.phase * index.cycle_s
    _, unit = np.unique(index.unit, return_inverse=True)
    _, session = np.unique(index.session, return_inverse=True)
    order = np.lexsort((begin, session, unit))
    starts = np.zeros(len(index), bool)
    starts[1:] = (
        (np.diff(unit[order]) != 0)
        | (np.diff(session[order]) != 0)
        | (np.diff(begin[order]) > _SAME_START * index.cycle_s[order][1:])
    )
    numbers = np.empty(len(index), int)
    numbers[order] = np.cumsum(starts)
    return numbers


def cycle_curves(windows: Windows, bins: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """(pass, channel, phase bin) means of all samples, and (window,) which pass through the cycle each window is of.

    Overlapping windows are averaged; bins and channels without a sample are NaN. `bins` by default as many as a
    cycle has samples, at most 100.

    >>> from jointwatch.core import Quantity
    >>> one, name = np.ones(2), np.array(["a", "a"])
    >>> index = Index(name, name, name, name, 0 * one, one, 0.5 * one, one, np.array(["normal"] * 2), name, one, one)
    >>> pair = Windows(np.stack([np.zeros((1, 4)), np.ones((1, 4))]), (Channel(Quantity.CURRENT, 1),), index, 4.0)
    >>> cycle_curves(pair)[0].round(2).tolist()
    [[[0.5, 0.5, 0.5, 0.5]]]
    """
    index, length = windows.index, windows.shape[2]
    if bins is None:
        bins = _fitting_bins(windows)
    numbers = cycle_numbers(index)
    count = int(numbers.max()) + 1 if len(numbers) else 0
    phase = index.phase[:, None] + (((np.arange(length) + 0.5) / length) - 0.5) * _share(index)[:, None]
    cell = numbers[:, None] * bins + np.clip((phase * bins).astype(int), 0, bins - 1)
    curves = np.full((count, len(windows.channels), bins), np.nan)
    for i in range(len(windows.channels)):
        rows = windows.presence[:, i]
        flat = cell[rows].ravel()
        samples = np.bincount(flat, minlength=count * bins)
        sums = np.bincount(flat, weights=windows.values[rows, i].ravel(), minlength=count * bins)
        curves[:, i] = (sums / np.where(samples, samples, np.nan)).reshape(count, bins)
    return curves, numbers


def healthy_band(healthy: Windows, unit: str) -> HealthyBand | None:
    """Band from the healthy cycles of that unit, or of all units where it has too few; None below three cycles."""
    numbers = cycle_numbers(healthy.index)
    own = healthy.index.unit == unit
    is_own = len(np.unique(numbers[own])) >= _LEAST_CYCLES
    chosen = own if is_own else np.ones(len(healthy), bool)
    passes = np.unique(numbers[chosen])
    if len(passes) < _LEAST_CYCLES:
        return None
    if len(passes) > _MOST_CYCLES:
        passes = passes[np.linspace(0, len(passes) - 1, _MOST_CYCLES).astype(int)]
        chosen = chosen & np.isin(numbers, passes)
    curves, _ = cycle_curves(healthy[chosen], _fitting_bins(healthy))
    empty = np.isnan(curves).all(axis=0)
    low, middle, high = np.nanquantile(np.where(empty, 0.0, curves), [0.025, 0.5, 0.975], axis=0)
    for quantile in (low, middle, high):
        quantile[empty] = np.nan
    return HealthyBand(healthy.channels, low, middle, high, len(passes), is_own)


def outside(curves: np.ndarray, band: HealthyBand) -> np.ndarray:
    """How far curves (..., channel, phase) lie outside the band, in its half widths; 0 inside and where unknown."""
    with np.errstate(invalid="ignore"):
        reach = np.where(np.isnan(band.high).all(axis=1), 0.0, _range(band))[:, None]
        half = np.maximum((band.high - band.low) / 2, np.maximum(_FLOOR * reach, 1e-12))
        excess = np.maximum(np.maximum(curves - band.high, band.low - curves), 0.0) / half
    return np.nan_to_num(excess, nan=0.0)


def _range(band: HealthyBand) -> np.ndarray:
    known = ~np.isnan(band.high)
    return np.max(band.high, axis=1, where=known, initial=-np.inf) - np.min(
        band.low, axis=1, where=known, initial=np.inf
    )


def _share(index: Index) -> np.ndarray:
    """(row,) which share of its cycle each window covers."""
    return (index.stop_s - index.start_s) / np.maximum(index.cycle_s, 1e-9)


def _fitting_bins(windows: Windows) -> int:
    samples = windows.shape[2] / np.maximum(_share(windows.index), 1e-9)
    return int(np.clip(np.median(samples), 2, _BINS)) if len(windows) else _BINS
