"""Numpy ways of the few SciPy functions that scoring needs, for installations without SciPy.

Each agrees with SciPy's function of the same name, for the arguments that are used here, up to rounding.
"""

from __future__ import annotations

from itertools import accumulate

import numpy as np
from jaxtyping import Float, Int
from numpy.lib.stride_tricks import sliding_window_view

__all__ = [
    "CubicSpline",
    "cdist",
    "find_peaks",
    "firwin",
    "gaussian_filter1d",
    "irfft",
    "kaiserord",
    "next_fast_len",
    "oaconvolve",
    "one_pole",
    "rfft",
    "savgol_filter",
    "uniform_filter1d",
]

irfft, rfft = np.fft.irfft, np.fft.rfft


class CubicSpline:
    """Interpolating cubic spline whose first two and last two pieces are one polynomial each ("not a knot").

    The slopes at the samples are the solution of a tridiagonal system, found by cyclic reduction.
    Source: C. de Boor, A Practical Guide to Splines, 1978; R. W. Hockney, J. ACM 12, 1965.

    >>> at = np.array([0.5, 2.5])
    >>> CubicSpline(np.arange(5.0), np.arange(5.0) ** 3)(at).round(9).tolist()
    [0.125, 15.625]
    """

    def __init__(self, x: Float[np.ndarray, " time"], y: np.ndarray, axis: int = 0) -> None:
        values = np.moveaxis(np.asarray(y, np.float64), axis, -1)
        step = np.diff(x)
        chord = np.diff(values, axis=-1) / step
        slope = _slopes(step, chord)
        bend = (slope[..., :-1] + slope[..., 1:] - 2 * chord) / step
        self._x, self._axis = np.asarray(x), axis
        self._coefficients = (bend / step, (chord - slope[..., :-1]) / step - bend, slope[..., :-1], values[..., :-1])

    def __call__(self, at: Float[np.ndarray, " point"]) -> np.ndarray:
        """Values at the points; beyond the ends the outer pieces go on."""
        piece = np.clip(np.searchsorted(self._x, at, side="right") - 1, 0, len(self._x) - 2)
        along = at - self._x[piece]
        cubic, square, linear, constant = (part[..., piece] for part in self._coefficients)
        return np.moveaxis(((cubic * along + square) * along + linear) * along + constant, -1, self._axis)


def _slopes(step: np.ndarray, chord: np.ndarray) -> np.ndarray:
    """(..., time) derivatives at the samples."""
    if len(step) == 1:  # a line
        return np.concatenate([chord, chord], axis=-1)
    if len(step) == 2:  # a parabola
        middle = (chord[..., 1] * step[0] + chord[..., 0] * step[1]) / step.sum()
        return np.stack([2 * chord[..., 0] - middle, middle, 2 * chord[..., 1] - middle], axis=-1)
    # rows 1 .. time - 2; the end slopes are put in from the conditions there
    both = step[:-1] + step[1:]
    lower, diagonal, upper = step[1:].copy(), 2 * both, step[:-1].copy()
    right = 3 * (step[1:] * chord[..., :-1] + step[:-1] * chord[..., 1:])
    first = ((step[0] + 2 * both[0]) * step[1] * chord[..., 0] + step[0] ** 2 * chord[..., 1]) / both[0]
    last = (step[-1] ** 2 * chord[..., -2] + (2 * both[-1] + step[-1]) * step[-2] * chord[..., -1]) / both[-1]
    right[..., 0] -= first
    diagonal[0] -= both[0]
    right[..., -1] -= last
    diagonal[-1] -= both[-1]
    lower[0] = upper[-1] = 0.0
    inner = _tridiagonal(lower, diagonal, upper, right)
    start = (first - both[0] * inner[..., 0]) / step[1]
    stop = (last - both[-1] * inner[..., -1]) / step[-2]
    return np.concatenate([start[..., None], inner, stop[..., None]], axis=-1)


def _tridiagonal(lower: np.ndarray, diagonal: np.ndarray, upper: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(..., row) solution of lower[i] x[i-1] + diagonal[i] x[i] + upper[i] x[i+1] = right[..., i], diagonally dominant.

    Every second unknown is put into its neighbours' rows, which leaves a system of half the size.
    """
    count = len(diagonal)
    if count == 1:
        return right / diagonal
    odd = np.arange(1, count, 2)
    after = odd[odd + 1 < count] + 1
    left = lower[odd] / diagonal[odd - 1]
    half_lower, half_upper = -left * lower[odd - 1], np.zeros(len(odd))
    half_diagonal = diagonal[odd] - left * upper[odd - 1]
    half_right = right[..., odd] - left * right[..., odd - 1]
    inside = slice(0, len(after))
    onward = upper[odd[inside]] / diagonal[after]
    half_diagonal[inside] -= onward * lower[after]
    half_upper[inside] = -onward * upper[after]
    half_right[..., inside] -= onward * right[..., after]
    solution = np.empty_like(right)
    solution[..., odd] = _tridiagonal(half_lower, half_diagonal, half_upper, half_right)
    even = np.arange(0, count, 2)
    rest = right[..., even]
    rest[..., 1:] -= lower[even[1:]] * solution[..., even[1:] - 1]
    before_end = even + 1 < count
    rest[..., before_end] -= upper[even[before_end]] * solution[..., even[before_end] + 1]
    solution[..., even] = rest / diagonal[even]
    return solution


def kaiserord(ripple: float, width: float) -> tuple[int, float]:
    """(taps, beta) of a Kaiser window: attenuation in dB, transition width as share of the Nyquist frequency."""
    if ripple > 50:
        beta = 0.1102 * (ripple - 8.7)
    else:
        beta = 0.5842 * (ripple - 21) ** 0.4 + 0.07886 * (ripple - 21) if ripple > 21 else 0.0
    return int(np.ceil((ripple - 7.95) / 2.285 / (np.pi * width) + 1)), beta


def firwin(numtaps: int, cutoff: float, *, window: tuple[str, float], fs: float) -> Float[np.ndarray, " tap"]:
    """Low-pass by a Kaiser window ("kaiser", beta), gain 1 at frequency 0."""
    share = cutoff / (fs / 2)
    place = np.arange(numtaps) - 0.5 * (numtaps - 1)
    kernel = share * np.sinc(share * place) * np.kaiser(numtaps, window[1])
    return kernel / kernel.sum()


def oaconvolve(
    in1: Float[np.ndarray, "channel time"], in2: Float[np.ndarray, "kernels tap"], *, mode: str, axes: int
) -> Float[np.ndarray, "channel valid"]:
    """Convolution along `axes` where both overlap fully (mode "valid"), by overlapping pieces."""
    taps, length = in2.shape[axes], in1.shape[axes]
    size = next_fast_len(min(length + taps - 1, max(8 * taps, 1024)))
    new = size - taps + 1  # results of a piece
    transformed = rfft(in2, size, axis=axes)
    parts = []
    for start in range(0, length - taps + 1, new):
        piece = in1[:, start : start + size]
        found = irfft(rfft(piece, size, axis=axes) * transformed, size, axis=axes)
        parts.append(found[:, taps - 1 : min(size, length - start)])
    return np.concatenate(parts, axis=axes)


def next_fast_len(target: int, real: bool = True) -> int:
    """The next number without prime factors beyond 5, for which the Fourier transform is fast."""
    best = 1 << (target - 1).bit_length()
    five = 1
    while five < best:
        three = five
        while three < best:
            best = min(best, three << max(0, (-(-target // three) - 1).bit_length()))
            three *= 3
        five *= 5
    return best


def savgol_filter(
    x: Float[np.ndarray, "channel time"],
    window_length: int,
    polyorder: int,
    *,
    deriv: int,
    delta: float,
    axis: int = 1,
    mode: str = "interp",
) -> Float[np.ndarray, "channel time"]:
    """Derivative of a local polynomial; at the ends, of that through the first or last window."""
    half = window_length // 2
    place = np.arange(-half, half + 1.0)
    powers = np.arange(polyorder + 1)
    fit = np.linalg.pinv(place[:, None] ** powers)  # (power, sample)
    factor = np.array([np.prod(np.arange(p - deriv + 1, p + 1)) if p >= deriv else 0 for p in powers])
    rows = (factor * place[:, None] ** np.maximum(powers - deriv, 0)) @ fit / delta**deriv  # (at, sample)
    result = np.empty(x.shape)
    result[:, half : x.shape[1] - half] = sliding_window_view(x, window_length, axis=1) @ rows[half]
    result[:, :half] = x[:, :window_length] @ rows[:half].T
    result[:, x.shape[1] - half :] = x[:, -window_length:] @ rows[half + 1 :].T
    return result


def uniform_filter1d(values: Float[np.ndarray, " time"], size: int) -> Float[np.ndarray, " time"]:
    """Running mean of so many samples; beyond the ends the series is mirrored.

    It is summed in SciPy's order: what follows may ask for the sign of a difference that is only rounding.
    """
    padded = np.pad(np.asarray(values, np.float64), (size // 2, size - size // 2 - 1), mode="symmetric")
    start = np.cumsum(padded[:size])[-1:]
    return np.cumsum(np.concatenate([start, padded[size:] - padded[:-size]])) / size


def gaussian_filter1d(values: np.ndarray, sigma: float, axis: int = -1) -> np.ndarray:
    """Gaussian smoothing, cut at four `sigma` samples; beyond the ends the series is mirrored."""
    reach = int(4 * sigma + 0.5)
    weight = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weight /= weight.sum()
    last = np.moveaxis(np.asarray(values, np.float64), axis, -1)
    padded = np.pad(last, [(0, 0)] * (last.ndim - 1) + [(reach, reach)], mode="symmetric")
    count = last.shape[-1]
    result = weight[reach] * last
    for shift in range(1, reach + 1):  # the window is symmetric
        both = padded[..., reach - shift : reach - shift + count] + padded[..., reach + shift : reach + shift + count]
        result += weight[reach + shift] * both
    return np.moveaxis(result, -1, axis)


def find_peaks(
    x: Float[np.ndarray, " time"], height: float | None = None, distance: float | int | None = None
) -> tuple[Int[np.ndarray, " peak"], dict[str, np.ndarray]]:
    """Places of local maxima (middles of flat ones), at least so high, the highest of those closer than `distance`."""
    change = np.flatnonzero(np.diff(x))  # last samples of flat stretches
    first, last = np.concatenate([[0], change + 1]), np.concatenate([change, [len(x) - 1]])
    level = x[first]
    top = np.flatnonzero((level[1:-1] > level[:-2]) & (level[1:-1] > level[2:])) + 1
    peaks = (first[top] + last[top]) // 2
    if height is not None:
        peaks = peaks[x[peaks] >= height]
    if distance is not None:
        keep = np.ones(len(peaks), bool)
        for highest in np.argsort(x[peaks])[::-1]:
            if keep[highest]:
                near = np.abs(peaks - peaks[highest]) < np.ceil(distance)
                near[highest] = False
                keep[near] = False
        peaks = peaks[keep]
    return peaks, {}


def cdist(
    XA: Float[np.ndarray, "row feature"], XB: Float[np.ndarray, "other feature"], metric: str = "euclidean"
) -> Float[np.ndarray, "row other"]:
    """Distances between rows, or their squares ("sqeuclidean"), from the differences themselves."""
    square = np.empty((len(XA), len(XB)))
    for row, place in enumerate(XA):
        square[row] = np.square(XB - place).sum(axis=1)
    return square if metric == "sqeuclidean" else np.sqrt(square)


def one_pole(values: Float[np.ndarray, " time"], share: float) -> Float[np.ndarray, " time"]:
    """Exponential smoothing that starts at the first value: each result is the last one moved by `share` towards it."""
    return np.fromiter(accumulate(values.tolist(), lambda level, new: share * new + (1 - share) * level), np.float64)
