"""The target gets an encoder of its own, trained until a discriminator takes its embeddings for the sources'."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from jointwatch.core.errors import UsageError
from jointwatch.models.base import Network
from jointwatch.training.adversarial import Discriminator, against, domain_loss
from jointwatch.training.data import Batch
from jointwatch.training.domains import Domains
from jointwatch.training.frozen import embed_all
from jointwatch.training.groups import Group
from jointwatch.training.loop import fit
from jointwatch.training.objectives import cross_entropy
from jointwatch.training.seed import seeded
from jointwatch.transfer._adaptation import Adaptation, Task, calibrated
from jointwatch.transfer._stages import fit_on_sources

__all__ = ["Adda"]


@dataclass(eq=False, repr=False)
class Adda(Adaptation):
    """Two stages. A classifier is trained on the sources. Then its encoder is frozen and a copy trained on the target
    alone: a discriminator learns to tell its embeddings from the sources', and it learns to have them taken for theirs.
    The classifier's head stays.

    The embeddings of the sources are computed once. Several sources are one to the discriminator, each drawn as often.

    Parameters
    ----------
    source_epochs : of the first stage; None = `epochs`, 0 = the network has learned the sources
        already, as that of a fitted detector has.
    encoder_rate : learning rate of the target's encoder relative to the discriminator's. An encoder that moves faster
        than it is judged lays a class of the target over another of the sources.
    hidden : width of the discriminator's layers.

    Others are those of every adaptation: see `Adaptation`.

    Source: Tzeng et al., "Adversarial discriminative domain adaptation", CVPR 2017.

    >>> import numpy as np
    >>> from jointwatch.models.cnn1d import Cnn1d
    >>> rng, label = np.random.default_rng(0), np.arange(20) % 2
    >>> source = Batch.of_arrays(rng.standard_normal((20, 2, 16)) + label[:, None, None], label=label)
    >>> target = Batch.of_arrays(3 * rng.standard_normal((20, 2, 16)))
    >>> Adda(epochs=1).align(Cnn1d(2, filters=(4, 4, 8)), source, target)(target.values).shape
    torch.Size([20, 2])
    """

    source_epochs: int | None = None
    encoder_rate: float = 0.1
    hidden: int = 128

    def _align(self, network: Network, task: Task) -> Network:
        epochs = self.epochs if self.source_epochs is None else self.source_epochs
        if epochs < 0 or not self.encoder_rate > 0:
            raise UsageError(
                f"adda takes source epochs from 0 and an encoder rate above 0, got {epochs} and {self.encoder_rate}"
            )
        options = self._options(task)
        if epochs:
            fit_on_sources(network, task, replace(options, epochs=epochs), self.batch_size, self.minimum_steps)
        with seeded(task.seed):
            game = _Game(network, task, self.hidden)
        rows = [task.target, *([] if task.labelled is None else [task.labelled])]
        batches = Domains(rows, self.batch_size, task.seed, self.minimum_steps)
        fit(game, batches, _Deceive(self.weight, task.class_weights), options, trained=game.groups(self.encoder_rate))
        return calibrated(game.network, task)


class _Game(nn.Module):
    """The target's network, the discriminator, and what the frozen encoder made of the sources."""

    features: Tensor
    chance: Tensor

    def __init__(self, network: Network, task: Task, hidden: int) -> None:
        super().__init__()
        self.network = copy.deepcopy(network)
        found = [embed_all(network, source, device=task.device) for source in task.sources]
        self.register_buffer("features", torch.cat(found))
        self.register_buffer("chance", torch.cat([torch.full((len(part),), 1 / len(part)) for part in found]))
        self.discriminator = Discriminator(self.features.shape[1], 2, hidden)

    def drawn(self, rows: int) -> Float[Tensor, "row feature"]:
        """Embeddings of so many rows of the sources, from torch's generator, which the loop seeds and stores."""
        return self.features[torch.multinomial(self.chance, rows, replacement=True)]

    def groups(self, rate: float) -> Sequence[Group]:
        """The encoder and the discriminator; the head is in none."""
        head = self.network.part("head")
        encoder = {name: value for name, value in self.network.part("all").items() if name not in head}
        return [Group(encoder, rate=rate), Group(dict(self.discriminator.named_parameters(prefix="discriminator")))]


@dataclass(frozen=True)
class _Deceive:
    """Loss of the discriminator on embeddings as they are, of the encoder against it, and of the labelled rows."""

    weight: float
    class_weights: tuple[float, ...] | None

    def __call__(self, network: nn.Module, batch: Batch, progress: float) -> Tensor:
        assert isinstance(network, _Game)
        game = network
        target = game.network.embed(batch.values, batch.mask)
        with torch.autocast(target.device.type, enabled=False):
            judged = domain_loss(game.discriminator(game.drawn(len(batch))), 0)
            judged = (judged + domain_loss(game.discriminator(target.detach()), 1)) / 2
            weights = None if self.class_weights is None else torch.tensor(self.class_weights, device=target.device)
            known = cross_entropy(game.network.head(target), batch.label, weights)
            return judged + known + self.weight * against(game.discriminator, target, 0)
