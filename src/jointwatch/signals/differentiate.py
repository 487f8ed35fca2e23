"""Savitzky-Golay differentiation on any clock: a local cubic through every sample's neighbours."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from jointwatch.core.errors import UsageError
from jointwatch.signals.numerics import savgol_filter

__all__ = ["differentiate"]

_UNIFORM = 1e-3  # steps that differ by less than this share count as a uniform clock
_BLOCK = 65536


def differentiate(
    values: Float[np.ndarray, "channel time"],
    time_s: Float[np.ndarray, " time"],
    *,
    window: int = 7,
    order: int = 1,
) -> Float[np.ndarray, "channel time"]:
    """Derivative by time, in units of the values a second (a second to the power `order`).

    A cubic is fitted by least squares to the `window` samples around each sample; at the ends, to the first or last
    `window` samples: one-sided, with larger noise, but without padding or delay. Exact for polynomials up to the
    third degree, on irregular clocks, too. Where the series is shorter than the window, all of it is one window, with
    a lower degree if need be; a single sample has no derivative and gives NaN. A lost sample (NaN) loses those
    around it.

    Parameters
    ----------
    values : any spacing of samples, without breaks: call it for each continuous stretch.
    window : samples in a fit, odd, at least 5. Noise goes down with its power of 3/2, so does bandwidth.
    order : 1, 2 or 3.

    Errors: `UsageError` for other windows or orders, or lengths that differ.

    Source: A. Savitzky and M. J. E. Golay, Analytical Chemistry 36(8), 1964.

    >>> import numpy as np
    >>> time_s = np.cumsum(np.random.default_rng(0).uniform(0.005, 0.015, 50))
    >>> bool(np.allclose(differentiate(time_s[None] ** 3, time_s), 3 * time_s**2))
    True
    """
    if window < 5 or window % 2 == 0:
        raise UsageError(f"window must be odd and at least 5, got {window}")
    if order not in (1, 2, 3):
        raise UsageError(f"order of the derivative is 1, 2 or 3, got {order}")
    length = len(time_s)
    if values.shape[1] != length:
        raise UsageError(f"values {values.shape} and time_s ({length},) differ in length")
    width = min(window, length)
    degree = min(3, width - 1)
    if degree < order or len(values) == 0:
        return np.full(values.shape, np.nan)
    steps = np.diff(time_s)
    step = (time_s[-1] - time_s[0]) / (length - 1)
    if width == window and (np.abs(steps - step) <= _UNIFORM * step).all() and not np.isnan(values).any():
        return savgol_filter(values, window, degree, deriv=order, delta=step, axis=1, mode="interp")
    return _irregular(values, time_s, width, degree, order)


def _irregular(
    values: Float[np.ndarray, "channel time"],
    time_s: Float[np.ndarray, " time"],
    width: int,
    degree: int,
    order: int,
) -> Float[np.ndarray, "channel time"]:
    length = len(time_s)
    first = np.clip(np.arange(length) - width // 2, 0, length - width)
    result = np.empty(values.shape)
    for start in range(0, length, _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, length))
        near = first[rows, None] + np.arange(width)
        span = time_s[near[:, -1]] - time_s[near[:, 0]]
        local = (time_s[near] - time_s[rows, None]) / span[:, None]
        basis = local[..., None] ** np.arange(degree + 1)
        # weights of the samples in the wanted coefficient: one row of the pseudo-inverse
        weights = np.linalg.pinv(basis)[:, order] * (np.prod(np.arange(1, order + 1)) / span**order)[:, None]
        result[:, rows] = np.einsum("rw,crw->cr", weights, values[:, near])
    return result
