"""Empirical mode decomposition: a signal as a sum of oscillations, fastest first, and a residue."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.linalg.lapack import dgtsv

from jointwatch.core.errors import UsageError

__all__ = ["empirical_modes"]

_MIRRORED = 2  # extrema that are reflected at each end
_SILENT = 1e-10  # energy below which a row is no oscillation


def empirical_modes(
    values: Float[np.ndarray, " time"],
    *,
    max_modes: int | None = None,
    max_sifts: int = 1000,
    scaled_variance: float = 0.001,
    deviation: float = 0.2,
    energy_ratio: float = 0.2,
    least_range: float = 0.001,
    least_sum: float = 0.005,
) -> Float[np.ndarray, "mode time"]:
    """(mode, time): intrinsic mode functions from fast to slow, then the residue; together they add up to `values`.

    Sifting: the mean of a cubic spline through the maxima and one through the minima is taken off until what is left
    oscillates around zero (all maxima at or above it, all minima at or below, as many extrema as zero crossings but
    for one) and the last sift changed little. The mode is taken off and the rest is sifted in turn, until it has
    fewer than three extrema or is negligible. At the ends the two outer maxima and minima are mirrored, at the
    outermost extremum or, where the end itself reaches beyond it, at the end.

    The rules and the defaults are those of EMD-signal (`PyEMD.EMD()`: cubic splines, simple extrema), and its modes are
    met to the rounding of floating point: as many of them, and less than 1e-12 of the signal's range apart, in 244
    chirps in noise, sums of modulated tones, random walks, quantised signals and motor currents of reciprocating drives
    (largest difference 4e-15; tests hold a part of them).

    Parameters
    ----------
    values : (time,) evenly sampled.
    max_modes : stop after as many modes; the residue is what is left. None = all.
    max_sifts : passes over one mode after which it is taken as it is.
    scaled_variance, deviation, energy_ratio : a sift changed little if one of them holds: the sum of squares of the
        change below `scaled_variance` times the range before it; that of the change relative to the result, sample
        by sample, below `deviation`; or that of the change below `energy_ratio` of the sum of squares before it.
    least_range, least_sum : the rest is negligible where its range, or the sum of its magnitudes, is below.

    `scaled_variance`, `least_range` and `least_sum` are in the unit of the signal, as in EMD-signal: a signal of very
    small numbers is better scaled first. A signal that is flat, or goes one way only, is all residue.

    Errors: `UsageError` for values that are not finite, an empty signal, `max_modes` below 1 or `max_sifts` below 2.

    Source: N. E. Huang et al., Proc. R. Soc. Lond. A 454, 1998; mirrored extrema as in G. Rilling, P. Flandrin and
    P. Gonçalves, IEEE-EURASIP NSIP, 2003.

    >>> import numpy as np
    >>> time_s = np.arange(1000) / 1000
    >>> fast, slow = np.sin(2 * np.pi * 40 * time_s), 2 * np.sin(2 * np.pi * 5 * time_s)
    >>> modes = empirical_modes(fast + slow)
    >>> bool(np.allclose(modes.sum(axis=0), fast + slow)), bool(np.abs(modes[0] - fast)[50:-50].max() < 0.05)
    (True, True)
    """
    signal = np.array(values, np.float64)
    if len(signal) == 0 or not np.isfinite(signal).all():
        raise UsageError("a signal to decompose needs finite samples; fill or cut out what is lost first")
    if max_sifts < 2 or (max_modes is not None and max_modes < 1):
        raise UsageError(f"max_modes is at least 1 and max_sifts at least 2, got {max_modes} and {max_sifts}")
    sift = _Sift(len(signal), max_sifts, scaled_variance, deviation, energy_ratio)
    modes: list[np.ndarray] = []
    total = np.zeros_like(signal)
    while True:
        mode, extrema = sift.mode(signal - total)
        if mode is None:
            break
        with_mode = total + mode
        rest = signal - with_mode
        finished = np.ptp(rest) < least_range or np.abs(rest).sum() < least_sum or len(modes) + 1 == max_modes
        if finished and extrema < 3:
            break  # it is the trend
        modes.append(mode)
        total = with_mode
        if finished:
            break
    return np.stack([*modes, signal - total])


@dataclass(frozen=True, eq=False)
class _Extrema:
    """Places of the extrema of a row, and how often it crosses zero."""

    maxima: np.ndarray
    minima: np.ndarray
    crossings: int

    @property
    def count(self) -> int:
        return len(self.maxima) + len(self.minima)


class _Sift:
    """Sifting of rows of one length: what the passes share, made once."""

    def __init__(self, length: int, most: int, scaled_variance: float, deviation: float, energy_ratio: float) -> None:
        self.length, self.most = length, most
        self.scaled_variance, self.deviation, self.energy_ratio = scaled_variance, deviation, energy_ratio
        self.twice = np.tile(np.arange(length, dtype=np.float64), 2)  # for the upper and the lower envelope

    def mode(self, row: np.ndarray) -> tuple[np.ndarray | None, int]:
        """The fastest oscillation in a row and the number of its extrema; None if there is none."""
        found = _extrema(row)
        for _ in range(self.most - 1):
            knots = _knots(row, found) if found.count > 2 else None
            if knots is None:
                return None, found.count
            before = row
            row = before - self._mean(*knots)
            found = _extrema(row)
            _, level, lows = knots
            centred = level[:lows].min() >= 0 and level[lows:].max() <= 0
            if centred and abs(found.count - found.crossings) < 2 and self._settled(row, before):
                break
        return row, found.count

    def _mean(self, at: np.ndarray, level: np.ndarray, lows: int) -> np.ndarray:
        """Half the sum of both envelopes; at whole numbers, as knots and samples are, no search is needed."""
        first = np.minimum(np.maximum(at, 0), self.length)  # sample with which each piece begins
        first[lows:] += self.length
        first[[lows - 1, -1]] = self.length, 2 * self.length
        knot, cubic, square, tangent, start = np.repeat(_cubics(at, level, lows), first[1:] - first[:-1], axis=1)
        beyond = np.subtract(self.twice, knot, out=knot)
        envelopes = cubic
        for coefficient in (square, tangent, start):
            envelopes *= beyond
            envelopes += coefficient
        mean = envelopes[: self.length]
        mean += envelopes[self.length :]
        mean *= 0.5
        return mean

    def _settled(self, row: np.ndarray, before: np.ndarray) -> bool:
        """Whether the last sift changed little."""
        if row @ row < _SILENT:
            return False
        change = row - before
        changed = change @ change
        if changed < self.scaled_variance * np.ptp(before) or changed < self.energy_ratio * (before @ before):
            return True
        with np.errstate(divide="ignore", invalid="ignore"):
            return bool(np.square(change / row).sum() < self.deviation)


def _extrema(row: np.ndarray) -> _Extrema:
    below = row < 0
    crossings = int(np.count_nonzero(below[1:] != below[:-1]))
    if not row.all():
        crossings = _crossings_with_zeros(row)
    step = row[1:] - row[:-1]
    up = step > 0
    turns = np.flatnonzero(up[1:] != up[:-1])
    if not step.all():
        return _Extrema(*_turns_with_plateaus(step), crossings)
    places = turns + 1
    first = 0 if len(turns) == 0 or up[turns[0]] else 1
    return _Extrema(places[first::2], places[1 - first :: 2], crossings)


def _crossings_with_zeros(row: np.ndarray) -> int:
    """Changes of sign between neighbours, and stretches of zeros."""
    zero = np.concatenate([[False], row == 0])
    return int(np.count_nonzero(row[1:] * row[:-1] < 0) + np.count_nonzero(zero[1:] & ~zero[:-1]))


def _turns_with_plateaus(step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Maxima and minima where neighbours are equal: a plateau turns in its middle."""
    sense = np.sign(step)
    turn = np.flatnonzero(sense[1:] * sense[:-1] < 0)
    edges = np.diff(np.concatenate([[0], step == 0, [0]]).astype(np.int8))
    start, stop = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    # kept as EMD-signal has it: a plateau from the second sample on does not count, and one from the first is
    # compared with the last step of all
    if start[0] == 1:
        start, stop = start[1:], stop[1:]
    if len(start) and stop[-1] == len(step):
        start, stop = start[:-1], stop[:-1]
    middle = np.rint((start + stop) / 2).astype(np.intp)
    before, after = sense[start - 1], sense[stop]
    maxima = np.concatenate([turn[sense[turn] > 0] + 1, middle[(before > 0) & (after < 0)]])
    minima = np.concatenate([turn[sense[turn] < 0] + 1, middle[(before < 0) & (after > 0)]])
    return np.sort(maxima), np.sort(minima)


def _knots(row: np.ndarray, found: _Extrema) -> tuple[np.ndarray, np.ndarray, int] | None:
    """(places, values, number of maxima): maxima and then minima, both continued beyond the ends; None if too few."""
    if len(found.maxima) == 0 or len(found.minima) == 0:
        return None
    end = len(row) - 1
    left = _mirrored(row, found.maxima[: _MIRRORED + 1].tolist(), found.minima[: _MIRRORED + 1].tolist(), 0, 1)
    right = _mirrored(
        row, found.maxima[: -_MIRRORED - 2 : -1].tolist(), found.minima[: -_MIRRORED - 2 : -1].tolist(), end, -1
    )
    places: list[np.ndarray] = []
    sources: list[np.ndarray] = []
    for inner, (before, first), (after, last) in zip((found.maxima, found.minima), left, right, strict=True):
        # a mirrored extremum that falls on the one it is mirrored at is the same
        first = [i for i in reversed(first) if 2 * before - i != inner[0]]
        last = [i for i in last if 2 * after - i != inner[-1]]
        beyond = [2 * before - i for i in first], [2 * after - i for i in last]
        sources.append(np.concatenate([first, inner, last]).astype(np.intp))
        places.append(np.concatenate([beyond[0], inner, beyond[1]]).astype(np.intp))
    if min(map(len, places)) < 3:
        return None
    return np.concatenate(places), row[np.concatenate(sources)], len(places[0])


def _mirrored(
    row: np.ndarray, maxima: list[int], minima: list[int], end: int, sense: int
) -> tuple[tuple[int, list[int]], tuple[int, list[int]]]:
    """(axis, extrema to mirror at it, nearest first) of the maxima and of the minima at one end, nearest first."""
    top_first = sense * maxima[0] < sense * minima[0]
    near, far = (maxima, minima) if top_first else (minima, maxima)
    beyond = row[end] > row[far[0]] if top_first else row[end] < row[far[0]]
    if beyond:
        axis, own, other = near[0], near[1 : _MIRRORED + 1] or near, far[:_MIRRORED]
        if sense * (2 * axis - own[-1]) > sense * end or sense * (2 * axis - other[-1]) > sense * end:
            axis, own = end, near[:_MIRRORED]  # mirrored there it would not reach the end
    else:
        axis, own, other = end, near[:_MIRRORED], [end, *far[: _MIRRORED - 1]]
    pairs = (axis, own), (axis, other)
    return pairs if top_first else pairs[::-1]


def _cubics(at: np.ndarray, level: np.ndarray, lows: int) -> np.ndarray:
    """(knot, then coefficients from the cubic's down; piece) of the splines through the knots before `lows` and through
    those from it on.

    Each ends as a single cubic over its two outer pieces ("not a knot"), with three knots without curvature. The
    piece that leads from one to the other means nothing.
    """
    table = np.empty((5, len(at) - 1))
    table[0], table[4] = at[:-1], level[:-1]
    width = (at[1:] - at[:-1]).astype(np.float64)
    width[lows - 1] = 1.0
    slope = (level[1:] - level[:-1]) / width
    lower, diagonal, upper, right = np.empty((4, len(at)))
    diagonal[1:-1] = 2 * (width[:-1] + width[1:])
    upper[1:-1] = width[:-1]
    lower[:-2] = width[1:]
    right[1:-1] = 3 * (width[1:] * slope[:-1] + width[:-1] * slope[1:])
    for first, last in ((0, lows - 1), (lows, len(at) - 1)):
        if last - first == 2:
            diagonal[first], upper[first], right[first] = 2.0, 1.0, 3 * slope[first]
            diagonal[last], lower[last - 1], right[last] = 2.0, 1.0, 3 * slope[last - 1]
            continue
        for end, inward in ((first, 1), (last, -1)):
            outer, inner = (end, end + 1) if inward == 1 else (end - 1, end - 2)  # pieces
            w, v = float(width[outer]), float(width[inner])
            diagonal[end] = v
            (upper if inward == 1 else lower)[outer] = w + v
            right[end] = ((3 * w + 2 * v) * v * float(slope[outer]) + w**2 * float(slope[inner])) / (w + v)
    upper[lows - 1] = lower[lows - 1] = 0.0  # one system for both
    tangent = dgtsv(lower[:-1], diagonal, upper[:-1], right, 1, 1, 1, 1)[3]
    bend = np.divide(tangent[:-1] + tangent[1:] - 2 * slope, width, out=table[1])
    np.subtract((slope - tangent[:-1]) / width, bend, out=table[2])
    bend /= width
    table[3] = tangent[:-1]
    return table
