"""Stretches in which a joint turns one way, and their spectra against the angle, where orders of a gear may show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import median_filter, uniform_filter1d

from jointwatch.core import Channel, Quantity, Recording, Source
from jointwatch.signals.orders import gapped_spectrum, monotone_stretches
from jointwatch.studies._realism import axes, without_spikes

__all__ = ["PER_ORDER", "SIGNALS", "Stretch", "find_stretches", "level_out", "pieces", "same_speed", "spectrum"]

SIGNALS = {
    "current": Channel(Quantity.CURRENT),
    "velocity": Channel(Quantity.VELOCITY),
    "torque sensor": Channel(Quantity.JOINT_TORQUE),
}
PER_ORDER = 2
_SLACK_RAD = 2e-3
_BELOW = 12.0  # orders slower than this are load and friction
_LEVEL_ORDERS = 50.0
_LEVEL_LINES = 12.0  # lines of the spectrum that say what the background is, where 50 orders hold fewer
_SAME_SPEED = 0.03
_LEAST_SAMPLES = 300


@dataclass(frozen=True, eq=False)
class Stretch:
    """One joint turning one way without a stop, (time,) arrays.

    angle_rad : measured, as counted by the joint. speed : turns a second, its size. good : samples between the spikes
    of the current. load_nm : torque of the controller's rigid-body model, or None.
    """

    joint: int
    session: str
    time_s: np.ndarray
    angle_rad: np.ndarray
    speed: np.ndarray
    good: np.ndarray
    signals: dict[str, np.ndarray]
    load_nm: np.ndarray | None

    @property
    def way(self) -> int:
        return 1 if self.angle_rad[-1] > self.angle_rad[0] else -1

    @property
    def turns(self) -> float:
        return float(abs(self.angle_rad[-1] - self.angle_rad[0])) / (2 * np.pi)

    @property
    def mean_speed(self) -> float:
        """Turns a second."""
        return self.turns / float(self.time_s[-1] - self.time_s[0])

    @property
    def highest_order(self) -> float:
        """Cycles a turn at half the sampling rate, where the joint is fast."""
        step = float(np.median(np.diff(self.time_s)))
        return 0.5 / step / float(np.quantile(self.speed, 0.95))

    @property
    def name(self) -> str:
        return f"{self.session}{'+' if self.way > 0 else '-'}"


def find_stretches(
    recordings: Iterable[Recording], *, min_turns: float, min_speed: float, max_order: float
) -> tuple[list[Stretch], list[str]]:
    """(stretches by joint, what was left out and why).

    A stretch goes one way for `min_turns` between its first and last sample above `min_speed` (turns a second), holds
    300 samples and reaches `max_order` below half the sampling rate.
    """
    found: list[Stretch] = []
    left: list[str] = []
    for recording in recordings:
        for axis in axes(recording):
            if axis.kind != "revolute" or Channel.parse(axis.effort_name).quantity is not Quantity.CURRENT:
                continue
            kept = np.isin(recording.time_s, axis.time_s)
            channels = {
                name: replace(channel, joint=axis.joint) for name, channel in SIGNALS.items() if name != "current"
            }
            signals = {name: recording[c][kept] for name, c in channels.items() if c in recording}
            signals = {"current": axis.effort} | {n: x for n, x in signals.items() if np.isfinite(x).all()}
            model = Channel(Quantity.TORQUE, axis.joint, Source.MODEL)
            load = recording[model][kept] if model in recording else None
            clean, speed = without_spikes(axis), np.abs(axis.speed) / (2 * np.pi)
            for part in monotone_stretches(axis.position, min_turns=min_turns, slack_rad=_SLACK_RAD):
                fast = part.start + np.flatnonzero(speed[part] > min_speed)
                if len(fast) < 2:
                    continue
                one = _cut(
                    Stretch(axis.joint, recording.session, axis.time_s, axis.position, speed, clean, signals, load),
                    slice(int(fast[0]), int(fast[-1]) + 1),
                )
                where = f"{one.name} joint {one.joint}"
                if one.turns < min_turns or len(one.time_s) < _LEAST_SAMPLES:
                    left.append(f"{where}: {one.turns:.2f} turns in {len(one.time_s)} samples")
                elif one.highest_order < max_order:
                    left.append(f"{where}: half the sampling rate is order {one.highest_order:.0f}")
                else:
                    found.append(one)
    return sorted(found, key=lambda s: (s.joint, s.session)), left


def _cut(stretch: Stretch, part: slice) -> Stretch:
    return replace(
        stretch,
        time_s=stretch.time_s[part],
        angle_rad=stretch.angle_rad[part],
        speed=stretch.speed[part],
        good=stretch.good[part],
        signals={name: values[part] for name, values in stretch.signals.items()},
        load_nm=None if stretch.load_nm is None else stretch.load_nm[part],
    )


def pieces(stretch: Stretch, turns: float) -> list[Stretch]:
    """Parts of so many turns, each half over the one before."""
    gone = np.abs(stretch.angle_rad - stretch.angle_rad[0]) / (2 * np.pi)
    starts = np.arange(0, gone[-1] - turns + 1e-9, turns / 2)
    edges = [np.searchsorted(np.maximum.accumulate(gone), [start, start + turns]) for start in starts]
    return [_cut(stretch, slice(int(a), int(b))) for a, b in edges if b - a >= _LEAST_SAMPLES // 2]


def spectrum(
    stretch: Stretch,
    signal: str,
    max_order: float,
    *,
    power: float = 1.0,
    speed: float = 1.0,
    per_order: int = PER_ORDER,
) -> tuple[np.ndarray, np.ndarray]:
    """(complex amplitude, orders), both (order,).

    `power` 1 goes by the angle; 0 goes by time at `speed` turns a second, so that a fixed frequency is a line;
    between them time runs as the speed to that power.
    """
    angle = stretch.angle_rad
    if power != 1.0:
        pace = speed * (np.maximum(stretch.speed, 1e-6) / speed) ** power
        angle = 2 * np.pi * np.concatenate([[0.0], np.cumsum((pace[1:] + pace[:-1]) / 2 * np.diff(stretch.time_s))])
    values = stretch.signals[signal][None]
    found, orders = gapped_spectrum(values, angle, max_order, per_order=per_order, good=stretch.good, below=_BELOW)
    return found[0], orders


def level_out(amplitude: np.ndarray, turns: float) -> tuple[np.ndarray, np.ndarray]:
    """(strength, background): squared amplitude by the mean square of noise around, from the median of 50 orders or of
    twelve lines, whichever is more."""
    width = round(max(_LEVEL_ORDERS, _LEVEL_LINES / turns) * PER_ORDER) | 1
    square = np.abs(amplitude) ** 2
    middle = median_filter(square, width, mode="nearest") / np.log(2)
    background = np.exp(uniform_filter1d(np.log(np.maximum(middle, 1e-300)), width, mode="nearest"))
    return square / background, background


def same_speed(stretches: Sequence[Stretch]) -> list[list[int]]:
    """Stretches in groups of one direction whose mean speeds lie within 3 %: repeats tell nothing of orders from
    frequencies."""
    groups: list[list[int]] = []
    for i, one in enumerate(stretches):
        for group in groups:
            first = stretches[group[0]]
            if first.way == one.way and abs(one.mean_speed / first.mean_speed - 1) < _SAME_SPEED:
                group.append(i)
                break
        else:
            groups.append([i])
    return groups
