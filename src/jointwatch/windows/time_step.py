"""Seconds from sample to sample, of windows that share a rate and of cycles that were stretched to one length."""

from __future__ import annotations

import numpy as np

from jointwatch.core import Windows
from jointwatch.core.errors import UsageError

__all__ = ["time_step_s"]


def time_step_s(windows: Windows) -> np.ndarray:
    """(window,) time step in seconds: of the common rate, or of each window's own duration where the rate is NaN.

    Errors: `UsageError` naming the first window without a usable duration.

    >>> from jointwatch.core import Channel, Index, Quantity
    >>> a, t = np.array(["a", "b"]), np.zeros(2)
    >>> index = Index(a, a, a, a, t, np.array([4.0, 5.0]), t, t, np.array(["normal", "normal"]), a, t, t)
    >>> cycles = Windows(np.ones((2, 1, 100)), (Channel(Quantity.CURRENT, 1),), index, float("nan"))
    >>> time_step_s(cycles).tolist()
    [0.04, 0.05]
    """
    if np.isfinite(windows.rate_hz):
        return np.full(len(windows), 1.0 / windows.rate_hz)
    step = (windows.index.stop_s - windows.index.start_s) / windows.shape[2]
    bad = np.flatnonzero(~(np.isfinite(step) & (step > 0)))
    if len(bad):
        raise UsageError(
            f"window {bad[0]} of cycle {windows.index.cycle[bad[0]]} starts at {windows.index.start_s[bad[0]]} s and "
            f"stops at {windows.index.stop_s[bad[0]]} s: without a duration it has no sampling rate"
        )
    return step
