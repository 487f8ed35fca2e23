"""Units that seem mixed up, told by range and by the derivative test: reported with the remedy, never converted."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from jointwatch.core import Action, Channel, QualityIssue, Quantity, Robot, Source
from jointwatch.recordings._derivative import derivative_slope
from jointwatch.recordings._issues import note

__all__ = ["MIXED_UP", "suspected_units"]

_TURNS_RAD = 13.6  # a little over two turns either way, the widest common joint range
_NARROW_RAD = math.radians(2 * math.pi)  # radians taken for degrees stay within this
_HEAVY_CURRENT_A = 100.0
_WEAK_CURRENT_A = 0.02
_KELVIN_AS_CELSIUS = (250.0, 450.0)
_FIT = 0.9

# ratio of position change to integrated velocity -> (kind, which channels it speaks of, remedy)
MIXED_UP: dict[float, tuple[str, str, str]] = {
    math.degrees(1): ("suspected_degrees", "position", "give the unit of the positions as deg"),
    math.radians(1): ("suspected_degrees", "velocity", "give the unit of the velocities as deg/s"),
    math.pi / 30: ("suspected_rpm", "velocity", "give the unit of the velocities as rpm"),
    1e-3: ("suspected_milliseconds", "position", "give the unit of the time as ms"),
    1e3: ("suspected_seconds", "position", "give the unit of the time as s"),
    -1.0: ("opposite_sign", "velocity", "check the signs of position and velocity"),
}


def suspected_units(
    time_s: np.ndarray, values: np.ndarray, channels: Sequence[Channel], units: Sequence[str], robot: Robot
) -> list[QualityIssue]:
    """Degrees for radians, milliampere for ampere and their like.

    Parameters
    ----------
    values : (channel, time) in what is believed to be SI.
    units : for each channel the unit that the file was said to be in, "" = SI.
    """

    def measured(quantity: Quantity) -> list[int]:
        return [
            i
            for i, c in enumerate(channels)
            if c.quantity is quantity
            and c.source is Source.MEASURED
            and c.joint is not None
            and robot.joint(c.joint).kind == "revolute"
            and np.isfinite(values[i]).any()
        ]

    def suspicion(kind: str, where: list[int], detail: str, remedy: str) -> QualityIssue:
        count = int(np.isfinite(values[where]).sum())
        keys = (channels[i].key for i in where)
        return note(kind, count, Action.KEPT, where=keys, detail=detail, remedy=remedy)

    def largest(where: list[int]) -> float:
        return float(np.nanmax(np.abs(values[where])))

    issues: list[QualityIssue] = []
    positions, currents = measured(Quantity.POSITION), measured(Quantity.CURRENT)
    ratio, tested = _position_per_velocity(time_s, values, channels, positions)
    if tested:
        said = f"position changes {ratio:.4g} times as much as the velocity integrated over time"
        velocities = [channels.index(Channel(Quantity.VELOCITY, channels[i].joint)) for i in tested]
        for factor, (kind, speaks_of, remedy) in MIXED_UP.items():
            if abs(ratio / factor - 1) < 0.15:
                issues.append(suspicion(kind, velocities if speaks_of == "velocity" else tested, said, remedy))
        if not issues and abs(ratio - 1) > 0.25:
            remedy = "check the units of position, velocity and time"
            issues.append(suspicion("unit_mismatch", tested, said, remedy))
    if not issues:
        far = [i for i in positions if np.nanquantile(np.abs(values[i]), 0.99) > _TURNS_RAD]
        if far and len(far) >= len(positions) / 2:
            detail = f"angles up to {largest(far):.4g} rad"
            issues.append(suspicion("suspected_degrees", far, detail, "give the unit as deg if these are degrees"))
        narrow = [i for i in positions if units[i] == "deg" and largest([i]) < _NARROW_RAD]
        if len(positions) >= 3 and len(narrow) == len(positions):
            detail = f"no joint is beyond {math.degrees(largest(narrow)):.3g} deg"
            issues.append(suspicion("suspected_radians", narrow, detail, "give the unit as rad if these are radians"))
    heavy = [i for i in currents if np.nanquantile(np.abs(values[i]), 0.95) > _HEAVY_CURRENT_A]
    if heavy:
        detail = f"currents up to {largest(heavy):.4g} A"
        issues.append(suspicion("suspected_milliampere", heavy, detail, "give the unit as mA if it is milliampere"))
    weak = [i for i in currents if units[i] == "mA" and 0 < largest([i]) < _WEAK_CURRENT_A]
    if weak and len(weak) == len(currents):
        detail = f"no current is beyond {largest(weak):.2g} A"
        issues.append(suspicion("suspected_ampere", weak, detail, "give the unit as A if it is ampere"))
    low, high = _KELVIN_AS_CELSIUS
    hot = [i for i in measured(Quantity.TEMPERATURE) if low < np.nanmedian(values[i]) < high]
    if hot:
        detail = f"temperatures of about {np.nanmedian(values[hot]):.0f} degC"
        issues.append(suspicion("suspected_kelvin", hot, detail, "give the unit as K if these are kelvin"))
    return issues


def _position_per_velocity(
    time_s: np.ndarray, values: np.ndarray, channels: Sequence[Channel], positions: list[int]
) -> tuple[float, list[int]]:
    """(median ratio over the joints that move enough to tell, those joints' positions)."""
    ratios: dict[int, float] = {}
    for i in positions:
        partner = Channel(Quantity.VELOCITY, channels[i].joint)
        if partner in channels:
            slope = derivative_slope(time_s, values[i], values[list(channels).index(partner)])
            if slope is not None and slope.fit > _FIT:
                ratios[i] = slope.factor
    return (float(np.median(list(ratios.values()))) if ratios else 1.0), list(ratios)
