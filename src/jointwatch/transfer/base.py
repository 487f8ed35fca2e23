"""What every strategy is: it fits a detector on source robots and makes it ready for a target robot."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any, ClassVar, Self, final

import numpy as np

from jointwatch.core import Scores, Windows
from jointwatch.core.errors import UsageError
from jointwatch.core.estimator import BaseEstimator, clone
from jointwatch.windows.normalise import DomainZScore

__all__ = ["Strategy", "without_labels"]


class Strategy(BaseEstimator, ABC):
    """Wraps a detector; `fit` on one or several sources, `adapt` to a target, then score any of them.

    Strategy 5 (per-domain, per-joint, per-signal z-score, clipped) runs under every other strategy, as the
    method recommends; authors write `_fit` and `_adapt` and see normalised windows only.

    Parameters
    ----------
    detector : an estimator with `fit`, `detect` and `score_samples` on windows; it is cloned, never changed.
    clip_sigma : z-scores are clipped at this many standard deviations.
    floor_share : least scale of a channel relative to the liveliest joint of the same quantity; 1 gives all joints
        of a robot one scale, so that a joint that stands still stays quiet.
    """

    usual_detector: ClassVar[str] = "mahalanobis"
    """Catalog name of the detector that it goes around where none is asked for."""

    def __init__(self, detector: Any, clip_sigma: float = 5.0, floor_share: float = 0.01) -> None:
        self.detector = detector
        self.clip_sigma = clip_sigma
        self.floor_share = floor_share

    @abstractmethod
    def _fit(self, source: Windows) -> None:
        """Fit `self.detector_` on normalised source windows."""

    @abstractmethod
    def _adapt(self, target: Windows, labelled: Windows | None) -> None:
        """Change `self.detector_` (already a copy) with normalised target windows. All of `target` say `normal`:
        their labels are taken off before they come here. `labelled` are the few that have some."""

    @final
    def fit(self, source: Windows) -> Self:
        """Fit on source windows of one or more domains (column `domain`)."""
        if self.detector is None:
            raise UsageError(f"{type(self).__name__} has no detector to fit; give it one, for example Cnn()")
        self.normaliser_ = DomainZScore(clip_sigma=self.clip_sigma, floor_share=self.floor_share).fit(source)
        self.detector_ = clone(self.detector)
        self._fit(self.normaliser_.transform(source))
        return self

    @final
    def adapt(self, target: Windows, labelled: Windows | None = None) -> Self:
        """A new strategy that is ready for the target; this one stays as it is.

        Parameters
        ----------
        target : windows of the target, taken as mostly normal; labels are not looked at.
        labelled : the few target windows whose labels may be used.
        """
        if not hasattr(self, "detector_"):
            raise UsageError(f"{type(self).__name__} must be fitted on a source before it is adapted")
        adapted = copy.deepcopy(self)
        target = without_labels(target)
        strange = target
        if getattr(adapted.detector_, "compares_units", False):  # the baselines that it knows are on the known scales
            strange = target[~np.isin(target.index.domain, adapted.normaliser_.domains_)]
        if len(strange) or not len(target):
            adapted.normaliser_ = adapted.normaliser_.adapt(strange)
        adapted._adapt(
            adapted.normaliser_.transform(target),
            None if labelled is None else adapted.normaliser_.transform(labelled),
        )
        return adapted

    @final
    def score_samples(self, windows: Windows) -> np.ndarray:
        """(window,) scores; higher = more anomalous."""
        return self.detector_.score_samples(self.normaliser_.transform(windows))

    @final
    def detect(self, windows: Windows) -> Scores:
        """Scores with their index and contributions."""
        return self.detector_.detect(self.normaliser_.transform(windows))

    @final
    def detect_by_cycle(self, windows: Windows) -> tuple[Scores, Scores]:
        """Scores of windows, and of cycles: their highest window's, with contributions."""
        return self.detector_.detect_by_cycle(self.normaliser_.transform(windows))

    @property
    def name(self) -> str:
        """Catalog name: the stem of the file the strategy lives in."""
        return type(self).__module__.rpartition(".")[2]


def without_labels(windows: Windows) -> Windows:
    """The same windows, all said to be normal: what is not there cannot leak."""
    count = len(windows)
    index = replace(
        windows.index,
        label=np.full(count, "normal"),
        fault=np.full(count, ""),
        joint=np.zeros(count, np.int64),
        severity=np.full(count, np.nan),
    )
    return replace(windows, index=index)
