"""Several sources, one discriminator each against the target; the sources that serve worst lead."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from jointwatch.core.errors import UsageError
from jointwatch.models.base import Network
from jointwatch.training.adversarial import Discriminator, domain_loss, reverse_gradient, strength_at
from jointwatch.training.objectives import cross_entropy
from jointwatch.transfer._adaptation import Adaptation, Beside, Embedded, Task, width_of

__all__ = ["Mdan"]


@dataclass(eq=False, repr=False)
class Mdan(Adaptation):
    """A source bounds the target's risk by the risk in it and by how easily the two are told apart. The source with the
    worst bound is trained, or in the smooth version all of them, by a softmax of their bounds.

    Each source has a discriminator of its own, trained in full whatever the source's share; the share weighs the
    source's cross-entropy and the reversed gradient that it sends to the encoder. With one source this is DANN.

    Parameters
    ----------
    gamma : of the log-sum-exp over the sources; 0 = all count the same, the larger the nearer to the worst alone.
    hard : the worst source alone.
    hidden : width of the discriminators' layers.

    Others are those of every adaptation: see `Adaptation`.

    Errors: `UsageError` for a negative gamma.

    Source: Zhao et al., "Adversarial multiple source domain adaptation", NeurIPS 2018.

    >>> import numpy as np
    >>> from jointwatch.models.cnn1d import Cnn1d
    >>> from jointwatch.training.data import Batch
    >>> rng, label = np.random.default_rng(0), np.arange(20) % 2
    >>> sources = [Batch.of_arrays(rng.normal(k, 1, (20, 2, 16)) + label[:, None, None], label=label) for k in (0, 1)]
    >>> target = Batch.of_arrays(3 * rng.standard_normal((20, 2, 16)))
    >>> Mdan(epochs=1).align(Cnn1d(2, filters=(4, 4, 8)), sources, target)(target.values).shape
    torch.Size([20, 2])
    """

    gamma: float = 10.0
    hard: bool = False
    hidden: int = 128

    def _opened(self, network: Network, task: Task) -> nn.Module:
        if not self.gamma >= 0:
            raise UsageError(f"gamma of mdan is not negative, got {self.gamma}")
        width = width_of(network, task)
        each = nn.ModuleList(Discriminator(width, 2, self.hidden) for _ in task.sources)
        return Beside(network, discriminators=each)

    def _loss(self, opened: nn.Module, rows: Embedded, progress: float, class_weights: Tensor | None) -> Tensor:
        strength = strength_at(progress)
        pairs = [own | rows.target for own in rows.sources]
        risks = torch.stack([cross_entropy(rows.logits[own], rows.label[own], class_weights) for own in rows.sources])

        def told(strengths: list[float] | Tensor) -> Tensor:
            """(source,) loss of its discriminator."""
            return torch.stack(
                [
                    domain_loss(critic(reverse_gradient(rows.embedded[pair], share)), rows.target[pair].long())
                    for critic, pair, share in zip(
                        opened.get_submodule("discriminators").children(), pairs, strengths, strict=True
                    )
                ]
            )

        with torch.no_grad():
            share = self._shares(risks - self.weight * strength * told([0.0] * len(pairs)))
        few = cross_entropy(rows.logits[rows.target], rows.label[rows.target], class_weights)
        return (share * risks).sum() + few + told(self.weight * strength * share).sum()

    def _shares(self, bounds: Tensor) -> Tensor:
        """(source,) gradient of the log-sum-exp, or of the maximum, of the sources' bounds."""
        if self.hard:
            return nn.functional.one_hot(bounds.argmax(), len(bounds)).to(bounds)
        return torch.softmax(self.gamma * bounds, dim=0)
