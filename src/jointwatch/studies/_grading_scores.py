"""Figures of ordered grades, with intervals from whole clusters drawn with replacement."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

__all__ = ["RANK", "SCORES", "covered", "rank_correlation", "run_means", "spread"]

RANK = "rank correlation of the stage"

_REPEATS = 1000


def rank_correlation(degree: np.ndarray, stage: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(draw,) Spearman's, ties at their mean rank; NaN where either does not vary.

    Parameters
    ----------
    degree, stage : (row,). weights : (draw, row) how often each row was drawn.

    >>> rank_correlation(np.array([0.1, 0.4, 0.3]), np.array([0, 1, 2]), np.ones((1, 3))).tolist()
    [0.5]
    """
    total = weights.sum(axis=1, keepdims=True)
    ranks = [_ranks(values, weights) for values in (degree, stage)]
    x, y = (rank - (weights * rank).sum(axis=1, keepdims=True) / total for rank in ranks)
    size = np.sqrt((weights * x**2).sum(axis=1) * (weights * y**2).sum(axis=1))
    return np.where(size > 0, (weights * x * y).sum(axis=1) / np.where(size > 0, size, 1.0), np.nan)


def _ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(draw, row) mean ranks among the rows drawn."""
    _, place = np.unique(values, return_inverse=True)
    drawn = weights @ (place[:, None] == np.arange(place.max() + 1))
    ranks: np.ndarray = (np.cumsum(drawn, axis=1) - 0.5 * drawn)[:, place]
    return ranks


def _mean(value: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Callable[..., np.ndarray]:
    def of(degree: np.ndarray, stage: np.ndarray, weights: np.ndarray) -> np.ndarray:
        found: np.ndarray = weights @ value(degree, stage).astype(float) / weights.sum(axis=1)
        return found

    return of


SCORES: Mapping[str, Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]] = {
    RANK: rank_correlation,
    "mean absolute stage error": _mean(lambda degree, stage: np.abs(degree - stage)),
    "exact stage": _mean(lambda degree, stage: np.abs(np.rint(degree) - stage) == 0),
    "within one stage": _mean(lambda degree, stage: np.abs(np.rint(degree) - stage) <= 1),
}
"""(draw,) figures of (degree, stage, weights). All but the rank are of degrees cut to the scale."""


def covered(low: np.ndarray, high: np.ndarray, stage: np.ndarray) -> np.ndarray:
    """(row,) 1 where the stage lies in its interval."""
    inside: np.ndarray = ((low <= stage) & (stage <= high)).astype(float)
    return inside


def spread(
    repetitions: np.ndarray,
    stage: np.ndarray,
    clusters: np.ndarray,
    score: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
) -> tuple[float, float, float]:
    """(mean over seeds, low, high): 95 % interval from whole clusters drawn with replacement, the same in every seed.

    Parameters
    ----------
    repetitions : (seed, row) degrees. stage, clusters : (row,).
    """
    _, place = np.unique(clusters, return_inverse=True)
    count = int(place.max()) + 1
    drawn = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=_REPEATS)
    weights = np.concatenate([np.ones((1, count)), drawn])[:, place]
    found = np.mean([score(degree, stage, weights) for degree in repetitions], axis=0)
    if count == 1 or np.isnan(found).all():
        return float(found[0]), np.nan, np.nan
    low, high = np.nanpercentile(found[1:], [2.5, 97.5])
    return float(found[0]), float(low), float(high)


def run_means(values: np.ndarray, runs: np.ndarray) -> np.ndarray:
    """(..., run) means of (..., row) over the cycles of each run, runs in sorted order."""
    _, place, count = np.unique(runs, return_inverse=True, return_counts=True)
    means: np.ndarray = values @ (place[:, None] == np.arange(len(count))) / count
    return means
