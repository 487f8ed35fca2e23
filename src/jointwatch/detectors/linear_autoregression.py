"""Linear autoregression: how badly the next sample is predicted from the last ones of all channels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from jointwatch.core import Windows
from jointwatch.core.errors import UsageError
from jointwatch.core.slices import slices
from jointwatch.detectors._spread import usable_scale
from jointwatch.detectors.base import Detector

__all__ = ["LinearAutoregression"]

_RIDGE = 1e-6  # relative; enough for channels that are copies or sums of others
_FLOOR = 1e-3  # least residual spread in standard deviations of the channel: rounding of perfectly smooth set points
_SAMPLES_A_BLOCK = 5_000


class LinearAutoregression(Detector):
    """Mean squared one-step prediction error in units of its training spread: about 1 on healthy windows.

    Each channel's next sample is predicted by least squares from the last `order` samples of all channels
    (a vector autoregression). It sees changes of dynamics and sudden events, not a level that is off and stays so.
    The score is the sum of the contributions, the mean squared error of each channel.

    Parameters
    ----------
    order : samples looked back on; at most one less than the window holds.

    Channels that a robot does not have are at their training mean and are not judged.

    Attributes
    ----------
    mean_, scale_ : (channel,). order_ : the order in use. coefficients_ : (1 + lag x channel, channel), constant
    first, then all channels of the oldest sample, and so on to the newest. residual_std_ : (channel,).

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> smooth = np.cumsum(rng.standard_normal((100, 2, 60)), axis=2)
    >>> detector = LinearAutoregression(order=2).fit(smooth[:90])
    >>> jump = smooth[90:91].copy()
    >>> jump[0, 1, 30:] += 20
    >>> bool(detector.score_samples(jump)[0] > 3), detector.explain(jump).argmax()
    (True, np.int64(1))
    """

    mean_: np.ndarray
    scale_: np.ndarray
    order_: int
    coefficients_: np.ndarray
    residual_std_: np.ndarray

    def __init__(self, order: int = 5) -> None:
        self.order = order

    def _fit(self, windows: Windows) -> None:
        if self.order < 1:
            raise UsageError(f"order is at least 1, got {self.order}")
        self.order_ = min(self.order, windows.shape[2] - 1)
        there = windows.presence[:, :, None]
        samples = np.maximum(there.sum(axis=(0, 2)) * windows.shape[2], 1)
        self.mean_ = np.sum(windows.values, axis=(0, 2), where=there, dtype=np.float64) / samples
        square = np.zeros(len(self.mean_))
        for block in _blocks(windows):
            deviation = windows.values[block] - self.mean_[:, None]
            square += np.sum(np.square(deviation), axis=(0, 2), where=windows.presence[block][:, :, None])
        self.scale_, _ = usable_scale(np.sqrt(square / samples), self.mean_)
        size = 1 + len(self.mean_) * self.order_
        gram, cross, count = np.zeros((size, size)), np.zeros((size, len(self.mean_))), 0
        for past, present in self._lagged(windows):
            gram += past.T @ past
            cross += past.T @ present
            count += len(past)
        gram[np.diag_indices(size)] += _RIDGE * count
        self.coefficients_ = np.linalg.solve(gram, cross)
        square, weight = np.zeros(len(self.mean_)), np.zeros(len(self.mean_))
        for block, (past, present) in zip(_blocks(windows), self._lagged(windows), strict=True):
            error = np.square(present - past @ self.coefficients_)
            judged = np.repeat(windows.presence[block], windows.shape[2] - self.order_, axis=0)
            square += np.sum(error, axis=0, where=judged)
            weight += judged.sum(axis=0)
        # parameters are paid for, so that few windows do not make the residual look small
        freedom = np.maximum(weight - min(size, count // 2), 1)
        self.residual_std_ = np.where(weight > 0, np.maximum(np.sqrt(square / freedom), _FLOOR), 1.0)

    def _score(self, windows: Windows) -> np.ndarray:
        return self._contributions(windows).sum(axis=1)

    def _assess(self, windows: Windows) -> tuple[np.ndarray, np.ndarray | None]:
        parts = self._contributions(windows)
        return parts.sum(axis=1), parts

    def _contributions(self, windows: Windows) -> np.ndarray:
        parts = np.empty(windows.shape[:2])
        for block, (past, present) in zip(_blocks(windows), self._lagged(windows), strict=True):
            error = np.square((present - past @ self.coefficients_) / self.residual_std_)
            parts[block] = error.reshape(-1, windows.shape[2] - self.order_, windows.shape[1]).mean(axis=1)
        there = windows.presence
        return np.where(there, parts, 0.0) / np.maximum(there.sum(axis=1), 1)[:, None]

    def _lagged(self, windows: Windows) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Blocks of (row, 1 + lag x channel) what came before and (row, channel) what came, window after window."""
        order, channels, steps = self.order_, windows.shape[1], windows.shape[2] - self.order_
        for block in _blocks(windows):
            z = (windows.values[block] - self.mean_[:, None]) / self.scale_[:, None]
            z = np.where(windows.presence[block][:, :, None], z, 0.0).transpose(0, 2, 1)
            past = np.ones((len(z), steps, 1 + order * channels))
            for lag in range(order):
                past[:, :, 1 + lag * channels : 1 + (lag + 1) * channels] = z[:, lag : lag + steps]
            yield past.reshape(-1, past.shape[2]), z[:, order:].reshape(-1, channels)


def _blocks(windows: Windows) -> list[slice]:
    return slices(len(windows), max(1, _SAMPLES_A_BLOCK // windows.shape[2]))
