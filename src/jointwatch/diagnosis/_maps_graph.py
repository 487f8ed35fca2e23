"""A view of feature maps where torch is not installed: the graphs that its networks were exported to."""

from __future__ import annotations

import copy
from typing import Any, ClassVar, Literal, Self

import numpy as np

from jointwatch.core import Windows
from jointwatch.core.errors import UsageError
from jointwatch.core.slices import slices
from jointwatch.diagnosis._scaled_maps import AT_ONCE, ScaledMaps
from jointwatch.models._onnx_graph import OnnxGraph
from jointwatch.windows.feature_maps import FeatureMaps

__all__ = ["MapsGraph"]


class MapsGraph(ScaledMaps):
    """Diagnoses as the view that it was made of; further units can be given baselines, nothing is learned.

    Parameters
    ----------
    maps : how recordings are cut.
    judge_graph : (values, mask) -> (map, class) log-probabilities.
    blame_graph : (values, mask, references) -> contributions and, for networks that have it, attention.
    classes : how many. baseline : see `ScaledMaps`.
    """

    tunes: ClassVar[bool] = True
    """Labels would be learned by a strategy, which `adapt` refuses."""
    crosses: ClassVar[bool] = False
    holds_out: ClassVar[bool] = False

    def __init__(
        self,
        maps: FeatureMaps,
        judge_graph: OnnxGraph,
        blame_graph: OnnxGraph,
        classes: int,
        baseline: Literal["unit", "domain"] = "unit",
    ) -> None:
        self.maps = maps
        self.judge_graph = judge_graph
        self.blame_graph = blame_graph
        self.classes = classes
        self.baseline = baseline

    def of(self, view: ScaledMaps) -> Self:
        """Ready to diagnose, with what that view knows of scales and baselines."""
        self.own_, self.domains_, self.scale_ = view.own_, view.domains_, view.scale_
        self.channels_, self.rate_hz_, self.references_ = view.channels_, view.rate_hz_, view.references_
        return self

    def adapt(self, maps: Windows, code: np.ndarray, strategy: Any = None) -> Self:
        """A copy that knows further units' baselines.

        Errors: `UsageError` with a strategy, as an exported network learns nothing.
        """
        if strategy is not None:
            raise UsageError(
                "an exported network learns nothing from labels; adapt with learn=False, or where torch is"
            )
        adapted = copy.copy(self)
        adapted._with_baselines(maps)
        return adapted

    def _log_proba(self, values: np.ndarray, presence: np.ndarray) -> np.ndarray:
        found = [np.empty((0, self.classes))]
        for rows in slices(len(values), AT_ONCE):
            found.append(self.judge_graph.run(values=values[rows], mask=presence[rows])[0].astype(np.float64))
        return np.concatenate(found)

    def _blamed(self, values: np.ndarray, presence: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        parts, *attention = self.blame_graph.run(
            values=values, mask=presence, references=self.references_.astype(np.float32)
        )
        return parts, attention[0] if attention else None
