"""M3SDA: sources and target all get the same moments, and pairs of classifiers find target rows that none explains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from jointwatch.models.base import Network
from jointwatch.training.adversarial import reverse_gradient
from jointwatch.training.discrepancy import moment_distance
from jointwatch.training.objectives import cross_entropy
from jointwatch.transfer._adaptation import Adaptation, Beside, Embedded, Task, width_of
from jointwatch.transfer._mastery import strength_of

__all__ = ["M3sda"]


@dataclass(eq=False, repr=False)
class M3sda(Adaptation):
    """Moments of the embeddings are matched between each source and the target and among the sources; and each source
    has two classifiers that must agree on its own rows and shall disagree on the target's, while the encoder learns
    features on which they cannot.

    Of the publication: the moment distance over all pairs of domains; the pairs of classifiers (its variant beta), with
    both sides of their game in one step behind a reversed gradient instead of by turns. Not of it: the vote of the
    pairs' classifiers weighted by accuracy on their source. The network keeps its own single classifier, which learns
    from all sources, so that it is deployed as any other; the pairs are for training only.

    Parameters
    ----------
    order : highest power of the features that is matched.
    pairs : 0 = moments only; else the weight of the pairs' disagreement.
    weight : of the moment distance, which is taken in units of the features' spread. Both weights rise from 0 as the
        sources are learned (`transfer._mastery`).

    Others are those of every adaptation: see `Adaptation`.

    Source: Peng et al., "Moment matching for multi-source domain adaptation", ICCV 2019; the pairs: Saito et al.,
    "Maximum classifier discrepancy for unsupervised domain adaptation", CVPR 2018.

    >>> import numpy as np
    >>> from dataclasses import replace
    >>> from jointwatch.models.cnn1d import Cnn1d
    >>> from jointwatch.training.data import Batch
    >>> rng, label = np.random.default_rng(0), np.arange(20) % 2
    >>> source = Batch.of_arrays(rng.standard_normal((20, 2, 16)) + label[:, None, None], label=label)
    >>> other = replace(source, values=2 * source.values)
    >>> target = Batch.of_arrays(3 * rng.standard_normal((20, 2, 16)))
    >>> M3sda(epochs=1).align(Cnn1d(2, filters=(4, 4, 8)), [source, other], target)(target.values).shape
    torch.Size([20, 2])
    """

    order: int = 2
    pairs: float = 1.0

    def _opened(self, network: Network, task: Task) -> nn.Module:
        if not self.pairs:
            return network
        width, classes = width_of(network, task), int(network.config()["classes"])
        heads = [nn.ModuleList(nn.Linear(width, classes) for _ in range(2)) for _ in task.sources]
        return Beside(network, pairs=nn.ModuleList(heads))

    def _loss(self, opened: nn.Module, rows: Embedded, progress: float, class_weights: Tensor | None) -> Tensor:
        loss = super()._loss(opened, rows, progress, class_weights)
        if not self.pairs:
            return loss
        target, terms = reverse_gradient(rows.embedded[rows.target], float(strength_of(rows, progress))), []
        known = rows.target & (rows.label >= 0)
        for own, pair in zip(rows.sources, cast(nn.ModuleList, opened.pairs), strict=True):
            one, other = cast(nn.ModuleList, pair)
            seen = own | known  # else a pair would contradict what is known of the target
            terms += [
                cross_entropy(head(rows.embedded[seen]), rows.label[seen], class_weights) for head in (one, other)
            ]
            apart = one(target).softmax(dim=1) - other(target).softmax(dim=1)
            terms.append(-self.pairs * apart.abs().mean())
        return loss + torch.stack(terms).sum() / len(rows.sources)

    def _penalty(self, opened: nn.Module, rows: Embedded, progress: float) -> Tensor:
        spread = rows.embedded.detach().var(dim=0).mean().sqrt().clamp(min=1e-6)
        scaled = rows.embedded / spread
        distance = moment_distance([scaled[own] for own in rows.sources], scaled[rows.target], self.order)
        return strength_of(rows, progress) * distance / scaled.shape[1] ** 0.5
