"""Cubic resampling onto a uniform clock, with an anti-alias filter going down and no extrapolation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float

from jointwatch.core.errors import UsageError
from jointwatch.signals.numerics import CubicSpline, firwin, kaiserord, oaconvolve

__all__ = ["GAP_STEPS", "Resampled", "Segment", "evaluate", "low_pass", "pieces", "resample"]

GAP_STEPS = 5.0  # default longest gap, in median steps of the clock
_SAME_RATE = 1.02  # a nominal rate this close above the target needs no filter
_ON_GRID = 1e-4  # times this share of a step apart count as the same
_STOP_DB = 60.0
_PASS = 0.8  # share of the new Nyquist frequency that is kept as it is


@dataclass(frozen=True, eq=False)
class Segment:
    """A continuous stretch: `time_s` (time,) uniform, `values` (channel, time) finite."""

    time_s: Float[np.ndarray, " time"]
    values: Float[np.ndarray, "channel time"]


@dataclass(frozen=True, eq=False)
class Resampled(Sequence[Segment]):
    """The segments in order of time, with what happened on the way.

    Parameters
    ----------
    segments : continuous stretches.
    filled : lost samples that were interpolated, over all channels.
    splits : why one segment ended and another began, or a stretch was left out: reason -> count;
        `gap` (clock), `nan` (samples lost for longer than the longest gap), `short` (a stretch of one sample).
    """

    segments: tuple[Segment, ...]
    filled: int
    splits: dict[str, int]

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        return self.segments[index]

    def __len__(self) -> int:
        return len(self.segments)

    def __iter__(self) -> Iterator[Segment]:
        return iter(self.segments)


def resample(
    time_s: Float[np.ndarray, " time"],
    values: Float[np.ndarray, "channel time"],
    rate_hz: float,
    *,
    breaks: Sequence[int] = (),
    max_gap_s: float | None = None,
) -> Resampled:
    """Cubic-spline interpolation of an irregular series onto a uniform clock, piece by continuous piece.

    Going down, a zero-phase low-pass (linear-phase Kaiser FIR, -60 dB from the new Nyquist frequency) runs first on a
    uniform grid at the native median rate; up to 80 % of the new Nyquist frequency a signal is kept within 1 %. Where
    the native rate is at most 2 % above the target nothing is filtered, and the cubic alone is within 1 % up to a
    fifth of the native rate. Segments begin and end inside the samples: nothing is extrapolated.

    Parameters
    ----------
    time_s : strictly increasing seconds, any spacing.
    values : NaN = sample lost. Runs of at most `max_gap_s` are interpolated, longer ones end the segment.
    rate_hz : samples a second wanted.
    breaks : indices i where continuity is lost between sample i-1 and i.
    max_gap_s : longest step of the clock, and longest run of lost samples, that is bridged; default 5 median steps.

    Errors: `UsageError` for a rate that is not positive or a clock that does not increase.

    Source: strategy 5 of M3; Kaiser window: J. F. Kaiser, Proc. IEEE ISCAS, 1974.

    >>> import numpy as np
    >>> time_s = np.arange(200) / 100
    >>> (segment,) = resample(time_s, np.sin(2 * np.pi * 3 * time_s)[None], 250.0)
    >>> segment.values.shape, bool(abs(segment.values[0] - np.sin(2 * np.pi * 3 * segment.time_s)).max() < 1e-3)
    ((1, 498), True)
    """
    if not rate_hz > 0:
        raise UsageError(f"rate_hz must be positive, got {rate_hz}")
    parts, splits = pieces(time_s, values, breaks=breaks, max_gap_s=max_gap_s)
    native_hz = 1 / float(np.median(np.diff(time_s))) if len(time_s) > 1 else rate_hz
    segments, filled = [], 0
    for part in parts:
        t, x = time_s[part], values[:, part]
        filled += int(np.isnan(x).sum())
        count = int(np.floor((t[-1] - t[0]) * rate_hz * (1 + 1e-12) + 1e-6)) + 1
        grid = np.minimum(t[0] + np.arange(count) / rate_hz, t[-1])
        segments.append(Segment(grid, evaluate(t, x, grid, native_hz, rate_hz)))
    return Resampled(tuple(segments), filled, splits)


def pieces(
    time_s: Float[np.ndarray, " time"],
    values: Float[np.ndarray, "channel time"],
    *,
    breaks: Sequence[int] = (),
    max_gap_s: float | None = None,
) -> tuple[list[slice], dict[str, int]]:
    """Stretches that may be interpolated: at least two samples, every channel known at both ends, no long gap inside.

    Returns the slices and, by reason, how often continuity was lost (see `Resampled.splits`).
    """
    if len(time_s) < 2:
        return [], {"short": 1} if len(time_s) else {}
    steps = np.diff(time_s)
    if not (steps > 0).all():
        raise UsageError("time_s must be strictly increasing")
    longest = GAP_STEPS * float(np.median(steps)) if max_gap_s is None else max_gap_s
    cuts = {int(i) for i in breaks} | set((np.flatnonzero(steps > longest * (1 + 1e-9)) + 1).tolist())
    cuts -= {0, len(time_s)}
    splits: dict[str, int] = {"gap": len(cuts)} if cuts else {}
    edges = [0, *sorted(cuts), len(time_s)]
    lost = np.isnan(values)
    found: list[slice] = []
    for start, stop in pairwise(edges):
        if not lost[:, start:stop].any():
            stretches = [(start, stop)]
        else:
            usable = ~_long_runs(time_s[start:stop], lost[:, start:stop], longest)
            stretches = [(start + a, start + b) for a, b in _runs(usable)]
            dropped = len(_runs(~usable))
            if dropped:
                splits["nan"] = splits.get("nan", 0) + dropped
            stretches = [_trim(lost, a, b) for a, b in stretches]
        for a, b in stretches:
            if b - a >= 2:
                found.append(slice(a, b))
            else:
                splits["short"] = splits.get("short", 0) + 1
    return found, splits


def evaluate(
    time_s: Float[np.ndarray, " time"],
    values: Float[np.ndarray, "channel time"],
    at_s: Float[np.ndarray, " point"],
    native_hz: float,
    rate_hz: float,
) -> Float[np.ndarray, "channel point"]:
    """Values of one continuous piece at the times `at_s` inside it, low-passed first if `rate_hz` is lower.

    A spline through the samples that are there; lost ones (NaN) are bridged.
    """
    if native_hz <= rate_hz * _SAME_RATE:
        return _spline(time_s, values, at_s)
    count = int(np.ceil((time_s[-1] - time_s[0]) * native_hz - 1e-6)) + 1
    uniform = np.linspace(time_s[0], time_s[-1], max(count, 2))
    fine_hz = (len(uniform) - 1) / float(uniform[-1] - uniform[0])
    # so fine that the cubic follows all that the filter leaves
    up = int(np.ceil(2 * rate_hz / fine_hz))
    smooth = low_pass(_spline(time_s, values, uniform), fine_hz, rate_hz / 2, up=up)
    return _spline(np.linspace(time_s[0], time_s[-1], smooth.shape[1]), smooth, at_s)


def low_pass(
    values: Float[np.ndarray, "channel time"], rate_hz: float, stop_hz: float, *, up: int = 1
) -> Float[np.ndarray, "channel fine"]:
    """Zero-phase low-pass of a uniform series: flat to 0.8 `stop_hz`, -60 dB from `stop_hz` on.

    The ends are continued by point reflection, so that a slope runs straight through them. With `up` the result has
    that many samples for every step of the input, (channel, (time - 1) * up + 1).

    >>> import numpy as np
    >>> tone = np.sin(2 * np.pi * 40 * np.arange(1000) / 200)[None]
    >>> bool(abs(low_pass(tone, 200.0, 30.0)[0, 100:-100]).max() < 0.01)
    True
    """
    if stop_hz >= rate_hz / 2:
        raise UsageError(f"a low-pass at {stop_hz:g} Hz needs a rate above {2 * stop_hz:g} Hz, got {rate_hz:g} Hz")
    if values.shape[1] < 2:
        return values
    fine_hz = rate_hz * up
    taps, beta = kaiserord(_STOP_DB, (1 - _PASS) * stop_hz / (fine_hz / 2))
    half = -(-(taps // 2) // up)  # samples of the input on each side
    taps = 2 * half * up + 1
    kernel = up * firwin(taps, (1 + _PASS) / 2 * stop_hz, window=("kaiser", beta), fs=fine_hz)
    padded = np.pad(values, ((0, 0), (half, half)), mode="reflect", reflect_type="odd")
    if up > 1:
        sparse = np.zeros((len(values), (padded.shape[1] - 1) * up + 1))
        sparse[:, ::up] = padded
        padded = sparse
    return oaconvolve(padded, kernel[None], mode="valid", axes=1)


def _spline(
    time_s: Float[np.ndarray, " time"], values: Float[np.ndarray, "channel time"], at_s: Float[np.ndarray, " point"]
) -> Float[np.ndarray, "channel point"]:
    whole = ~np.isnan(values).any(axis=1)
    position = (at_s - time_s[0]) * ((len(time_s) - 1) / (time_s[-1] - time_s[0]))
    nearest = np.rint(position).astype(np.intp)
    if whole.all() and (np.abs(position - nearest) < _ON_GRID).all() and _is_uniform(time_s):
        return values[:, nearest]
    result = np.empty((len(values), len(at_s)))
    origin = time_s[0]  # large clock readings would cost digits in the spline's coefficients
    if whole.any():
        result[whole] = CubicSpline(time_s - origin, values[whole], axis=1)(at_s - origin)
    for i in np.flatnonzero(~whole):
        there = ~np.isnan(values[i])
        result[i] = CubicSpline(time_s[there] - origin, values[i, there])(at_s - origin)
    return result


def _is_uniform(time_s: Float[np.ndarray, " time"]) -> bool:
    even = np.linspace(time_s[0], time_s[-1], len(time_s))
    return bool((np.abs(time_s - even) < _ON_GRID * (even[1] - even[0])).all())


def _long_runs(
    time_s: Float[np.ndarray, " time"], lost: Bool[np.ndarray, "channel time"], longest_s: float
) -> Bool[np.ndarray, " time"]:
    """(time,) True where some channel is lost for longer than `longest_s` between two good samples."""
    bad = np.zeros(len(time_s), bool)
    for row in lost[lost.any(axis=1)]:
        for a, b in _runs(row):
            inside = a > 0 and b < len(time_s)
            # at an end there is nothing to interpolate between: trimming decides there
            if not inside or time_s[b] - time_s[a - 1] > longest_s * (1 + 1e-9):
                bad[a:b] = True
    return bad


def _trim(lost: Bool[np.ndarray, "channel time"], start: int, stop: int) -> tuple[int, int]:
    """The stretch without its ends where some channel is lost."""
    whole = np.flatnonzero(~lost[:, start:stop].any(axis=0))
    return (start + int(whole[0]), start + int(whole[-1]) + 1) if len(whole) else (start, start)


def _runs(flags: Bool[np.ndarray, " time"]) -> list[tuple[int, int]]:
    """(first, behind last) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
