"""Small residual adapters are put after the convolutions and trained, with batch norms and head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jointwatch.models._adapted import Adapted
from jointwatch.models.base import Network
from jointwatch.training.groups import Group
from jointwatch.training.seed import seeded
from jointwatch.transfer._fine_tuning import FineTuning

__all__ = ["Adapters"]


@dataclass(eq=False, repr=False)
class Adapters(FineTuning):
    """The source's weights stay; between its layers stand pointwise bottlenecks that begin as the identity and learn
    what differs. A network that has adapters already keeps them, and they are trained further.

    Parameters
    ----------
    reduction : how many times narrower than its layer an adapter is. The others are those of every fine-tuning: see
        `FineTuning`.

    Source: Rebuffi, Bilen & Vedaldi, "Learning multiple visual domains with residual adapters", NIPS 2017; Houlsby et
    al., "Parameter-efficient transfer learning for NLP", ICML 2019, who train the norms as well.

    >>> import numpy as np
    >>> from jointwatch.models.cnn1d import Cnn1d
    >>> from jointwatch.training.data import Batch
    >>> source, label = Cnn1d(2, filters=(8, 8, 8)), np.arange(20) % 2
    >>> target = Batch.of_arrays(np.random.default_rng(0).standard_normal((20, 2, 16)), label=label)
    >>> network = Adapters(epochs=2).tune(source, target)
    >>> type(network).__name__, bool((network.inner.encoder[0].weight == source.encoder[0].weight).all())
    ('Adapted', True)
    """

    reduction: int = 4

    def _opened(self, network: Network, seed: int) -> Network:
        if isinstance(network, Adapted):
            return network
        with seeded(seed):
            return Adapted.around(network, self.reduction)

    def _groups(self, network: Network) -> Sequence[Group]:
        assert isinstance(network, Adapted)
        new = {
            f"{path}.{key}": parameter
            for path, adapter in network.adapters().items()
            for key, parameter in adapter.named_parameters()
        }
        return [Group(network.part("batch_norm") | new)]
