"""Mean, spread, shape and range of every channel, over the whole window or over parts of it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from jointwatch.core.errors import UsageError
from jointwatch.features.base import Features
from jointwatch.signals.statistics import STATISTICS, statistics

__all__ = ["CycleStatistics"]

_BLOCK = 128  # windows handled at once: they stay in the processor's cache


class CycleStatistics(Features):
    """Simple statistics of each channel: what any cleverer feature has to beat.

    Parameters
    ----------
    segments : equal parts of the window (phases of the cycle, if windows are whole cycles), each with its own features.
    names : which of `mean`, `std`, `rms`, `kurtosis` (not the excess), `skewness`, `min`, `max`, `peak_to_peak`;
        None = all.

    Features stand segment by segment, then channel by channel, and are called `current/1 rms` or
    `current/1 rms 2of4`. A channel that never changes has kurtosis and skewness 0.

    Errors: `UsageError` for unknown names, or more segments than samples.

    >>> import numpy as np
    >>> windows = np.random.default_rng(0).standard_normal((5, 2, 100))
    >>> features = CycleStatistics(segments=2, names=["mean", "kurtosis"]).fit(windows)
    >>> features.transform(windows).shape, features.get_feature_names_out()[:3].tolist()
    ((5, 8), ['c0 mean 1of2', 'c0 kurtosis 1of2', 'c1 mean 1of2'])
    """

    def __init__(self, segments: int = 1, names: Sequence[str] | None = None) -> None:
        self.segments = segments
        self.names = names

    def _names(self, channels: tuple[str, ...], length: int) -> list[tuple[str, int]]:
        if not 1 <= self.segments <= length:
            raise UsageError(f"segments is between 1 and the {length} samples of a window, got {self.segments}")
        chosen = tuple(STATISTICS) if self.names is None else tuple(self.names)
        unknown = [name for name in chosen if name not in STATISTICS]
        if unknown or not chosen:
            raise UsageError(f"no statistic {', '.join(unknown) or 'named'}; there are {', '.join(STATISTICS)}")
        part = [""] if self.segments == 1 else [f" {i + 1}of{self.segments}" for i in range(self.segments)]
        return [(f"{key} {name}{p}", i) for p in part for i, key in enumerate(channels) for name in chosen]

    def _transform(self, values: np.ndarray, presence: np.ndarray) -> np.ndarray:
        features = np.empty((len(values), len(self.feature_names_)))
        edges = np.linspace(0, values.shape[2], self.segments + 1).round().astype(int)
        for start in range(0, len(values), _BLOCK):
            block = values[start : start + _BLOCK].astype(np.float64)
            parts = [statistics(block[:, :, a:b], self.names) for a, b in pairwise(edges)]
            features[start : start + _BLOCK] = np.stack(parts, axis=1).reshape(len(block), -1)
        return features
