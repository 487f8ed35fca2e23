"""The derivative test: velocity integrated over short stretches must give the change of position."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Slope", "derivative_slope"]

_STRETCH_S = 0.1
_LEAST_STRETCHES = 20
_LEAST_STEPS = 10.0  # movement must be this many times the resolution of the position


@dataclass(frozen=True)
class Slope:
    """`factor`: change of position over integral of velocity, 1 if units agree; `fit`: squared correlation, 0 to 1."""

    factor: float
    fit: float


def derivative_slope(time_s: np.ndarray, position: np.ndarray, velocity: np.ndarray) -> Slope | None:
    """Regression of position change on integrated velocity, all (time,); None if there is too little movement.

    Integrals instead of derivatives, because resolution and noise of the position would drown a derivative.

    >>> t = np.arange(500) / 100
    >>> slope = derivative_slope(t, np.degrees(np.sin(t)), np.cos(t))
    >>> round(slope.factor, 1), round(slope.fit, 3)
    (57.3, 1.0)
    """
    step = np.diff(time_s)
    if len(step) < 2:
        return None
    nominal = float(np.median(step))
    reach = max(1, round(_STRETCH_S / nominal))
    reach = min(reach, max(1, len(step) // (2 * _LEAST_STRETCHES)))
    area = 0.5 * (velocity[1:] + velocity[:-1]) * step
    lost = ~np.isfinite(area) | (step > 5 * nominal)
    total = np.concatenate([[0.0], np.cumsum(np.where(lost, 0.0, area))])
    losses = np.concatenate([[0], np.cumsum(lost)])
    moved = position[reach:] - position[:-reach]
    driven = total[reach:] - total[:-reach]
    usable = np.isfinite(moved) & (losses[reach:] == losses[:-reach])
    if usable.sum() < _LEAST_STRETCHES:
        return None
    moved, driven = moved[usable], driven[usable]
    tick = np.abs(np.diff(position))
    tick = tick[np.isfinite(tick) & (tick > 0)]
    if len(tick) < _LEAST_STRETCHES or np.abs(moved).max() < _LEAST_STEPS * np.quantile(tick, 0.01):
        return None
    energy = float(driven @ driven)
    if energy <= 0:
        return None
    both = float(moved @ driven)
    return Slope(both / energy, both * both / (energy * float(moved @ moved)))
