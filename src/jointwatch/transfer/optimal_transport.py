"""Optimal transport: each row of the target is paired with the rows of the sources that it would cost least to be."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from jointwatch.training.discrepancy import joint_cost, squared_distances, transport_cost
from jointwatch.transfer._adaptation import Adaptation, Embedded
from jointwatch.transfer._mastery import strength_of

__all__ = ["OptimalTransport"]


@dataclass(eq=False, repr=False)
class OptimalTransport(Adaptation):
    """At each step the rows of a source are moved onto those of the target by the cheapest plan; what a pair costs is
    the distance of its embeddings and how little the target row's logits agree with the source row's label. Encoder and
    classifier then make that plan cheaper still: embeddings of pairs come together, and the target's rows learn the
    labels that were moved to them.

    Every source has a plan of its own with the target. Like all plans over whole batches they suppose that classes have
    like shares on both sides.

    Parameters
    ----------
    alpha : of the squared distance of the embeddings, in units of its mean over all pairs of the step, so that the same
        value serves any network.
    beta : of the cross-entropy of the moved label.
    weight : of the whole, which rises from 0 as the sources are learned (`transfer._mastery`): plans are poor at first.

    Others are those of every adaptation: see `Adaptation`.

    Errors: `MissingExtra` without POT.

    Source: Damodaran et al., "DeepJDOT: deep joint distribution optimal transport for unsupervised domain adaptation",
    ECCV 2018.

    >>> import numpy as np
    >>> from jointwatch.models.cnn1d import Cnn1d
    >>> from jointwatch.training.data import Batch
    >>> rng, label = np.random.default_rng(0), np.arange(20) % 2
    >>> source = Batch.of_arrays(rng.standard_normal((20, 2, 16)) + label[:, None, None], label=label)
    >>> target = Batch.of_arrays(3 * rng.standard_normal((20, 2, 16)))
    >>> OptimalTransport(epochs=1).align(Cnn1d(2, filters=(4, 4, 8)), source, target)(target.values).shape
    torch.Size([20, 2])
    """

    alpha: float = 1.0
    beta: float = 1.0

    def _penalty(self, opened: nn.Module, rows: Embedded, progress: float) -> Tensor:
        target, logits, costs = rows.embedded[rows.target], rows.logits[rows.target], []
        for own in rows.sources:
            source = rows.embedded[own]
            usual = float(squared_distances(source.detach(), target.detach()).mean())
            alpha = self.alpha / max(usual, 1e-12)
            costs.append(transport_cost(joint_cost(source, target, rows.label[own], logits, alpha, self.beta)))
        return strength_of(rows, progress) * torch.stack(costs).mean()
