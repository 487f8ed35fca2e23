"""Units by range of the values, and by the factor between position and integrated velocity."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from jointwatch.core import Quantity
from jointwatch.recordings._suggest_time import ClockProposal

__all__ = ["pair_units", "range_unit"]

_TURNS_RAD = 13.6  # a little over two turns either way, the widest common joint range
_TURNS_DEG = 800.0


def range_unit(quantity: Quantity, columns: Sequence[np.ndarray]) -> tuple[str, float, str]:
    """(unit, trust, reason) from the range of all columns of one quantity.

    >>> range_unit(Quantity.CURRENT, [np.array([-1500.0, 2100.0, 900.0])])[0]
    'mA'
    """
    with np.errstate(invalid="ignore"):
        peaks = [float(np.nanquantile(np.abs(c), 0.99)) for c in columns if np.isfinite(c).any()]
    if not peaks:
        return "", 0.2, "not one number"
    peak, half = max(peaks), sorted(peaks)[len(peaks) // 2]
    if quantity in (Quantity.POSITION, Quantity.TCP_ROTATION):
        if peak > _TURNS_DEG:
            return "", 0.2, f"up to {peak:.4g}: neither radians nor degrees, perhaps counts"
        if half > _TURNS_RAD or (len(peaks) == 1 and peak > _TURNS_RAD):
            return "deg", 0.8, f"up to {peak:.4g}: degrees"
        return "rad", 0.8 if peak > 0.1 else 0.5, f"up to {peak:.4g}: radians"
    if quantity is Quantity.VELOCITY:
        return (
            ("deg/s", 0.6, f"up to {peak:.4g}: degrees") if peak > 12 else ("rad/s", 0.7, f"up to {peak:.4g}: radians")
        )
    if quantity is Quantity.CURRENT:
        return ("mA", 0.8, f"up to {peak:.4g}: milliampere") if peak > 80 else ("A", 0.8, f"up to {peak:.4g}: ampere")
    if quantity is Quantity.TEMPERATURE:
        median = float(np.median([np.nanmedian(c) for c in columns if np.isfinite(c).any()]))
        if 250 < median < 450:
            return "K", 0.8, f"about {median:.4g}: kelvin"
        return "degC", 0.8 if 0 < median < 130 else 0.3, f"about {median:.4g}: degrees Celsius"
    if quantity is Quantity.VOLTAGE:
        return ("mV", 0.7, f"up to {peak:.4g}: millivolt") if peak > 1000 else ("V", 0.8, f"up to {peak:.4g}: volt")
    if quantity is Quantity.TCP_POSITION:
        return ("mm", 0.8, f"up to {peak:.4g}: millimetres") if peak > 10 else ("m", 0.8, f"up to {peak:.4g}: metres")
    return "", 0.7, f"up to {peak:.4g}, taken as SI"


def pair_units(
    factor: float, position_units: set[str], clock: ClockProposal, *, stated: bool
) -> tuple[str, str, ClockProposal] | None:
    """(position unit, velocity unit, clock) that explain the factor; None if none does.

    The factor was taken with the clock as if it were in seconds.

    Milliseconds multiply the factor by a thousandth, degrees against radians by 57.3, revolutions a minute by 0.105.
    """
    angle = "deg" if "deg" in position_units else "rad"
    for time_unit, scale in ((clock.unit, None), ("s", 1.0), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9)):
        seconds = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}.get(time_unit) if scale is None else scale
        if seconds is None:
            continue
        for ratio, units in (
            (1.0, (angle, f"{angle}/s")),
            (math.degrees(1), ("deg", "rad/s")),
            (math.radians(1), ("rad", "deg/s")),
            (math.pi / 30, ("rad", "rpm")),
            (6.0, ("deg", "rpm")),
        ):
            if abs(factor / (ratio * seconds) - 1) < 0.12:
                note = f"{clock.reason}; agrees with position and velocity" if not stated else clock.reason
                return *units, replace(clock, unit=time_unit, confidence=max(clock.confidence, 0.9), reason=note)
    return None
