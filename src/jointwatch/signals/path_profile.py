"""What a joint's signal does along the path of a cycle, so that two cycles are compared at the same place."""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Float

from jointwatch.signals.numerics import gaussian_filter1d

__all__ = ["FIT", "ROUGH", "along_path", "by_bin", "fitted", "path_bins", "rough_figures", "roughness", "speed_of"]

FIT: Final = ("offset", "coulomb", "viscous", "inertia", "sine", "cosine")
"""Names of what `fitted` gives."""
_BANDS = ((16, 40), (40, 64), (64, 128), (128, 256), (256, 480))  # waves a cycle
ROUGH: Final = (*(f"band {a}-{b}" for a, b in _BANDS), *(f"peak {a}-{b}" for a, b in _BANDS), "quick")
"""Names of what `rough_figures` gives; bands in waves a cycle."""
_SMOOTH = 2.0  # samples over which a speed is smoothed
_STOP = 0.1  # of the mean speed: how fast the path goes on while the arm stops, so that stops keep a place in it
_LOW_SPEED = 0.05  # share of the top speed over which Coulomb friction turns round
_RIDGE = 1e-3  # of the fit, as share of its samples
_FLOOR = 1e-9  # of a logarithm, as share of the signal's own mean square


def speed_of(position: Float[np.ndarray, "window joint time"]) -> Float[np.ndarray, "window joint time"]:
    """Speed of each joint in its unit a sample, smoothed over a few samples."""
    speed: np.ndarray = gaussian_filter1d(np.gradient(position, axis=2), _SMOOTH, axis=2)
    return speed


def path_bins(speed: Float[np.ndarray, "window joint time"], bins: int) -> np.ndarray:
    """(window, time) which of `bins` equal parts of its cycle's path each sample lies in.

    The path is what all joints together have travelled (root of the sum of squares). Where the arm stops it goes on
    slowly, so that a stop is a part of it, and a longer stop hardly moves what follows.

    >>> phase = np.linspace(0, 1, 8)
    >>> path_bins(np.ones((1, 2, 8)), 4)[0].tolist()
    [0, 0, 1, 1, 2, 2, 3, 3]
    """
    norm = np.sqrt((speed**2).sum(axis=1))
    step = np.sqrt(norm**2 + (_STOP * norm.mean(axis=1, keepdims=True)) ** 2) + 1e-12
    way = np.cumsum(step, axis=1) - step / 2
    share = way / (way[:, -1:] + step[:, -1:] / 2)
    found: np.ndarray = np.minimum((share * bins).astype(np.int64), bins - 1)
    return found


def by_bin(signal: Float[np.ndarray, "window time"], bin_of: np.ndarray, bins: int) -> Float[np.ndarray, "window bin"]:
    """Mean of the samples in each part of the path; parts without a sample are interpolated."""
    rows = len(signal)
    place = (bin_of + bins * np.arange(rows)[:, None]).ravel()
    count = np.bincount(place, minlength=rows * bins).reshape(rows, bins)
    mean = np.bincount(place, weights=signal.ravel(), minlength=rows * bins).reshape(rows, bins) / np.maximum(count, 1)
    for row in np.flatnonzero((count == 0).any(axis=1)):
        known = np.flatnonzero(count[row])
        mean[row] = np.interp(np.arange(bins), known, mean[row, known])
    return mean


def along_path(
    signals: Float[np.ndarray, "window joint time"], position: Float[np.ndarray, "window joint time"], bins: int
) -> Float[np.ndarray, "window joint bin"]:
    """The signal of every joint at equal steps of the arm's path instead of equal steps of time.

    A cycle that waits a little longer, or runs a little faster, has the same profile; what is left between two cycles
    is what the drive had to do differently at the same place.

    >>> time = np.linspace(0, 1, 400)
    >>> position = np.stack([time**2, time**3])[None] * 10  # speeds up: a stop at the beginning
    >>> bool(np.allclose(np.diff(along_path(position, position, 5)[0, 0]), 2.0, atol=0.7))
    True
    """
    bin_of = path_bins(speed_of(position), bins)
    return np.stack([by_bin(signals[:, joint], bin_of, bins) for joint in range(signals.shape[1])], axis=1)


def fitted(
    signal: Float[np.ndarray, "window time"],
    position: Float[np.ndarray, "window time"],
    speed: Float[np.ndarray, "window time"],
) -> Float[np.ndarray, "window figure"]:
    """Least squares of a signal on offset, Coulomb and viscous friction, inertia, sine and cosine of the angle, in the
    order of `FIT`; each is what it brings at the largest speed or acceleration. A joint that stands still gives its
    mean and zeros.

    >>> phase = np.linspace(0, 2 * np.pi, 500)[None]
    >>> found = fitted(3 * np.sign(np.cos(phase)), np.sin(phase), np.cos(phase))
    >>> np.abs(found[0, 1:3]).round().tolist()
    [3.0, 0.0]
    """
    top = np.abs(speed).max(axis=1, keepdims=True)
    share = speed / np.where(top > 0, top, 1.0)
    acceleration = np.gradient(share, axis=1)
    acceleration /= np.maximum(np.abs(acceleration).max(axis=1, keepdims=True), 1e-12)
    angle = position - position.mean(axis=1, keepdims=True)
    terms = [np.ones_like(share), np.tanh(share / _LOW_SPEED), share, acceleration, np.sin(angle), np.cos(angle) - 1]
    model = np.stack(terms, axis=2)
    square = np.einsum("wti,wtj->wij", model, model) + _RIDGE * share.shape[1] * np.eye(len(terms))
    right = np.einsum("wti,wt->wi", model, signal)
    found: np.ndarray = np.linalg.solve(square, right[..., None])[..., 0]
    return found


def _parts(signal: np.ndarray) -> list[np.ndarray]:
    """The signal in each band of `_BANDS`, by its Fourier coefficients."""
    time = signal.shape[1]
    spectrum = np.fft.rfft(signal - np.linspace(signal[:, 0], signal[:, -1], time, axis=1), axis=1)
    waves = np.arange(spectrum.shape[1])
    return [np.fft.irfft(np.where((waves >= a) & (waves < b), spectrum, 0), time, axis=1) for a, b in _BANDS]


def rough_figures(
    signal: Float[np.ndarray, "window time"], speed: Float[np.ndarray, "window time"]
) -> Float[np.ndarray, "window figure"]:
    """Logarithms, in the order of `ROUGH`: mean square of each band while the joint moves, largest size of each band in
    the cycle, mean square of the second difference."""
    moving = np.abs(speed) >= 0.1 * np.abs(speed).max(axis=1, keepdims=True)
    parts = _parts(signal)
    floor = _FLOOR * np.maximum(signal.var(axis=1), 1e-20)
    power = [np.log((part**2 * moving).sum(axis=1) / moving.sum(axis=1) + floor) for part in parts]
    peaks = [np.log(np.abs(part).max(axis=1) + np.sqrt(floor)) for part in parts]
    quick = np.log(np.mean(np.diff(signal, 2, axis=1) ** 2, axis=1) + floor)
    return np.stack([*power, *peaks, quick], axis=1)


def roughness(
    signal: Float[np.ndarray, "window time"], bin_of: np.ndarray, bins: int
) -> Float[np.ndarray, "window bin"]:
    """Logarithm of the mean square of all that is quicker than the movement, in each part of the path."""
    floor = _FLOOR * np.maximum(signal.var(axis=1), 1e-20)
    quick = np.sum(_parts(signal), axis=0)
    found: np.ndarray = np.log(by_bin(quick**2, bin_of, bins) + floor[:, None])
    return found
