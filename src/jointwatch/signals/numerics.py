"""The numerical routines that scoring needs: SciPy's own where it is installed, else numpy ways of the same."""

from __future__ import annotations

import numpy as np

try:
    from scipy.fft import irfft, next_fast_len, rfft
    from scipy.interpolate import CubicSpline
    from scipy.ndimage import gaussian_filter1d, uniform_filter1d
    from scipy.signal import find_peaks, firwin, kaiserord, lfilter, oaconvolve, savgol_filter
    from scipy.spatial.distance import cdist

    def one_pole(values: np.ndarray, share: float) -> np.ndarray:
        """Exponential smoothing (time,) that starts at the first value: each is moved by `share` towards the next."""
        level, _ = lfilter([share], [1, share - 1], values, zi=[values[0] * (1 - share)])
        return np.asarray(level)

except ModuleNotFoundError:
    from jointwatch.signals._without_scipy import (
        CubicSpline,
        cdist,
        find_peaks,
        firwin,
        gaussian_filter1d,
        irfft,
        kaiserord,
        next_fast_len,
        oaconvolve,
        one_pole,
        rfft,
        savgol_filter,
        uniform_filter1d,
    )

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
