"""Local outlier factor of cycle statistics."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.neighbors import LocalOutlierFactor

from jointwatch.core.errors import UsageError
from jointwatch.detectors._vector import VectorDetector

__all__ = ["Lof"]


class Lof(VectorDetector):
    """How much thinner healthy windows are around this one than around its neighbours: about 1 where as dense.

    The factor is not a sum over features. Contributions are a stand-in: the squared z-scores of each channel.

    Parameters
    ----------
    features : see `VectorDetector`.
    n_neighbors : neighbours that make the neighbourhood; all other training windows where there are fewer.

    Attributes
    ----------
    vectors_ : (training window, feature) z-scores; the densities are computed from them again after loading.

    Source: M. M. Breunig, H.-P. Kriegel, R. T. Ng, J. Sander, *LOF: identifying density-based local outliers*,
    SIGMOD 2000, as in scikit-learn with `novelty=True`.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> detector = Lof().fit(rng.standard_normal((200, 3, 50)))
    >>> normal, odd = detector.score_samples(rng.standard_normal((2, 3, 50)) * np.array([1.0, 2.0])[:, None, None])
    >>> bool(normal < 1.5 < odd)
    True
    """

    vectors_: np.ndarray

    def __init__(self, features: Any = None, n_neighbors: int = 20) -> None:
        self.features = features
        self.n_neighbors = n_neighbors

    def _fit_vectors(self, z: np.ndarray) -> None:
        if self.n_neighbors < 1:
            raise UsageError(f"n_neighbors is at least 1, got {self.n_neighbors}")
        self.vectors_ = z

    def _rebuild(self) -> None:
        neighbours = min(self.n_neighbors, len(self.vectors_) - 1)
        self._factor = LocalOutlierFactor(n_neighbors=neighbours, novelty=True).fit(self.vectors_)

    def _parts(self, z: np.ndarray) -> np.ndarray:
        return np.square(z)

    def _vector_scores(self, z: np.ndarray, parts: np.ndarray) -> np.ndarray:
        return -self._factor.score_samples(z)
