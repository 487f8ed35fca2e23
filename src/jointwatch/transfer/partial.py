"""Partial adaptation: classes of the sources that the target does not show are left out of the alignment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from jointwatch.models.base import Network
from jointwatch.training.adversarial import Discriminator, domain_loss, reverse_gradient, strength_at
from jointwatch.training.frozen import embed_all
from jointwatch.training.loop import fit
from jointwatch.training.objectives import cross_entropy
from jointwatch.training.seed import seeded
from jointwatch.transfer._adaptation import Adaptation, AlignmentLoss, Beside, Embedded, Task, width_of
from jointwatch.transfer._stages import fit_on_sources

__all__ = ["Partial"]


@dataclass(eq=False, repr=False)
class Partial(Adaptation):
    """For a target with fewer classes than the sources: a robot that has had two of five faults.

    Adversarial alignment as in `dann` spreads such a target over all classes of the sources. Here each class of the
    sources weighs, in the cross-entropy and for the discriminator, as much as the network finds it in the target: its
    mean probability over the target's rows, divided by that of the class which has most. A first training on the
    sources gives the weights to begin with; then they follow the network as moving averages. Batch norms see all
    domains together, for by themselves they would give them all the same means.

    Where all classes are there `dann` is the better choice.

    Parameters
    ----------
    weight : of the discriminator. Small, as with few classes left a strong one brings a class onto another's place.
    momentum : share of a step's rows in the moving averages.
    epochs : of the whole: half on the sources, half aligned. The others are those of every adaptation: see
        `Adaptation`.

    Source: Cao et al., "Partial adversarial domain adaptation", ECCV 2018.

    >>> import numpy as np
    >>> from jointwatch.models.cnn1d import Cnn1d
    >>> from jointwatch.training.data import Batch
    >>> rng, label = np.random.default_rng(0), np.arange(21) % 3
    >>> source = Batch.of_arrays(rng.standard_normal((21, 2, 16)) + label[:, None, None], label=label)
    >>> target = Batch.of_arrays(3 * rng.standard_normal((20, 2, 16)))
    >>> Partial(epochs=2).align(Cnn1d(2, classes=3, filters=(4, 4, 8)), source, target)(target.values).shape
    torch.Size([20, 3])
    """

    weight: float = 0.03
    momentum: float = 0.05
    together: ClassVar[bool] = True

    def _align(self, network: Network, task: Task) -> Network:
        options, half = self._options(task), max(self.epochs // 2, 1)
        options = replace(options, epochs=max(self.epochs - half, 1))
        fit_on_sources(network, task, options, self.batch_size, self.minimum_steps)
        with seeded(task.seed):
            opened = self._opened(network, task)
        fit(opened, self._batches(task), AlignmentLoss(self, task), replace(options, epochs=half))
        return self._closed(opened, task)

    def _opened(self, network: Network, task: Task) -> nn.Module:
        opened = Beside(network, discriminator=Discriminator(width_of(network, task), task.domains))
        with torch.no_grad():
            probabilities = network.head(embed_all(network, task.target, device=task.device)).softmax(dim=1)
        opened.register_buffer("prevalence", probabilities.mean(dim=0))
        return opened

    def _loss(self, opened: nn.Module, rows: Embedded, progress: float, class_weights: Tensor | None) -> Tensor:
        prevalence = opened.prevalence
        assert isinstance(prevalence, Tensor)
        prevalence.lerp_(rows.probabilities[rows.target].mean(dim=0).detach(), self.momentum)
        of_class = prevalence / prevalence.max()
        loss = cross_entropy(rows.logits, rows.label, of_class if class_weights is None else of_class * class_weights)
        # rows of the target count fully, those of a source without a label as the classes do on average
        of_row = torch.where(rows.label >= 0, of_class[rows.label.clamp(min=0)], of_class.mean())
        of_row = torch.where(rows.target, 1.0, of_row)
        logits = opened.get_submodule("discriminator")(reverse_gradient(rows.embedded, strength_at(progress)))
        return loss + self.weight * domain_loss(logits, rows.domain, of_row)
