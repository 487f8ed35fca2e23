"""Detectors that judge a window by one vector of features: extraction, standardisation and blame, written once."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from jointwatch.core import Windows
from jointwatch.core.errors import UsageError
from jointwatch.core.estimator import clone
from jointwatch.detectors._spread import usable_scale
from jointwatch.detectors.base import Detector
from jointwatch.features.cycle_statistics import CycleStatistics

__all__ = ["VectorDetector"]


class VectorDetector(Detector):
    """Features -> z-scores by mean and standard deviation of the training windows -> `_parts`, `_vector_scores`.

    Parameters
    ----------
    features : transformer from windows to (window, feature), None = `CycleStatistics()`. With an attribute
        `feature_channel_` (feature,) it says which channel each feature is of (-1 = several); without it there
        are no contributions.

    Features of a channel that a robot does not have are taken at the training mean: they bring nothing, and the
    score is the mean over the features that are there. A feature without spread on training has scale 1.

    Attributes
    ----------
    features_ : the fitted transformer. mean_, scale_ : (feature,). constant_ : (feature,) bool, without spread.
    """

    features: Any

    @abstractmethod
    def _fit_vectors(self, z: np.ndarray) -> None:
        """Learn from z-scores (window, feature)."""

    @abstractmethod
    def _parts(self, z: np.ndarray) -> np.ndarray:
        """(window, feature) not negative: what each feature brings."""

    def _vector_scores(self, z: np.ndarray, parts: np.ndarray) -> np.ndarray:
        """(window,) scores; the sum of the parts unless a method has a score of its own."""
        return parts.sum(axis=1)

    def _fit(self, windows: Windows) -> None:
        self.features_ = CycleStatistics() if self.features is None else clone(self.features)
        self.features_.fit(windows)
        vectors, there = self._vectors(windows)
        count = np.maximum(there.sum(axis=0), 1)
        self.mean_ = np.sum(vectors, axis=0, where=there) / count
        std = np.sqrt(np.sum(np.square(vectors - self.mean_), axis=0, where=there) / count)
        self.scale_, self.constant_ = usable_scale(std, self.mean_)
        self._fit_vectors(self._standardised(vectors, there))

    def _score(self, windows: Windows) -> np.ndarray:
        return self._assess(windows)[0]

    def _contributions(self, windows: Windows) -> np.ndarray | None:
        return self._assess(windows)[1]

    def _assess(self, windows: Windows) -> tuple[np.ndarray, np.ndarray | None]:
        vectors, there = self._vectors(windows)
        z = self._standardised(vectors, there)
        count = np.maximum(there.sum(axis=1), 1)
        parts = np.where(there, self._parts(z), 0.0) / count[:, None]
        blame = self._blame(z, parts, count)
        return self._vector_scores(z, parts), None if blame is None else np.where(windows.presence, blame, 0.0)

    def _vectors(self, windows: Windows) -> tuple[np.ndarray, np.ndarray]:
        """(window, feature) float64 features, and whether each one's channel is there."""
        vectors = np.asarray(self.features_.transform(windows), np.float64)
        if vectors.ndim != 2 or len(vectors) != len(windows):
            raise UsageError(f"features must be (window, feature), got {vectors.shape} for {len(windows)} windows")
        if not np.isfinite(vectors).all():
            row, column = np.argwhere(~np.isfinite(vectors))[0]
            raise UsageError(f"feature {column} of window {row} is not finite; {type(self.features_).__name__} made it")
        there = np.ones(vectors.shape, bool)
        owner = getattr(self.features_, "feature_channel_", None)
        if owner is not None:
            own = np.asarray(owner) >= 0
            there[:, own] = windows.presence[:, np.asarray(owner)[own]]
        return vectors, there

    def _standardised(self, vectors: np.ndarray, there: np.ndarray) -> np.ndarray:
        return np.where(there, (vectors - self.mean_) / self.scale_, 0.0)

    def _blame(self, z: np.ndarray, parts: np.ndarray, count: np.ndarray) -> np.ndarray | None:
        """(window, channel) contributions: the parts of each channel's features unless a method knows better.

        `parts` are already divided by `count` (window,), the number of features that are there.
        """
        owner = getattr(self.features_, "feature_channel_", None)
        if owner is None:
            return None
        table = np.zeros((len(self.channels_), len(parts)))
        own = np.asarray(owner) >= 0
        np.add.at(table, np.asarray(owner)[own], parts[:, own].T)
        return table.T
