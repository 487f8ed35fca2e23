"""Friction of whole cycles relative to the unit's own healthy ones, and a regularised linear classifier on it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator

from jointwatch.core import Quantity, Recording, Windows
from jointwatch.core.errors import MissingChannel
from jointwatch.diagnosis._softmax_regression import SoftmaxRegression
from jointwatch.diagnosis._split import unit_folds
from jointwatch.features.base import Features
from jointwatch.windows.axis_view import axis_of, axis_view
from jointwatch.windows.by_cycle import by_cycle
from jointwatch.windows.own_baseline import OwnBaseline

__all__ = ["CyclesView"]

_EFFORTS = (Quantity.TORQUE, Quantity.CURRENT, Quantity.JOINT_TORQUE)
_FOLDS = 5


class CyclesView(BaseEstimator):
    """Features of whole cycles of one axis, relative to the unit's own healthy cycles, then multinomial regression.

    Parameters
    ----------
    features : a transformer of `features`; the default of the front door is `Friction`.
    axis : number of the joint; None = the one that travels farthest.
    length : samples that a cycle is stretched to.
    baseline : `unit` or `domain`, see `OwnBaseline`.
    penalty : of the regression. target_penalty : of the pull towards the source's weights when labelled target rows
        are learned.

    Attributes
    ----------
    features_ : the fitted transformer. own_ : OwnBaseline. model_ : SoftmaxRegression.
    signals_ : list of keys that are cut. train_, train_code_ : (row, feature) relative rows of the source and their
        classes. healthy_ : (feature,) mean contribution of healthy rows.
    """

    def __init__(
        self,
        features: Features,
        axis: int | None = None,
        length: int = 160,
        baseline: Literal["unit", "domain"] = "unit",
        penalty: float = 0.01,
        target_penalty: float = 0.1,
    ) -> None:
        self.features = features
        self.axis = axis
        self.length = length
        self.baseline = baseline
        self.penalty = penalty
        self.target_penalty = target_penalty

    def cut(self, recordings: Sequence[Recording]) -> Windows:
        """Whole cycles; the domain is the axis."""
        signals = getattr(self, "signals_", None) or _signals(recordings, self.axis)
        views = [axis_view(recording, signals, self.axis) for recording in recordings]
        axes = {id(view): f"axis{axis_of(r, self.axis)}" for view, r in zip(views, recordings, strict=True)}
        return by_cycle(views, length=self.length, channels=views[0].channels, domain=lambda view: axes[id(view)])

    def fit(self, cycles: Windows, code: np.ndarray, classes: int) -> Self:
        """Learn from (cycle, channel, time) and their classes."""
        self.signals_ = [channel.key for channel in cycles.channels]
        self.features_ = copy.deepcopy(self.features).fit(cycles)
        self.own_ = OwnBaseline(self.baseline)
        X = self.own_.fit_transform(self.features_.transform(cycles), cycles.index)
        self.model_ = SoftmaxRegression(self.penalty).fit(X, code, classes)
        self.healthy_ = self.model_.parts(X[code == 0]).mean(axis=0)
        return self

    def cross_log_proba(self, cycles: Windows, code: np.ndarray, classes: int, seed: int) -> np.ndarray:
        """(cycle, class) log-probabilities of the rows of `fit`, each from a model that has not seen its unit."""
        X = self.own_.crossed(self.features_.transform(cycles), cycles.index)
        folds = unit_folds(cycles.index, _FOLDS, seed)
        found = np.full((len(X), classes), -np.log(classes))
        for fold in folds if len(folds) > 1 else ():
            found[fold] = SoftmaxRegression(self.penalty).fit(X[~fold], code[~fold], classes).log_proba(X[fold])
        return found

    def adapt(self, cycles: Windows, code: np.ndarray, strategy: Any = None) -> Self:
        """A copy for other units or another axis: baselines from healthy cycles; the weights moved by labelled cycles
        of several classes, if a strategy says that they are to be learned from."""
        adapted = copy.deepcopy(self)
        X = self.features_.transform(cycles)
        adapted.own_ = self.own_.add(X, cycles.index)
        if strategy is not None:
            relative = adapted.own_.crossed(X, cycles.index)
            known = code >= 0
            adapted.model_ = self.model_.near(relative[known], code[known], self.target_penalty)
            adapted.healthy_ = adapted.model_.parts(relative[code == 0]).mean(axis=0)
        return adapted

    def log_proba(self, cycles: Windows) -> np.ndarray:
        """(cycle, class) log-probabilities."""
        return self.model_.log_proba(self.own_.transform(self.features_.transform(cycles), cycles.index))

    def explain(self, cycles: Windows) -> np.ndarray:
        """(cycle, channel) what each signal adds to the log-odds of a fault, beyond healthy cycles."""
        parts = self.model_.parts(self.own_.transform(self.features_.transform(cycles), cycles.index))
        return self.features_.by_channel(parts - self.healthy_)


def _signals(recordings: Sequence[Recording], axis: int | None) -> list[str]:
    """Position, velocity, and every torque or current that all of them measure at that axis."""
    shared: set[Quantity] | None = None
    for recording in recordings:
        number = axis_of(recording, axis)
        own = {c.quantity for c in recording.channels if c.joint == number and c.key == f"{c.quantity}/{number}"}
        shared = own if shared is None else shared & own
    efforts = [str(quantity) for quantity in _EFFORTS if quantity in (shared or ())]
    if not efforts:
        raise MissingChannel(
            f"not every recording has one of {', '.join(_EFFORTS)} at the axis concerned",
            remedy="leave out the recordings that lack it, or say the joint with axis=",
        )
    return [Quantity.POSITION, "velocity.derived", *efforts]
