"""Strategy 1: a discriminator behind a reversed gradient makes the encoder forget which robot it sees."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from jointwatch.models.base import Network
from jointwatch.training.adversarial import Discriminator, domain_loss, reverse_gradient, strength_at
from jointwatch.transfer._adaptation import Adaptation, Beside, Embedded, Task, width_of

__all__ = ["Dann"]


@dataclass(eq=False, repr=False)
class Dann(Adaptation):
    """Encoder and classifier learn the sources' labels; a discriminator learns to tell the domains from embeddings, and
    its gradient reaches the encoder with its sign turned and a strength that rises from 0 to 1 over the training.

    Any number of sources: the discriminator tells all domains apart.

    Parameters are those of every adaptation: see `Adaptation`.

    Source: strategy 1 of the six of cross-brand transfer (docs/transfer.md); Ganin et al., "Domain-adversarial
    training of neural networks", JMLR 17(59), 2016.

    >>> import numpy as np
    >>> from jointwatch.models.cnn1d import Cnn1d
    >>> from jointwatch.training.data import Batch
    >>> rng, label = np.random.default_rng(0), np.arange(20) % 2
    >>> source = Batch.of_arrays(rng.standard_normal((20, 2, 16)) + label[:, None, None], label=label)
    >>> target = Batch.of_arrays(3 * rng.standard_normal((20, 2, 16)))
    >>> Dann(epochs=1).align(Cnn1d(2, filters=(4, 4, 8)), source, target)(target.values).shape
    torch.Size([20, 2])
    """

    def _opened(self, network: Network, task: Task) -> nn.Module:
        return Beside(network, discriminator=Discriminator(width_of(network, task), task.domains))

    def _penalty(self, opened: nn.Module, rows: Embedded, progress: float) -> Tensor:
        reversed_ = reverse_gradient(rows.embedded, strength_at(progress))
        return domain_loss(opened.discriminator(reversed_), rows.domain)  # type: ignore[operator]
