"""Calibrated probabilities from the log-probabilities of one or several views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np

from jointwatch.core.estimator import BaseEstimator
from jointwatch.core.log_probability import logsumexp

__all__ = ["Fusion"]

_HOLD = 0.01


class Fusion(BaseEstimator):
    """Weights of the views and an offset for each class, such that the probabilities of held-out rows come true.

    With one view and no offsets this is temperature scaling. Classes count alike. Weights are held, a little, where
    n rows that are all told rightly have odds of n to one at most: that they are, says no more.

    Attributes
    ----------
    weights_ : (view,). offsets_ : (class,).

    Source: Guo et al., "On calibration of modern neural networks", ICML 2017 (temperature and vector scaling).

    >>> sure = np.log(np.array([[0.99, 0.01], [0.99, 0.01], [0.01, 0.99], [0.01, 0.99]]))
    >>> fusion = Fusion().fit([sure], np.array([0, 1, 1, 0]))  # right half of the time, whatever it says
    >>> np.exp(fusion.log_proba([sure])).round(2).tolist()[0]
    [0.5, 0.5]
    """

    def fit(self, views: Sequence[np.ndarray], code: np.ndarray) -> Self:
        """(row, class) log-probabilities of each view on rows that no view has learned from, and their classes."""
        from scipy.optimize import minimize  # only fitting needs it

        stack = np.stack(views)
        count, classes = len(views), stack.shape[2]
        sizes = np.bincount(code, minlength=classes)
        weight = (1.0 / np.maximum(sizes, 1))[code] / np.count_nonzero(sizes)
        target = np.eye(classes)[code]
        modest = _modest(stack, code)
        stack = stack * modest[:, None, None]
        start = np.concatenate([np.full(count, 1.0 / count), np.zeros(classes)])

        def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
            logits = np.tensordot(flat[:count], stack, axes=1) + flat[count:]
            log_p = logits - logsumexp(logits, axis=1, keepdims=True)
            away = flat - start
            error = weight[:, None] * (np.exp(log_p) - target)
            slope = np.concatenate([np.tensordot(stack, error, axes=2), error.sum(axis=0)])
            value = -float((weight[:, None] * target * log_p).sum()) + 0.5 * _HOLD * float(away @ away)
            return value, slope + _HOLD * away

        bounds = [(0.0, None)] * count + [(None, None)] * classes
        found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
        self.weights_, self.offsets_ = found[:count] * modest, found[count:]
        return self

    def plain(self, views: int, classes: int) -> Self:
        """No calibration: the views' mean."""
        self.weights_, self.offsets_ = np.full(views, 1.0 / views), np.zeros(classes)
        return self

    def log_proba(self, views: Sequence[np.ndarray]) -> np.ndarray:
        """(row, class) calibrated log-probabilities."""
        logits = np.tensordot(self.weights_, np.stack(views), axes=1) + self.offsets_
        found: np.ndarray = logits - logsumexp(logits, axis=1, keepdims=True)
        return found


def _modest(stack: np.ndarray, code: np.ndarray) -> np.ndarray:
    """(view,) factors, at most 1, that bring the usual log-odds of the true class down to the logarithm of the rows."""
    true = np.eye(stack.shape[2], dtype=bool)[code]
    margin = np.where(true, stack, 0.0).sum(axis=2) - np.where(true, -np.inf, stack).max(axis=2)
    factors: np.ndarray = np.log(len(code) + 1) / np.maximum(np.median(margin, axis=1), np.log(len(code) + 1))
    return factors
