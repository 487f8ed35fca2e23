"""Embeddings of sources and target get one distribution, measured by several Gaussian kernels (MMD)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from jointwatch.training.discrepancy import mmd
from jointwatch.transfer._adaptation import Adaptation, Embedded
from jointwatch.transfer._mastery import strength_of

__all__ = ["Mmd"]


@dataclass(eq=False, repr=False)
class Mmd(Adaptation):
    """The classifier learns the sources' labels while the squared maximum mean discrepancy between the embeddings of
    each source and of the target is held small.

    Unlike covariances (`deep_coral`), kernels see any difference of two distributions, means among them; unlike a
    discriminator (`dann`) nothing has to be trained that sees it. Classes are not told apart: where the target holds
    them in other shares than a source, this pulls classes over each other. `dsan` does not.

    Parameters
    ----------
    weight : of the discrepancy, whose kernels count 1/5 each; 5 = each counts 1, as in most programs. It rises from 0
        as the sources are learned (`transfer._mastery`): a network that knows nothing yet would learn nothing.

    Others are those of every adaptation: see `Adaptation`.

    Source: Long et al., "Learning transferable features with deep adaptation networks", ICML 2015, on the embedding
    alone and with kernels of the same weight.

    >>> import numpy as np
    >>> from jointwatch.models.cnn1d import Cnn1d
    >>> from jointwatch.training.data import Batch
    >>> rng, label = np.random.default_rng(0), np.arange(20) % 2
    >>> source = Batch.of_arrays(rng.standard_normal((20, 2, 16)) + label[:, None, None], label=label)
    >>> target = Batch.of_arrays(3 * rng.standard_normal((20, 2, 16)))
    >>> Mmd(epochs=1).align(Cnn1d(2, filters=(4, 4, 8)), source, target)(target.values).shape
    torch.Size([20, 2])
    """

    weight: float = 5.0

    def _penalty(self, opened: nn.Module, rows: Embedded, progress: float) -> Tensor:
        target = rows.embedded[rows.target]
        each = [mmd(rows.embedded[own], target) for own in rows.sources]
        return strength_of(rows, progress) * torch.stack(each).mean()
