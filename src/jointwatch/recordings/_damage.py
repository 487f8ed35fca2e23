"""Values that cannot be right: single samples become NaN, and rows of a stream that lost its place become NaN whole."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from jointwatch.core import Action, Channel, QualityIssue, Quantity, Robot, Source
from jointwatch.core.errors import CorruptInput
from jointwatch.recordings._issues import note
from jointwatch.recordings._units import PLAUSIBLE

__all__ = ["blank_damage", "wild_samples", "wild_times"]

_GARBAGE = 1e4  # this many times beyond the plausible it is no sensor that is wrong but the row
_SCALE_SHARE = 0.05  # beyond the plausible this often it is the unit that is wrong, not single samples
_FASTEST = {"revolute": 100.0, "prismatic": 20.0}  # rad/s, m/s at a joint's output
_SPIKE_SAMPLES = 3
_ENCLOSED_ROWS = 3  # so few rows between garbled ones are not to be trusted either


def wild_samples(values: np.ndarray, channels: Sequence[Channel], source: str | Path) -> np.ndarray:
    """(channel, time) bool: values far beyond what any sensor can give.

    Errors: `CorruptInput` if most rows have one, for then it is the column that is wrong.
    """
    bound = np.array([PLAUSIBLE.get(channel.quantity, np.inf) for channel in channels])[:, None]
    with np.errstate(invalid="ignore"):
        wild: np.ndarray = np.abs(values) > bound * _GARBAGE
    if wild.any(axis=0).mean() > 0.5:
        worst = int(wild.sum(axis=1).argmax())
        raise CorruptInput(
            f"{wild[worst].sum()} of {wild.shape[1]} values are impossible, "
            f"up to {np.nanmax(np.abs(values[worst])):.2g}",
            file=source,
            row=int(np.flatnonzero(wild[worst])[0]) + 1,
            channel=channels[worst].key,
            remedy="check which column this is and its unit",
        )
    return wild


def wild_times(wild: np.ndarray, channels: Sequence[Channel]) -> np.ndarray:
    """(time,) bool: rows garbled as a whole. Wild commanded values alone do not condemn what was measured."""
    measured = np.array([channel.source is Source.MEASURED for channel in channels])
    whole: np.ndarray = wild.mean(axis=0) > 0.5
    return whole | wild[measured].any(axis=0)


def blank_damage(
    time_s: np.ndarray,
    values: np.ndarray,
    channels: Sequence[Channel],
    limits: Sequence[tuple[float, float] | None],
    robot: Robot,
    rows: np.ndarray,
    wild: np.ndarray,
) -> list[QualityIssue]:
    """Blank in place and count: lost samples, garbled rows, implausible values, positions that jump out and back.

    Parameters
    ----------
    values, wild : (channel, time), in SI, and what `wild_samples` said.
    limits : each channel's plausible values where they are known, None = by quantity.
    """
    keys = np.array([channel.key for channel in channels])
    issues = _lost(values, wild, keys, rows)
    values[wild] = np.nan
    outside, scale = _outside(values, channels, limits)
    issues += scale
    garbled = _enclose(wild_times(wild, channels) | (outside.sum(axis=0) > max(2, len(channels) / 4)))
    spiked, _ = _jumps(time_s, np.where(outside | garbled, np.nan, values), channels, robot)
    together = spiked.sum(axis=0)
    garbled = _enclose(garbled | ((together >= 2) & (together >= spiked.any(axis=1).sum() / 2)))
    if garbled.any():
        detail = "the time fits, the values are impossible"
        issues.append(note("corrupt_row", garbled.sum(), Action.BLANKED, rows=rows[garbled], detail=detail))
        values[:, garbled] = np.nan
    for source in (Source.COMMANDED, Source.MODEL, Source.DERIVED):
        group = np.array([channel.source is source for channel in channels])
        part = _enclose(wild[group].any(axis=0)) & ~garbled
        if part.any():
            detail = f"{source} values up to impossible ones; all {source} values of these rows are blanked"
            issues.append(
                note("corrupt_row", part.sum(), Action.BLANKED, where=keys[group], rows=rows[part], detail=detail)
            )
            values[np.ix_(group, part)] = np.nan
    for kind, flags in (("out_of_range", outside), ("position_spike", spiked)):
        flags &= np.isfinite(values)
        for i in np.flatnonzero(flags.any(axis=1)):
            bad = flags[i]
            detail = f"for example {values[i][bad][0]:.4g}"
            issues.append(note(kind, bad.sum(), Action.BLANKED, where=keys[i : i + 1], rows=rows[bad], detail=detail))
            values[i, bad] = np.nan
    return issues + _lasting(values, _jumps(time_s, values, channels, robot)[1], keys, rows)


def _lost(values: np.ndarray, wild: np.ndarray, keys: np.ndarray, rows: np.ndarray) -> list[QualityIssue]:
    issues = []
    lost = np.isnan(values)
    empty = lost.all(axis=1)
    if empty.any():
        size, detail = empty.sum() * values.shape[1], "not one readable value"
        remedy = "leave the column out"
        issues.append(note("empty_channel", size, Action.KEPT, where=keys[empty], detail=detail, remedy=remedy))
        lost[empty] = False
    if lost.any():
        which, where = keys[lost.any(axis=1)], lost.any(axis=0)
        detail = f"in {where.sum()} rows"
        issues.append(note("not_a_number", lost.sum(), Action.BLANKED, where=which, rows=rows[where], detail=detail))
    return issues


def _outside(
    values: np.ndarray, channels: Sequence[Channel], limits: Sequence[tuple[float, float] | None]
) -> tuple[np.ndarray, list[QualityIssue]]:
    """((channel, time) bool of implausible samples, channels that are so too often for damage and are left alone)."""
    outside = np.zeros(values.shape, bool)
    issues = []
    for i, channel in enumerate(channels):
        bound = PLAUSIBLE.get(channel.quantity, np.inf)
        low, high = limits[i] or (-bound, bound)
        with np.errstate(invalid="ignore"):
            outside[i] = (values[i] < low) | (values[i] > high)
        if limits[i] is None and outside[i].sum() > max(1, _SCALE_SHARE * values.shape[1]):
            detail = f"values up to {np.nanmax(np.abs(values[i])):.3g}, plausible are {low:g} .. {high:g}"
            remedy = "check which column this is and its unit"
            size = outside[i].sum()
            scale = note("implausible_scale", size, Action.KEPT, where=(channel.key,), detail=detail, remedy=remedy)
            issues.append(scale)
            outside[i] = False
    return outside, issues


def _jumps(
    time_s: np.ndarray, values: np.ndarray, channels: Sequence[Channel], robot: Robot
) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """((channel, time) bool of positions that jump out and back at once, channel -> where it jumps for good)."""
    spiked = np.zeros(values.shape, bool)
    lasting: dict[int, np.ndarray] = {}
    for i, channel in enumerate(channels):
        if channel.quantity is Quantity.POSITION and channel.source is Source.MEASURED:
            kind = "revolute" if channel.joint is None else robot.joint(channel.joint).kind
            spiked[i], lasting[i] = _out_and_back(time_s, values[i], _FASTEST[kind])
    return spiked, lasting


def _lasting(
    values: np.ndarray, jumps: dict[int, np.ndarray], keys: np.ndarray, rows: np.ndarray
) -> list[QualityIssue]:
    issues = []
    for i, where in jumps.items():
        if not len(where):
            continue
        size = float(np.abs(np.diff(values[i][np.isfinite(values[i])])).max())
        turn = abs(size - 2 * np.pi) < 0.2
        issues.append(
            note(
                "angle_wrap" if turn else "position_jump",
                len(where),
                Action.KEPT,
                where=keys[i : i + 1],
                rows=rows[where],
                detail=f"steps of up to {size:.3g} that no joint can make in one sample",
                remedy="unwrap the angle before use" if turn else "check the encoder and whether files were joined",
            )
        )
    return issues


def _out_and_back(time_s: np.ndarray, position: np.ndarray, fastest: float) -> tuple[np.ndarray, np.ndarray]:
    """((time,) bool of samples that jump out and back, positions of jumps that last)."""
    spike = np.zeros(len(time_s), bool)
    there = np.flatnonzero(np.isfinite(position))
    if len(there) < 2:
        return spike, np.empty(0, int)
    x, t = position[there], time_s[there]
    floor = 0.5 * float(np.median(np.diff(t)))  # jitter of the clock must not look like speed

    def impossible(a: int, b: int) -> bool:
        return bool(abs(x[b] - x[a]) > fastest * max(t[b] - t[a], floor))

    leaps = (np.flatnonzero(np.abs(np.diff(x)) > fastest * np.maximum(np.diff(t), floor)) + 1).tolist()
    lasting: list[int] = []
    done = 0
    for leap in leaps:
        if leap < done:
            continue
        for back in range(leap + 1, min(leap + _SPIKE_SAMPLES + 1, len(x))):
            if impossible(back - 1, back) and not impossible(leap - 1, back):
                spike[there[leap:back]] = True
                done = back + 1
                break
        else:
            lasting.append(int(there[leap]))
    return spike, np.array(lasting, int)


def _enclose(garbled: np.ndarray) -> np.ndarray:
    """Garbled rows with the few rows that lie between them: there the stream had not found its place again."""
    closed = garbled.copy()
    where = np.flatnonzero(garbled)
    for a, b in pairwise(where.tolist()):
        if b - a <= _ENCLOSED_ROWS + 1:
            closed[a:b] = True
    return closed
