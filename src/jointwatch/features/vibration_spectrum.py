"""Vibration of every joint as its drive feels it: logarithms of band power of torque or current, in bands of Hz."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from scipy.signal import welch

from jointwatch.core import Channel, Quantity
from jointwatch.core.errors import MissingChannel, UsageError
from jointwatch.features.base import Features

__all__ = ["VibrationSpectrum"]

_QUANTITIES = (Quantity.TORQUE, Quantity.CURRENT, Quantity.JOINT_TORQUE, Quantity.EFFORT)
_LEAST = 1e-12  # squared units of the channel, where a band is empty
_BLOCK = 256  # windows handled at once


class VibrationSpectrum(Features):
    """log10 of the mean square of each torque, current, joint torque or effort channel within each band.

    The spectrum is Welch's (Hann windows of half the length that overlap by half, each without its mean), so a band is
    resolved to about four samples' frequencies of the window: bands narrower than `4 / duration` share their lines.
    Bands are in Hz whatever the rate: windows of cycles that were stretched to one length each have their own. A band
    without noise, or the part of one beyond half the sampling rate, counts as 1e-12 squared units. Channels with a
    component (`current.derived/1:innovation`, `torque.derived/1:residual`) are taken as well.

    Parameters
    ----------
    bands_hz : (low, high) of each band, 0 <= low < high.

    Features stand channel by channel and are called `current/1 5-10 Hz`.

    Errors: `MissingChannel` without such a channel; `UsageError` for bands that are none, or windows of fewer than 8
    samples.

    Source: P. D. Welch, IEEE Trans. Audio Electroacoust. 15, 1967; band power as sign of gear and bearing damage is
    the practice of ISO 13373-1.

    >>> from dataclasses import replace
    >>> from jointwatch.detectors.base import as_windows
    >>> time_s = np.arange(200) / 100
    >>> values = np.stack([np.sqrt(2) * np.sin(2 * np.pi * 8 * time_s), np.zeros(200)])[None]
    >>> channels = (Channel(Quantity.CURRENT, 1), Channel(Quantity.POSITION, 1))
    >>> windows = replace(as_windows(values), channels=channels, rate_hz=100.0)
    >>> features = VibrationSpectrum(bands_hz=[(5, 12), (20, 40)]).fit(windows)
    >>> features.get_feature_names_out().tolist(), abs(features.transform(windows)[0, 0]).round(2)
    (['current/1 5-12 Hz', 'current/1 20-40 Hz'], np.float64(0.0))
    """

    of_one_channel: ClassVar[bool] = False
    of_time: ClassVar[bool] = True

    def __init__(
        self, bands_hz: Sequence[tuple[float, float]] = ((1, 3), (3, 6), (6, 12), (12, 25), (25, 50), (50, 100))
    ) -> None:
        self.bands_hz = bands_hz

    def _names(self, channels: tuple[str, ...], length: int) -> list[tuple[str, int]]:
        if not self.bands_hz or any(len(band) != 2 or not 0 <= band[0] < band[1] for band in self.bands_hz):
            raise UsageError(f"bands are pairs of Hz with 0 <= low < high, got {self.bands_hz}")
        if length < 8:
            raise UsageError(f"a spectrum needs windows of 8 samples or more, got {length}")
        places = _places(channels)
        if not places:
            raise MissingChannel(
                f"no {', '.join(_QUANTITIES)} channel among {', '.join(channels)}",
                remedy="cut the windows with one of them, and give Windows: arrays do not name their channels",
            )
        return [(f"{channels[i]} {low:g}-{high:g} Hz", i) for i in places for low, high in self.bands_hz]

    def _transform_timed(self, values: np.ndarray, presence: np.ndarray, step_s: np.ndarray) -> np.ndarray:
        places = _places(self.channels_)
        table = np.empty((len(values), len(places), len(self.bands_hz)))
        for first in range(0, len(values), _BLOCK):
            rows = slice(first, first + _BLOCK)
            signal = values[rows][:, places].astype(np.float64)
            lines, density = welch(signal, nperseg=max(values.shape[2] // 2, 8), axis=2)  # of cycles a sample
            # What lies below the frequencies k - 1/2 and k + 1/2, so that a band's edge cuts a line in parts.
            edges = np.concatenate([[0.0], lines[:-1] + lines[1] / 2, [0.5]])
            below = np.concatenate([np.zeros((*density.shape[:2], 1)), np.cumsum(density * np.diff(edges), axis=2)], 2)
            for band, (low, high) in enumerate(self.bands_hz):
                part = _at(below, edges, high * step_s[rows]) - _at(below, edges, low * step_s[rows])
                table[rows, :, band] = np.log10(np.maximum(part, _LEAST))
        return table.reshape(len(values), len(self.feature_names_))


def _places(keys: tuple[str, ...]) -> list[int]:
    found = []
    for place, key in enumerate(keys):
        try:
            channel = Channel.parse(key)
        except UsageError:
            continue  # an anonymous array's channel
        if channel.quantity in _QUANTITIES:
            found.append(place)
    return found


def _at(below: np.ndarray, edges: np.ndarray, frequency: np.ndarray) -> np.ndarray:
    """(window, channel) what lies below a frequency of each window, between the edges in proportion."""
    place = np.clip(np.searchsorted(edges, frequency), 1, len(edges) - 1)
    share = np.clip((frequency - edges[place - 1]) / (edges[place] - edges[place - 1]), 0.0, 1.0)
    rows = np.arange(len(frequency))
    lower, upper = below[rows, :, place - 1], below[rows, :, place]
    result: np.ndarray = lower + share[:, None] * (upper - lower)
    return result
