"""Lines that stretches of one joint share: where they are, whether they go with the speed, how large they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jointwatch.signals.orders import SharedOrders, fit_orders, shared_orders
from jointwatch.studies._strain_wave_stretches import PER_ORDER, Stretch, level_out, same_speed, spectrum

__all__ = [
    "MULTIPLES",
    "Places",
    "Search",
    "WrongRatio",
    "around",
    "fitted",
    "friction_current",
    "located",
    "phase_lock",
    "search",
    "speed_power",
    "wrong_ratio",
]

MULTIPLES = (1, 2, 4)
"""Cycles a turn of the wave generator that the ratio is fitted from: its own turn, its two lobes, twice these."""
_REACH = 1.6  # a wrong ratio takes the spectrum up to so many times the highest order
_LEAST = 0.6
_APART = 12.0  # orders within which strong lines are one
_NEAR = 6.0
_FINE = 20  # places in an order
_POWERS = np.arange(-20, 61) / 40
_WINDOW = 0.05
_CUT = 10.0
_PHASES = 20000
_DROP = 1.92  # of the log-likelihood: 95 % interval of one parameter
_RATIOS = 0.1
_AROUND = (0.8, 1.3)
_REPEATS = 1000


@dataclass(frozen=True, eq=False)
class Search:
    """What a blind search over all orders of one signal of one joint found.

    orders, shared : the orders searched and their joint strength. strength : (speed, order) of the whole spectrum,
    background divided out, stretches of equal speed averaged; its orders are `whole`. amplitude : (stretch, order).
    lines : orders found, strongest first, and their p-values corrected for the search.
    ratios, pair : the ratios whose first and second multiple were searched together, and their joint strength.
    """

    orders: np.ndarray
    shared: SharedOrders
    whole: np.ndarray
    strength: np.ndarray
    amplitude: np.ndarray
    lines: tuple[tuple[float, float], ...]
    ratios: np.ndarray
    pair: SharedOrders


def search(
    stretches: Sequence[Stretch],
    signal: str,
    rng: np.random.Generator,
    *,
    low: float,
    high: float,
    level: float,
    draws: int,
) -> Search:
    """Lines between the orders `low` and `high`, and ratios of which twice lies there too. At least two speeds."""
    found = [spectrum(one, signal, high * _REACH) for one in stretches]
    whole = found[0][1]
    levelled = np.array([level_out(a, one.turns)[0] for (a, _), one in zip(found, stretches, strict=True)])
    strength = np.array([levelled[group].mean(axis=0) for group in same_speed(stretches)])
    inside = (whole >= low) & (whole <= high)
    orders, shared = whole[inside], shared_orders(strength[:, inside], rng, level=level, draws=draws)
    ratios, both = _pairs(orders, strength[:, inside])
    return Search(
        orders,
        shared,
        whole,
        strength,
        np.abs([a for a, _ in found]),
        _peaks(orders, shared, level),
        ratios,
        shared_orders(both, rng, level=level, draws=draws),
    )


def _at(strength: np.ndarray, whole: np.ndarray, orders: np.ndarray) -> np.ndarray:
    return np.array([np.interp(orders, whole, row) for row in strength])


def _pairs(orders: np.ndarray, strength: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(ratios, (speed, 2, ratio) strength at each and at twice it)."""
    ratios = orders[orders <= orders[-1] / 2]
    return ratios, np.stack([_at(strength, orders, ratios), _at(strength, orders, 2 * ratios)], axis=1)


def _peaks(orders: np.ndarray, shared: SharedOrders, level: float) -> tuple[tuple[float, float], ...]:
    left = np.where(shared.p_search <= level, shared.statistic, -np.inf)
    found = []
    while np.isfinite(left.max()):
        top = int(left.argmax())
        found.append((float(orders[top]), float(shared.p_search[top])))
        left[np.abs(orders - orders[top]) < _APART] = -np.inf
    return tuple(found)


@dataclass(frozen=True, eq=False)
class WrongRatio:
    """p-values with each speed's angle at a wrong scale of its own: whatever is found is false.

    search : (time,) smallest of a blind search. single : (time, order) of each order, had it been named beforehand.
    pair : (time, ratio) of each ratio and twice it.
    """

    search: np.ndarray
    single: np.ndarray
    pair: np.ndarray


def wrong_ratio(found: Search, rng: np.random.Generator, *, level: float, draws: int, times: int) -> WrongRatio:
    """The searches again at wrong scales; `draws` as in the search, or the p-values cannot be compared."""
    single, pair = [], []
    for _ in range(times):
        scales = _LEAST * (_REACH / _LEAST) ** rng.random(len(found.strength))
        rows = [np.interp(found.orders * s, found.whole, row) for s, row in zip(scales, found.strength, strict=True)]
        single.append(shared_orders(np.array(rows), rng, level=level, draws=draws))
        both = _pairs(found.orders, np.array(rows))[1]
        pair.append(shared_orders(both, rng, level=level, draws=draws).p_single)
    return WrongRatio(
        np.array([one.p_search.min() for one in single]), np.array([one.p_single for one in single]), np.array(pair)
    )


def around(grid: np.ndarray, order: float) -> np.ndarray:
    """Places of 0.8 to 1.3 times an order, whose background is about that of the order."""
    return (grid >= _AROUND[0] * order) & (grid <= _AROUND[1] * order)


@dataclass(frozen=True, eq=False)
class Places:
    """Where lines lie, with 95 % intervals by recording (value, low, high).

    lines : of the orders asked for. ratio : of the multiples together. ratios, gain : log-likelihood of the multiples
    of each ratio. others : what multiples of other ratios gain, less what noise alone would.
    """

    lines: list[tuple[float, float, float]]
    ratio: tuple[float, float, float]
    ratios: np.ndarray
    gain: np.ndarray
    others: dict[float, float]


def located(
    stretches: Sequence[Stretch], signal: str, orders: Sequence[float], ratio: float, rng: np.random.Generator
) -> Places:
    """A line is where the strengths of the stretches add up to most within six orders, the ratio where those of its
    multiples do within a tenth. Strength over the background is the gain of log-likelihood in Gaussian noise.
    """
    others = np.array([0.5, 0.8, 1.0, 1.01, 1.2, 1.5, 1.6, 2.0]) * ratio
    ratios = ratio * np.arange(1 - _RATIOS, 1 + _RATIOS + 1e-9, 1e-4)
    top = max(*orders, MULTIPLES[-1] * ratios[-1], MULTIPLES[1] * others[-1]) + _NEAR
    fine = []
    for one in stretches:
        amplitude, at = spectrum(one, signal, top, per_order=_FINE)
        coarse = slice(None, None, _FINE // PER_ORDER)
        background = level_out(amplitude[coarse], one.turns)[1]
        fine.append(np.abs(amplitude) ** 2 / np.interp(at, at[coarse], background))
    gain = np.array(fine)
    sessions = sorted({one.session for one in stretches})
    member = np.array([[one.session == name for one in stretches] for name in sessions], float)
    weights = rng.multinomial(len(sessions), np.full(len(sessions), 1 / len(sessions)), size=_REPEATS) @ member

    def place(curve: np.ndarray, grid: np.ndarray) -> tuple[float, float, float]:
        low, high = np.percentile(grid[(weights @ curve).argmax(axis=1)], [2.5, 97.5])
        return float(grid[curve.sum(axis=0).argmax()]), float(low), float(high)

    def comb(grid: np.ndarray) -> np.ndarray:
        return np.sum([_at(gain, at, k * grid) * (k * grid <= top) for k in MULTIPLES], axis=0)

    near = [np.abs(at - order) <= _NEAR for order in orders]
    curve = comb(ratios)
    expected = len(stretches) * sum(k * others <= top for k in MULTIPLES)
    scores = comb(others).sum(axis=0) - expected
    return Places(
        [place(gain[:, inside], at[inside]) for inside in near],
        place(curve, ratios),
        ratios,
        curve.sum(axis=0),
        dict(zip(others.tolist(), scores.tolist(), strict=True)),
    )


def speed_power(
    stretches: Sequence[Stretch], signal: str, orders: Sequence[float]
) -> list[tuple[float, float, float, float]]:
    """(power, low, high, evidence over a fixed frequency) of each line: its frequency goes as the speed to that power,
    1 for an order, 0 for mains or a resonance.

    The power at which the stretches agree best on one line within a twentieth of its order at their mean speed. The
    log-likelihood that one stretch adds is cut at ten, so that none decides alone; low and high are where it falls
    by 1.92, as of a 95 % interval.
    """
    mean = float(np.exp(np.mean([np.log(one.mean_speed) for one in stretches])))
    top = max(orders) * 1.2
    curves = np.zeros((len(orders), len(_POWERS)))
    for i, power in enumerate(_POWERS):
        total: np.ndarray | float = 0.0
        for one in stretches:
            amplitude, at = spectrum(one, signal, top, power=float(power), speed=mean)
            total = total + np.minimum(level_out(amplitude, one.turns)[0], _CUT)
        for k, order in enumerate(orders):
            curves[k, i] = np.max(total, where=np.abs(at - order) <= _WINDOW * order, initial=0.0)
    fixed = int(np.abs(_POWERS).argmin())
    result = []
    for curve in curves:
        allowed = _POWERS[curve >= curve.max() - _DROP]
        best = float(_POWERS[curve.argmax()])
        result.append((best, float(allowed[0]), float(allowed[-1]), float(curve.max() - curve[fixed])))
    return result


def phase_lock(
    stretches: Sequence[Stretch], signal: str, orders: Sequence[float], rng: np.random.Generator
) -> list[tuple[float, float, int]]:
    """(length of the mean phase vector, p-value, speeds) of each order, of the direction with more speeds.

    Phases are against the angle as the joint counts it, so a line that is fixed in the gear has one phase wherever and
    however fast the joint turns, but for what the servo shifts. Stretches count by the root of their strength over the
    background; those of equal speed count once. The p-value is against phases drawn at random.
    """
    ways = [[one for one in stretches if one.way == way] for way in (1, -1)]
    chosen = max(ways, key=lambda way: len(same_speed(way)))
    groups = same_speed(chosen)
    vectors = []
    for one in chosen:
        amplitude, at = spectrum(one, signal, max(orders) * 1.2)
        places = [int(np.abs(at - order).argmin()) for order in orders]
        vectors.append((amplitude / np.sqrt(level_out(amplitude, one.turns)[1]))[places])
    joined = np.array([np.mean([vectors[i] for i in group], axis=0) for group in groups])
    size = np.abs(joined)
    length = np.abs(joined.sum(axis=0)) / size.sum(axis=0)
    phases = np.exp(2j * np.pi * rng.random((_PHASES, *size.shape)))
    null = np.abs((size * phases).sum(axis=1)) / size.sum(axis=0)
    p_value = (1 + (null >= length).sum(axis=0)) / (1 + _PHASES)
    return [(float(r), float(p), len(groups)) for r, p in zip(length, p_value, strict=True)]


def fitted(stretch: Stretch, signal: str, orders: Sequence[float]) -> list[tuple[float, float, float, float]]:
    """(amplitude, its standard error, p-value, phase) of each order in one stretch, by least squares between spikes."""
    kept, trend = stretch.good, int(np.ceil(24 * stretch.turns))
    found = fit_orders(stretch.signals[signal][None, kept], stretch.angle_rad[kept], orders, trend=trend)
    arrays = (found.amplitude[0], found.uncertainty[0], found.p_value[0], found.phase_rad[0])
    return [tuple(float(a[k]) for a in arrays) for k in range(len(orders))]  # type: ignore[misc]


def friction_current(stretches: Sequence[Stretch]) -> list[float]:
    """Mean friction current (A) of each stretch: Coulomb and viscous part of one fit to all stretches of the joint
    whose load the controller's model gives, load taken out; without such, the mean size of the current."""
    known = [one for one in stretches if one.load_nm is not None and np.isfinite(one.load_nm).all()]
    if not known:
        return [float(np.abs(one.signals["current"][one.good]).mean()) for one in stretches]
    columns, targets = [], []
    for one in known:
        way, good = float(one.way), one.good
        assert one.load_nm is not None
        columns.append(np.stack([np.full(good.sum(), way), way * one.speed[good], one.load_nm[good]], axis=1))
        targets.append(one.signals["current"][good])
    coulomb, viscous, _ = np.linalg.lstsq(np.concatenate(columns), np.concatenate(targets), rcond=None)[0]
    return [float(abs(coulomb + viscous * one.speed[one.good].mean())) for one in stretches]
