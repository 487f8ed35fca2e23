"""How much of the sources' labels the classifier of the moment has learned: alignment before that teaches nothing."""

from __future__ import annotations

import math

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from jointwatch.training.adversarial import strength_at
from jointwatch.transfer._adaptation import Embedded

__all__ = ["mastery", "strength_of"]


def mastery(rows: Embedded) -> Float[Tensor, ""]:
    """1 where the labelled rows of the sources are known for sure, 0 where their classes are guessed or worse: one less
    the mean over the classes of the cross-entropy, in units of that of a guess. Without gradient.

    A discrepancy has the same value at any size of the embeddings, so its gradient is the steeper the smaller they are.
    In a network that has not learned yet it would drown the cross-entropy and the classes would never come apart.

    >>> import torch
    >>> logits, label = torch.tensor([[0.0, 0.0], [20.0, 0.0]]), torch.tensor([1, 0])
    >>> rows = Embedded(logits, logits, label, label * 0, label < 0, batch=None)
    >>> round(float(mastery(rows)), 3)
    0.5
    """
    known = ~rows.target & (rows.label >= 0)
    logits, label = rows.logits[known].detach(), rows.label[known]
    if not len(label):
        return logits.new_zeros(())
    classes = functional.one_hot(label, logits.shape[1]).to(logits)
    surprise = functional.cross_entropy(logits, label, reduction="none") @ classes / classes.sum(dim=0).clamp(min=1)
    mean = surprise.sum() / (classes.sum(dim=0) > 0).sum()
    return (1 - mean / math.log(max(logits.shape[1], 2))).clamp(min=0)


def strength_of(rows: Embedded, progress: float) -> Float[Tensor, ""]:
    """Share of the full weight that an alignment has: rising over the training as for DANN (`strength_at`), times
    `mastery`."""
    return strength_at(progress) * mastery(rows)
