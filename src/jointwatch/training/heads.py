"""Many heads on frozen features, trained at the same time: one matrix product for all of them in each step."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from jointwatch.core.errors import UsageError
from jointwatch.training.data import Batch, Order
from jointwatch.training.denormals import denormals_flushed
from jointwatch.training.frozen import OnFeatures
from jointwatch.training.loop import History
from jointwatch.training.objectives import HeldOut, Supervised
from jointwatch.training.options import Options, device_of
from jointwatch.training.session import Progress, Session, current

__all__ = ["HeadJob", "TrainedHead", "fit_heads"]


@dataclass(frozen=True, eq=False)
class HeadJob:
    """One head to train.

    Parameters
    ----------
    head : where it starts; it is not changed. A dense layer, or a sequence of dense layers, ReLU and dropout.
    data : (row, feature, 1) features and labels, as `frozen.features_of` gives them; jobs share them without a copy.
    rows : which rows are its own; None = all.
    seed : of its batches and its dropout.
    validate : rows of `data` that choose its best epoch; None = the last epoch is kept.
    class_weights : of the cross-entropy.
    """

    head: nn.Module
    data: Batch
    rows: np.ndarray | None = None
    seed: int = 0
    validate: np.ndarray | None = None
    class_weights: Sequence[float] | None = None


class TrainedHead(NamedTuple):
    """A trained head, in evaluation mode on the CPU, and what happened."""

    head: nn.Module
    history: History


@denormals_flushed()
def fit_heads(
    jobs: Sequence[HeadJob],
    options: Options = Options(),  # noqa: B008 (it is frozen)
    *,
    batch_size: int = 64,
    minimum_steps: int = 1,
    memory_mib: int = 64,
    session: Session | None = None,
) -> list[TrainedHead]:
    """Each head ends as `loop.fit` would leave it, up to rounding: with its own rows, order of batches, number of
    steps, dropout, learning-rate schedule and best epoch. Only that they are computed together.

    Worth it where heads are many and small, so that a step is mostly overhead (a share of the data x repeats x
    sources of a transfer study). States are not saved: a stopped training ends as it is.

    Parameters
    ----------
    options : of all; `seed` is each job's own, `bfloat16` and `channels_last` have no effect on heads.
    batch_size, minimum_steps : as of `data.Order`.
    memory_mib : about how much weights, gradients, moments and batches may take; more heads take turns. On a CPU what
        is far above its caches is slower, not faster.
    session : progress and stop request; None = that of the surrounding `with session(...)`.

    Errors: `UsageError` for a head of other layers, heads of several shapes or a loss that is not finite.

    >>> from jointwatch.training.seed import seeded
    >>> label = np.arange(40) % 2
    >>> values = np.random.default_rng(0).standard_normal((40, 6, 1)) + label[:, None, None]
    >>> data = Batch.of_arrays(values, label=label)
    >>> with seeded(0):
    ...     head = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> jobs = [HeadJob(head, data, rows=np.arange(count), seed=count) for count in (10, 20, 40)]
    >>> trained = fit_heads(jobs, Options(epochs=20, learning_rate=0.01))
    >>> [history.train_loss[-1] < history.train_loss[0] for _, history in trained]
    [True, True, True]
    """
    if not jobs:
        return []
    layers = [_layers(job.head) for job in jobs]
    if len({_shape(own) for own in layers}) > 1:
        raise UsageError(
            "heads that are trained together have the same layers; train the others in a call of their own"
        )
    weights = sum(parameter.numel() for parameter in jobs[0].head.parameters())
    # Weights, gradients and two moments; a batch, and about as much again for what lies between the layers.
    bytes_each = 4 * (4 * weights + 2 * batch_size * jobs[0].data.values.shape[1])
    together = max(1, (memory_mib << 20) // bytes_each)
    chunks = math.ceil(len(jobs) / together)
    listener = session or current()
    found: list[TrainedHead] = []
    for number, part in enumerate(np.array_split(np.arange(len(jobs)), chunks)):
        chosen = [_Head(jobs[i], layers[i], options, batch_size, minimum_steps) for i in part]
        _Together(chosen, options, listener, number, chunks).go()
        found += [TrainedHead(head.finished(), head.history()) for head in chosen]
    return found


def _layers(head: nn.Module) -> list[nn.Module]:
    layers = list(head) if isinstance(head, nn.Sequential) else [head]
    if not any(isinstance(layer, nn.Linear) for layer in layers):
        raise UsageError("a head that is trained with others has a dense layer")
    for layer in layers:
        if not isinstance(layer, (nn.Linear, nn.ReLU, nn.Dropout)):
            raise UsageError(
                f"heads of dense layers, ReLU and dropout are trained together, not {type(layer).__name__}"
            )
    return layers


def _shape(layers: Sequence[nn.Module]) -> str:
    return repr([repr(layer) for layer in layers])


@dataclass(eq=False)
class _Head:
    """A job under way."""

    job: HeadJob
    layers: list[nn.Module]
    options: Options
    batch_size: int
    minimum_steps: int
    loss_sum: float = 0.0
    train_loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    best_epoch: int | None = None
    best: dict[str, Tensor] = field(default_factory=dict)
    ended: str = ""

    def __post_init__(self) -> None:
        job = self.job
        rows = np.arange(len(job.data)) if job.rows is None else np.asarray(job.rows)
        self.rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        self.order = Order(len(self.rows), self.batch_size, job.seed, self.minimum_steps)
        self.head = copy.deepcopy(job.head)
        self.random = torch.Generator().manual_seed(job.seed)
        self.objective = Supervised(job.class_weights)
        self.held_out = None if job.validate is None else HeldOut(self.objective, job.data.take(job.validate))

    @property
    def steps(self) -> int:
        return len(self.order)

    def numbers(self, step: int) -> Tensor:
        """Rows of the data in a step of the whole training."""
        return torch.from_numpy(self.rows[self.order.rows(*divmod(step, self.steps))])

    def end_of_epoch(self) -> None:
        """The weights are in `self.head` when there is something to validate."""
        self.train_loss.append(_finite(self.loss_sum / self.steps, self.options, len(self.train_loss)))
        self.loss_sum = 0.0
        epoch = len(self.train_loss)
        if self.held_out is not None:
            loss = _finite(self.held_out(OnFeatures(self.head)), self.options, epoch - 1)
            if self.best_epoch is None or loss < self.validation_loss[self.best_epoch]:
                self.best_epoch = epoch - 1
                self.best = {name: value.clone() for name, value in self.head.state_dict().items()}
            self.validation_loss.append(loss)
        patience = self.options.patience
        if epoch == self.options.epochs:
            self.ended = "epochs"
        elif patience and self.best_epoch is not None and epoch - self.best_epoch > patience:
            self.ended = "patience"

    def finished(self) -> nn.Module:
        if self.best:
            self.head.load_state_dict(self.best)
        return self.head.eval()

    def history(self) -> History:
        return History(tuple(self.train_loss), tuple(self.validation_loss), self.best_epoch, self.ended)


class _Together:
    """Heads of one shape: their parameters are stacked, a step of all is one computation.

    The optimiser is the loop's own, on views of the stacks, so that its arithmetic is the same. When a head is done
    the stacks are closed up behind it.
    """

    def __init__(self, heads: list[_Head], options: Options, session: Session, number: int, chunks: int) -> None:
        self.options, self.session = options, session
        self.number, self.chunks = number, chunks
        self.device = device_of(options.device)
        self.layers = heads[0].layers
        self.heads = heads
        self.features = {
            id(head.job.data): (head.job.data.values.squeeze(-1).to(self.device), head.job.data.label.to(self.device))
            for head in heads
        }
        self.stacks = [
            torch.stack([parameter.detach() for parameter in group]).to(self.device)
            for group in zip(*(head.head.parameters() for head in heads), strict=True)
        ]
        self._views([{} for _ in range(len(heads) * len(self.stacks))])

    def go(self) -> None:
        step, longest = 0, max(head.steps for head in self.heads) * self.options.epochs
        while self.heads:
            losses = self._step(step)
            step += 1
            for head, loss in zip(self.heads, losses, strict=True):
                head.loss_sum += loss
            ended = [i for i, head in enumerate(self.heads) if step % head.steps == 0 and self._end_of_epoch(i)]
            if self.session.progress is not None:
                self.session.progress(Progress(self.number, self.chunks, step, longest))
            if self.session.stop is not None and self.session.stop():
                for head in self.heads:
                    head.ended = head.ended or "request"
                ended = list(range(len(self.heads)))
            if ended:
                self._leave(ended)

    def _step(self, step: int) -> list[float]:
        values, labels, weights, sizes = self._rows(step)
        leaves = [stack.detach().requires_grad_() for stack in self.stacks]
        logits = self._forward(values, leaves, sizes)
        losses = functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view_as(labels)
        own = (losses * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=torch.finfo(weights.dtype).tiny)
        # The fused optimiser needs gradients in the memory order of the weights.
        gradients = [gradient.contiguous() for gradient in torch.autograd.grad(own.sum(), leaves)]
        for index, head in enumerate(self.heads):
            if self.options.clip_norm is not None:
                nn.utils.clip_grad_norm_(self._with_gradients(index, gradients), self.options.clip_norm)
            else:
                self._with_gradients(index, gradients)
            epoch, inside = divmod(step, head.steps)
            rate = self.options.rate((epoch + inside / head.steps) / self.options.epochs)
            self.optimiser.param_groups[self.group_of[index]]["lr"] = rate
        self.optimiser.step()
        return own.detach().double().tolist()

    def _with_gradients(self, index: int, gradients: Sequence[Tensor]) -> list[Tensor]:
        """The parameters of a head, with its gradients."""
        for view, gradient in zip(self.views[index], gradients, strict=True):
            view.grad = gradient[index]
        return self.views[index]

    def _rows(self, step: int) -> tuple[Tensor, Tensor, Tensor, list[int]]:
        """(head, row, feature) values, (head, row) labels and weights, rows of each; what is short is filled up with
        rows that do not count."""
        numbers = [head.numbers(step) for head in self.heads]
        sizes = [len(rows) for rows in numbers]
        widest, features = max(sizes), self.heads[0].job.data.values.shape[1]
        values = torch.empty(len(self.heads), widest, features, device=self.device)
        labels = torch.zeros(len(self.heads), widest, dtype=torch.int64, device=self.device)
        weights = torch.zeros(len(self.heads), widest, device=self.device)
        for index, (head, rows) in enumerate(zip(self.heads, numbers, strict=True)):
            own, label = self.features[id(head.job.data)]
            rows = rows.to(self.device)
            torch.index_select(own, 0, rows, out=values[index, : len(rows)])
            values[index, len(rows) :] = 0.0
            known = label[rows]
            labels[index, : len(rows)] = known.clamp(min=0)
            each = head.job.class_weights
            weight = (
                (known >= 0).float() if each is None else torch.tensor(each, device=self.device)[known] * (known >= 0)
            )
            weights[index, : len(rows)] = weight
        return values, labels, weights, sizes

    def _forward(
        self, values: Float[Tensor, "head row feature"], leaves: list[Tensor], sizes: list[int]
    ) -> Float[Tensor, "head row class"]:
        position = 0
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                weight = leaves[position].transpose(1, 2)
                position += 1
                if layer.bias is not None:
                    values = torch.baddbmm(leaves[position].unsqueeze(1), values, weight)
                    position += 1
                else:
                    values = torch.bmm(values, weight)
            elif isinstance(layer, nn.ReLU):
                values = values.relu()
            elif isinstance(layer, nn.Dropout) and layer.p:
                values = values * self._noise(values, layer.p, sizes)
        return values

    def _noise(self, values: Tensor, share: float, sizes: list[int]) -> Tensor:
        """Each head's dropout from its own generator, in the order in which it would draw alone."""
        noise = torch.zeros(values.shape)
        if share < 1:
            for index, (head, size) in enumerate(zip(self.heads, sizes, strict=True)):
                drawn = torch.empty(size, values.shape[2]).bernoulli_(1 - share, generator=head.random)
                noise[index, :size] = drawn.div_(1 - share)
        return noise.to(self.device)

    def _end_of_epoch(self, index: int) -> bool:
        head = self.heads[index]
        if head.held_out is not None:
            self._copy_out(index)
        head.end_of_epoch()
        return bool(head.ended)

    def _copy_out(self, index: int) -> None:
        with torch.no_grad():
            for parameter, stack in zip(self.heads[index].head.parameters(), self.stacks, strict=True):
                parameter.copy_(stack[index])

    def _leave(self, ended: list[int]) -> None:
        for index in ended:
            self._copy_out(index)
        stay = [index for index in range(len(self.heads)) if index not in set(ended)]
        states = [self.optimiser.state[view] for index in stay for view in self.views[index]]
        self.heads = [self.heads[index] for index in stay]
        if stay:
            self.stacks = [stack[stay] for stack in self.stacks]
            self._views(states)

    def _views(self, states: list[dict[str, Tensor]]) -> None:
        """Parameters for the optimiser, one group for heads whose learning rate is always the same."""
        self.views = [[stack[index] for stack in self.stacks] for index in range(len(self.heads))]
        steps = [head.steps for head in self.heads]
        kinds = sorted(set(steps))
        self.group_of = [kinds.index(count) for count in steps]
        groups = [
            {"params": [view for views, own in zip(self.views, steps, strict=True) if own == kind for view in views]}
            for kind in kinds
        ]
        self.optimiser = torch.optim.AdamW(
            groups, lr=self.options.learning_rate, weight_decay=self.options.weight_decay, fused=True
        )
        flat = [view for views in self.views for view in views]
        for view, state in zip(flat, states, strict=True):
            if state:
                self.optimiser.state[view] = state


def _finite(loss: float, options: Options, epoch: int) -> float:
    if math.isfinite(loss):
        return loss
    raise UsageError(
        f"the loss of a head is no longer finite in epoch {epoch + 1}; lower the learning rate "
        f"(now {options.learning_rate}) or look for values far from the others in the data"
    )
