"""Strategy 4: rows of one class come together in the embedding, whatever robot they are from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from jointwatch.models.base import Network
from jointwatch.training.contrastive import ProjectionHead, supervised_contrastive
from jointwatch.transfer._adaptation import Adaptation, Beside, Embedded, Task, width_of

__all__ = ["SupervisedContrastive"]


@dataclass(eq=False, repr=False)
class SupervisedContrastive(Adaptation):
    """Beside the classifier a projection of the embedding is trained in which each labelled row finds the others of its
    class among all rows, of every source and of the target.

    Made for several sources and some labelled rows of the target: without them the target has no part but in the
    statistics of the batch norms, which are measured on it in the end.

    Parameters
    ----------
    temperature : of the loss; small = the nearest rows of other classes count most.
    outputs : width of the projection, which is thrown away after training. The others are those of every adaptation:
        see `Adaptation`.

    Source: strategy 4 of the six of cross-brand transfer (docs/transfer.md); Khosla et al., "Supervised contrastive
    learning", NeurIPS 2020.

    >>> import numpy as np
    >>> from jointwatch.models.cnn1d import Cnn1d
    >>> from jointwatch.training.data import Batch
    >>> rng, label = np.random.default_rng(0), np.arange(20) % 2
    >>> source = Batch.of_arrays(rng.standard_normal((20, 2, 16)) + label[:, None, None], label=label)
    >>> target, few = Batch.of_arrays(3 * rng.standard_normal((20, 2, 16))), source.take(np.arange(4))
    >>> network = SupervisedContrastive(epochs=1).align(Cnn1d(2, filters=(4, 4, 8)), source, target, few)
    >>> network(target.values).shape
    torch.Size([20, 2])
    """

    temperature: float = 0.07
    outputs: int = 128
    uses_bare_target: ClassVar[bool] = False

    def _opened(self, network: Network, task: Task) -> nn.Module:
        return Beside(network, projection=ProjectionHead(width_of(network, task), self.outputs))

    def _penalty(self, opened: nn.Module, rows: Embedded, progress: float) -> Tensor:
        return supervised_contrastive(opened.projection(rows.embedded), rows.label, self.temperature)  # type: ignore[operator]
