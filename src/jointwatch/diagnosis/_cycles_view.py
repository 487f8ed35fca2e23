"""Whole cycles of one axis as features relative to healthy ones, and a linear classifier on them."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np

from jointwatch.core import Index, Quantity, Recording, Source, Windows
from jointwatch.core.errors import MissingChannel
from jointwatch.core.estimator import BaseEstimator
from jointwatch.diagnosis._checks import check_cycles, names_of
from jointwatch.diagnosis._split import cluster_of, folds
from jointwatch.diagnosis.base import Explanation
from jointwatch.features.base import Features
from jointwatch.windows._cut import Domain
from jointwatch.windows.axis_view import axis_of, axis_view
from jointwatch.windows.by_cycle import by_cycle
from jointwatch.windows.own_baseline import OwnBaseline

__all__ = ["CyclesView", "check_position", "efforts", "shared_kinds"]

_EFFORTS = (Quantity.TORQUE, Quantity.CURRENT, Quantity.JOINT_TORQUE)
_FOLDS = 5


class CyclesView(BaseEstimator, ABC):
    """What views of whole cycles share. Authors write `_keys`, `_length`, `_features`, `_learned` and `_moved`.

    Parameters
    ----------
    axis : number of the joint; None = the one that travels farthest.
    baseline : `unit` or `domain`, see `OwnBaseline`.
    domain : `axis`, or as in `windows.sliding`.

    Attributes
    ----------
    features_ : fitted transformer. own_ : OwnBaseline. model_ : the classifier. classes_ : int, how many.
    signals_ : list of keys that are cut. length_ : samples a cycle. cluster_ : what is held out as a whole.
    healthy_ : (feature,) mean contribution of healthy rows.
    """

    piece: ClassVar[str] = "cycles"
    """What a row is."""
    tunes: ClassVar[bool] = False
    """Whether labels are learned by a strategy of `transfer`."""
    crosses: ClassVar[bool] = True
    """Whether log-probabilities of every row of training can be had from models that have not seen its cluster."""
    holds_out = True
    """Whether rows may be held out for calibration."""
    form: ClassVar[Literal["auto", "difference"]] = "auto"
    """Of the baseline."""

    axis: int | None
    baseline: Literal["unit", "domain"]
    domain: Domain

    @abstractmethod
    def _keys(self, recordings: Sequence[Recording]) -> list[str]:
        """Signals that all recordings have and the features need."""

    @abstractmethod
    def _length(self, recordings: Sequence[Recording]) -> int:
        """Samples that a cycle is stretched to."""

    @abstractmethod
    def _features(self, cycles: Windows) -> Features:
        """The transformer, not fitted."""

    @abstractmethod
    def _learned(self, X: np.ndarray, code: np.ndarray, index: Index) -> Any:
        """A classifier of (row, feature) rows and their classes, with `log_proba` and `parts`."""

    @abstractmethod
    def _moved(self, X: np.ndarray, code: np.ndarray, index: Index) -> Any:
        """The classifier with labelled rows of a target learned; `model_` stays as it is."""

    def cut(self, recordings: Sequence[Recording]) -> Windows:
        """Whole cycles of the axis; once fitted, with the signals and length of `fit`."""
        check_cycles(recordings)
        fitted = hasattr(self, "model_")
        keys = self.signals_ if fitted else self._keys(recordings)
        views = [axis_view(recording, keys, self.axis) for recording in recordings]
        length = self.length_ if fitted else self._length(recordings)
        domain = (lambda view: f"axis{view.truth['axis']}") if self.domain == "axis" else self.domain
        return by_cycle(views, length=length, channels=views[0].channels, domain=domain)

    def fit(self, cycles: Windows, code: np.ndarray, classes: int, held: np.ndarray | None = None) -> Self:
        """Learn from (cycle, channel, time) and their classes; all rows are used, `held` is not looked at."""
        self.signals_ = [channel.key for channel in cycles.channels]
        self.length_, self.classes_ = cycles.shape[2], classes
        self.cluster_ = cluster_of(cycles.index)
        self.features_ = self._features(cycles).fit(cycles)
        self.own_ = OwnBaseline(self.baseline, self.form)
        X = self.own_.fit_transform(self.features_.transform(cycles), cycles.index)
        self.model_ = self._learned(X, code, cycles.index)
        self.healthy_ = self.model_.parts(X[code == 0]).mean(axis=0)
        return self

    def held_log_proba(self, cycles: Windows, code: np.ndarray, held: np.ndarray, seed: int) -> np.ndarray:
        """(held row, class) log-probabilities of rows of `fit`, each from a model that has not seen its cluster; NaN
        where that model would lack a class."""
        X = self.own_.crossed(self.features_.transform(cycles), cycles.index)
        found = np.full((len(X), self.classes_), np.nan)
        for fold in folds(cycles.index, code, _FOLDS, seed):
            if (fold & held).any() and np.array_equal(np.unique(code[~fold]), np.unique(code)):
                rows = fold & held
                found[rows] = self._learned(X[~fold], code[~fold], cycles.index.take(~fold)).log_proba(X[rows])
        return found[held]

    def adapt(self, cycles: Windows, code: np.ndarray, learn: bool = False) -> Self:
        """A copy for other units, another axis or load: baselines from healthy cycles; the classifier moved by labelled
        cycles of several classes, if they are to be learned from."""
        adapted = copy.deepcopy(self)
        known = code >= 0 if learn else code == 0
        X, index, code = self.features_.transform(cycles)[known], cycles.index.take(known), code[known]
        adapted.own_ = self.own_.add(X, index)
        if len(X):
            relative = adapted.own_.crossed(X, index)
            if len(np.unique(code)) > 1:  # what classes have in common, the baseline has taken out
                adapted.model_ = self._moved(relative, code, index)
            if (code == 0).any():
                adapted.healthy_ = adapted.model_.parts(relative[code == 0]).mean(axis=0)
        return adapted

    def log_proba(self, cycles: Windows) -> np.ndarray:
        """(cycle, class) log-probabilities."""
        found: np.ndarray = self.model_.log_proba(self._relative(cycles))
        return found

    def explain(self, cycles: Windows) -> Explanation:
        """What each signal adds to the log-odds of a fault, beyond healthy cycles."""
        parts = self.model_.parts(self._relative(cycles)) - self.healthy_
        return Explanation(cycles.index, cycles.channels, self.features_.by_channel(parts))

    def _relative(self, cycles: Windows) -> np.ndarray:
        return self.own_.transform(self.features_.transform(cycles), cycles.index)


def shared_kinds(recordings: Sequence[Recording], axis: int | None) -> set[str]:
    """Keys without a joint of what every recording has of its axis."""
    kinds = []
    for recording in recordings:
        number = axis_of(recording, axis)
        own = [c for c in recording.channels if c.joint == number and not c.component]
        kinds.append({f"{c.quantity}" + ("" if c.source is Source.MEASURED else f".{c.source}") for c in own})
    return set.intersection(*kinds)


def check_position(recordings: Sequence[Recording], axis: int | None, what: str, remedy: str) -> None:
    """Errors: `MissingChannel` for the first recording whose axis has no measured position; `what` needs it."""
    for recording in recordings:
        if Quantity.POSITION not in shared_kinds([recording], axis):
            raise MissingChannel(
                f"{what}, which {recording.robot.unit}, session {recording.session!r}, has not",
                file=recording.source or None,
                channel=str(Quantity.POSITION),
                remedy=remedy,
            )


def efforts(recordings: Sequence[Recording], axis: int | None) -> list[str]:
    """Every torque or current that all recordings have of their axis.

    Errors: `MissingChannel` without one, naming a recording that has none, or all where they share none.
    """
    found = [str(quantity) for quantity in _EFFORTS if quantity in shared_kinds(recordings, axis)]
    if found:
        return found
    without = [r for r in recordings if not shared_kinds([r], axis) & {str(quantity) for quantity in _EFFORTS}]
    who = without or recordings
    raise MissingChannel(
        f"{'no' if without else 'no common'} {', '.join(_EFFORTS)} of the axis in "
        + names_of(f"{r.robot.unit}, session {r.session!r}" for r in who),
        file=who[0].source or None,
        remedy="leave out the recordings that lack it, or say the joint with axis=",
    )
