"""Orders of the motor in the effort of a moving joint, measured in the same way on real and simulated recordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jointwatch.core.errors import UsageError
from jointwatch.signals.orders import OrderFit, fit_orders, monotone_stretches
from jointwatch.studies._realism import Axis, without_spikes

__all__ = ["ORDERS", "Ripple", "ripple"]

ORDERS = (1.0, 2.0, 4.0, 6.0)
_LOOKS = (-0.01, -0.005, 0.0, 0.005, 0.01)
"""Shares by which the line may lie off the nominal ratio: an error that beats once a turn of the output moves it, and
ratios are known no better."""
_SLACK = {"revolute": 2e-3, "prismatic": 2e-4}
_LEAST_TURNS = 6.0
_TREND = 6


@dataclass(frozen=True)
class Ripple:
    """One order of the motor in the effort of one joint, spikes left out.

    amplitude : root mean square over stretches of one direction, less what noise alone gives; noise : that.
    found : share of stretches in which it is significant at 1 % (Bonferroni over the looks at the ratio).
    phase_repeat : length of the mean phase vector over stretches of the same direction, 1 = always the same phase, NaN
        with fewer than two. ratio : motor turns a turn of the joint at which all orders together are strongest.
    mean_effort : mean size of the effort in the stretches.
    """

    joint: int
    unit: str
    order: float
    amplitude: float
    noise: float
    found: float
    phase_repeat: float
    ratio: float
    stretches: int
    turns: float
    mean_effort: float


@dataclass(frozen=True)
class _Stretch:
    angle: np.ndarray
    effort: np.ndarray
    orders: tuple[float, ...]

    @property
    def way(self) -> int:
        return int(np.sign(self.angle[-1] - self.angle[0]))

    @property
    def turns(self) -> float:
        return float(np.ptp(self.angle)) / (2 * np.pi)


def ripple(axes: Sequence[Axis], ratio: Sequence[float], orders: Sequence[float] = ORDERS) -> list[Ripple]:
    """Amplitudes at orders of the motor; `ratio[joint - 1]` motor turns for each turn of the joint, or for 2 pi metres.

    Each stretch of one direction is fitted by itself, where the joint moves at more than a third of its usual speed;
    orders beyond 0.45 of the sampling rate are left out.
    """
    found: list[Ripple] = []
    for axis in axes:
        if not axis.moves or axis.joint > len(ratio):
            continue
        nominal = float(ratio[axis.joint - 1])
        stretches = _stretches(axis, nominal, orders)
        if not stretches:
            continue
        strength = [sum(_strength(stretch, 1 + share) for stretch in stretches) for share in _LOOKS]
        scale = 1 + _LOOKS[int(np.argmax(strength))]
        fits = [(s, fit_orders(s.effort[None], s.angle * scale, s.orders, trend=_TREND)) for s in stretches]
        for order in orders:
            mine = [(s, fit, s.orders.index(order)) for s, fit in fits if order in s.orders]
            if mine:
                found.append(_summary(axis, order, nominal * scale, mine))
    return found


def _stretches(axis: Axis, ratio: float, orders: Sequence[float]) -> list[_Stretch]:
    angle = axis.position * ratio
    speed = np.abs(axis.speed) * ratio
    clean = without_spikes(axis)
    found = []
    for stretch in monotone_stretches(angle, min_turns=_LEAST_TURNS, slack_rad=_SLACK[axis.kind] * ratio):
        inside = clean[stretch] & (speed[stretch] > np.median(speed[stretch]) / 3)
        if not inside.any():
            continue
        top = float(np.quantile(speed[stretch][inside], 0.9))
        allowed = tuple(order for order in orders if order * top / (2 * np.pi) < 0.45 / axis.step_s)
        one = _Stretch(angle[stretch][inside], axis.effort[stretch][inside], allowed)
        if not allowed or one.turns < _LEAST_TURNS - 1:
            continue
        try:
            fit_orders(one.effort[None], one.angle, allowed, trend=_TREND)
        except UsageError:  # too short for these orders
            continue
        found.append(one)
    return found


def _strength(stretch: _Stretch, scale: float) -> float:
    fit = fit_orders(stretch.effort[None], stretch.angle * scale, stretch.orders, trend=_TREND)
    return float((fit.amplitude**2 / np.maximum(fit.uncertainty**2, 1e-300)).sum())


def _summary(axis: Axis, order: float, ratio: float, mine: list[tuple[_Stretch, OrderFit, int]]) -> Ripple:
    weight = np.array([stretch.turns for stretch, _, _ in mine])
    power = float(np.average([fit.amplitude[0, k] ** 2 for _, fit, k in mine], weights=weight))
    noise = float(np.average([2 * fit.uncertainty[0, k] ** 2 for _, fit, k in mine], weights=weight))
    ways = [[np.exp(1j * fit.phase_rad[0, k]) for s, fit, k in mine if s.way == way] for way in (1, -1)]
    repeat = [float(abs(np.mean(way))) for way in ways if len(way) >= 2]
    return Ripple(
        axis.joint,
        axis.unit,
        order,
        float(np.sqrt(max(power - noise, 0.0))),
        float(np.sqrt(noise)),
        float(np.mean([fit.p_value[0, k] < 0.01 / len(_LOOKS) for _, fit, k in mine])),
        float(np.mean(repeat)) if repeat else float("nan"),
        ratio,
        len(mine),
        float(weight.sum()),
        float(np.average([np.abs(stretch.effort).mean() for stretch, _, _ in mine], weights=weight)),
    )
