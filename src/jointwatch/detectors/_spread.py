"""Standard deviations that can be divided by."""

from __future__ import annotations

import numpy as np

from jointwatch.core import Windows

__all__ = ["channel_moments", "usable_scale"]

_ROUNDING = 1e-6  # windows are float32: spread below this share of the mean is rounding, not signal


def usable_scale(std: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scale to divide by, and where there is no spread; there the scale is 1, so that a change counts in its own unit.

    >>> import numpy as np
    >>> usable_scale(np.array([2.0, 0.0]), np.array([1.0, 40.0]))
    (array([2., 1.]), array([False,  True]))
    """
    constant = std <= _ROUNDING * np.abs(mean)
    return np.where(constant, 1.0, std), constant


def channel_moments(windows: Windows) -> tuple[np.ndarray, np.ndarray]:
    """(channel,) mean and standard deviation over the windows that have the channel; 0 and 1 where it never changes."""
    there = windows.presence[:, :, None]
    count = np.maximum(there.sum(axis=(0, 2)) * windows.shape[2], 1)
    mean = np.sum(windows.values, axis=(0, 2), where=there, dtype=np.float64) / count
    std = np.sqrt(np.sum(np.square(windows.values - mean[:, None]), axis=(0, 2), where=there) / count)
    return mean, usable_scale(std, np.maximum(np.abs(mean), _ROUNDING))[0]
