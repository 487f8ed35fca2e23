"""Multinomial logistic regression whose weights may be held near those of a source."""

from __future__ import annotations

from typing import Self

import numpy as np

from jointwatch.core.estimator import BaseEstimator
from jointwatch.core.log_probability import logsumexp

__all__ = ["SoftmaxRegression"]


class SoftmaxRegression(BaseEstimator):
    """Classes count alike, however many rows each has; weights have a Gaussian prior.

    scikit-learn's has its prior at zero; here it can sit at the weights of a source (`near`), so that few target rows
    move them as far as they are evidence, and fitted state is plain arrays, which can be stored.

    Parameters
    ----------
    penalty : strength of the prior, relative to the mean loss of a row.

    Attributes
    ----------
    mean_, scale_ : (feature,) of the rows. weights_ : (feature + 1, class), the last row the offsets.

    >>> rng = np.random.default_rng(0)
    >>> X, code = rng.standard_normal((60, 2)), np.arange(60) % 2
    >>> X[:, 0] += 3 * code
    >>> model = SoftmaxRegression().fit(X, code, 2)
    >>> float((model.log_proba(X).argmax(axis=1) == code).mean()) > 0.9
    True
    """

    def __init__(self, penalty: float = 0.01) -> None:
        self.penalty = penalty

    def fit(self, X: np.ndarray, code: np.ndarray, classes: int) -> Self:
        """(row, feature) and (row,) class numbers from 0; a class without rows is not found."""
        self.mean_, spread = X.mean(axis=0), X.std(axis=0)
        self.scale_ = np.where(spread > 0, spread, 1.0)
        self.weights_ = self._fitted(X, code, np.zeros((X.shape[1] + 1, classes)), self.penalty)
        return self

    def near(self, X: np.ndarray, code: np.ndarray, penalty: float) -> Self:
        """A copy fitted to other rows, on this one's scale, its prior at this one's weights.

        Offsets are held, too: a few rows of one class say nothing about the other.
        """
        moved = type(self)(self.penalty)
        moved.mean_, moved.scale_ = self.mean_, self.scale_
        moved.weights_ = self._fitted(X, code, self.weights_, penalty, hold_offsets=True)
        return moved

    def log_proba(self, X: np.ndarray) -> np.ndarray:
        """(row, class) logarithms of the probabilities, classes alike beforehand."""
        logits = self._rows(X) @ self.weights_
        found: np.ndarray = logits - logsumexp(logits, axis=1, keepdims=True)
        return found

    def parts(self, X: np.ndarray) -> np.ndarray:
        """(row, feature) what each feature adds to the log-odds of any class but the first."""
        others = self.weights_[:-1, 1:].mean(axis=1) - self.weights_[:-1, 0]
        found: np.ndarray = (X - self.mean_) / self.scale_ * others
        return found

    def _rows(self, X: np.ndarray) -> np.ndarray:
        return np.column_stack([(X - self.mean_) / self.scale_, np.ones(len(X))])

    def _fitted(
        self, X: np.ndarray, code: np.ndarray, prior: np.ndarray, penalty: float, hold_offsets: bool = False
    ) -> np.ndarray:
        from scipy.optimize import minimize  # only fitting needs it

        rows, classes = self._rows(X), prior.shape[1]
        counts = np.bincount(code, minlength=classes)
        weight = (1.0 / np.maximum(counts, 1))[code] / np.count_nonzero(counts)
        target = np.eye(classes)[code]
        held = np.full((len(prior), 1), penalty)
        held[-1] = penalty if hold_offsets else 1e-6  # only the sum over classes is undetermined

        def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
            W = flat.reshape(prior.shape)
            logits = rows @ W
            log_p = logits - logsumexp(logits, axis=1, keepdims=True)
            away = W - prior
            value = -float((weight[:, None] * target * log_p).sum()) + 0.5 * float((held * away**2).sum())
            slope = rows.T @ (weight[:, None] * (np.exp(log_p) - target)) + held * away
            return value, slope.ravel()

        found: np.ndarray = minimize(loss, prior.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
        return found.reshape(prior.shape)
