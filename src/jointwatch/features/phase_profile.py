"""The course of each channel over the cycle, phase by phase, and how rough it is along the way."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jointwatch.core.errors import UsageError
from jointwatch.features.base import Features

__all__ = ["PhaseProfile"]

_FLOOR = 0.01  # least roughness that is told apart, relative to the channel's spread over the whole window
_FLAT = 1e-9


class PhaseProfile(Features):
    """Means of each channel in many equal phases of the cycle, and the logarithm of its spread in fewer, wider ones.

    In windows of whole cycles the same phase is the same place of the stroke, so that a linear classifier can weigh
    acceleration, travel and dwell apart, and sees ripple that is locked to the position, for example to the turn of a
    screw. What is *not* locked to it averages out of the profile but stays in the roughness. Statistics of the whole
    cycle hold neither. The price: a profile also recognises the individual machine and how it was put together.

    Parameters
    ----------
    points : phases of the profile; None = every sample.
    spread_parts : phases for which the roughness is told, 0 = none. It is the logarithm of the standard deviation
        within the phase, at least one hundredth of that of the whole window.
    channels : keys of the channels whose profile is kept, as `current/1`; None = all. The roughness is told of all.

    Features are called `current/1 3of81` and `current/1 log spread 3of27`.

    Errors: `UsageError` for more phases than samples, or a channel that is not there.

    >>> import numpy as np
    >>> ramp = np.tile(np.arange(8.0), (5, 1, 1))
    >>> features = PhaseProfile(points=4, spread_parts=2).fit(ramp)
    >>> features.get_feature_names_out()[[0, 4]].tolist(), features.transform(ramp)[0, :4].tolist()
    (['c0 1of4', 'c0 log spread 1of2'], [0.5, 2.5, 4.5, 6.5])
    """

    def __init__(
        self, points: int | None = None, spread_parts: int = 27, channels: Sequence[str] | None = None
    ) -> None:
        self.points = points
        self.spread_parts = spread_parts
        self.channels = channels

    def _names(self, channels: tuple[str, ...], length: int) -> list[tuple[str, int]]:
        points = length if self.points is None else self.points
        if not 1 <= points <= length or not 0 <= self.spread_parts <= length:
            raise UsageError(
                f"points is between 1 and the {length} samples of a window and spread_parts between 0 and them, "
                f"got {points} and {self.spread_parts}"
            )
        missing = [key for key in self.channels or () if key not in channels]
        if missing:
            raise UsageError(f"no channel {', '.join(missing)}; there are {', '.join(channels)}")
        profiled = [(f"{channels[i]} {k + 1}of{points}", i) for i in self._profiled(channels) for k in range(points)]
        rough = [
            (f"{key} log spread {k + 1}of{self.spread_parts}", i)
            for i, key in enumerate(channels)
            for k in range(self.spread_parts)
        ]
        return profiled + rough

    def _profiled(self, channels: tuple[str, ...]) -> list[int]:
        return [i for i, key in enumerate(channels) if self.channels is None or key in self.channels]

    def _transform(self, values: np.ndarray, presence: np.ndarray) -> np.ndarray:
        values = values.astype(np.float64)
        points = values.shape[2] if self.points is None else self.points
        profile = _in_rows(_phase_means(values[:, self._profiled(self.channels_)], points))
        if not self.spread_parts:
            return profile
        centred = values - values.mean(axis=2, keepdims=True)
        mean = _phase_means(centred, self.spread_parts)
        std = np.sqrt(np.maximum(_phase_means(centred**2, self.spread_parts) - mean**2, 0.0))
        least = np.maximum(_FLOOR * centred.std(axis=2, keepdims=True), _FLAT)
        return np.concatenate([profile, _in_rows(np.log(np.maximum(std, least)))], axis=1)


def _in_rows(values: np.ndarray) -> np.ndarray:
    """(window, channel x phase) of (window, channel, phase), which may be empty."""
    return values.reshape(len(values), values.shape[1] * values.shape[2])


def _phase_means(values: np.ndarray, phases: int) -> np.ndarray:
    """(window, channel, phase) means of (window, channel, time)."""
    edges = np.linspace(0, values.shape[2], phases + 1).round().astype(int)
    means: np.ndarray = np.add.reduceat(values, edges[:-1], axis=2) / np.diff(edges)
    return means
