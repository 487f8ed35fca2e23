"""Grades from friction, ripple and play against the joint's angle, on an ordinal scale with intervals."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Literal, Self

import numpy as np

from jointwatch.core import Index, Quantity, Recording, Windows
from jointwatch.core.levels import LEVEL_RAD, LEVELS
from jointwatch.diagnosis._cycles_view import check_position, efforts
from jointwatch.diagnosis._grade_view import GradeTable, GradeView, check_rate, kept
from jointwatch.diagnosis._last_cycles import last_cycles, mean_of_last
from jointwatch.diagnosis._ordinal import OrdinalRegressor
from jointwatch.features.joint_profile import JointProfile
from jointwatch.signals.joint_profile import strokes
from jointwatch.windows.axis_view import axis_view
from jointwatch.windows.by_cycle import by_cycle
from jointwatch.windows.own_baseline import OwnBaseline

__all__ = ["ABSOLUTE", "RELATIVE", "ProfileGrades"]

RELATIVE = ("friction", "ripple", "roughness")
"""What wear multiplies: tells most relative to the drive's own youth."""
ABSOLUTE = ("friction", "shape", "play")
"""What a new drive hardly has, so that it tells even where the drive's youth is not known."""
_FEWEST = 1e-300
_A_TURN = 10  # samples a turn of the input, for its orders not to fold back


class ProfileGrades(GradeView):
    """`JointProfile` of whole cycles, its figures averaged over torque and current, then `OrdinalRegressor`.

    The static error is regressed in steps of 0.025 degree; levels, intervals and probabilities are of one distribution
    whose width was measured on whole drives held out.

    Parameters
    ----------
    joint, ratio, baseline, cycles, coverage, random_state : see `GradeView`; ratio : turns of the input for one of the
        output.
    length : samples that a cycle is stretched to; at least 10 for each turn of the input at top speed.
    groups : families of figures; None = those that tell most with such a baseline.
    learner : see `OrdinalRegressor`.

    Cycles in which the joint does not go to and fro are skipped as `stands`.

    Attributes
    ----------
    signals_ : list of keys that are cut. own_ : OwnBaseline or None. grades_ : OrdinalRegressor.

    Errors: `MissingChannel` without position, or one of the signals that were learned from; `InputError` for less than
    10 samples a turn of the input at top speed.
    """

    def __init__(
        self,
        joint: int | None = None,
        ratio: float = 100.0,
        baseline: Literal["unit"] | None = "unit",
        cycles: int = 1,
        coverage: float = 0.9,
        random_state: int = 0,
        length: int = 4000,
        groups: Sequence[str] | None = None,
        learner: Literal["ridge", "kernel", "discriminant", "average", "auto"] = "average",
    ) -> None:
        self.joint = joint
        self.ratio = ratio
        self.baseline = baseline
        self.cycles = cycles
        self.coverage = coverage
        self.random_state = random_state
        self.length = length
        self.groups = groups
        self.learner = learner

    def cut(self, recordings: Sequence[Recording]) -> Windows:
        check_position(
            recordings,
            self.joint,
            "a profile against the angle needs the measured position of the joint",
            "leave it out, or take view='code', which needs none",
        )
        if not hasattr(self, "signals_"):
            self.signals_ = [str(Quantity.POSITION), *efforts(recordings, self.joint)]
        views = [axis_view(recording, self.signals_, self.joint) for recording in recordings]
        for view in views:
            turns_a_sample = np.abs(np.diff(view.values[0])) * self.ratio / (2 * np.pi)
            known = turns_a_sample[np.isfinite(turns_a_sample)]
            fastest = float(np.quantile(known, 0.95)) if len(known) else 0.0
            check_rate(view, _A_TURN * fastest * view.rate_hz, "a profile of so quick a motion")
        windows = by_cycle(views, length=self.length, channels=views[0].channels)
        return kept(windows, strokes(windows.values[:, 0], self.ratio), "stands")

    def measure(self, windows: Windows) -> np.ndarray:
        groups = self.groups or (RELATIVE if self.baseline else ABSOLUTE)
        features = JointProfile(self.ratio, groups).fit(windows)
        table = features.transform(windows)
        channels = np.unique(features.feature_channel_)
        return np.mean([table[:, features.feature_channel_ == channel] for channel in channels], axis=0)

    def fit(self, figures: np.ndarray, index: Index, error_rad: np.ndarray, groups: np.ndarray) -> Self:
        self.own_ = OwnBaseline("unit", "difference") if self.baseline else None
        relative = figures if self.own_ is None else self.own_.fit_transform(figures, index)
        edges = tuple(float(level) for level in range(1, LEVELS))
        self.grades_ = OrdinalRegressor(
            edges, self.learner, self.coverage, limits=(0.0, np.inf), landmarks=200, random_state=self.random_state
        ).fit(self._together(relative, index), error_rad / LEVEL_RAD, groups)
        return self

    def adapt(self, figures: np.ndarray, index: Index) -> Self:
        adapted = copy.copy(self)
        adapted.own_ = None if self.own_ is None else self.own_.add(figures, index)
        return adapted

    def table(self, figures: np.ndarray, index: Index) -> GradeTable:
        relative = figures if self.own_ is None else self.own_.transform(figures, index)
        rows = self._together(relative, index)
        low, high = self.grades_.predict_interval(rows)
        probability = self.grades_.predict_proba(rows)
        return GradeTable(
            self.grades_.predict(rows) * LEVEL_RAD,
            low * LEVEL_RAD,
            high * LEVEL_RAD,
            probability,
            np.log(np.maximum(probability, _FEWEST)),
        )

    def _together(self, figures: np.ndarray, index: Index) -> np.ndarray:
        return mean_of_last(figures, last_cycles(index, self.cycles))
