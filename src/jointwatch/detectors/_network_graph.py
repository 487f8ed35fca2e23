"""A detector's network as it scores where torch is not installed: the graphs that it was exported to."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Self

import numpy as np

from jointwatch.core import Windows
from jointwatch.core.errors import UsageError
from jointwatch.core.slices import slices
from jointwatch.detectors.base import Detector
from jointwatch.models._onnx_graph import OnnxGraph
from jointwatch.training.synthetic_anomalies import disturb
from jointwatch.windows._standardised import standardised

__all__ = ["NetworkGraph"]

_CHUNK = 256  # windows scored at once
_BATCH = 128  # windows by which statistics are measured at once


class NetworkGraph(Detector):
    """Scores as the detector that it was made of; it cannot be fitted.

    Parameters
    ----------
    method : catalog name of that detector.
    score_graph : (values, mask, and the constants that it takes) -> (window,) scores.
    blame_graph : the same -> (window,) scores and (window, channel) contributions; None where `score_graph` gives both.
    statistics_graph : (values, mask) -> mean and variance of what goes into each batch norm, normalised by the batch
        itself, under the names of the adjustable figures; None without batch norms.
    clip_sigma : see `standardised`.
    disturbed_sigma : weakest and strongest anomaly, where the network was trained on healthy windows and as many
        disturbed copies of them: its batch norms saw both. None for networks that saw windows as they are.
    eight_bits : whether `score_graph` is a smaller variant of what `blame_graph` gives.

    Attributes
    ----------
    mean_, scale_ : (channel,). constants_ : name -> array, further inputs of both graphs.
    """

    def __init__(
        self,
        method: str,
        score_graph: OnnxGraph,
        blame_graph: OnnxGraph | None = None,
        statistics_graph: OnnxGraph | None = None,
        clip_sigma: float = 5.0,
        disturbed_sigma: tuple[float, float] | None = None,
        eight_bits: bool = False,
    ) -> None:
        self.method = method
        self.score_graph = score_graph
        self.blame_graph = blame_graph
        self.statistics_graph = statistics_graph
        self.clip_sigma = clip_sigma
        self.disturbed_sigma = disturbed_sigma
        self.eight_bits = eight_bits

    def of(self, detector: Detector, mean: np.ndarray, scale: np.ndarray, **constants: np.ndarray) -> Self:
        """Ready to score windows of the layout that the detector was fitted on."""
        self.channels_, self.length_ = detector.channels_, detector.length_
        self.mean_, self.scale_, self.constants_ = mean, scale, constants
        self._rebuild()
        return self

    def _rebuild(self) -> None:
        # stored in half precision where that is enough, taken in single
        self._constants = {name: array.astype(np.float32) for name, array in self.constants_.items()}

    @property
    def name(self) -> str:
        """Of the detector that it was made of."""
        return self.method

    def _fit(self, windows: Windows) -> None:
        raise UsageError(f"an exported {self.method} cannot be fitted; fit the detector and export it again")

    def _score(self, windows: Windows) -> np.ndarray:
        scores = np.empty(len(windows))
        for rows in slices(len(windows), _CHUNK):
            scores[rows], *_ = self._run(self.score_graph, windows[rows])
        return scores

    def _contributions(self, windows: Windows) -> np.ndarray:
        return self._assess(windows)[1]

    @property
    def _costly_contributions(self) -> bool:
        return self.blame_graph is not None

    def _assess(self, windows: Windows) -> tuple[np.ndarray, np.ndarray]:
        scores, parts = np.empty(len(windows)), np.empty(windows.shape[:2])
        for rows in slices(len(windows), _CHUNK):
            scores[rows], parts[rows] = self._run(self.blame_graph or self.score_graph, windows[rows])
        # in eight bits what decides is the smaller graph, whoever asks
        return self._score(windows) if self.eight_bits else scores, parts

    def statistics_of(self, windows: Windows, seed: int = 0) -> dict[str, np.ndarray]:
        """What the batch norms see of these windows, the mean over batches as in training.

        Errors: `UsageError` without batch norms that can be adjusted.
        """
        graph = self.statistics_graph
        if graph is None:
            raise UsageError(
                f"this {self.method} has no batch norms that can be adjusted (none at all, or in eight bits); "
                "recalibrate the threshold alone"
            )
        given = self.inputs(windows)
        if self.disturbed_sigma is not None:
            drawn = np.random.default_rng(seed)
            odd = disturb(
                given["values"], windows.channels, drawn, mask=given["mask"], strength_sigma=self.disturbed_sigma
            ).values
            both = given["values"], np.clip(odd, -self.clip_sigma, self.clip_sigma).astype(np.float32)
            # every batch holds windows and their copies
            given = {"values": np.stack(both, 1).reshape(-1, *odd.shape[1:]), "mask": given["mask"].repeat(2, axis=0)}
        rows = np.arange(len(given["values"]))
        batches = np.array_split(rows, max(1, round(len(rows) / _BATCH)))
        found = [graph.run(**{name: array[batch] for name, array in given.items()}) for batch in batches]
        return {
            name: np.mean(figures, axis=0)
            for name, figures in zip(graph.outputs, zip(*found, strict=True), strict=True)
        }

    def with_statistics(self, statistics: Mapping[str, np.ndarray]) -> NetworkGraph:
        """A copy with other statistics, by the names of `statistics_of`."""
        copied = copy.copy(self)
        copied.score_graph = self.score_graph.adjusted(statistics)
        copied.blame_graph = None if self.blame_graph is None else self.blame_graph.adjusted(statistics)
        return copied

    def inputs(self, windows: Windows) -> dict[str, np.ndarray]:
        """What the graphs are given for these windows, beside constants."""
        return {"values": standardised(windows, self.mean_, self.scale_, self.clip_sigma), "mask": windows.presence}

    def constants(self, graph: OnnxGraph) -> dict[str, np.ndarray]:
        """The further inputs that this graph takes."""
        return {name: array for name, array in self._constants.items() if name in graph.inputs}

    def _run(self, graph: OnnxGraph, windows: Windows) -> tuple[np.ndarray, ...]:
        return graph.run(**self.inputs(windows), **self.constants(graph))
