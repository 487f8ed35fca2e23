"""Limit check: how far a window leaves the band that each channel kept to while healthy."""

from __future__ import annotations

import numpy as np

from jointwatch.core import Windows
from jointwatch.core.errors import UsageError
from jointwatch.detectors.base import Detector

__all__ = ["Envelope"]


class Envelope(Detector):
    """Largest excursion of any channel, in half-widths of that channel's own healthy band.

    The band of a channel goes from the `quantile` of the windows' minima down to the one of their maxima up. A joint
    that now and then slips while it holds still has a wide band, one that never does a narrow one; so rare healthy
    events of one channel do not blunt the others, as they do where all channels share one distance. The score is
    about 1 at the edge of what was seen, and rises in proportion.

    Parameters
    ----------
    quantile : share of healthy windows whose extremes lie inside the band, between 0.5 and 1.

    Attributes: `centre_`, `half_width_` : (channel,).

    >>> import numpy as np
    >>> healthy = np.random.default_rng(0).standard_normal((200, 2, 50))
    >>> odd = np.zeros((1, 2, 50)); odd[0, 1, 7] = 12.0
    >>> detector = Envelope().fit(healthy)
    >>> bool(detector.score_samples(odd)[0] > 2 * detector.score_samples(healthy).max())
    True
    >>> detector.explain(odd).argmax()
    np.int64(1)
    """

    def __init__(self, quantile: float = 0.99) -> None:
        self.quantile = quantile

    def _fit(self, windows: Windows) -> None:
        if not 0.5 < self.quantile <= 1:
            raise UsageError(f"quantile must lie between 0.5 and 1, got {self.quantile}")
        values = windows.values.astype(np.float64)
        low = np.quantile(values.min(axis=2), 1 - self.quantile, axis=0)
        high = np.quantile(values.max(axis=2), self.quantile, axis=0)
        self.centre_ = (low + high) / 2
        half = (high - low) / 2
        # a channel that never moved has no band of its own
        spare = float(half[half > 0].min()) if (half > 0).any() else 1.0
        self.half_width_ = np.where(half > 0, half, spare)

    def _score(self, windows: Windows) -> np.ndarray:
        return self._contributions(windows).max(axis=1)

    def _contributions(self, windows: Windows) -> np.ndarray:
        centred = np.abs(windows.values - self.centre_[:, None]).max(axis=2) / self.half_width_
        return np.where(windows.presence, centred, 0.0)
