"""Distance to the nearest healthy windows, by cycle statistics."""

from __future__ import annotations

from typing import Any

import numpy as np

from jointwatch.core.errors import UsageError
from jointwatch.detectors._nearest import nearest
from jointwatch.detectors._vector import VectorDetector

__all__ = ["Knn"]

_BLOCK = 1024


class Knn(VectorDetector):
    """Mean squared distance of the z-scores to the k nearest training windows, divided by the number of features.

    The score is the sum of the contributions, the squared differences of each feature. A training window is its own
    neighbour at distance 0, so training windows score too low to set a threshold with.

    Parameters
    ----------
    features : see `VectorDetector`.
    n_neighbors : k; all training windows where there are fewer.

    Attributes
    ----------
    vectors_ : (training window, feature) z-scores.

    Source: F. Angiulli, C. Pizzuti, *Fast outlier detection in high dimensional spaces*, PKDD 2002.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> detector = Knn().fit(rng.standard_normal((200, 3, 50)))
    >>> normal, odd = detector.score_samples(rng.standard_normal((2, 3, 50)) * np.array([1.0, 2.0])[:, None, None])
    >>> bool(odd > 5 * normal)
    True
    """

    vectors_: np.ndarray

    def __init__(self, features: Any = None, n_neighbors: int = 5) -> None:
        self.features = features
        self.n_neighbors = n_neighbors

    def _fit_vectors(self, z: np.ndarray) -> None:
        if self.n_neighbors < 1:
            raise UsageError(f"n_neighbors is at least 1, got {self.n_neighbors}")
        self.vectors_ = z

    def _rebuild(self) -> None:
        self._count = min(self.n_neighbors, len(self.vectors_))
        self._search = None
        try:
            from sklearn.neighbors import NearestNeighbors  # the faster search, where it is installed
        except ModuleNotFoundError:
            return
        self._search = NearestNeighbors(n_neighbors=self._count).fit(self.vectors_)

    def _parts(self, z: np.ndarray) -> np.ndarray:
        parts = np.empty_like(z)
        for start in range(0, len(z), _BLOCK):
            block = z[start : start + _BLOCK]
            if self._search is None:
                rows = nearest(self.vectors_, self._count, block)[1]
            else:
                rows = self._search.kneighbors(block, return_distance=False)
            # from the vectors themselves: the search's own distances are rounded where they are small
            parts[start : start + _BLOCK] = np.square(block[:, None] - self.vectors_[rows]).mean(axis=1)
        return parts
