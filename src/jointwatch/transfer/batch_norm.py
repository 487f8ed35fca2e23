"""Strategy 3 on top of 5: batch norms and classifier are fine-tuned on a few hundred target windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jointwatch.models.base import Network
from jointwatch.training.batch_norm import estimate_statistics
from jointwatch.training.data import Batches
from jointwatch.training.groups import Group
from jointwatch.training.options import Schedule
from jointwatch.transfer._fine_tuning import FineTuning

__all__ = ["BatchNorm"]


@dataclass(eq=False, repr=False)
class BatchNorm(FineTuning):
    """Running statistics are forgotten; scales and shifts of the batch norms and the classifier are trained on the
    target, and the statistics measured on it. The convolutions stay as the source taught them.

    Made for 100 to 500 labelled target windows and 5 to 10 epochs. A network without batch norms has its head trained.

    Parameters are those of every fine-tuning (see `FineTuning`), with a constant learning rate as default.

    Source: strategy 3 of the six of cross-brand transfer (docs/transfer.md); batch norms as the place where
    domains differ: Li et al., "Adaptive batch normalization", Pattern Recognition 80, 2018.

    >>> import numpy as np
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

    epochs: int = 10
    schedule: Schedule = "constant"
    warm_up: float = 0.0

    def _groups(self, network: Network) -> Sequence[Group]:
        return [Group(network.part("batch_norm"))]

    def _closed(self, trained: Network, start: Network, batches: Batches) -> Network:
        estimate_statistics(trained, batches, epoch=self.epochs)
        return trained
