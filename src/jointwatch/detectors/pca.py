"""Principal components of cycle statistics: what they leave unexplained."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.decomposition import PCA

from jointwatch.core.errors import UsageError
from jointwatch.detectors._vector import VectorDetector

__all__ = ["Pca"]


class Pca(VectorDetector):
    """Squared reconstruction error of the feature vector's z-scores, divided by the number of features.

    It works on cycle statistics as the other vector detectors do, not on the flattened window: whatever transformer
    is given as `features` takes their place. The score is the sum of the contributions, the squared residual of
    each feature.

    Parameters
    ----------
    features : see `VectorDetector`.
    variance : as many components are kept as explain at least this share of the training variance, in (0, 1).

    Attributes
    ----------
    components_ : (component, feature), orthonormal; none where nothing varies.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> detector = Pca().fit(rng.standard_normal((200, 3, 50)))
    >>> odd = rng.standard_normal((1, 3, 50))
    >>> odd[0, 1, 20] = 9
    >>> bool(detector.score_samples(odd)[0] > 1), detector.explain(odd).argmax()
    (True, np.int64(1))
    """

    components_: np.ndarray

    def __init__(self, features: Any = None, variance: float = 0.95) -> None:
        self.features = features
        self.variance = variance

    def _fit_vectors(self, z: np.ndarray) -> None:
        if not 0 < self.variance < 1:
            raise UsageError(f"variance is the share to keep, between 0 and 1, got {self.variance}")
        self.components_ = np.empty((0, z.shape[1]))
        if not self.constant_.all():
            self.components_ = PCA(self.variance, svd_solver="full").fit(z).components_

    def _parts(self, z: np.ndarray) -> np.ndarray:
        return np.square(z - (z @ self.components_.T) @ self.components_)
