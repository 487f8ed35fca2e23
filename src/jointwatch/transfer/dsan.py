"""DSAN: each class of the sources meets the rows of the target that look like it, instead of all meeting all."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from jointwatch.training.adversarial import strength_at
from jointwatch.training.discrepancy import local_mmd
from jointwatch.transfer._adaptation import Adaptation, Embedded
from jointwatch.transfer._mastery import mastery

__all__ = ["Dsan"]


@dataclass(eq=False, repr=False)
class Dsan(Adaptation):
    """The classifier learns the sources' labels while the local discrepancy (`training.discrepancy.local_mmd`) between
    each source and the target is held small: class by class, rows of the target weighted by how likely the classifier
    of the moment thinks the class. These guesses are bad at first, so that it counts more and more, from 0 to `weight`:
    over the training as published, and with what is known of the sources' own labels.

    Good where classes differ more than robots do; where most first guesses are wrong it confirms them. Rows of the
    target with a label take part with that label.

    Parameters
    ----------
    weight : of the discrepancy at the end, whose kernels count 1/5 each; the publication's 0.5 for their sum is 2.5.
    steepness : of its rise over the training; the larger the earlier, 1000 = at once.
    guarded : also let it rise with what is known of the sources' labels. Without, classes of small new networks may
        never come apart.

    Others are those of every adaptation: see `Adaptation`.

    Source: Zhu et al., "Deep subdomain adaptation network for image classification", IEEE TNNLS 32(4), 2021.

    >>> import numpy as np
    >>> from jointwatch.models.cnn1d import Cnn1d
    >>> from jointwatch.training.data import Batch
    >>> rng, label = np.random.default_rng(0), np.arange(20) % 2
    >>> source = Batch.of_arrays(rng.standard_normal((20, 2, 16)) + label[:, None, None], label=label)
    >>> target = Batch.of_arrays(3 * rng.standard_normal((20, 2, 16)))
    >>> Dsan(epochs=1).align(Cnn1d(2, filters=(4, 4, 8)), source, target)(target.values).shape
    torch.Size([20, 2])
    """

    weight: float = 2.5
    steepness: float = 10.0
    guarded: bool = True

    def _penalty(self, opened: nn.Module, rows: Embedded, progress: float) -> Tensor:
        target, likely = rows.embedded[rows.target], _likely(rows)
        each = [local_mmd(rows.embedded[own], target, rows.label[own], likely) for own in rows.sources]
        loss = torch.stack(each).mean() * strength_at(progress, self.steepness)
        return loss * mastery(rows) if self.guarded else loss


def _likely(rows: Embedded) -> Tensor:
    """(row, class) probabilities of the target's rows: the label where there is one, else the classifier's guess."""
    label, guess = rows.label[rows.target], rows.probabilities[rows.target].detach()
    known = functional.one_hot(label.clamp(min=0), guess.shape[1]).to(guess)
    return torch.where(label[:, None] >= 0, known, guess)
