"""Strategy 3 on top of 5: batch norms and classifier are fine-tuned on a few hundred target windows."""

from __future__ import annotations

from typing import Any

import numpy as np

from jointwatch.core import Windows, catalog
from jointwatch.core.errors import MissingExtra, UsageError
from jointwatch.transfer.base import Strategy

__all__ = ["BatchNorm"]


class BatchNorm(Strategy):
    """Running statistics are forgotten; scales and shifts of the batch norms and the classifier are trained on the
    target, and the statistics measured on it. The convolutions stay as the source taught them.

    Made for 100 to 500 labelled target windows. With healthy windows only, or with nothing but unlabelled ones
    (taken as healthy), anomalies are made from them (`training.synthetic_anomalies`).

    Parameters
    ----------
    detector : one with a network, such as `Cnn`.
    clip_sigma, floor_share : of the normalisation.
    epochs, learning_rate : of the fine-tuning; 5 to 10 epochs.

    Errors: `UsageError` for a detector without a network.

    Source: strategy 3 of the six of cross-brand transfer (docs/transfer.md); batch norms as the place where
    domains differ: Li et al., "Adaptive batch normalization", Pattern Recognition 80, 2018.

    >>> from dataclasses import replace
    >>> from jointwatch.detectors.base import as_windows
    >>> from jointwatch.detectors.cnn import Cnn
    >>> rng = np.random.default_rng(0)
    >>> source = as_windows(rng.standard_normal((40, 2, 32)))
    >>> target = source.with_values(np.sign(source.values))
    >>> strategy = BatchNorm(Cnn(filters=(8, 8, 8), epochs=2), epochs=2).fit(source)
    >>> adapted = strategy.adapt(target)
    >>> one, other = strategy.detector_.network_.state_dict(), adapted.detector_.network_.state_dict()
    >>> sorted(name for name in one if not bool((one[name] == other[name]).all()) and "encoder.0" in name)
    []
    >>> bool((one["head.1.weight"] == other["head.1.weight"]).all())
    False
    """

    def __init__(
        self,
        detector: Any,
        clip_sigma: float = 5.0,
        floor_share: float = 0.01,
        epochs: int = 10,
        learning_rate: float = 1e-3,
    ) -> None:
        super().__init__(detector, clip_sigma, floor_share)
        self.epochs = epochs
        self.learning_rate = learning_rate

    def _fit(self, source: Windows) -> None:
        if not hasattr(self.detector_, "fine_tune"):
            raise UsageError(
                f"{type(self.detector_).__name__} has no network to fine-tune; batch_norm works with the detectors "
                f"{', '.join(_with_network())}, normalisation with all"
            )
        self.detector_.fit(source)

    def _adapt(self, target: Windows, labelled: Windows | None) -> None:
        windows = target
        if labelled is not None:
            known = labelled[labelled.index.label != "uncertain"]
            windows = known
            if not len(known.normal()):  # a classifier needs healthy windows too: the target's other cycles
                others = target[~np.isin(target.index.cycle, known.index.cycle)]
                windows = Windows.concatenate([others, known])
        self.detector_.fine_tune(
            windows,
            parameters="batch_norm",
            reset_batch_norm=True,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
        )


def _with_network() -> list[str]:
    found = []
    for name in catalog.names("detectors"):
        try:
            if hasattr(catalog.load("detectors", name), "fine_tune"):
                found.append(name)
        except MissingExtra:
            continue
    return found
