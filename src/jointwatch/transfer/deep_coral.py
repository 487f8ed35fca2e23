"""Deep CORAL: embeddings of sources and target get the same covariance."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from jointwatch.training.discrepancy import coral
from jointwatch.transfer._adaptation import Adaptation, Embedded

__all__ = ["DeepCoral"]


@dataclass(eq=False, repr=False)
class DeepCoral(Adaptation):
    """The classifier learns the sources' labels while the distance between the covariances of the embeddings of each
    source and of the target is held small.

    Cheap, and nothing beside the network is trained. Means are left alone: a shift that the classifier cannot bear
    stays.

    Parameters are those of every adaptation: see `Adaptation`.

    Source: Sun & Saenko, "Deep CORAL: correlation alignment for deep domain adaptation", ECCV workshops 2016.

    >>> import numpy as np
    >>> from jointwatch.models.cnn1d import Cnn1d
    >>> from jointwatch.training.data import Batch
    >>> rng, label = np.random.default_rng(0), np.arange(20) % 2
    >>> source = Batch.of_arrays(rng.standard_normal((20, 2, 16)) + label[:, None, None], label=label)
    >>> target = Batch.of_arrays(3 * rng.standard_normal((20, 2, 16)))
    >>> DeepCoral(epochs=1).align(Cnn1d(2, filters=(4, 4, 8)), source, target)(target.values).shape
    torch.Size([20, 2])
    """

    def _penalty(self, opened: nn.Module, rows: Embedded, progress: float) -> Tensor:
        target = rows.embedded[rows.target]
        return torch.stack([coral(rows.embedded[own], target) for own in rows.sources]).mean()
