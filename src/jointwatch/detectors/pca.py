"""Principal components of cycle statistics: what they leave unexplained."""

from __future__ import annotations

from typing import Any

import numpy as np

from jointwatch.core.errors import UsageError
from jointwatch.detectors._vector import VectorDetector

__all__ = ["Pca"]


_RANK = 1e-9  # below this share of the largest singular value a direction is inside the components


class Pca(VectorDetector):
    """Squared reconstruction error of the feature vector's z-scores, divided by the number of features.

    It works on cycle statistics as the other vector detectors do, not on the flattened window: whatever transformer
    is given as `features` takes their place.

    A residual smears over channels that go with the disturbed one. So the contribution of a channel is how much of
    the score would vanish if its features were what the others let expect: never more than the score, and nearly
    all of it where that channel alone is disturbed. Contributions do not add up to the score.

    Parameters
    ----------
    features : see `VectorDetector`.
    variance : as many components are kept as explain at least this share of the training variance, in (0, 1); but
        one fewer than there are features that vary, so that something is left to judge by.

    Attributes
    ----------
    components_ : (component, feature), orthonormal; none where nothing varies.

    Source: reconstruction-based contributions: C. F. Alcala, S. J. Qin, *Reconstruction-based contribution for
    process monitoring*, Automatica 45, 2009.

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
        from sklearn.decomposition import PCA  # only fitting needs it

        if not 0 < self.variance < 1:
            raise UsageError(f"variance is the share to keep, between 0 and 1, got {self.variance}")
        self.components_ = np.empty((0, z.shape[1]))
        most = int((~self.constant_).sum()) - 1
        if most > 0:
            found = PCA(self.variance, svd_solver="full").fit(z).components_
            self.components_ = np.ascontiguousarray(found[:most])

    def _rebuild(self) -> None:
        self._residual = np.eye(self.components_.shape[1]) - self.components_.T @ self.components_

    def _parts(self, z: np.ndarray) -> np.ndarray:
        return np.square(z @ self._residual)

    def _blame(self, z: np.ndarray, parts: np.ndarray, count: np.ndarray) -> np.ndarray | None:
        owner = getattr(self.features_, "feature_channel_", None)
        if owner is None:
            return None
        residual = z @ self._residual
        table = np.zeros((len(z), len(self.channels_)))
        for channel in range(len(self.channels_)):
            own = np.flatnonzero(np.asarray(owner) == channel)
            inverse = np.linalg.pinv(self._residual[np.ix_(own, own)], rcond=_RANK, hermitian=True)
            table[:, channel] = ((residual[:, own] @ inverse) * residual[:, own]).sum(axis=1) / count
        return np.maximum(table, 0.0)
