"""What a moving robot shows, measured in the same way on real and simulated recordings: friction, scatter, spectrum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.signal import welch

from jointwatch.core.errors import UsageError
from jointwatch.recordings._runs import true_runs
from jointwatch.signals.orders import monotone_stretches
from jointwatch.signals.periodicity import period
from jointwatch.studies._realism import Axis, without_spikes

__all__ = ["BANDS_HZ", "Friction", "Scatter", "Spectrum", "friction", "scatter", "spectrum"]

BANDS_HZ = ((2.0, 5.0), (5.0, 10.0), (10.0, 20.0), (20.0, 50.0), (50.0, 100.0), (100.0, 200.0), (200.0, 500.0))
_BINS = 40
_LEAST_SPEED = 0.05  # of the fastest: below, friction is not steady
_REPEATS = 0.97  # correlation with itself a period later
_SLACK = {"revolute": 2e-3, "prismatic": 2e-4}


@dataclass(frozen=True)
class Friction:
    """Friction of one joint: effort = coulomb + viscous * speed, with standard errors, and the curve behind it.

    method : `both ways` (half the difference of two passes of the same place while no other joint moves), `reference`
        (regression on the load's torque by sensor or controller), or `one way` (regression on gravity of the joint
        alone; Coulomb and viscous friction cannot be told apart, `coulomb` is the sum at `mean_speed`).
    load : effort per N m of the reference; inertia : effort per acceleration.
    speed, effort : (point,) curve of friction against speed, medians of bins of equal count.
    """

    joint: int
    unit: str
    method: str
    coulomb: float
    coulomb_error: float
    viscous: float
    viscous_error: float
    mean_speed: float
    residual_sd: float
    load: float = float("nan")
    inertia: float = float("nan")
    speed: list[float] = field(default_factory=list)
    effort: list[float] = field(default_factory=list)


def friction(axes: Sequence[Axis]) -> list[Friction]:
    """Friction of each joint that moves, by the best method that the recording allows."""
    found = []
    for axis in axes:
        if not axis.moves:
            continue
        others = [other for other in axes if other is not axis]
        alone = all(np.ptp(other.position) < 0.2 * np.ptp(axis.position) for other in others)
        one = _both_ways(axis, others) or _regression(axis) or (_one_way(axis) if alone else None)
        if one is not None:
            found.append(one)
    return found


def _both_ways(axis: Axis, others: Sequence[Axis]) -> Friction | None:
    """Half the difference of effort between passes of the same place in opposite directions."""
    stretches = monotone_stretches(
        axis.position, min_turns=0.4 * float(np.ptp(axis.position)) / (2 * np.pi), slack_rad=_SLACK[axis.kind]
    )
    # a joint alone in motion: gravity and inertia are the same on the way there and back
    stretches = [s for s in stretches if all(np.ptp(o.position[s]) < 0.02 for o in others)]
    edges = np.linspace(axis.position.min(), axis.position.max(), _BINS + 1)
    rows = np.stack([axis.speed, axis.acceleration, axis.effort])
    passes = [_pass(axis.position[s], rows[:, s], edges) for s in stretches]
    halves = []
    for there, back in pairwise(passes):
        half = (there - back) / 2 * np.sign(there[0])
        alike = np.abs(there[0] + back[0]) < 0.3 * half[0]
        halves.append(half[:, alike & np.isfinite(half).all(axis=0)])
    speed, acceleration, effort = np.concatenate([np.zeros((3, 0)), *halves], axis=1)
    fast = speed > _LEAST_SPEED * speed.max(initial=0.0)
    if fast.sum() < 20 or np.std(speed[fast]) < 0.02 * speed.max():
        return None
    # accelerations that differ between the passes are all that inertia leaves in half the difference
    solved, errors, sd = _least_squares(
        np.stack([np.ones_like(speed), speed, acceleration], axis=1)[fast], effort[fast]
    )
    curve = _curve(speed[fast], (effort - solved[2] * acceleration)[fast])
    mean = float(speed[fast].mean())
    return Friction(axis.joint, axis.unit, "both ways", solved[0], errors[0], solved[1], errors[1], mean, sd,
                    inertia=solved[2], speed=curve[0], effort=curve[1])  # fmt: skip


def _pass(position: np.ndarray, rows: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """(row, bin) means of one pass in each bin of place, NaN where it was not."""
    place = np.clip(np.digitize(position, edges) - 1, 0, len(edges) - 2)
    count = np.bincount(place, minlength=len(edges) - 1).astype(float)
    count[count == 0] = np.nan
    return np.stack([np.bincount(place, row, minlength=len(edges) - 1) / count for row in rows])


def _regression(axis: Axis) -> Friction | None:
    """Effort on the load's torque, acceleration, direction and speed where the joint moves."""
    reference = axis.reference
    if reference is None:
        return None
    smooth = axis.speed
    usable = np.isfinite(reference) & without_spikes(axis)
    top = float(np.quantile(np.abs(smooth), 0.99))
    moving = usable & (np.abs(smooth) > max(_LEAST_SPEED * top, 0.01))
    sense = np.sign(smooth)
    if moving.sum() < 30 or top < 0.02:
        return None
    columns = [np.ones_like(smooth), reference, axis.acceleration, sense, smooth]
    one_way = bool(np.abs(sense[moving].mean()) > 0.9)
    if one_way and np.std(smooth[moving]) < 0.3 * np.abs(smooth[moving]).mean():
        return None  # steady in one direction: nothing tells an offset, Coulomb and viscous friction apart
    if one_way:
        columns = columns[1:]
    solved, errors, sd = _least_squares(np.stack(columns, axis=1)[moving], axis.effort[moving])
    load, inertia, coulomb, viscous = solved[-4:]
    rest = axis.effort - np.stack(columns, axis=1)[:, :-2] @ solved[:-2]
    curve = _curve(np.abs(smooth)[moving], (rest * sense)[moving])
    mean = float(np.abs(smooth)[moving].mean())
    return Friction(axis.joint, axis.unit, "reference", coulomb, errors[-2], viscous, errors[-1], mean, sd,
                    load, inertia, curve[0], curve[1])  # fmt: skip


def _one_way(axis: Axis) -> Friction | None:
    """Effort at constant speed on the gravity of the joint alone, upright at zero."""
    speed = axis.speed
    top = float(np.median(np.abs(speed[np.abs(speed) > 0.5 * np.abs(speed).max()])))
    steady = (np.abs(np.abs(speed) - top) < 0.1 * top) & without_spikes(axis)
    sense = float(np.sign(np.median(speed[steady]))) if steady.sum() > 50 else 0.0
    if sense == 0 or (np.sign(speed[steady]) != sense).mean() > 0.02:
        return None
    design = np.stack([np.full(len(speed), sense), np.sin(axis.position)], axis=1)[steady]
    solved, errors, sd = _least_squares(design, axis.effort[steady])
    nan = float("nan")
    return Friction(axis.joint, axis.unit, "one way", solved[0], errors[0], nan, nan, top, sd,
                    speed=[top], effort=[solved[0]])  # fmt: skip


def _least_squares(design: np.ndarray, values: np.ndarray) -> tuple[list[float], list[float], float]:
    solved = np.linalg.lstsq(design, values, rcond=None)[0]
    left = values - design @ solved
    sd = float(np.sqrt((left**2).sum() / max(len(values) - design.shape[1], 1)))
    errors = sd * np.sqrt(np.diag(np.linalg.pinv(design.T @ design)))
    return solved.tolist(), errors.tolist(), sd


def _curve(speed: np.ndarray, effort: np.ndarray, points: int = 20) -> tuple[list[float], list[float]]:
    order = np.argsort(speed)
    parts = np.array_split(order, min(points, max(1, len(order) // 5)))
    return [float(np.median(speed[p])) for p in parts], [float(np.median(effort[p])) for p in parts]


@dataclass(frozen=True)
class Scatter:
    """Spread of effort between cycles at the same phase: standard deviation (over cycles, root mean square over phase),
    the same without a constant for each cycle, and the range of the mean cycle."""

    joint: int
    unit: str
    cycles: int
    sd: float
    sd_without_level: float
    effort_range: float


def scatter(axes: Sequence[Axis], *, points: int = 200) -> list[Scatter]:
    """Between-cycle scatter of each joint that moves, cycles of the period of the motion; empty where nothing repeats
    three times."""
    found = []
    spans = _cycles(axes)
    for axis in axes if len(spans) >= 3 else ():
        if not axis.moves:
            continue
        phase = np.linspace(0, 1, points, endpoint=False)
        curves = np.stack([np.interp(a + phase * (b - a), axis.time_s, axis.effort) for a, b in spans])
        if np.ptp(np.interp(spans[0][0] + phase * (spans[0][1] - spans[0][0]), axis.time_s, axis.position)) < 0.02:
            continue
        centred = curves - curves.mean(axis=1, keepdims=True)
        sds = [float(np.sqrt(c.var(axis=0, ddof=1).mean())) for c in (curves, centred)]
        found.append(Scatter(axis.joint, axis.unit, len(spans), sds[0], sds[1], float(np.ptp(curves.mean(axis=0)))))
    return found


def _cycles(axes: Sequence[Axis]) -> list[tuple[float, float]]:
    """Start and stop of cycles in the longest motion of the joint that travels most."""
    moving = [axis for axis in axes if axis.moves]
    if not moving:
        return []
    most = max(moving, key=lambda axis: float(np.abs(np.diff(axis.position)).sum()))
    width = max(3, round(0.5 / most.step_s))
    runs = true_runs(uniform_filter1d(np.abs(most.speed), width) > 0.05 * np.abs(most.speed).max())
    first, last = max(runs, key=lambda run: run[1] - run[0], default=(0, 1))
    # the way into a repeated motion comes before it: try without ever more of the beginning
    for share in (0.0, 0.2, 0.4):
        begin, end = float(most.time_s[first]), float(most.time_s[last - 1])
        begin += share * (end - begin)
        time_s = np.arange(begin, end, most.step_s)
        motion = np.stack([np.interp(time_s, axis.time_s, axis.position) for axis in moving])
        motion = motion[np.ptp(motion, axis=1) > 0.2 * np.ptp(motion, axis=1).max()]
        try:
            cycle = period(motion, 1 / most.step_s, min_period_s=1.0)
        except UsageError:
            return []
        if cycle.confidence > _REPEATS:
            end -= 0.02 * cycle.period_s
            count = int((end - begin) / cycle.period_s)
            return [(end - (k + 1) * cycle.period_s, end - k * cycle.period_s) for k in reversed(range(count))]
    return []


@dataclass(frozen=True)
class Spectrum:
    """Effort without what is slower than 2 Hz, of a joint in motion: standard deviation in bands of frequency, and
    the density (frequency Hz, unit / sqrt Hz) to draw."""

    joint: int
    unit: str
    band_sd: dict[str, float]
    frequency_hz: list[float]
    density: list[float]


def spectrum(axes: Sequence[Axis]) -> list[Spectrum]:
    """Residual spectrum of each joint that moves, samples taken as evenly spaced; spikes are part of it."""
    found = []
    for axis in axes:
        rate_hz = 1 / axis.step_s
        swiftness = np.abs(axis.speed)
        moving = uniform_filter1d(swiftness, max(3, round(0.3 * rate_hz))) > 0.1 * np.quantile(swiftness, 0.98)
        length = round(rate_hz)  # one second: lines 1 Hz apart
        runs = [(a, b) for a, b in true_runs(moving) if b - a >= length]
        if not axis.moves or not runs:
            continue
        powers = [welch(axis.effort[a:b], rate_hz, nperseg=length, detrend="linear") for a, b in runs]
        frequency = powers[0][0]
        power = np.average([p for _, p in powers], axis=0, weights=[b - a for a, b in runs])
        bands = {}
        for low, high in BANDS_HZ:
            if low < 0.45 * rate_hz:
                inside = (frequency >= low) & (frequency < high)
                bands[f"{low:g}-{high:g} Hz"] = float(np.sqrt(power[inside].sum() * (frequency[1] - frequency[0])))
        found.append(Spectrum(axis.joint, axis.unit, bands, frequency.tolist(), np.sqrt(power).tolist()))
    return found
