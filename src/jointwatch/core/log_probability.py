"""Sums of exponentials that neither overflow nor lose small shares, along one axis, with numpy alone."""

from __future__ import annotations

import numpy as np

__all__ = ["log_softmax", "logsumexp", "softmax"]


def logsumexp(values: np.ndarray, axis: int, *, keepdims: bool = False) -> np.ndarray:
    """Logarithm of the sum of exponentials along an axis; minus infinity is a share of nothing.

    >>> logsumexp(np.array([[1000.0, 1000.0], [0.0, -np.inf]]), axis=1).round(6).tolist()
    [1000.693147, 0.0]
    """
    values = np.asarray(values, np.float64)
    top = values.max(axis=axis, keepdims=True)
    highest = values == top
    count = highest.sum(axis=axis, keepdims=True, dtype=np.float64)
    # the highest apart from the others: beside them their sum would lose digits
    level = np.where(np.isfinite(top), top, 0.0)
    rest = np.exp(np.where(highest, -np.inf, values) - level).sum(axis=axis, keepdims=True)
    found = np.log1p(rest / count) + np.log(count) + top
    return found if keepdims else np.squeeze(found, axis=axis)


def log_softmax(values: np.ndarray, axis: int) -> np.ndarray:
    """Logarithms of `softmax`.

    >>> np.exp(log_softmax(np.array([-800.0, -800.0]), axis=0)).tolist()
    [0.5, 0.5]
    """
    values = np.asarray(values, np.float64)
    top = values.max(axis=axis, keepdims=True)
    below = values - np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):  # nothing but shares of nothing
        return below - np.log(np.exp(below).sum(axis=axis, keepdims=True))


def softmax(values: np.ndarray, axis: int) -> np.ndarray:
    """Exponentials along an axis, divided by their sum.

    >>> softmax(np.array([800.0, 800.0]), axis=0).tolist()
    [0.5, 0.5]
    """
    values = np.asarray(values, np.float64)
    share = np.exp(values - values.max(axis=axis, keepdims=True))
    return share / share.sum(axis=axis, keepdims=True)
