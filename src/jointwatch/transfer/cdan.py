"""The discriminator sees embeddings together with class probabilities, and heeds rows the classifier is sure of."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from jointwatch.models.base import Network
from jointwatch.training.adversarial import (
    Discriminator,
    Multilinear,
    domain_loss,
    entropy_weights,
    reverse_gradient,
    strength_at,
)
from jointwatch.transfer._adaptation import Adaptation, Beside, Embedded, Task, width_of

__all__ = ["Cdan"]


@dataclass(eq=False, repr=False)
class Cdan(Adaptation):
    """Domain-adversarial training on the outer product of embedding and class probabilities: the domains are made alike
    class by class, so that a class of the source is not laid over another of the target.

    Any number of sources: the discriminator tells all domains apart.

    Parameters
    ----------
    entropy : a row counts 1 + exp(-entropy of its class probabilities), with mean 1 in each domain (CDAN+E).
    hidden : width of the discriminator's layers.

    Others are those of every adaptation: see `Adaptation`.

    Source: Long et al., "Conditional adversarial domain adaptation", NeurIPS 2018.

    >>> import numpy as np
    >>> from jointwatch.models.cnn1d import Cnn1d
    >>> from jointwatch.training.data import Batch
    >>> rng, label = np.random.default_rng(0), np.arange(20) % 2
    >>> source = Batch.of_arrays(rng.standard_normal((20, 2, 16)) + label[:, None, None], label=label)
    >>> target = Batch.of_arrays(3 * rng.standard_normal((20, 2, 16)))
    >>> Cdan(epochs=1).align(Cnn1d(2, filters=(4, 4, 8)), source, target)(target.values).shape
    torch.Size([20, 2])
    """

    entropy: bool = True
    hidden: int = 128

    def _opened(self, network: Network, task: Task) -> nn.Module:
        product = Multilinear(width_of(network, task), int(network.config()["classes"]), seed=task.seed)
        return Beside(network, product=product, discriminator=Discriminator(product.size, task.domains, self.hidden))

    def _penalty(self, opened: nn.Module, rows: Embedded, progress: float) -> Tensor:
        probabilities = rows.probabilities.detach()  # they say where to look; only embeddings are to move
        product = opened.get_submodule("product")(rows.embedded, probabilities)
        logits = opened.get_submodule("discriminator")(reverse_gradient(product, strength_at(progress)))
        return domain_loss(logits, rows.domain, entropy_weights(probabilities, rows.domain) if self.entropy else None)
