"""Spread of a figure: bootstrap over whole clusters, exact intervals for shares."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import beta

__all__ = ["bootstrap", "cluster_auroc", "share_interval"]


def bootstrap(
    clusters: Sequence[np.ndarray],
    statistic: Callable[[np.ndarray], float] = np.mean,
    *,
    repeats: int = 2000,
    seed: int = 0,
) -> tuple[float, float, float]:
    """(value, low, high): `statistic` of all values together, 95 % interval from whole clusters drawn with replacement.

    Parameters
    ----------
    clusters : values of each unit or session; what lies together is drawn together.

    A single cluster has no spread to show: low and high are NaN.

    >>> value, low, high = bootstrap([np.array([0.0, 1.0]), np.array([1.0]), np.array([1.0])])
    >>> value, low <= value <= high
    (0.75, True)
    """
    filled = [np.atleast_1d(np.asarray(c, float)) for c in clusters]
    filled = [c for c in filled if len(c)]
    if not filled:
        return (np.nan, np.nan, np.nan)
    value = float(statistic(np.concatenate(filled)))
    if len(filled) == 1:
        return (value, np.nan, np.nan)
    rng = np.random.default_rng(seed)
    draws = [
        statistic(np.concatenate([filled[i] for i in rng.integers(len(filled), size=len(filled))]))
        for _ in range(repeats)
    ]
    low, high = np.nanpercentile(draws, [2.5, 97.5])
    return (value, float(low), float(high))


def cluster_auroc(
    repetitions: Sequence[Sequence[tuple[np.ndarray, np.ndarray]]], *, repeats: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """(AUROC, low, high): mean over repetitions, 95 % interval from whole clusters drawn with replacement.

    Parameters
    ----------
    repetitions : for each seed, for each cluster (scores of its positives, scores of its negatives). The clusters are
        the same in every repetition and are drawn together.

    >>> run = (np.array([3.0]), np.array([1.0, 2.0]))
    >>> round(cluster_auroc([[run, run, (np.array([1.5]), np.array([0.0]))]])[0], 3)
    0.867
    """
    count = len(repetitions[0])
    rng = np.random.default_rng(seed)
    weights = np.concatenate([np.ones((1, count)), rng.multinomial(count, np.full(count, 1 / count), size=repeats)])
    found = []
    for clusters in repetitions:
        wins = np.array(
            [
                [
                    sum(float((p > negatives).sum() + 0.5 * (p == negatives).sum()) for p in positives)
                    for _, negatives in clusters
                ]
                for positives, _ in clusters
            ]
        )
        sizes = np.array([[len(positives), len(negatives)] for positives, negatives in clusters], float)
        pairs = (weights @ sizes[:, 0]) * (weights @ sizes[:, 1])
        with np.errstate(invalid="ignore"):
            found.append(np.einsum("ri,ij,rj->r", weights, wins, weights) / np.where(pairs > 0, pairs, np.nan))
    mean = np.mean(found, axis=0)
    low, high = np.nanpercentile(mean[1:], [2.5, 97.5]) if count > 1 and repeats else (np.nan, np.nan)
    return (float(mean[0]), float(low), float(high))


def share_interval(hits: int, of: int) -> tuple[float, float, float]:
    """(share, low, high): exact (Clopper-Pearson) 95 % interval of a share.

    >>> [round(x, 3) for x in share_interval(16, 16)]
    [1.0, 0.794, 1.0]
    """
    if of == 0:
        return (np.nan, np.nan, np.nan)
    low = 0.0 if hits == 0 else float(beta.ppf(0.025, hits, of - hits + 1))
    high = 1.0 if hits == of else float(beta.ppf(0.975, hits + 1, of - hits))
    return (hits / of, low, high)
