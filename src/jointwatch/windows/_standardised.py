"""Windows as a network is given them."""

from __future__ import annotations

import numpy as np

from jointwatch.core import Windows

__all__ = ["standardised"]


def standardised(windows: Windows, mean: np.ndarray, scale: np.ndarray, clip_sigma: float) -> np.ndarray:
    """(window, channel, time) float32: each channel by its mean and scale (channel,), clipped. Network and graph are
    given the same values to the last bit."""
    values = (windows.values - mean[:, None]) / scale[:, None]
    return np.clip(values, -clip_sigma, clip_sigma).astype(np.float32)
