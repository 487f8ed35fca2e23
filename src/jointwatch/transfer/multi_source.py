"""Strategy 2: robots share the convolutions, and every robot has batch norms of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from jointwatch.models._domain_norm import add_average, by_domain, norms_of, of_domain, select
from jointwatch.models.base import Network
from jointwatch.training.data import Batch
from jointwatch.training.domains import Domains
from jointwatch.training.loop import fit
from jointwatch.training.objectives import cross_entropy
from jointwatch.transfer._adaptation import Adaptation, Task, calibrated

__all__ = ["MultiSource"]


@dataclass(eq=False, repr=False)
class MultiSource(Adaptation):
    """Sources are trained together, each with scales, shifts and statistics of its own in every batch norm. The target
    starts from the average of these, and its statistics are then measured on its rows, which need no labels.

    With labelled rows of the target its own scales and shifts and the classifier are trained further; sources stay in
    that training, so that classes of which the target has shown nothing are not forgotten.

    Made for three sources or more; with one it is `adabn`. The result is a plain network with the target's batch norms.
    A network without batch norms stays as the sources taught it, but for its head.

    Parameters
    ----------
    tuning_epochs : of the training with labelled rows of the target. The others are those of every adaptation (see
        `Adaptation`); `weight` has no effect.

    Source: strategy 2 of the six of cross-brand transfer (docs/transfer.md); Chang et al., "Domain-specific batch
    normalization for unsupervised domain adaptation", CVPR 2019.

    >>> import numpy as np
    >>> from jointwatch.models.cnn1d import Cnn1d
    >>> rng, label = np.random.default_rng(0), np.arange(20) % 2
    >>> source = Batch.of_arrays(rng.standard_normal((20, 2, 16)) + label[:, None, None], label=label)
    >>> other = replace(source, values=5 * source.values)
    >>> target = Batch.of_arrays(3 * rng.standard_normal((20, 2, 16)))
    >>> MultiSource(epochs=1).align(Cnn1d(2, filters=(4, 4, 8)), [source, other], target)(target.values).shape
    torch.Size([20, 2])
    """

    tuning_epochs: int = 10

    def _align(self, network: Network, task: Task) -> Network:
        opened, target, options = by_domain(network, len(task.sources)), len(task.sources), self._options(task)
        objective = ByDomain(task.class_weights)
        fit(opened, self._of(task.sources, task), objective, options)
        add_average(opened)
        if task.labelled is not None:
            own = norms_of(opened, target) | opened.part("head")
            options = replace(options, epochs=self.tuning_epochs)
            fit(opened, self._of(task.parts, task), objective, options, trained=own)
        return calibrated(of_domain(opened, target), task)

    def _of(self, parts: Sequence[Batch], task: Task) -> Domains:
        return Domains(parts, self.batch_size, task.seed, self.minimum_steps)


@dataclass(frozen=True)
class ByDomain:
    """Cross-entropy of each domain, seen through its own batch norms, mean over the domains; 0 without a label."""

    class_weights: tuple[float, ...] | None

    def __call__(self, network: nn.Module, batch: Batch, progress: float) -> Tensor:
        assert isinstance(network, Network)
        weights = None if self.class_weights is None else torch.tensor(self.class_weights, device=batch.values.device)
        losses = []
        for number in torch.unique(batch.domain):
            rows = batch.domain == number
            select(network, int(number))
            losses.append(cross_entropy(network(batch.values[rows], batch.mask[rows]), batch.label[rows], weights))
        return torch.stack(losses).mean()
