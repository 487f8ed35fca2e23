"""Isolation forest on cycle statistics."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.ensemble import IsolationForest as _IsolationForest

from jointwatch.detectors._vector import VectorDetector

__all__ = ["IsolationForest"]


class IsolationForest(VectorDetector):
    """How few random cuts set a window apart, 0 to 1; about 0.5 where as many as for a window in the crowd.

    Cuts lie inside the training range, so scores level off beyond it: large faults look alike, and where training
    windows are all the same, or two, every window scores 0.5.
    The score is not a sum over features. Contributions are a stand-in: the squared z-scores of each channel.

    Parameters
    ----------
    features : see `VectorDetector`.
    n_estimators : trees.
    random_state : seed of the trees.

    Attributes
    ----------
    vectors_ : (training window, feature) z-scores; the same trees are grown from them again after loading.

    Source: F. T. Liu, K. M. Ting, Z.-H. Zhou, *Isolation forest*, ICDM 2008, as in scikit-learn.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> detector = IsolationForest().fit(rng.standard_normal((200, 3, 50)))
    >>> normal, odd = detector.score_samples(rng.standard_normal((2, 3, 50)) * np.array([1.0, 2.0])[:, None, None])
    >>> bool(normal < 0.5 < odd)
    True
    """

    vectors_: np.ndarray

    def __init__(self, features: Any = None, n_estimators: int = 100, random_state: int = 0) -> None:
        self.features = features
        self.n_estimators = n_estimators
        self.random_state = random_state

    def _fit_vectors(self, z: np.ndarray) -> None:
        self.vectors_ = z

    def _rebuild(self) -> None:
        self._forest = _IsolationForest(n_estimators=self.n_estimators, random_state=self.random_state).fit(
            self.vectors_
        )

    def _parts(self, z: np.ndarray) -> np.ndarray:
        return np.square(z)

    def _vector_scores(self, z: np.ndarray, parts: np.ndarray) -> np.ndarray:
        return -self._forest.score_samples(z)
