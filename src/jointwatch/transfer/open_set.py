"""Open-set adaptation: what the sources never had becomes one more class, `unknown`, instead of the nearest one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from jointwatch.core.errors import UsageError
from jointwatch.models.base import Network
from jointwatch.training.adversarial import reverse_gradient, strength_at
from jointwatch.training.loop import fit
from jointwatch.training.objectives import cross_entropy
from jointwatch.training.seed import seeded
from jointwatch.transfer._adaptation import Adaptation, AlignmentLoss, Embedded, Task
from jointwatch.transfer._stages import fit_on_sources

__all__ = ["OpenSet"]


@dataclass(eq=False, repr=False)
class OpenSet(Adaptation):
    """The classifier gets one more class, the last: `unknown`. On rows of the target it is trained to give that class
    the probability `threshold`, and the encoder, behind a reversed gradient, to get away from there: each row is pushed
    to a known class or to the unknown one, whichever is nearer, and only what looks known is aligned with the sources.

    A first training on the sources says what is near. Batch norms see all domains together: by themselves they would
    give a target with one more class the same means as the others.

    What is unknown is found where the encoder tells it from the known classes at all. Rows that look like a known class
    only more so, such as a fault stronger than any of the sources, are taken for that class.

    A network with n classes comes back with n + 1. What share of known rows is called unknown is not under control
    here: `alarms.rejection` rejects at a stated rate, and the network's log-probabilities of the known classes are
    good evidence for it. Labelled rows of the target are of known classes.

    Parameters
    ----------
    weight : of the game about the unknown class beside the cross-entropy.
    epochs : of the whole: half on the sources, half with the game.
    threshold : probability of the unknown class at which a row of the target is as good as known, in (0, 1). The
        others are those of every adaptation: see `Adaptation`.

    Errors: `UsageError` for another threshold.

    Source: Saito et al., "Open set domain adaptation by backpropagation", ECCV 2018.

    >>> import numpy as np
    >>> from jointwatch.models.cnn1d import Cnn1d
    >>> from jointwatch.training.data import Batch
    >>> rng, label = np.random.default_rng(0), np.arange(20) % 2
    >>> source = Batch.of_arrays(rng.standard_normal((20, 2, 16)) + label[:, None, None], label=label)
    >>> target = Batch.of_arrays(3 * rng.standard_normal((20, 2, 16)))
    >>> OpenSet(epochs=2).align(Cnn1d(2, filters=(4, 4, 8)), source, target)(target.values).shape
    torch.Size([20, 3])
    """

    weight: float = 0.3
    threshold: float = 0.5
    together: ClassVar[bool] = True

    def _align(self, network: Network, task: Task) -> Network:
        if not 0 < self.threshold < 1:
            raise UsageError(f"the threshold of the unknown class is in (0, 1), got {self.threshold}")
        with seeded(task.seed):
            network = _widened(network)
        if task.class_weights is not None:
            task = replace(task, class_weights=(*task.class_weights, 1.0))
        options, half = self._options(task), max(self.epochs // 2, 1)
        options = replace(options, epochs=max(self.epochs - half, 1))
        fit_on_sources(network, task, options, self.batch_size, self.minimum_steps)
        fit(network, self._batches(task), AlignmentLoss(self, task), replace(options, epochs=half))
        return self._closed(network, task)

    def _loss(self, opened: nn.Module, rows: Embedded, progress: float, class_weights: Tensor | None) -> Tensor:
        loss = cross_entropy(rows.logits, rows.label, class_weights)
        bare = rows.target & (rows.label < 0)
        assert isinstance(opened, Network)
        against = opened.head(reverse_gradient(rows.embedded[bare], strength_at(progress))).log_softmax(dim=1)
        unknown, known = against[:, -1], against[:, :-1].logsumexp(dim=1)
        return loss - self.weight * (self.threshold * unknown + (1 - self.threshold) * known).mean()


def _widened(network: Network) -> Network:
    """The network with one more class, the last; what it knows of the others stays."""
    config = network.config()
    wider = type(network)(**{**config, "classes": config["classes"] + 1})
    old = network.state_dict()
    with torch.no_grad():
        for name, value in wider.state_dict().items():
            if value.shape == old[name].shape:
                value.copy_(old[name])
            else:  # of the last layer, one row a class
                value[:-1].copy_(old[name])
    return wider
