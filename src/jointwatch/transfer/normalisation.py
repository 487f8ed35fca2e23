"""Strategy 5: every robot's signals on one scale, nothing else is adapted."""

from __future__ import annotations

from jointwatch.core import Windows
from jointwatch.transfer.base import Strategy

__all__ = ["Normalisation"]


class Normalisation(Strategy):
    """The detector is fitted on z-scored source windows; for a target only its z-score is measured.

    Works with every detector, needs no labels and no training on the target: a few healthy cycles that show each
    joint's usual range are enough. It removes what differs between robots by offset, gain and unit; what differs in
    shape (friction, trajectory, delay) stays. A detector that compares units with their own past (`joint_deviations`)
    learns the baselines of the target's units as well.

    Source: strategy 5 of the six of cross-brand transfer (docs/transfer.md).

    >>> import numpy as np
    >>> from dataclasses import replace
    >>> from jointwatch.detectors.base import as_windows
    >>> from jointwatch.detectors.cnn import Cnn
    >>> rng = np.random.default_rng(0)
    >>> source = as_windows(rng.standard_normal((40, 2, 32)))
    >>> domain = np.full(20, "other brand")
    >>> target = source[:20].with_values(100 + 7 * rng.standard_normal((20, 2, 32)))
    >>> target = replace(target, index=replace(target.index, domain=domain))
    >>> strategy = Normalisation(Cnn(filters=(8, 8, 8), epochs=2)).fit(source)
    >>> strategy.adapt(target).score_samples(target).shape
    (20,)
    """

    def _fit(self, source: Windows) -> None:
        self.detector_.fit(source)

    def _adapt(self, target: Windows, labelled: Windows | None) -> None:
        """The windows that come here are on the common scale already; only detectors that know units learn more."""
        if hasattr(self.detector_, "adapt"):
            self.detector_ = self.detector_.adapt(target, labelled)
