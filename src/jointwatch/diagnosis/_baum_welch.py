"""Gaussian hidden Markov models on many short sequences at once: likelihood, and Baum-Welch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

__all__ = ["Hmm", "baum_welch", "log_likelihood"]

_MEAN_WEIGHT = 1e-6  # keeps the mean of a state that nothing falls into finite
_LEAST_COUNT = 1e-5


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

    A row's is the same to the last bit whatever rows stand beside it.

    >>> model = Hmm(np.array([1.0, 0.0]), np.full((2, 2), 0.5), np.array([[0.0], [5.0]]), np.ones((2, 1, 1)))
    >>> log_likelihood(model, np.zeros((1, 1, 1)), np.ones((1, 1), bool)).round(4).tolist()
    [-0.9189]
    """
    found: np.ndarray = np.logaddexp.reduce(_forward(model, _emitted(model, z), there)[-1], axis=0)
    return found


def baum_welch(
    model: Hmm,
    z: np.ndarray,
    there: np.ndarray,
    form: Literal["diag", "full"],
    prior: float,
    iterations: int,
    tolerance: float,
) -> tuple[Hmm, np.ndarray]:
    """(model, log-likelihood of all sequences before each iteration), trained from the given one; its start stays.

    All sequences go through the recursions together, which is what makes many short ones fast; the steps and their end
    are those of hmmlearn's `GaussianHMM.fit` with `means_weight` 1e-6 and the same prior.

    Parameters
    ----------
    z : (row, T, code); there : (row, T), False in front of shorter ones.
    form : of the covariances. prior : sum of squares added to each of a state's variances.
    iterations : at most. tolerance : it ends when the log-likelihood rises by less.

    Source: L. R. Rabiner, Proc. IEEE 77, 1989.
    """
    curve: list[float] = []
    single = z[there]
    for _ in range(iterations):
        emitted = _emitted(model, z)
        alpha, beta = _forward(model, emitted, there), _backward(model, emitted)
        total = np.logaddexp.reduce(alpha[-1], axis=0)
        curve.append(float(total.sum()))
        weight = np.exp(alpha + beta - total) * there.T[:, None]  # (T, state, row)
        model = _maximised(model, single, weight.transpose(1, 2, 0)[:, there], form, prior)
        model = Hmm(
            model.start, _moves(model.transition, alpha, beta, emitted, total, there), model.mean, model.covariance
        )
        if len(curve) > 1 and curve[-1] - curve[-2] < tolerance:
            break
    return model, np.array(curve)


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


def _backward(model: Hmm, emitted: np.ndarray) -> np.ndarray:
    """(T, state, row) logarithms of the probability of what follows, given the state."""
    transition, beta = _log(model.transition), np.zeros(emitted.shape)
    for t in range(len(emitted) - 2, -1, -1):
        beta[t] = np.logaddexp.reduce(transition[:, :, None] + (emitted[t + 1] + beta[t + 1])[None], axis=1)
    return beta


def _moves(
    transition: np.ndarray,
    alpha: np.ndarray,
    beta: np.ndarray,
    emitted: np.ndarray,
    total: np.ndarray,
    there: np.ndarray,
) -> np.ndarray:
    """Transition probabilities from expected numbers of moves; a state that is never left stays as it is."""
    count, logarithm = np.zeros(transition.shape), _log(transition)
    for t in range(len(alpha) - 1):
        both = there[:, t]
        after = emitted[t + 1] + beta[t + 1] - total
        count += np.exp(alpha[t][:, None] + logarithm[:, :, None] + after[None])[..., both].sum(axis=2)
    sums = count.sum(axis=1, keepdims=True)
    return np.where(sums > 0, count / np.where(sums > 0, sums, 1.0), transition)


def _maximised(model: Hmm, codes: np.ndarray, weight: np.ndarray, form: str, prior: float) -> Hmm:
    """Means and covariances from (code row, code) rows with (state, code row) weights."""
    size = codes.shape[1]
    count = weight.sum(axis=1)
    mean = (weight @ codes) / (count + _MEAN_WEIGHT)[:, None]
    covariance = np.empty_like(model.covariance)
    for state, own in enumerate(mean):
        away = codes - own
        if form == "diag":
            square = np.diag(weight[state] @ away**2 + _MEAN_WEIGHT * own**2)
        else:
            square = (away * weight[state][:, None]).T @ away + _MEAN_WEIGHT * np.outer(own, own)
        covariance[state] = (square + prior * np.eye(size)) / max(count[state], _LEAST_COUNT)
    return Hmm(model.start, model.transition, mean, covariance)


def _log(share: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(share)
