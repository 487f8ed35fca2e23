"""Mahalanobis distance of cycle statistics, with the Ledoit-Wolf covariance."""

from __future__ import annotations

from typing import Any

import numpy as np

from jointwatch.detectors._vector import VectorDetector

__all__ = ["Mahalanobis"]


class Mahalanobis(VectorDetector):
    """Squared Mahalanobis distance to the training mean divided by the number of features: about 1 on healthy windows.

    The shrunk covariance has an inverse however few windows there are. The score is the sum of the contributions:
    with the symmetric square root W of the inverse covariance of the z-scores, (W z)_i^2 is the part of feature i,
    free of the correlation with the others and never negative.

    Parameters
    ----------
    features : see `VectorDetector`.

    Attributes
    ----------
    whitening_ : (feature, feature) W. shrinkage_ : Ledoit-Wolf weight of the scaled identity, 0 to 1.

    Source: O. Ledoit, M. Wolf, J. Multivariate Anal. 88, 2004; the decomposition: P. H. Garthwaite, I. Koch,
    *Evaluating the contributions of individual variables to a quadratic form*, Aust. N. Z. J. Stat. 58, 2016.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> detector = Mahalanobis().fit(rng.standard_normal((200, 3, 50)))
    >>> odd = rng.standard_normal((1, 3, 50)) * np.array([1.0, 3.0, 1.0])[:, None]
    >>> bool(detector.score_samples(odd)[0] > 20), detector.explain(odd).argmax()
    (True, np.int64(1))
    """

    whitening_: np.ndarray
    shrinkage_: float

    def __init__(self, features: Any = None) -> None:
        self.features = features

    def _fit_vectors(self, z: np.ndarray) -> None:
        from sklearn.covariance import LedoitWolf  # only fitting needs it

        # no spread, no covariance: such a feature counts by itself, in the unit its scale of 1 stands for
        covariance, self.shrinkage_ = np.eye(z.shape[1]), 1.0
        varies = np.flatnonzero(~self.constant_)
        if len(varies):
            estimate = LedoitWolf(assume_centered=True).fit(z[:, varies])
            covariance[np.ix_(varies, varies)], self.shrinkage_ = estimate.covariance_, float(estimate.shrinkage_)
        value, vector = np.linalg.eigh(covariance)
        value = np.maximum(value, 1e-9 * value[-1])
        self.whitening_ = (vector / np.sqrt(value)) @ vector.T

    def _parts(self, z: np.ndarray) -> np.ndarray:
        return np.square(z @ self.whitening_)
