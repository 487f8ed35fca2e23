"""All weights are trained, and the encoder's are pulled back to those of the source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jointwatch.models.base import Network
from jointwatch.training.groups import Group
from jointwatch.transfer._fine_tuning import FineTuning

__all__ = ["L2Sp"]


@dataclass(eq=False, repr=False)
class L2Sp(FineTuning):
    """Weight decay with the source as its starting point: what the target does not ask to change stays. The head, which
    may be new, decays to zero by its own `weight_decay`.

    The pull is decoupled from the gradient as in AdamW, where a weight moves away from the source by about
    1 / `source_decay` at most while the gradient keeps its sign; from 0 (`full`) to infinity (the encoder stays).

    Parameters
    ----------
    source_decay : strength of the pull to the source. The others are those of every fine-tuning: see `FineTuning`.

    Source: Li, Grandvalet & Davoine, "Explicit inductive bias for transfer learning with convolutional networks", ICML
    2018; decoupled decay: Loshchilov & Hutter, "Decoupled weight decay regularization", ICLR 2019.

    >>> import numpy as np
    >>> from jointwatch.models.cnn1d import Cnn1d
    >>> from jointwatch.training.data import Batch
    >>> from jointwatch.training.seed import seeded
    >>> with seeded(0):
    ...     source = Cnn1d(2, filters=(4, 4, 4))
    >>> target = Batch.of_arrays(np.random.default_rng(0).standard_normal((20, 2, 16)), label=np.arange(20) % 2)
    >>> networks = [L2Sp(epochs=2, source_decay=decay).tune(source, target) for decay in (float("inf"), 100.0, 0.0)]
    >>> moved = [(each.encoder[0].weight - source.encoder[0].weight).abs().max().item() for each in networks]
    >>> moved[0], 0 < moved[1] < moved[2]
    (0.0, True)
    """

    source_decay: float = 10.0

    def _groups(self, network: Network) -> Sequence[Group]:
        head = network.part("head")
        encoder = {name: parameter for name, parameter in network.part("all").items() if name not in head}
        source = {name: parameter.detach().clone() for name, parameter in encoder.items()}
        return [Group(head), Group(encoder, weight_decay=self.source_decay, towards=source)]
