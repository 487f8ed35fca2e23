"""Distance to the nearest k-means centre of cycle statistics."""

from __future__ import annotations

from typing import Any

import numpy as np

from jointwatch.core.errors import UsageError
from jointwatch.detectors._vector import VectorDetector

__all__ = ["KMeans"]

_WINDOWS_A_CLUSTER = 5


class KMeans(VectorDetector):
    """Squared distance of the z-scores to the nearest centre, divided by the number of features.

    The score is the sum of the contributions, the squared difference of each feature.

    Parameters
    ----------
    features : see `VectorDetector`.
    n_clusters : at most so many centres; fewer where there are fewer than 5 training windows for each, or fewer
        distinct windows, because a centre of its own makes any window look normal.
    random_state : seed of the starts.

    Attributes
    ----------
    centres_ : (cluster, feature).

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> level = rng.choice([-3.0, 3.0], size=(200, 1, 1))  # two ways of doing the task
    >>> detector = KMeans(n_clusters=2).fit(level + rng.standard_normal((200, 1, 50)))
    >>> near, between = detector.score_samples(np.array([3.0, 0.0])[:, None, None] + rng.standard_normal((2, 1, 50)))
    >>> bool(between > 2 * near)
    True
    """

    centres_: np.ndarray

    def __init__(self, features: Any = None, n_clusters: int = 10, random_state: int = 0) -> None:
        self.features = features
        self.n_clusters = n_clusters
        self.random_state = random_state

    def _fit_vectors(self, z: np.ndarray) -> None:
        from sklearn.cluster import KMeans as _KMeans  # only fitting needs it

        if self.n_clusters < 1:
            raise UsageError(f"n_clusters is at least 1, got {self.n_clusters}")
        count = min(self.n_clusters, max(1, len(z) // _WINDOWS_A_CLUSTER), len(np.unique(z, axis=0)))
        self.centres_ = _KMeans(count, n_init=4, random_state=self.random_state).fit(z).cluster_centers_

    def _parts(self, z: np.ndarray) -> np.ndarray:
        nearest, best = np.zeros_like(z), np.full(len(z), np.inf)
        for centre in self.centres_:
            square = np.square(z - centre)
            distance = square.sum(axis=1)
            closer = distance < best
            nearest[closer], best[closer] = square[closer], distance[closer]
        return nearest
