"""Friction of whole cycles relative to the unit's own healthy ones, and a regularised linear classifier on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from jointwatch.core import Index, Quantity, Recording, Windows
from jointwatch.diagnosis._cycles_view import CyclesView, check_position, efforts
from jointwatch.diagnosis._softmax_regression import SoftmaxRegression
from jointwatch.features.friction import Friction
from jointwatch.windows._cut import Domain

__all__ = ["FrictionView"]


class FrictionView(CyclesView):
    """`Friction` of whole cycles, relative to healthy ones, then multinomial regression.

    Parameters
    ----------
    axis, baseline, domain : see `CyclesView`.
    length : samples that a cycle is stretched to.
    penalty : of the regression. target_penalty : of the pull towards the source's weights when labelled target rows
        of several classes are learned.
    """

    def __init__(
        self,
        axis: int | None = None,
        baseline: Literal["unit", "domain"] = "unit",
        domain: Domain = "axis",
        length: int = 160,
        penalty: float = 0.01,
        target_penalty: float = 0.1,
    ) -> None:
        self.axis = axis
        self.baseline = baseline
        self.domain = domain
        self.length = length
        self.penalty = penalty
        self.target_penalty = target_penalty

    def _keys(self, recordings: Sequence[Recording]) -> list[str]:
        check_position(
            recordings,
            self.axis,
            "friction needs the measured position of the axis",
            "leave it out, or take views=('profile',), which needs none",
        )
        return [str(Quantity.POSITION), "velocity.derived", *efforts(recordings, self.axis)]

    def _length(self, recordings: Sequence[Recording]) -> int:
        return self.length

    def _features(self, cycles: Windows) -> Friction:
        return Friction()

    def _learned(self, X: np.ndarray, code: np.ndarray, index: Index) -> SoftmaxRegression:
        return SoftmaxRegression(self.penalty).fit(X, code, self.classes_)

    def _moved(self, X: np.ndarray, code: np.ndarray, index: Index) -> SoftmaxRegression:
        return self.model_.near(X, code, self.target_penalty)
