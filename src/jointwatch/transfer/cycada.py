"""Signals of the sources are translated into the target's and back; the classifier learns from the translations."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from jointwatch.core.errors import UsageError
from jointwatch.models.base import Network
from jointwatch.training.adversarial import Discriminator, against, domain_loss, reverse_gradient, strength_at
from jointwatch.training.data import Batch
from jointwatch.training.groups import Group
from jointwatch.training.loop import fit
from jointwatch.training.objectives import cross_entropy
from jointwatch.training.seed import seeded
from jointwatch.transfer._adaptation import Adaptation, Task, calibrated, embed_by_domain, width_of
from jointwatch.transfer._stages import fit_on_sources
from jointwatch.transfer._translation import SignalJudge, Translator, masked

__all__ = ["Cycada"]


@dataclass(eq=False, repr=False)
class Cycada(Adaptation):
    """A classifier is trained on the sources and frozen. Then, all in one training:

    - small convolutional networks translate each source's signals into the target's and the target's into the
      source's, against judges that tell real from translated signals;
    - a signal translated there and back must be what it was (cycle);
    - the frozen classifier must see in the target's translated signals the class that the network sees in them as they
      are (semantic). In the paper it judges both; but where a translation is worth it, it cannot read the target's
      signals, and would allow only changes that it does not notice;
    - the network learns the sources' labels from translated signals, while a discriminator behind a reversed gradient
      makes their embeddings like those of the target.

    Channels that either robot lacks are not translated. Each source has translators and judges of its own.

    Parameters
    ----------
    cycle, semantic : weights beside the judges' loss.
    judge_rate : learning rate of the judges relative to all others: one that lags is deceived by anything.
    source_epochs : of the classifier before; None = `epochs`, 0 = the network has learned the
        sources already, as that of a fitted detector has.
    filters : of the translators' and, twice as many, of the judges' convolutions.
    hidden : width of the discriminator's layers.

    `weight` is that of the embeddings' alignment; others are those of every adaptation: see `Adaptation`.

    Source: Hoffman et al., "CyCADA: cycle-consistent adversarial domain adaptation", ICML 2018.

    >>> import numpy as np
    >>> from jointwatch.models.cnn1d import Cnn1d
    >>> rng, label = np.random.default_rng(0), np.arange(20) % 2
    >>> source = Batch.of_arrays(rng.standard_normal((20, 2, 16)) + label[:, None, None], label=label)
    >>> target = Batch.of_arrays(3 * rng.standard_normal((20, 2, 16)))
    >>> Cycada(epochs=1).align(Cnn1d(2, filters=(4, 4, 8)), source, target)(target.values).shape
    torch.Size([20, 2])
    """

    cycle: float = 10.0
    semantic: float = 1.0
    judge_rate: float = 3.0
    source_epochs: int | None = None
    filters: int = 16
    hidden: int = 128

    def _align(self, network: Network, task: Task) -> Network:
        opened = self._trained(network, task)
        return calibrated(opened.network, task)

    def _trained(self, network: Network, task: Task) -> _Studio:
        epochs = self.epochs if self.source_epochs is None else self.source_epochs
        if epochs < 0 or self.cycle < 0 or self.semantic < 0:
            raise UsageError(
                f"cycada takes source epochs, cycle and semantic from 0, got {epochs}, {self.cycle} and {self.semantic}"
            )
        options = self._options(task)
        if epochs:
            fit_on_sources(network, task, replace(options, epochs=epochs), self.batch_size, self.minimum_steps)
        with seeded(task.seed):
            studio = _Studio(network, task, self.filters, self.hidden)
        objective = _Translate(self.weight, self.cycle, self.semantic, task.class_weights)
        fit(studio, self._batches(task), objective, options, trained=studio.groups(self.judge_rate))
        return studio


class _Labeller(nn.Module):
    """A network in evaluation mode whatever its surroundings train."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = copy.deepcopy(network)

    def train(self, mode: bool = True) -> _Labeller:
        return super().train(False)

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        out = self.network(values, mask)
        assert isinstance(out, Tensor)
        return out


class _Studio(nn.Module):
    """All that is trained, the frozen classifier, and which channels each source shares with the target."""

    shared: Tensor

    def __init__(self, network: Network, task: Task, filters: int, hidden: int) -> None:
        super().__init__()
        channels, count = task.target.values.shape[1], len(task.sources)
        self.network, self.labeller = network, _Labeller(network)
        self.to_target = nn.ModuleList(Translator(channels, filters) for _ in range(count))
        self.to_source = nn.ModuleList(Translator(channels, filters) for _ in range(count))
        self.judge_target = nn.ModuleList(SignalJudge(channels, 2 * filters) for _ in range(count))
        self.judge_source = nn.ModuleList(SignalJudge(channels, 2 * filters) for _ in range(count))
        self.discriminator = Discriminator(width_of(network, task), task.domains, hidden)
        present = [source.mask.any(dim=0) & task.target.mask.any(dim=0) for source in task.sources]
        self.register_buffer("shared", torch.stack(present))

    def groups(self, judge_rate: float) -> list[Group]:
        """Judges, and all others but the frozen classifier."""
        named = [item for item in self.named_parameters() if not item[0].startswith("labeller.")]
        judges = {name: parameter for name, parameter in named if name.startswith("judge")}
        return [Group(judges, rate=judge_rate), Group({k: v for k, v in named if k not in judges})]

    def translated(self, batch: Batch) -> Batch:
        """Rows of the sources as the target would have them, the target's as they are."""
        values, mask = batch.values.clone(), batch.mask.clone()
        with torch.no_grad():
            for number, translator in enumerate(self.to_target):
                rows = batch.domain == number
                mask[rows] &= self.shared[number]
                values[rows] = translator(batch.values[rows], mask[rows])
        return replace(batch, values=values, mask=mask)


@dataclass(frozen=True)
class _Translate:
    """Loss of translators, judges, network and discriminator of one step; none reaches into another but where said."""

    weight: float
    cycle: float
    semantic: float
    class_weights: tuple[float, ...] | None

    def __call__(self, network: nn.Module, batch: Batch, progress: float) -> Tensor:
        assert isinstance(network, _Studio)
        count = len(network.to_target)
        target = _rows(batch, count)
        loss = torch.stack([self._pair(network, k, _rows(batch, k), target) for k in range(count)]).mean()
        seen = network.translated(batch)
        embedded = embed_by_domain(network.network, seen)
        with torch.autocast(embedded.device.type, enabled=False):
            weights = None if self.class_weights is None else torch.tensor(self.class_weights, device=embedded.device)
            known = cross_entropy(network.network.head(embedded), batch.label, weights)
            judged = network.discriminator(reverse_gradient(embedded, strength_at(progress)))
            return loss + known + self.weight * domain_loss(judged, batch.domain)

    def _pair(self, studio: _Studio, number: int, source: Batch, target: Batch) -> Tensor:
        """Both translators and judges of one source and the target."""
        forth, back = studio.to_target[number], studio.to_source[number]
        here, there = source.mask & studio.shared[number], target.mask & studio.shared[number]
        x, y = masked(source.values, here), masked(target.values, there)
        as_target, as_source = forth(x, here), back(y, there)
        loss = _judged(studio.judge_target[number], y, as_target) + _judged(studio.judge_source[number], x, as_source)
        loss = loss + self.cycle * (
            _distance(back(as_target, here), x, here) + _distance(forth(as_source, there), y, there)
        )
        if self.semantic:
            with torch.no_grad():
                seen = studio.network(target.values, target.mask).argmax(dim=1)
                seen = torch.where(target.label < 0, seen, target.label)
            loss = loss + self.semantic * functional.cross_entropy(studio.labeller(as_source, there), seen)
        return loss


def _judged(judge: nn.Module, real: Tensor, made: Tensor) -> Tensor:
    """The judge learns to tell both apart, what was made to be taken for real."""
    own = (domain_loss(judge(real), 1) + domain_loss(judge(made.detach()), 0)) / 2
    return own + against(judge, made, 1)


def _distance(one: Tensor, other: Tensor, mask: Tensor) -> Tensor:
    """Mean absolute difference over the channels of the mask."""
    return (one - other).abs().mean(dim=2).sum() / mask.sum().clamp(min=1)


def _rows(batch: Batch, domain: int) -> Batch:
    rows = batch.domain == domain
    return Batch(batch.values[rows], batch.mask[rows], batch.label[rows], batch.domain[rows])
