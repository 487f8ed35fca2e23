"""All that is measured on one recording as plain numbers and curves, and how two sides compare."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jointwatch.core import Recording
from jointwatch.studies._realism import axes, clock, standstill
from jointwatch.studies._realism_motion import friction, scatter, spectrum
from jointwatch.studies._realism_ripple import ORDERS, ripple
from jointwatch.studies._realism_twosample import window_features
from jointwatch.studies._statistics import bootstrap

__all__ = ["HEADLINES", "Compared", "compare", "halves", "measure"]

HEADLINES = (
    "effort noise at rest",
    "position noise at rest",
    "velocity noise at rest",
    "friction at mean speed",
    "Coulomb friction",
    "viscous friction",
    "scatter between cycles",
    "residual 2-20 Hz",
    "residual above 20 Hz",
    *(f"order {order:g}" for order in ORDERS[:3]),
    "step, 95 % of",
    "position jumps",
)
_WHOLE = 0  # joint number of what belongs to the whole recording
_FAR = 100.0  # a quantity that one side lacks counts as this many times too large or small
_SPLIT_HZ = 20.0

Number = tuple[int, str, str, float]
"""(joint, metric, unit, value)."""


def measure(recording: Recording, ratio: Sequence[float]) -> dict[str, Any]:
    """JSON-able: `numbers` [(joint, metric, unit, value)], `curves` [(kind, joint, unit, x, y)], `features`
    (window, feature) of the two-sample test, and the `method` of friction by joint.

    Metrics that count sizes are positive; an order is given no smaller than what noise alone gives.
    """
    found = axes(recording)
    time = clock(recording, found)
    numbers: list[Number] = [
        (_WHOLE, "step, median", "ms", time.median_ms),
        (_WHOLE, "step, 5 % of", "ms", time.low_ms),
        (_WHOLE, "step, 95 % of", "ms", time.high_ms),
        (_WHOLE, "steps beyond 1.5 medians", "share", time.long_share),
        (_WHOLE, "repeated samples", "share", time.repeat_share),
        (_WHOLE, "position jumps", "1/s", time.jumps_hz),
    ]
    curves: list[tuple[str, int, str, list[float], list[float]]] = []
    for rest in standstill(recording, found):
        name = rest.channel.partition("/")[0].partition(".")[0]
        name = name if name in ("position", "velocity") else "effort"
        numbers.append((rest.joint, f"{name} noise at rest", rest.unit, rest.sd))
        numbers.append((rest.joint, f"{name} resolution at rest", rest.unit, rest.lsb))
        numbers.append((rest.joint, f"{name} autocorrelation at rest", "", rest.autocorrelation))
    methods = {}
    for one in friction(found):
        methods[str(one.joint)] = one.method
        viscous = 0.0 if math.isnan(one.viscous) else one.viscous
        numbers.append((one.joint, "friction at mean speed", one.unit, one.coulomb + viscous * one.mean_speed))
        if one.method != "one way":
            numbers.append((one.joint, "Coulomb friction", one.unit, one.coulomb))
            numbers.append((one.joint, "viscous friction", f"{one.unit} s", one.viscous))
        curves.append(("friction", one.joint, one.unit, one.speed, one.effort))
    for again in scatter(found):
        numbers.append((again.joint, "scatter between cycles", again.unit, again.sd))
    for part in spectrum(found):
        numbers += [(part.joint, f"residual {band}", part.unit, sd) for band, sd in part.band_sd.items()]
        for name, inside in (
            ("residual 2-20 Hz", [sd for band, sd in part.band_sd.items() if _low(band) < _SPLIT_HZ]),
            ("residual above 20 Hz", [sd for band, sd in part.band_sd.items() if _low(band) >= _SPLIT_HZ]),
        ):
            if inside:
                numbers.append((part.joint, name, part.unit, float(np.sqrt(np.square(inside).sum()))))
        curves.append(("spectrum", part.joint, part.unit, part.frequency_hz[1:], part.density[1:]))
    orders = ripple(found, ratio)
    for line in orders:
        numbers.append((line.joint, f"order {line.order:g}", line.unit, max(line.amplitude, line.noise)))
        numbers.append((line.joint, f"order {line.order:g} significant", "share", line.found))
    for joint in dict.fromkeys(line.joint for line in orders):
        mine = [line for line in orders if line.joint == joint]
        curves.append(("orders", joint, mine[0].unit, [m.order for m in mine], [m.amplitude for m in mine]))
        curves.append(("orders, noise", joint, mine[0].unit, [m.order for m in mine], [m.noise for m in mine]))
    curves.append(("steps", _WHOLE, "ms", *_histogram(np.diff(recording.time_s) * 1e3)))
    features = window_features(recording, found)
    return {
        "numbers": [n for n in numbers if math.isfinite(n[3])],
        "curves": [(k, j, u, _short(x), _short(y)) for k, j, u, x, y in curves],
        "features": [_short(row) for row in features.tolist()],
        "methods": methods,
    }


def _low(band: str) -> float:
    return float(band.partition("-")[0])


def _short(values: Iterable[float]) -> list[float]:
    return [float(f"{value:.5g}") for value in values]


def _histogram(steps_ms: np.ndarray) -> tuple[list[float], list[float]]:
    """Shares of time steps in bins of a twentieth of the median."""
    width = float(np.median(steps_ms)) / 20
    bins, counts = np.unique(np.rint(steps_ms / width), return_counts=True)
    kept = counts >= 1e-4 * len(steps_ms)
    return (bins[kept] * width).tolist(), (counts[kept] / len(steps_ms)).tolist()


def halves(recording: Recording) -> tuple[Recording, Recording] | None:
    """First and second half, to see how far a recording agrees with itself; None if they would be below 2 s."""
    middle = recording.time_s[0] + recording.duration_s / 2
    if recording.duration_s < 4:
        return None
    return recording.between(-np.inf, middle), recording.between(middle, np.inf)


@dataclass(frozen=True)
class Compared:
    """One metric of one set on two sides that follow the same motions.

    first, second : mean with 95 % interval (over recordings); ratio : geometric mean of second / first, with interval;
    `by_joint` joint -> medians over recordings (first, second, ratio); recordings that show the metric on both sides.
    """

    metric: str
    unit: str
    first: tuple[float, float, float]
    second: tuple[float, float, float]
    ratio: tuple[float, float, float]
    by_joint: dict[int, tuple[float, float, float]]
    recordings: int


def compare(first: Sequence[Sequence[Number]], second: Sequence[Sequence[Sequence[Number]]]) -> dict[str, Compared]:
    """Compare `numbers` metric by metric.

    Parameters
    ----------
    first : numbers of each recording. second : for each of those the numbers of one or more counterparts.

    A metric that is zero on one side only counts as a hundred times too large or too small; zero on both is agreement.
    """
    found: dict[tuple[str, str], list[list[tuple[int, float, float, float]]]] = {}
    for numbers, others in zip(first, second, strict=True):
        index = [{(j, m): value for j, m, _, value in other} for other in others]
        here: dict[tuple[str, str], list[tuple[int, float, float, float]]] = {}
        for joint, metric, unit, value in numbers:
            theirs = [one[joint, metric] for one in index if (joint, metric) in one]
            if theirs:
                logs = [_log_ratio(value, other) for other in theirs]
                here.setdefault((metric, unit), []).append((joint, value, float(np.mean(theirs)), float(np.mean(logs))))
        for key, rows in here.items():
            found.setdefault(key, []).append(rows)
    result = {}
    for (metric, unit), recordings in found.items():
        columns = [bootstrap([np.array([row[k] for row in rows]) for rows in recordings]) for k in (1, 2, 3)]
        joints: dict[int, list[tuple[int, float, float, float]]] = {}
        for row in (row for rows in recordings for row in rows):
            joints.setdefault(row[0], []).append(row)
        by_joint = {}
        for joint in sorted(joints):
            a, b, log = (float(np.median([row[k] for row in joints[joint]])) for k in (1, 2, 3))
            by_joint[joint] = (a, b, math.exp(log))
        low, middle, high = (math.exp(columns[2][k]) for k in (1, 0, 2))
        result[metric] = Compared(metric, unit, columns[0], columns[1], (middle, low, high), by_joint, len(recordings))
    return result


def _log_ratio(first: float, second: float) -> float:
    if first == second:
        return 0.0
    if first <= 0 or second <= 0:
        return math.log(_FAR) if second > first else -math.log(_FAR)
    return float(np.clip(math.log(second / first), -math.log(_FAR), math.log(_FAR)))
