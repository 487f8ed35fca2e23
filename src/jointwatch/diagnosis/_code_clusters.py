"""Levels of clusters that were found without labels: the plain rival of models that know levels."""

from __future__ import annotations

from typing import Self

import numpy as np

from jointwatch.core.estimator import BaseEstimator

__all__ = ["CodeClusters"]

_PRIOR = 0.5  # rows of every level that each cluster is thought to hold


class CodeClusters(BaseEstimator):
    """k-means on standardised codes, as many clusters as levels; then what share of each cluster is of which level,
    levels alike beforehand.

    Parameters
    ----------
    levels : how many there are, and clusters.
    random_state : seed of the first centres.

    Attributes
    ----------
    centre_, scale_ : (code,) of the training codes. centres_ : (cluster, code). log_share_ : (cluster, level).

    Source: baseline of M2; S. Lloyd, IEEE Trans. Inf. Theory 28, 1982.

    >>> rng = np.random.default_rng(0)
    >>> level = np.repeat([0, 1], 40)
    >>> codes = 9.0 * level[:, None] + rng.standard_normal((80, 2))
    >>> CodeClusters(levels=2).fit(codes, level).log_proba(np.full((1, 2), 9.0)).argmax(axis=1).tolist()
    [1]
    """

    def __init__(self, levels: int = 6, random_state: int = 0) -> None:
        self.levels = levels
        self.random_state = random_state

    def fit(self, codes: np.ndarray, level: np.ndarray) -> Self:
        """(row, code), and (row,) levels from 0, which only name the clusters."""
        from sklearn.cluster import KMeans  # only fitting needs it

        self.centre_, spread = codes.mean(axis=0), codes.std(axis=0)
        self.scale_ = np.where(spread > 0, spread, 1.0)
        count = min(self.levels, len(codes))
        model = KMeans(count, n_init=10, random_state=self.random_state).fit((codes - self.centre_) / self.scale_)
        self.centres_ = model.cluster_centers_
        weight = 1.0 / np.bincount(level, minlength=self.levels).clip(1)[level]
        found = np.zeros((count, self.levels))
        np.add.at(found, (model.labels_, level), weight)
        found += _PRIOR / len(codes)
        self.log_share_ = np.log(found / found.sum(axis=1, keepdims=True))
        return self

    def log_proba(self, codes: np.ndarray) -> np.ndarray:
        """(row, level) logarithms of the shares of each row's cluster."""
        z = (codes - self.centre_) / self.scale_
        found: np.ndarray = self.log_share_[np.square(z[:, None] - self.centres_).sum(axis=2).argmin(axis=1)]
        return found
