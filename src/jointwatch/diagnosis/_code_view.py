"""The published chain: vector of a cycle, code, and a hidden Markov model for each level."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np

from jointwatch.core import Channel, Index, Quantity, Recording, Windows
from jointwatch.core.errors import UsageError
from jointwatch.core.levels import LEVEL_RAD, LEVELS, level_of
from jointwatch.diagnosis._code_clusters import CodeClusters
from jointwatch.diagnosis._fusion_code import Code, FusionCode
from jointwatch.diagnosis._grade_view import GradeTable, GradeView, check_rate, kept
from jointwatch.diagnosis._hidden_markov import LevelHmms
from jointwatch.diagnosis._last_cycles import last_cycles, mean_of_last
from jointwatch.diagnosis._softmax_regression import SoftmaxRegression
from jointwatch.windows.axis_view import axis_of, axis_view
from jointwatch.windows.by_cycle import by_cycle
from jointwatch.windows.own_baseline import OwnBaseline

__all__ = ["CodeView", "median_error"]

Judge = Literal["hmm", "logistic", "k_means"]
_CHANNELS = (Channel(Quantity.CURRENT), Channel(Quantity.TORQUE))


class CodeView(GradeView):
    """`HarmonicDriveVector` of each cycle, `FusionCode` of the vectors, then levels from the codes of the last cycles.

    The degree is the median of the levels' distribution, every level taken as evenly filled; there is no interval.

    Parameters
    ----------
    joint, baseline, cycles, random_state : see `GradeView`; the baseline is taken from the codes.
    code : `auto_encoder` or `pca`.
    classifier : `hmm` on the sequence of the last cycles' codes; `logistic` regression on their mean, or `k_means`.
    length : samples that a cycle is stretched to. With the cycle's duration that makes the rate, 1 kHz at 8 s.
    vector : options of `HarmonicDriveVector`.
    size, epochs : of `FusionCode`. states, covariance : of `LevelHmms`.

    Attributes
    ----------
    code_ : FusionCode. own_ : OwnBaseline or None. model_ : LevelHmms, SoftmaxRegression or CodeClusters.
    known_ : (level,) which levels were among the rows of `fit`. signals_ : list of keys that are cut.
    """

    def __init__(
        self,
        joint: int | None = None,
        baseline: Literal["unit"] | None = None,
        cycles: int = 1,
        coverage: float = 0.9,
        random_state: int = 0,
        code: Code = "auto_encoder",
        classifier: Judge = "hmm",
        length: int = 8000,
        vector: dict[str, Any] | None = None,
        size: int = 10,
        epochs: int = 40,
        states: int = 3,
        covariance: Literal["diag", "full", "auto"] = "auto",
    ) -> None:
        self.joint = joint
        self.baseline = baseline
        self.cycles = cycles
        self.coverage = coverage
        self.random_state = random_state
        self.code = code
        self.classifier = classifier
        self.length = length
        self.vector = vector
        self.size = size
        self.epochs = epochs
        self.states = states
        self.covariance = covariance

    def cut(self, recordings: Sequence[Recording]) -> Windows:
        """Current and torque of whole cycles; torque only where all recordings have it."""
        axes = [axis_of(recording, self.joint) for recording in recordings]
        if not hasattr(self, "signals_"):
            torque = all(
                Channel(Quantity.TORQUE, axis) in recording for axis, recording in zip(axes, recordings, strict=True)
            )
            self.signals_ = ["current", "torque"] if torque else ["current"]
        views = [axis_view(recording, self.signals_, axis) for axis, recording in zip(axes, recordings, strict=True)]
        for view in views:
            check_rate(view, 2 * self.top_hz, f"a spectrum up to {self.top_hz:g} Hz")
        windows = by_cycle(views, length=self.length, channels=_CHANNELS, missing="mask")
        return kept(windows, np.ptp(windows.values[:, 0], axis=1) > 0, "constant current")

    @property
    def top_hz(self) -> float:
        """Where the spectrum of a vector ends."""
        from jointwatch.features.harmonic_drive_vector import HarmonicDriveVector  # needs wavelets, other views do not

        return float((self.vector or {}).get("top_hz", HarmonicDriveVector().top_hz))

    def measure(self, windows: Windows) -> np.ndarray:
        """(row, 2500) vectors, each at its own cycle's rate."""
        from jointwatch.features.harmonic_drive_vector import HarmonicDriveVector  # needs wavelets, other views do not

        rows = []
        for number, duration_s in enumerate(windows.index.cycle_s):
            features = HarmonicDriveVector(windows.shape[2] / float(duration_s), **(self.vector or {}))
            rows.append(features.fit_transform(windows[number])[0])
        return np.array(rows) if rows else np.empty((0, HarmonicDriveVector(**(self.vector or {})).size))

    def fit(self, figures: np.ndarray, index: Index, error_rad: np.ndarray, groups: np.ndarray) -> Self:
        """Learn code and levels; where a level is of one group only, sessions are held out in place of groups."""
        if self.classifier not in ("hmm", "logistic", "k_means"):
            raise UsageError(f"a classifier is hmm, logistic or k_means, got {self.classifier!r}")
        level = np.array([level_of(error) for error in error_rad]) - 1
        groups = np.asarray(groups)
        if any(len(np.unique(groups[level == one])) < 2 for one in np.unique(level)):
            groups = index.unit_session
        self.known_ = np.bincount(level, minlength=LEVELS) > 0
        self.code_ = FusionCode(self.code, self.size, self.epochs, random_state=self.random_state).fit(figures, groups)
        codes = self.code_.transform(figures)
        self.own_ = OwnBaseline("unit", "difference") if self.baseline else None
        if self.own_ is not None:
            codes = self.own_.fit_transform(codes, index)
        judged = self._judged(codes, index)
        if self.classifier == "hmm":
            hmms = LevelHmms(LEVELS, self.states, self.covariance, random_state=self.random_state)
            self.model_: Any = hmms.fit(judged, level, groups)
        elif self.classifier == "logistic":
            self.model_ = SoftmaxRegression().fit(judged, level, LEVELS)
        else:
            self.model_ = CodeClusters(LEVELS, self.random_state).fit(judged, level)
        return self

    def adapt(self, figures: np.ndarray, index: Index) -> Self:
        """A copy that knows further units' baselines."""
        adapted = copy.copy(self)
        if self.own_ is not None:
            adapted.own_ = self.own_.add(self.code_.transform(figures), index)
        return adapted

    def table(self, figures: np.ndarray, index: Index) -> GradeTable:
        codes = self.code_.transform(figures)
        if self.own_ is not None:
            codes = self.own_.transform(codes, index)
        judged = self._judged(codes, index)
        if self.classifier == "logistic":
            # Row by row: a product of matrices rounds differently with other rows beside it.
            logarithm = np.array([self.model_.log_proba(row[None])[0] for row in judged]).reshape(-1, LEVELS)
        else:
            logarithm = self.model_.log_proba(judged)
        score = self.model_.score_table(judged) if self.classifier == "hmm" else logarithm
        probability = np.where(self.known_, np.exp(logarithm), 0.0)
        probability /= probability.sum(axis=1, keepdims=True)
        nothing = np.full(len(probability), np.nan)
        return GradeTable(median_error(probability), nothing, nothing, probability, score)

    def _judged(self, codes: np.ndarray, index: Index) -> np.ndarray:
        """What the classifier takes: (row, T, code) sequences with NaN in front, or (row, code) means."""
        last = last_cycles(index, self.cycles)
        if self.classifier != "hmm":
            return mean_of_last(codes, last)
        return np.where((last >= 0)[..., None], codes[last], np.nan)


def median_error(probability: np.ndarray) -> np.ndarray:
    """(row,) where the distribution over levels, each evenly filled, has its half; the last taken as wide as the
    others.

    >>> (median_error(np.array([[0.0, 0.5, 0.5], [0.0, 0.0, 1.0]])) / LEVEL_RAD).round(3).tolist()
    [2.0, 2.5]
    """
    until = np.cumsum(probability, axis=1)
    place = np.minimum((until < 0.5).sum(axis=1), probability.shape[1] - 1)
    rows = np.arange(len(probability))
    inside = (0.5 - (until - probability)[rows, place]) / np.maximum(probability[rows, place], 1e-300)
    found: np.ndarray = (place + np.clip(inside, 0.0, 1.0)) * LEVEL_RAD
    return found
