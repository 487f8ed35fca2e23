"""Course of torque or current over the whole cycle, and a linear discriminant that is carried from load to load."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np

from jointwatch.core import Index, Quantity, Recording, Source, Windows
from jointwatch.diagnosis._cycles_view import CyclesView, efforts, shared_kinds
from jointwatch.diagnosis._split import clusters
from jointwatch.diagnosis._state_mixture import StateMixture
from jointwatch.diagnosis.base import conditions
from jointwatch.features.phase_profile import PhaseProfile
from jointwatch.windows._cut import Domain

__all__ = ["SPREAD_PARTS", "ProfileView", "typical_samples"]

SPREAD_PARTS = 27
"""Phases in which the roughness is told; a divisor of the measured strokes' 324 samples."""
_MOST = 400  # samples a cycle: the covariance grows with their square


class ProfileView(CyclesView):
    """`PhaseProfile` of torque or current at every sample, with the roughness of them and of the position error, less
    that of healthy cycles, then a `CarriedDiscriminant` of the states of which the decided classes are made.

    The discriminant learns what runs (or units) of one class differ by, and to what extent a target's classes keep
    the distances that they have in the source; the healthy cycles of a target show the shift that its classes have in
    common. In features that are differences to a baseline the two are one: it is the same discriminant.

    Parameters
    ----------
    axis, baseline, domain : see `CyclesView`.
    length : samples that a cycle is stretched to; None = as many as a typical one has, at most 400.
    """

    form: ClassVar[Literal["auto", "difference"]] = "difference"

    def __init__(
        self,
        axis: int | None = None,
        baseline: Literal["unit", "domain"] = "unit",
        domain: Domain = "axis",
        length: int | None = None,
    ) -> None:
        self.axis = axis
        self.baseline = baseline
        self.domain = domain
        self.length = length

    def _keys(self, recordings: Sequence[Recording]) -> list[str]:
        return efforts(recordings, self.axis) + _error(shared_kinds(recordings, self.axis))

    def _length(self, recordings: Sequence[Recording]) -> int:
        if self.length is not None:
            return self.length
        return min(max(typical_samples(recordings), SPREAD_PARTS), _MOST)

    def _features(self, cycles: Windows) -> PhaseProfile:
        own = [c.key for c in cycles.channels if c.quantity is not Quantity.POSITION_ERROR]
        return PhaseProfile(spread_parts=min(SPREAD_PARTS, cycles.shape[2]), channels=own)

    def _learned(self, X: np.ndarray, code: np.ndarray, index: Index) -> StateMixture:
        return StateMixture().fit(X, code, conditions(index, "state"), clusters(index, self.cluster_), self.classes_)

    def _moved(self, X: np.ndarray, code: np.ndarray, index: Index) -> StateMixture:
        return self.model_.adapt(X, code, conditions(index, "state"), clusters(index, self.cluster_))


def typical_samples(recordings: Sequence[Recording]) -> int:
    """Samples of a typical cycle as it was recorded."""
    spans = [cycle.stop_s - cycle.start_s for recording in recordings for cycle in recording.cycles]
    rates = [recording.rate_hz for recording in recordings]
    return round(float(np.median(spans)) * float(np.median(rates)))


def _error(kinds: set[str]) -> list[str]:
    """Key of the position error, where it was measured or can be derived."""
    if Quantity.POSITION_ERROR in kinds:
        return [str(Quantity.POSITION_ERROR)]
    both = {str(Quantity.POSITION), f"{Quantity.POSITION}.{Source.COMMANDED}"} <= kinds
    return [f"{Quantity.POSITION_ERROR}.{Source.DERIVED}"] if both else []
