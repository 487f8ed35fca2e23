"""MiniRocket: how often each of some ten thousand fixed dilated convolutions of a window lies above a threshold."""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np

from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.features.base import Features

__all__ = ["MiniRocket"]

_TAPS = 9
_KERNELS = np.array(list(combinations(range(_TAPS), 3)))  # (84, 3): the taps of weight 2, the other six weigh -1
_MOST_CHANNELS = 9  # that one kernel sums
_CACHED = 32_768  # samples of one channel handled at once: they stay in the processor's cache
_MEMORY = 200_000_000  # bytes of all channels handled at once
_ROWS = 255  # that a byte can count


class _Layout(NamedTuple):
    """What depends on the shape of the windows alone, not on their values."""

    dilations: np.ndarray  # (dilation,) samples from tap to tap
    biases: np.ndarray  # (dilation,) thresholds of each kernel
    subsets: np.ndarray  # (dilation, kernel, channel) bool: which channels are summed


class MiniRocket(Features):
    """Shares of a window's samples at which 84 kernels of 9 taps, dilated, answer above a threshold (`ppv`).

    With a linear classifier on them (`StandardScaler`, `RidgeClassifierCV`) they are the usual yardstick for any
    network that classifies time series. The kernels are fixed: three weights are 2, six are -1, so that a constant
    added to a channel changes nothing but the padded ends. Dilations grow exponentially until a kernel spans the
    window; every other kernel sees the window padded with zeros, the others only where they fit in whole. Thresholds
    are quantiles of the answer to a window drawn from those fitted on. Each kernel at each dilation sums a few channels
    drawn at random, at most 9, and all in their own units: give z-scores (`windows.normalise`) where units differ.

    Parameters
    ----------
    features : how many, 84 or more; rounded down to a multiple of 84 (9,996 of 10,000).
    max_dilations : the most dilations of each kernel.
    random_state : seed of which channels are summed, and of the windows that thresholds are taken from.

    Features stand dilation by dilation, then kernel by kernel, and are called `ppv dilation 4 kernel 17 bias 2`. Those
    of one channel only are said to be of it. Channels that a robot does not have count as 0; thresholds come from
    windows that have as many of the summed channels as any.

    Attributes
    ----------
    dilations_ : (dilation,) samples. thresholds_ : (dilation,) how many thresholds each kernel has at it.
    subsets_ : (dilation, 84, channel) bool, channels that are summed. biases_ : (feature,) float32, the thresholds.

    Errors: `UsageError` for windows of fewer than 9 samples, or fewer than 84 features; `NotEnoughData` for no window.

    Source: A. Dempster, D. F. Schmidt, G. I. Webb, MiniRocket, KDD 2021; several channels as in the authors'
    implementation.

    >>> import numpy as np
    >>> windows = np.random.default_rng(0).standard_normal((5, 2, 100))
    >>> features = MiniRocket(features=500).fit(windows)
    >>> features.transform(windows).shape, features.feature_names_[-1], features.dilations_.tolist()
    ((5, 420), 'ppv dilation 12 kernel 83 bias 0', [1, 3, 6, 12])
    """

    def __init__(self, features: int = 10_000, max_dilations: int = 32, random_state: int = 0) -> None:
        self.features = features
        self.max_dilations = max_dilations
        self.random_state = random_state

    def _names(self, channels: tuple[str, ...], length: int) -> list[tuple[str, int]]:
        layout = self._layout(len(channels), length, np.random.default_rng(self.random_state))
        own = np.where(layout.subsets.sum(axis=2) == 1, layout.subsets.argmax(axis=2), -1)
        return [
            (f"ppv dilation {dilation} kernel {kernel} bias {bias}", int(own[place, kernel]))
            for place, dilation in enumerate(layout.dilations)
            for kernel in range(len(_KERNELS))
            for bias in range(layout.biases[place])
        ]

    def _layout(self, channels: int, length: int, rng: np.random.Generator) -> _Layout:
        each = self.features // len(_KERNELS)
        if each < 1:
            raise UsageError(f"features is {len(_KERNELS)} or more, one for each kernel; got {self.features}")
        if self.max_dilations < 1:
            raise UsageError(f"max_dilations is 1 or more, got {self.max_dilations}")
        if length < _TAPS:
            raise UsageError(
                f"MiniRocket needs windows of {_TAPS} samples or more, got {length}; cut longer windows or resample "
                "to a higher rate"
            )
        count = min(each, self.max_dilations)
        exponents = np.linspace(0.0, np.log2((length - 1) / (_TAPS - 1)), count)
        # Exact powers must not fall short of themselves by the logarithm's rounding.
        dilations, times = np.unique((2.0**exponents + 1e-9).astype(np.int64), return_counts=True)
        biases = times * each // count
        biases[: each - biases.sum()] += 1  # fewer are left over than there are dilations
        most = np.log2(min(channels, _MOST_CHANNELS) + 1)
        subsets = np.zeros((len(dilations), len(_KERNELS), channels), bool)
        for subset in subsets.reshape(-1, channels):
            subset[rng.choice(channels, int(2 ** rng.uniform(0.0, most)), replace=False)] = True
        return _Layout(dilations, biases, subsets)

    def _fit(self, values: np.ndarray, presence: np.ndarray) -> None:
        if not len(values):
            raise NotEnoughData("thresholds of MiniRocket", needed=1, have=0, unit="windows")
        rng = np.random.default_rng(self.random_state)
        layout = self._layout(values.shape[1], values.shape[2], rng)
        self.dilations_, self.thresholds_, self.subsets_ = layout.dilations, layout.biases, layout.subsets
        golden = (np.sqrt(5) + 1) / 2
        quantiles = np.arange(1, len(self.feature_names_) + 1) * golden % 1.0
        self.biases_ = np.empty(len(quantiles), np.float32)
        patterns, pattern = np.unique(presence, axis=0, return_inverse=True)
        first = 0
        for dilation, biases, subsets in zip(*layout, strict=True):
            for kernel, subset in enumerate(subsets):
                there = patterns[:, subset].sum(axis=1)
                window = [rng.choice(np.flatnonzero((there == there.max())[pattern.ravel()]))]
                block = _Block(values[window][:, subset], presence[window][:, subset], dilation)
                answer = block.answer(np.arange(subset.sum()), kernel)
                own = slice(first, first + biases)
                self.biases_[own] = np.quantile(answer, quantiles[own])
                first += biases

    def _transform(self, values: np.ndarray, presence: np.ndarray) -> np.ndarray:
        table = np.empty((len(values), len(self.biases_)))
        channels, length = values.shape[1:]
        # At its dearest a block takes 32 bytes a sample, as float64 twice over and padded to twice its length.
        step = max(1, min(_CACHED // length + 1, _MEMORY // (32 * channels * length)))
        for start in range(0, len(values), step):
            rows = slice(start, start + step)
            first = 0
            for place, dilation in enumerate(self.dilations_):
                block = _Block(values[rows], presence[rows], dilation)
                for kernel, subset in enumerate(self.subsets_[place]):
                    answer = block.answer(np.flatnonzero(subset), kernel)
                    if (place + kernel) % 2:
                        answer = answer[4 * dilation : length - 4 * dilation]
                    for _ in range(self.thresholds_[place]):
                        table[rows, first] = _count(answer > self.biases_[first]) / len(answer)
                        first += 1
        return table


class _Block:
    """Some windows at one dilation; time comes before windows, so that a shift in time leaves memory in one piece."""

    def __init__(self, values: np.ndarray, presence: np.ndarray, dilation: int) -> None:
        there = np.where(presence[:, :, None], values, 0.0)
        level = there[:, :, :1].copy()
        # Weights sum to 0, so any level may be taken off, padding included: a constant channel is then exactly 0
        # where the kernel fits in, and not noise of rounding.
        self.dilation, self.length = int(dilation), values.shape[2]
        count, channels, length = there.shape
        margin = 4 * self.dilation
        self.tripled = np.empty((channels, length + 2 * margin, count), np.float32)
        self.tripled[:] = -level.transpose(1, 2, 0)
        self.tripled[:, margin : margin + length] = (there - level).transpose(1, 2, 0)
        self.summed = -self._shifted(self.tripled, 0)
        for tap in range(1, _TAPS):
            self.summed -= self._shifted(self.tripled, tap)
        self.tripled *= 3.0

    def _shifted(self, padded: np.ndarray, tap: int) -> np.ndarray:
        start = tap * self.dilation
        return padded[..., start : start + self.length, :]

    def answer(self, channels: np.ndarray, kernel: int) -> np.ndarray:
        """(time, window) convolution of the sum of channels: -1 of all taps, and 3 more of three of them."""
        tripled, total = self.tripled[channels[0]], self.summed[channels[0]].copy()
        for number, channel in enumerate(channels[1:]):
            tripled = np.add(tripled, self.tripled[channel], out=tripled if number else None)
            total += self.summed[channel]
        for tap in _KERNELS[kernel]:
            total += self._shifted(tripled, tap)
        return total


def _count(above: np.ndarray) -> np.ndarray:
    """True values by column, added up byte by byte first: several times as fast as `sum`."""
    bytes_ = np.add.reduceat(above.view(np.uint8), np.arange(0, len(above), _ROWS), axis=0, dtype=np.uint8)
    count: np.ndarray = bytes_.sum(axis=0, dtype=np.int64)
    return count
