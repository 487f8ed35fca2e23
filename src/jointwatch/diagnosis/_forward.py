"""Likelihoods of many short sequences at once under a Gaussian hidden Markov model: the forward algorithm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Hmm", "log_likelihood"]


@dataclass(frozen=True, eq=False)
class Hmm:
    """start (state,), transition (state, state), mean (state, code), covariance (state, code, code)."""

    start: np.ndarray
    transition: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray


def log_likelihood(model: Hmm, z: np.ndarray, there: np.ndarray) -> np.ndarray:
    """(row,) log-likelihoods of (row, T, code) sequences.

    Parameters
    ----------
    there : (row, T) bool, False in front of shorter sequences.

    A row's is the same to the last bit whatever rows stand beside it, so that what is said on line is what is said of a
    whole session. hmmlearn's `score` gives the sum of all sequences, not that of each.

    Source: L. R. Rabiner, Proc. IEEE 77, 1989.

    >>> model = Hmm(np.array([1.0, 0.0]), np.full((2, 2), 0.5), np.array([[0.0], [5.0]]), np.ones((2, 1, 1)))
    >>> log_likelihood(model, np.zeros((1, 1, 1)), np.ones((1, 1), bool)).round(4).tolist()
    [-0.9189]
    """
    found: np.ndarray = np.logaddexp.reduce(_forward(model, _emitted(model, z), there)[-1], axis=0)
    return found


def _emitted(model: Hmm, z: np.ndarray) -> np.ndarray:
    """(T, state, row) log-densities."""
    size = z.shape[2]
    factor = np.linalg.cholesky(model.covariance)
    inverse = np.linalg.inv(factor)
    height = np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
    found = np.empty((z.shape[1], len(model.mean), len(z)))
    for t in range(z.shape[1]):
        away = z[:, t, None, :] - model.mean
        # Not as a product of matrices, which rounds differently with other rows beside a row.
        square = np.square((inverse * away[:, :, None, :]).sum(axis=3)).sum(axis=2)
        found[t] = (-0.5 * (size * np.log(2 * np.pi) + square) - height).T
    return found


def _forward(model: Hmm, emitted: np.ndarray, there: np.ndarray) -> np.ndarray:
    """(T, state, row) logarithms of the joint probabilities of a sequence so far and its state."""
    start, transition = _log(model.start), _log(model.transition)
    alpha = np.full(emitted.shape, -np.inf)
    begun = np.zeros(len(there), bool)
    for t in range(len(emitted)):
        moved = np.logaddexp.reduce(alpha[t - 1][:, None] + transition[:, :, None], axis=0) if t else alpha[t]
        alpha[t] = np.where(there[:, t], np.where(begun, moved, start[:, None]) + emitted[t], -np.inf)
        begun |= there[:, t]
    return alpha


def _log(share: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(share)
