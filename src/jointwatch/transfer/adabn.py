"""AdaBN: the target's rows are normalised by statistics of their own; nothing is trained on the target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from jointwatch.training.objectives import cross_entropy
from jointwatch.transfer._adaptation import Adaptation, Embedded

__all__ = ["Adabn"]


@dataclass(eq=False, repr=False)
class Adabn(Adaptation):
    """The network learns the labels of the sources, each normalised by itself; then the running statistics of its batch
    norms are replaced by those of the target's rows.

    A few hundred rows are enough. Gains, offsets and noise that differ between robots are taken out in every layer, and
    so is a share of classes that differs: a target in which everything is anomalous looks normal afterwards. Labelled
    rows of the target take part in the training. A network without batch norms stays as the sources taught it.

    Parameters are those of every adaptation (see `Adaptation`); `weight` has no effect.

    Source: Li et al., "Adaptive batch normalization for practical domain adaptation", Pattern Recognition 80, 2018.

    >>> import numpy as np
    >>> from jointwatch.models.cnn1d import Cnn1d
    >>> from jointwatch.training.data import Batch
    >>> rng, label = np.random.default_rng(0), np.arange(20) % 2
    >>> source = Batch.of_arrays(rng.standard_normal((20, 2, 16)) + label[:, None, None], label=label)
    >>> target = Batch.of_arrays(source.values.numpy() * 40 + 7)
    >>> one, other = (Adabn(epochs=1).align(Cnn1d(2, filters=(4, 4, 8)), source, to) for to in (source, target))
    >>> bool((other.encoder[1].running_var > 100 * one.encoder[1].running_var).all())
    True
    """

    uses_bare_target: ClassVar[bool] = False

    def _loss(self, opened: nn.Module, rows: Embedded, progress: float, class_weights: Tensor | None) -> Tensor:
        return cross_entropy(rows.logits, rows.label, class_weights)
