"""A strictly increasing clock from a damaged one: runs that agree with themselves are trusted, strays are not.

The time column is cut into runs wherever it steps back or jumps ahead. Long runs are anchors. Anchors in order
stay as they are; an anchor that starts before the last one ended is a restarted clock and is shifted behind it.
Short runs stay if they fit between their anchors, else they are strays: garbled rows, or time running backwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

__all__ = ["Clock", "mend_clock"]

_ANCHOR_ROWS = 10
_ABSURD_S = 1e11  # three thousand years: no epoch in seconds gets there
_JUMP_STEPS = 5.0
_STRAY_STEPS = 100.0  # a time this many steps off is no late sample but a garbled row
_EDGE_STEPS = 1000.0  # a lone first or last row this far off belongs to no recording


@dataclass
class Clock:
    """What became of each row; all lists hold positions (from 0) in the arrays given.

    `keep` and `time_s` go together; `restarts` are the first rows of restarted clocks; `corrupt`, `backwards` and
    `repeated` are rows left out.
    """

    keep: np.ndarray
    time_s: np.ndarray
    step_s: float = 0.0
    unreadable: list[int] = field(default_factory=list)
    restarts: list[int] = field(default_factory=list)
    corrupt: list[int] = field(default_factory=list)
    backwards: list[int] = field(default_factory=list)
    repeated: list[int] = field(default_factory=list)


def mend_clock(time_s: np.ndarray, suspect: np.ndarray) -> Clock:
    """Usable rows and their time.

    Parameters
    ----------
    time_s : (row,) as read, NaN where unreadable.
    suspect : (row,) bool, rows known to be garbled: they have no say in what the clock is.

    A clock that never advances keeps no more than one row; the caller says what that means.

    >>> clock = mend_clock(np.array([5.0, 5.01, 2.7e154, -0.1, 5.04, 5.05, 5.05]), np.zeros(7, bool))
    >>> clock.keep.tolist(), clock.corrupt, clock.repeated
    ([0, 1, 4, 5], [2, 3], [6])
    """
    readable = np.isfinite(time_s)
    clock = Clock(np.empty(0, int), np.empty(0), unreadable=np.flatnonzero(~readable).tolist())
    sane = readable & (np.abs(np.where(readable, time_s, 0)) < _ABSURD_S)
    clock.corrupt = np.flatnonzero(readable & ~sane).tolist()
    order = np.flatnonzero(sane & ~suspect)
    if len(order) < 2:
        order = np.flatnonzero(sane)
    steps = np.diff(time_s[order])
    if not (steps > 0).any():
        clock.keep, clock.time_s = order[:1], time_s[order[:1]]
        clock.repeated = order[1:].tolist()
        return clock
    clock.step_s = float(np.median(steps[steps > 0]))
    if len(order) == len(time_s) and (steps > 0).all() and steps.max() < _EDGE_STEPS * clock.step_s:
        clock.keep, clock.time_s = order, time_s  # as nearly all clocks are
        return clock
    times = _place_runs(time_s, order, steps, clock)
    _place_suspects(time_s, np.flatnonzero(sane & suspect), times, clock)
    clock.keep = np.array(sorted(times), int)
    clock.time_s = np.array([times[i] for i in clock.keep])
    for found in (clock.corrupt, clock.backwards, clock.repeated):
        found.sort()
    return clock


def _place_runs(time_s: np.ndarray, order: np.ndarray, steps: np.ndarray, clock: Clock) -> dict[int, float]:
    """Position -> mended time of all rows of `order` that stay; strays go to the lists of `clock`."""
    forward = steps[steps > 0]
    jump = _JUMP_STEPS * max(clock.step_s, float(np.quantile(forward, 0.9, method="lower")))
    cuts = np.flatnonzero((steps < 0) | (steps > jump)) + 1
    runs = [run for run in np.split(order, cuts) if len(run)]
    lengths = [1 + int((np.diff(time_s[run]) > 0).sum()) for run in runs]
    enough = min(_ANCHOR_ROWS, max(lengths))
    anchors = [i for i, length in enumerate(lengths) if length >= enough]
    times: dict[int, float] = {}
    last, offset = -np.inf, 0.0
    for nth, anchor in enumerate(anchors):
        before = runs[(anchors[nth - 1] + 1 if nth else 0) : anchor]
        run = runs[anchor]
        start = time_s[run[0]] + offset
        overlap = int((time_s[run] + offset <= last).sum())
        restarted = overlap > min(_ANCHOR_ROWS, len(run) - 1)
        first = np.inf if restarted else start
        reach = last
        for short in before:
            reach = _place_short(short, time_s, offset, reach, first, nth == 0 or restarted, times, clock)
        last = max(last, reach)
        if restarted:
            offset = last - time_s[run[0]] + clock.step_s
            clock.restarts.append(int(run[0]))
        last = _keep_run(run, time_s, offset, last, times, clock)
    for short in runs[anchors[-1] + 1 :]:
        last = _place_short(short, time_s, offset, last, np.inf, True, times, clock)
    return times


def _place_short(
    run: np.ndarray,
    time_s: np.ndarray,
    offset: float,
    last: float,
    first: float,
    at_edge: bool,
    times: dict[int, float],
    clock: Clock,
) -> float:
    """Keep a short run between `last` and `first`, at an open end only if it is near; returns the new last."""
    start, stop = time_s[run[0]] + offset, time_s[run[-1]] + offset
    ordered = last < start and stop < first
    borders = [border for border in (last, first) if np.isfinite(border)]
    away = min((abs(start - border) for border in borders), default=0.0) / clock.step_s
    distinct = 1 + int((np.diff(time_s[run]) > 0).sum())
    if ordered and (not at_edge or away < _EDGE_STEPS or distinct > 2):
        return _keep_run(run, time_s, offset, last, times, clock)
    outside = max(last - start, start - first, 0.0) if borders else 0.0
    stray = (at_edge and ordered) or outside > _STRAY_STEPS * clock.step_s
    (clock.corrupt if stray else clock.backwards).extend(int(i) for i in run)
    return last


def _keep_run(
    run: np.ndarray, time_s: np.ndarray, offset: float, last: float, times: dict[int, float], clock: Clock
) -> float:
    shifted = time_s[run] + offset
    before = np.concatenate([[last], np.maximum.accumulate(shifted)[:-1]])
    before = np.maximum(before, last)
    good = shifted > before
    times.update(zip(run[good].tolist(), shifted[good].tolist(), strict=True))
    clock.repeated += run[shifted == before].tolist()
    clock.backwards += run[shifted < before].tolist()
    return float(max(last, shifted.max()))


def _place_suspects(time_s: np.ndarray, suspects: np.ndarray, times: dict[int, float], clock: Clock) -> None:
    """Garbled rows stay on the clock only where their time is between that of their neighbours."""
    known = np.array(sorted(times), int)
    for i in suspects:
        at = int(np.searchsorted(known, i))
        below = times[int(known[at - 1])] if at > 0 else -np.inf
        above = times[int(known[at])] if at < len(known) else np.inf
        near = min(time_s[i] - below, above - time_s[i]) < _STRAY_STEPS * clock.step_s
        taken = [times[j] for j in range(int(known[at - 1]) + 1 if at else 0, int(i)) if j in times]
        if below < time_s[i] < above and near and time_s[i] > max(taken, default=-np.inf):
            times[int(i)] = float(time_s[i])
        else:
            clock.corrupt.append(int(i))
