"""The head is trained first; then layer after layer joins, down to the input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jointwatch.core.errors import UsageError
from jointwatch.models.base import Network
from jointwatch.training.groups import Group, by_depth
from jointwatch.transfer._fine_tuning import FineTuning

__all__ = ["GradualUnfreezing"]


@dataclass(eq=False, repr=False)
class GradualUnfreezing(FineTuning):
    """A head that knows nothing yet sends large, random gradients down; layers that still wait are safe from them.

    Parameters
    ----------
    stage_epochs : epochs from one layer's start to the next. With fewer epochs than layers x `stage_epochs` the lowest
        layers stay frozen. The others are those of every fine-tuning: see `FineTuning`.

    Source: Howard & Ruder, "Universal language model fine-tuning for text classification", ACL 2018.

    >>> from jointwatch.models.cnn1d import Cnn1d
    >>> [group.start for group in GradualUnfreezing(stage_epochs=2)._groups(Cnn1d(2))]
    [0, 2, 4, 6]
    """

    stage_epochs: int = 1

    def _groups(self, network: Network) -> Sequence[Group]:
        if self.stage_epochs < 1:
            raise UsageError(f"a stage takes one epoch or more, got {self.stage_epochs}")
        return [Group(layer, start=depth * self.stage_epochs) for depth, layer in enumerate(by_depth(network))]
