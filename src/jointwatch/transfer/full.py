"""All weights are trained further on the target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jointwatch.models.base import Network
from jointwatch.training.groups import Group
from jointwatch.transfer._fine_tuning import FineTuning

__all__ = ["Full"]


@dataclass(eq=False, repr=False)
class Full(FineTuning):
    """The source's weights are only where training begins. Best with many target labels or a source that is far away;
    with few it forgets the source and learns the sample.

    Parameters are those of every fine-tuning: see `FineTuning`.

    Source: Girshick et al., "Rich feature hierarchies for accurate object detection and semantic segmentation", CVPR
    2014; Yosinski et al., "How transferable are features in deep neural networks?", NIPS 2014.

    >>> import numpy as np
    >>> from jointwatch.models.cnn1d import Cnn1d
    >>> from jointwatch.training.data import Batch
    >>> source, label = Cnn1d(2, filters=(4, 4, 4)), np.arange(20) % 3
    >>> target = Batch.of_arrays(np.random.default_rng(0).standard_normal((20, 2, 16)), label=label)
    >>> network = Full(epochs=2).tune(source, target, classes=3)
    >>> network(target.values).shape, source(target.values).shape
    (torch.Size([20, 3]), torch.Size([20, 2]))
    """

    def _groups(self, network: Network) -> Sequence[Group]:
        return [Group(network.part("all"))]
