"""What strategies share that learn from the labels of sources and the bare signals of a target, in one training."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from jointwatch.core import Windows
from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.models.base import Network
from jointwatch.training.batch_norm import estimate_statistics
from jointwatch.training.data import Batch, Batches, Shuffled
from jointwatch.training.domains import Domains
from jointwatch.training.frozen import embed_all
from jointwatch.training.loop import fit
from jointwatch.training.objectives import balanced_weights, cross_entropy
from jointwatch.training.options import Options, Schedule
from jointwatch.training.seed import seeded
from jointwatch.transfer._fine_tuning import Weights
from jointwatch.transfer.base import Strategy

__all__ = [
    "Adaptation",
    "AlignmentLoss",
    "Beside",
    "Embedded",
    "Task",
    "calibrated",
    "embed_by_domain",
    "network_of",
    "width_of",
]

_ROWS = 256  # of a batch whose statistics are measured


@dataclass(frozen=True, eq=False)
class Task:
    """What is to be aligned. There are no labels of the target in it but those of `labelled`.

    sources : labelled rows, domains 0 .. k-1. target : rows without labels, domain k. labelled : the few rows of the
    target whose labels may be used, domain k. class_weights : of the cross-entropy, None = every row counts the same.
    """

    sources: tuple[Batch, ...]
    target: Batch
    labelled: Batch | None
    class_weights: tuple[float, ...] | None
    seed: int
    device: str
    bfloat16: bool | Literal["auto"]

    @property
    def parts(self) -> list[Batch]:
        """Sources, target and labelled rows, in the order of their domains."""
        return [*self.sources, self.target, *([] if self.labelled is None else [self.labelled])]

    @property
    def domains(self) -> int:
        """Sources and the target."""
        return len(self.sources) + 1


@dataclass(frozen=True, eq=False)
class Embedded:
    """Rows of one step as the network sees them: embeddings and logits with their graph, class (-1 = unknown), domain,
    whether they are the target's; the signals they come from."""

    embedded: Float[Tensor, "row feature"]
    logits: Float[Tensor, "row class"]
    label: Int[Tensor, " row"]
    domain: Int[Tensor, " row"]
    target: Bool[Tensor, " row"]
    batch: Batch

    @property
    def probabilities(self) -> Float[Tensor, "row class"]:
        """Of the classes."""
        return self.logits.softmax(dim=1)

    @property
    def sources(self) -> list[Bool[Tensor, " row"]]:
        """Which rows are of each source."""
        return [self.domain == number for number in torch.unique(self.domain[~self.target])]


@dataclass(eq=False, repr=False)
class Adaptation(Strategy):
    """A network learns the classes from labelled sources while something makes it see the target alike.

    It serves on two levels: `align` takes any network of `models` with any number of classes; `fit` and `adapt` do
    the same inside a detector that has a network, such as `Cnn`. Labels of the target are taken off before anything
    of a strategy sees them; the few that may be used are given apart.

    Authors write `_penalty` for a term beside the cross-entropy, `_loss` for another objective, `_align` for several
    stages; and `_opened` where something is trained beside the network. In training a batch norm sees each domain by
    itself, and at the end its statistics are those of the target (`calibrated`); with `together` it sees all domains at
    once and keeps the statistics of all, which is right where the target has other classes than the sources. Where
    `uses_bare_target` is False, rows of the target without a label come into the training only beside labelled ones, to
    complete the statistics.

    Parameters
    ----------
    detector : one with a network; None where only networks are aligned.
    clip_sigma, floor_share : of the normalisation under every strategy.
    weight : of what a strategy adds to the cross-entropy.
    epochs, learning_rate, weight_decay, schedule, warm_up, clip_norm : of the training (`training.options.Options`).
    batch_size : rows of each domain at a step. minimum_steps : of an epoch.
    remembered : windows of the sources that a fitted strategy keeps for `adapt`, at most.

    Errors: `UsageError` for a detector without a network, domains whose layout differs, or one without a row;
    `NotEnoughData` where the sources have no labelled row.
    """

    usual_detector: ClassVar[str] = "cnn"

    detector: Any = None
    clip_sigma: float = 5.0
    floor_share: float = 0.01
    weight: float = 1.0
    epochs: int = 30
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    schedule: Schedule = "constant"
    warm_up: float = 0.0
    clip_norm: float | None = None
    batch_size: int = 32
    minimum_steps: int = 8
    remembered: int = 2000
    together: ClassVar[bool] = False
    uses_bare_target: ClassVar[bool] = True

    def _penalty(self, opened: nn.Module, rows: Embedded, progress: float) -> Tensor:
        """What is added to the cross-entropy of the labelled rows, `weight` times; `progress` goes from 0 to 1."""
        raise NotImplementedError  # pragma: no cover - a strategy writes this or `_loss`

    def _loss(self, opened: nn.Module, rows: Embedded, progress: float, class_weights: Tensor | None) -> Tensor:
        """The whole objective of one step, in float32."""
        loss = cross_entropy(rows.logits, rows.label, class_weights)
        return loss + self.weight * self._penalty(opened, rows, progress)

    def _opened(self, network: Network, task: Task) -> nn.Module:
        """What is trained: the network (a copy already), or a module that holds it as `network` beside others."""
        return network

    def _closed(self, opened: nn.Module, task: Task) -> Network:
        """The network that is kept."""
        return network_of(opened) if self.together else calibrated(network_of(opened), task)

    def _align(self, network: Network, task: Task) -> Network:
        """All stages; the one training by default."""
        with seeded(task.seed):
            opened = self._opened(network, task)
        fit(opened, self._batches(task), AlignmentLoss(self, task), self._options(task))
        return self._closed(opened, task)

    @final
    def align(
        self,
        network: Network,
        sources: Batch | Sequence[Batch],
        target: Batch,
        labelled: Batch | None = None,
        *,
        class_weights: Weights = "balanced",
        seed: int = 0,
        device: str = "cpu",
        bfloat16: bool | Literal["auto"] = False,
    ) -> Network:
        """A network for the target; the given one stays as it is.

        Parameters
        ----------
        network : new, or trained on the sources.
        sources : labelled rows, one batch a source (brand, robot, axis); rows with label -1 have a part in what is
            aligned only.
        target : rows of the target. Their labels are taken off here.
        labelled : the few rows of the target whose labels may be used.
        class_weights : of the cross-entropy; `balanced` = each class counts the same.
        seed : of what is trained beside the network, of batches and dropout.
        """
        parts = (sources,) if isinstance(sources, Batch) else tuple(sources)
        if not parts:
            raise UsageError(f"{self.name} needs a source to learn the classes from")
        labelled = None if labelled is None or not len(labelled) else labelled
        self._require_alike(network, [*parts, target, *([] if labelled is None else [labelled])])
        known = torch.cat([part.label for part in parts] + ([] if labelled is None else [labelled.label])).numpy()
        if not (known >= 0).any():
            raise NotEnoughData(f"the strategy {self.name}", needed=1, have=0, unit="labelled rows of a source")
        classes = int(network.config()["classes"])
        if known.max() >= classes:
            raise UsageError(f"a row has class {known.max()}, but the network has {classes} classes, numbered from 0")
        weights = balanced_weights(known, classes) if class_weights == "balanced" else class_weights
        task = Task(
            tuple(part.of_domain(number) for number, part in enumerate(parts)),
            target.unlabelled().of_domain(len(parts)),
            None if labelled is None else labelled.of_domain(len(parts)),
            None if weights is None else tuple(weights),
            seed,
            device,
            bfloat16,
        )
        return self._align(copy.deepcopy(network), task).eval()

    def _require_alike(self, network: Network, parts: Sequence[Batch]) -> None:
        """Rows in every part, and one layout, which is the network's."""
        if not all(len(part) for part in parts):
            raise UsageError(f"every domain needs rows, got {[len(part) for part in parts]}: sources, then the target")
        shapes = [tuple(part.values.shape[1:]) for part in parts]
        channels = network.config().get("channels", shapes[0][0])  # that with adapters does not say
        if len(set(shapes)) > 1 or shapes[0][0] != channels:
            raise UsageError(
                f"sources and target must have the same (channel, time) and the network's {channels} channels, got "
                f"{shapes}; cut them with one plan, in which channels that a robot lacks are masked"
            )

    def _batches(self, task: Task) -> Batches:
        parts = task.parts if self.uses_bare_target or task.labelled is not None else task.sources
        return Domains(parts, self.batch_size, task.seed, self.minimum_steps)

    def _options(self, task: Task) -> Options:
        return Options(
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            schedule=self.schedule,
            warm_up=self.warm_up,
            clip_norm=self.clip_norm,
            seed=task.seed,
            device=task.device,
            bfloat16=task.bfloat16,
        )

    def _fit(self, source: Windows) -> None:
        if not hasattr(self.detector_, "align_by"):
            raise UsageError(
                f"{type(self.detector_).__name__} has no network to align; {self.name} works with the detector cnn, "
                "normalisation with all"
            )
        self.detector_.fit(source)
        self.source_ = self.detector_.examples(source, self.remembered)

    def _adapt(self, target: Windows, labelled: Windows | None) -> None:
        self.detector_.align_by(self.source_, target, labelled, self.align)


@dataclass(frozen=True, eq=False)
class AlignmentLoss:
    """A strategy's loss as an objective of the loop."""

    strategy: Adaptation
    task: Task

    def __call__(self, network: nn.Module, batch: Batch, progress: float) -> Tensor:
        inner = network_of(network)
        together = self.strategy.together
        embedded = inner.embed(batch.values, batch.mask) if together else embed_by_domain(inner, batch)
        # as in `Network.forward`: heads and what compares embeddings are computed in float32
        with torch.autocast(embedded.device.type, enabled=False):
            target = batch.domain == self.task.domains - 1
            rows = Embedded(embedded, inner.head(embedded), batch.label, batch.domain, target, batch)
            weights = self.task.class_weights
            return self.strategy._loss(
                network, rows, progress, None if weights is None else torch.tensor(weights, device=embedded.device)
            )

    def fingerprint(self) -> str:
        """What tells one objective from another."""
        settings = {k: v for k, v in self.strategy.get_params(deep=False).items() if k != "detector"}
        return f"{self.strategy.name} {settings} {self.task.class_weights} {self.task.domains}"


def embed_by_domain(network: Network, batch: Batch) -> Float[Tensor, "row feature"]:
    """Embeddings of the rows, each domain by itself, so that batch norms see one domain at a time."""
    found = None
    for number in torch.unique(batch.domain):
        rows = batch.domain == number
        part = network.embed(batch.values[rows], batch.mask[rows])
        if found is None:
            found = part.new_empty(len(batch), part.shape[1])
        found = found.index_put((torch.nonzero(rows).squeeze(1),), part)
    assert found is not None
    return found


def calibrated(network: Network, task: Task) -> Network:
    """The same network with running statistics of the target's rows.

    While domains are aligned each batch norm sees one domain at a time, but its running statistics mix them all: with
    the mixture the target would be judged in another scale than the one in which it was aligned.
    """
    rows = task.target if task.labelled is None else Batch.concatenate([task.target, task.labelled])
    estimate_statistics(network, Shuffled(rows, _ROWS, task.seed))
    return network


class Beside(nn.Module):
    """A network, and modules that are trained beside it and not kept: each an attribute of its name.

    >>> from jointwatch.models.cnn1d import Cnn1d
    >>> opened = Beside(Cnn1d(2, filters=(4, 4, 8)), critic=nn.Linear(8, 1))
    >>> network_of(opened).name, opened.critic
    ('cnn1d', Linear(in_features=8, out_features=1, bias=True))
    """

    def __init__(self, network: Network, **others: nn.Module) -> None:
        super().__init__()
        self.network = network
        for name, module in others.items():
            self.add_module(name, module)


def width_of(network: Network, task: Task) -> int:
    """Length of the network's embeddings."""
    row = task.target.take(np.array([0]))
    return int(embed_all(network, row).shape[1])


def network_of(opened: nn.Module) -> Network:
    """The network itself, or the one that a module holds beside discriminators and the like."""
    network = opened if isinstance(opened, Network) else opened.network
    assert isinstance(network, Network)
    return network
