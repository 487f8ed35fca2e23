"""Every layer is trained, each with a smaller learning rate than the one above it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jointwatch.core.errors import UsageError
from jointwatch.models.base import Network
from jointwatch.training.groups import Group, by_depth
from jointwatch.transfer._fine_tuning import FineTuning

__all__ = ["Discriminative"]


@dataclass(eq=False, repr=False)
class Discriminative(FineTuning):
    """Layers near the input see what all robots have in common and should move little; the head moves most.

    Parameters
    ----------
    factor : learning rate of a layer relative to the layer above it, in (0, 1]; the head has the full one. The others
        are those of every fine-tuning: see `FineTuning`.

    Source: Howard & Ruder, "Universal language model fine-tuning for text classification", ACL 2018, with its factor
    of 1 / 2.6.

    >>> from jointwatch.models.cnn1d import Cnn1d
    >>> [round(group.rate, 3) for group in Discriminative(factor=0.5)._groups(Cnn1d(2))]
    [1.0, 0.5, 0.25, 0.125]
    """

    factor: float = 1 / 2.6

    def _groups(self, network: Network) -> Sequence[Group]:
        if not 0 < self.factor <= 1:
            raise UsageError(f"the factor from layer to layer is above 0 and at most 1, got {self.factor}")
        return [Group(layer, rate=self.factor**depth) for depth, layer in enumerate(by_depth(network))]
