"""Local outlier factor of cycle statistics."""

from __future__ import annotations

from typing import Any

import numpy as np

from jointwatch.core.errors import UsageError
from jointwatch.detectors._nearest import nearest
from jointwatch.detectors._vector import VectorDetector

__all__ = ["Lof"]

_LEAST = 1e-10  # keeps the density of copies finite


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

    _factor: Any

    def _rebuild(self) -> None:
        neighbours = min(self.n_neighbors, len(self.vectors_) - 1)
        try:
            from sklearn.neighbors import LocalOutlierFactor  # the faster search, where it is installed
        except ModuleNotFoundError:
            self._factor = _Factor(self.vectors_, neighbours)
            return
        self._factor = LocalOutlierFactor(n_neighbors=neighbours, novelty=True).fit(self.vectors_)

    def _parts(self, z: np.ndarray) -> np.ndarray:
        return np.square(z)

    def _vector_scores(self, z: np.ndarray, parts: np.ndarray) -> np.ndarray:
        return -self._factor.score_samples(z)


class _Factor:
    """The factor by numpy alone, with the sign that scikit-learn gives it."""

    def __init__(self, vectors: np.ndarray, neighbours: int) -> None:
        self._vectors, self._count = vectors, neighbours
        distance, number = nearest(vectors, neighbours)
        self._reach = distance[:, -1]
        self._density = self._density_of(distance, number)

    def score_samples(self, rows: np.ndarray) -> np.ndarray:
        """(row,) minus how much denser the neighbours are than the row."""
        distance, number = nearest(self._vectors, self._count, rows)
        ratio: np.ndarray = self._density[number].mean(axis=1) / self._density_of(distance, number)
        return -ratio

    def _density_of(self, distance: np.ndarray, number: np.ndarray) -> np.ndarray:
        found: np.ndarray = 1 / (np.maximum(distance, self._reach[number]).mean(axis=1) + _LEAST)
        return found
