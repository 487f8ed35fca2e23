"""Per-phase z-score: how far each channel is from the healthy profile at the same phase of the cycle."""

from __future__ import annotations

import numpy as np

from jointwatch.core import Windows
from jointwatch.core.errors import UsageError
from jointwatch.core.slices import slices
from jointwatch.detectors._spread import usable_scale
from jointwatch.detectors.base import Detector

__all__ = ["PhaseZscore"]

_FLOOR = 1e-3  # of the channel's own spread: a perfectly repeated profile is no licence to flag rounding
_BLOCK = 1024


class PhaseZscore(Detector):
    """Mean of z^2 over samples and channels, z = (sample - profile mean) / profile spread: about 1 on healthy windows.

    Every sample has a phase in its cycle, from the window's place in it (`phase`, `start_s`, `stop_s` and `cycle_s`
    of the index); the profile is learned for phase bins. For whole cycles a bin is one sample, sliding windows fill
    the bins of the part that they cover, and plain arrays count as whole cycles. So one rule serves both.
    The score is the sum of the contributions, the mean z^2 of each channel.

    Parameters
    ----------
    max_bins : phase bins; fewer where a cycle has fewer samples.
    prior_windows : the variance of a bin is drawn to the mean of all bins as by so many further windows, because a
        few windows say little about a single bin.

    A bin that training never reached takes its mean from its neighbours. The spread in a bin is at least a thousandth
    of the channel's spread over the whole cycle; a channel that never changes has spread 1.

    Attributes
    ----------
    profile_mean_, profile_std_ : (channel, bin).

    Errors: `UsageError` if the index gives no usable phase or durations.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> profile = 3 * np.sin(np.linspace(0, 6, 50)) * np.ones((2, 1))
    >>> detector = PhaseZscore().fit(profile + rng.standard_normal((100, 2, 50)))
    >>> healthy, late = profile + rng.standard_normal((2, 2, 50))
    >>> late[1] = np.roll(late[1], 10)
    >>> detector.score_samples(np.stack([healthy, late])).round().tolist()
    [1.0, 4.0]
    >>> detector.explain(late[None]).argmax()
    np.int64(1)
    """

    profile_mean_: np.ndarray
    profile_std_: np.ndarray

    def __init__(self, max_bins: int = 250, prior_windows: float = 5.0) -> None:
        self.max_bins = max_bins
        self.prior_windows = prior_windows

    def _fit(self, windows: Windows) -> None:
        if self.max_bins < 1 or self.prior_windows < 0:
            raise UsageError(f"max_bins >= 1 and prior_windows >= 0, got {self.max_bins} and {self.prior_windows}")
        share = _share_of_cycle(windows)
        bins = int(min(self.max_bins, max(1, round(windows.shape[2] / float(np.median(share))))))
        self.profile_mean_ = np.zeros((windows.shape[1], bins))
        self.profile_std_ = np.ones((windows.shape[1], bins))
        cell = _bins(windows, share, bins)
        for channel in range(windows.shape[1]):
            rows = windows.presence[:, channel]
            if rows.any():
                values = windows.values[rows, channel].astype(np.float64).ravel()
                profile = self._profile(values, cell[rows].ravel(), bins)
                self.profile_mean_[channel], self.profile_std_[channel] = profile

    def _profile(self, values: np.ndarray, cell: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray]:
        """(bin,) mean and standard deviation of one channel."""
        count = np.bincount(cell, minlength=bins)
        reached = count > 0
        total = np.bincount(cell, values, bins)
        mean = np.interp(np.arange(bins), np.flatnonzero(reached), total[reached] / count[reached])
        square = np.bincount(cell, np.square(values - mean[cell]), bins)
        freedom = np.maximum(count - 1, 0)
        pooled = square.sum() / freedom.sum() if freedom.any() else values.var()
        # with neither prior nor a second sample a bin has no variance of its own
        weight = np.where(freedom + self.prior_windows > 0, self.prior_windows, 1.0)
        variance = (square + weight * pooled) / (freedom + weight)
        spread, _ = usable_scale(values.std(), np.asarray(np.abs(values).max()))
        # the mean is uncertain as well, the more the fewer samples it rests on
        return mean, np.sqrt(np.maximum(variance * (1 + 1 / np.maximum(count, 1)), (_FLOOR * spread) ** 2))

    def _score(self, windows: Windows) -> np.ndarray:
        return self._contributions(windows).sum(axis=1)

    def _assess(self, windows: Windows) -> tuple[np.ndarray, np.ndarray | None]:
        parts = self._contributions(windows)
        return parts.sum(axis=1), parts

    def _contributions(self, windows: Windows) -> np.ndarray:
        cell = _bins(windows, _share_of_cycle(windows), self.profile_mean_.shape[1])
        parts = np.empty(windows.shape[:2])
        for block in slices(len(windows), _BLOCK):
            mean = self.profile_mean_[:, cell[block]].transpose(1, 0, 2)
            std = self.profile_std_[:, cell[block]].transpose(1, 0, 2)
            parts[block] = np.square((windows.values[block] - mean) / std).mean(axis=2)
        there = windows.presence
        return np.where(there, parts, 0.0) / np.maximum(there.sum(axis=1), 1)[:, None]


def _share_of_cycle(windows: Windows) -> np.ndarray:
    """(window,) length of the window in cycles."""
    index = windows.index
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (index.stop_s - index.start_s) / index.cycle_s
    bad = np.flatnonzero(~(np.isfinite(share) & (share > 0) & np.isfinite(index.phase)))
    if len(bad):
        row = bad[0]
        raise UsageError(
            f"window {row} of cycle {index.cycle[row]} has no usable place in its cycle: phase {index.phase[row]}, "
            f"{index.start_s[row]} to {index.stop_s[row]} s of {index.cycle_s[row]} s"
        )
    return share


def _bins(windows: Windows, share: np.ndarray, bins: int) -> np.ndarray:
    """(window, time) number of the phase bin that each sample falls into."""
    length = windows.shape[2]
    offset = (np.arange(length) + 0.5) / length - 0.5
    phase = windows.index.phase[:, None] + share[:, None] * offset
    return np.clip(np.floor(phase * bins), 0, bins - 1).astype(np.intp)
