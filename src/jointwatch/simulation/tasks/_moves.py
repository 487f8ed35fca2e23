"""Point-to-point moves from rest to rest: all joints start and stop together, acceleration and jerk are continuous."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jointwatch.simulation.motion import MOTION_RATE_HZ, Mark

__all__ = ["along", "contiguous_marks", "fastest", "scatter", "to_samples"]

_NOTHING = 1e-12


def fastest(
    delta_rad: np.ndarray,
    speed_rad_s: np.ndarray,
    acceleration_rad_s2: np.ndarray,
    rate_1_s: np.ndarray | float = np.inf,
) -> tuple[np.ndarray, np.ndarray]:
    """Shortest moves under these limits.

    The speed rises as w - sin(2 pi w) / (2 pi) over the ramp, so the acceleration peaks at twice its mean.

    Parameters
    ----------
    delta_rad : (move, joint) distances.
    speed_rad_s, acceleration_rad_s2 : (joint,) highest values.
    rate_1_s : (move,) highest share of the way per second.

    Returns
    -------
    duration_s, ramp (move,): ramp is the share of the duration that speeding up takes, 0.5 where there is no cruise.
    """
    distance = np.abs(delta_rad)
    cruise = np.minimum(1.0 / np.maximum((distance / speed_rad_s).max(axis=1), _NOTHING), rate_1_s)
    acceleration = 1.0 / np.maximum((distance / acceleration_rad_s2).max(axis=1), _NOTHING)
    cruise = np.minimum(cruise, np.sqrt(acceleration / 2.0))
    ramp_s = 2.0 * cruise / acceleration
    duration_s = 1.0 / cruise + ramp_s
    return duration_s, ramp_s / duration_s


def to_samples(duration_s: np.ndarray) -> np.ndarray:
    """Number of samples that last at least that long, at least 2."""
    return np.maximum(np.ceil(np.asarray(duration_s) * MOTION_RATE_HZ - 1e-6), 2).astype(np.int64)


def along(points_rad: np.ndarray, samples: np.ndarray, ramp: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Position, velocity and acceleration (time, joint) through points (move + 1, joint), at rest in each.

    Move k takes `samples[k]` samples; its end is the first sample of the next. Equal points make a dwell.

    >>> position, velocity, acceleration = along(np.array([[0.0], [1.0]]), np.array([400]), np.array([0.25]))
    >>> float(velocity.max().round(6)), float(acceleration.max().round(6))
    (1.666667, 16.666667)
    """
    samples = np.asarray(samples, np.int64)
    move = np.repeat(np.arange(len(samples)), samples)
    first = np.cumsum(samples) - samples
    share = (np.arange(len(move)) - first[move]) / samples[move]
    width = np.asarray(ramp, np.float64)[move]
    cruise = 1.0 / (1.0 - width)
    inner = np.minimum(share, 1.0 - share)
    w = np.minimum(inner / width, 1.0)
    sine, cosine = np.sin(2 * np.pi * w), np.cos(2 * np.pi * w)
    covered = cruise * (width * (w * w / 2 + (cosine - 1.0) / (4 * np.pi**2)) + np.maximum(inner - width, 0.0))
    first_half = share <= 0.5
    s = np.where(first_half, covered, 1.0 - covered)
    per_s = MOTION_RATE_HZ / samples[move]
    ds = cruise * (w - sine / (2 * np.pi)) * per_s
    dds = np.where(first_half, 1.0, -1.0) * cruise / width * (1.0 - cosine) * per_s**2
    delta = np.diff(points_rad, axis=0)[move]
    return points_rad[:-1][move] + delta * s[:, None], delta * ds[:, None], delta * dds[:, None]


def contiguous_marks(samples: np.ndarray, names: Sequence[str] = ()) -> tuple[Mark, ...]:
    """Cycles of so many samples, one behind the other."""
    edges = np.concatenate([[0], np.cumsum(samples)]) / MOTION_RATE_HZ
    names = names or [""] * len(samples)
    spans = zip(edges[:-1].tolist(), edges[1:].tolist(), names, strict=True)
    return tuple(Mark(start, stop, name) for start, stop, name in spans)


def scatter(rng: np.random.Generator, deviation: float, shape: int | tuple[int, ...]) -> np.ndarray:
    """Normal draws, cut off at three standard deviations so that no draw breaks a limit."""
    return deviation * np.clip(rng.standard_normal(shape), -3.0, 3.0)
