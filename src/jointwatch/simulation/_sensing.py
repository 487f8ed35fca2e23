"""Pure functions of a sensor's chain: low-pass, sampling, hysteresis and noise on (joint, time) arrays."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

__all__ = ["coloured_noise", "low_pass", "play", "sample"]


def low_pass(x: np.ndarray, corner_hz: np.ndarray, rate_hz: float) -> np.ndarray:
    """First-order low-pass of each joint, settled on the first sample; exact for a signal that is straight between
    its samples (ramp-invariant).

    Parameters
    ----------
    x : (joint, time) at `rate_hz`.
    corner_hz : (joint,) where the gain is -3 dB; 0 = no filter.
    """
    if not corner_hz.any():
        return x
    out = x.copy()
    for corner in np.unique(corner_hz[corner_hz > 0]):
        joints = np.flatnonzero(corner_hz == corner)
        angle = 2 * np.pi * corner / rate_hz
        pole = np.exp(-angle)
        now, before = 1 - (1 - pole) / angle, (1 - pole) / angle - pole
        settled = (1 - now) * x[joints, :1]
        out[joints] = lfilter([now, before], [1.0, -pole], x[joints], axis=1, zi=settled)[0]
    return out


def sample(x: np.ndarray, rate_hz: float, time_s: np.ndarray, latency_s: np.ndarray) -> np.ndarray:
    """(joint, len(time_s)) values of x (joint, time; from 0 s at `rate_hz`) at `time_s - latency_s` (joint,), straight
    between its samples and held at the ends."""
    out = np.empty((len(x), len(time_s)))
    for latency in np.unique(latency_s):
        joints = np.flatnonzero(latency_s == latency)
        at = np.clip((time_s - latency) * rate_hz, 0.0, x.shape[1] - 1.0)
        left = np.minimum(at.astype(np.int64), x.shape[1] - 2)
        share = at - left
        for joint in joints:
            low = x[joint].take(left)
            out[joint] = low + share * (x[joint].take(left + 1) - low)
    return out


def play(x: np.ndarray, half_width: np.ndarray) -> np.ndarray:
    """Play operator: the output follows x (joint, time) only once it leads by `half_width` (joint,).

    One step clamps the output to x +- half_width, and a clamp after a clamp is a clamp: all steps together are a
    prefix scan, log2(time) passes without a loop over samples.
    """
    out = x.copy()
    for joint in np.flatnonzero(half_width > 0):
        low, high = x[joint] - half_width[joint], x[joint] + half_width[joint]
        reach = 1
        while reach < len(low):
            earlier_low, earlier_high = low[:-reach].copy(), high[:-reach].copy()
            floor, ceiling = low[reach:].copy(), high[reach:].copy()
            np.clip(earlier_low, floor, ceiling, out=low[reach:])
            np.clip(earlier_high, floor, ceiling, out=high[reach:])
            reach *= 2
        out[joint] = np.clip(x[joint, 0], low, high)
    return out


def coloured_noise(
    rng: np.random.Generator, deviation: np.ndarray, corner_hz: np.ndarray, rate_hz: float, count: int
) -> np.ndarray:
    """(joint, count) noise at `rate_hz` of standard deviation `deviation` (joint,): white noise behind a first-order
    low-pass of `corner_hz` (joint,), which is an autoregression of order one; white where the corner is 0."""
    pole = np.where(corner_hz > 0, np.exp(-2 * np.pi * corner_hz / rate_hz), 0.0)
    pole[pole < 0.01] = 0.0  # the corner is far above the rate
    noise = rng.standard_normal((len(deviation), count))
    for memory in np.unique(pole[pole > 0]):
        joints = np.flatnonzero(pole == memory)
        drive = noise[joints]
        drive[:, 1:] *= np.sqrt(1 - memory**2)
        noise[joints] = lfilter([1.0], [1.0, -memory], drive, axis=1)
    noise *= deviation[:, None]
    return noise
