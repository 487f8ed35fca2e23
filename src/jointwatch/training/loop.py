"""The one fit loop: optimiser, early stopping, best weights, checkpoints; what is learned is the objective's affair."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from jointwatch.core.errors import ModelFileError, UsageError
from jointwatch.models.base import batch_norms, set_memory_format
from jointwatch.training.checkpoint import load_checkpoint, optimiser_tensors, restore_optimiser, save_checkpoint
from jointwatch.training.data import Batches, identity
from jointwatch.training.denormals import denormals_flushed
from jointwatch.training.groups import Group
from jointwatch.training.objectives import Objective
from jointwatch.training.options import Options, bfloat16_is_fast, device_of
from jointwatch.training.seed import seeded
from jointwatch.training.session import Progress, Session, current

__all__ = ["History", "fit"]


@dataclass(frozen=True)
class History:
    """What happened: mean training loss and validation loss of each epoch, the epoch whose weights were kept
    (None without validation: the last), and why it ended: `epochs`, `patience` or `request`."""

    train_loss: tuple[float, ...] = ()
    validation_loss: tuple[float, ...] = ()
    best_epoch: int | None = None
    ended: str = "epochs"
    bfloat16: bool = False


def fit(
    network: nn.Module,
    batches: Batches,
    objective: Objective,
    options: Options = Options(),  # noqa: B008 (it is frozen)
    *,
    validate: Callable[[nn.Module], float] | None = None,
    trained: Mapping[str, nn.Parameter] | Sequence[Group] | None = None,
    after_step: Callable[[nn.Module, float], None] | None = None,
    session: Session | None = None,
) -> History:
    """Train `network` in place; it ends on the CPU, in evaluation mode, with the best weights.

    Parameters
    ----------
    batches : what each step sees.
    objective : (network, batch, progress) -> loss.
    validate : loss on data held out from training (`HeldOut`), lower = better; the weights of its best epoch
        are kept, and `options.patience` counts from there. Never test data.
    trained : the parameters to train, by name (`Network.part`), or in groups with rates, decays and starts of their
        own; None = all. The others stay as they are, and a batch norm without a trained parameter keeps its
        statistics too.
    after_step : called with the network and the progress after each step (moving averages, clipping of weights).
    session : progress, stop request and checkpoint folder; None = that of the surrounding `with session(...)`.

    An interrupted training that goes on from its checkpoint ends with the same bits as one that was not
    interrupted (same machine, same number of threads; tested on the CPU).

    Errors: `UsageError` if the loss is no longer finite; `ModelFileError` for a damaged checkpoint.

    >>> import numpy as np
    >>> from jointwatch.models.cnn1d import Cnn1d
    >>> from jointwatch.training.data import Batch, Shuffled
    >>> from jointwatch.training.objectives import Supervised
    >>> label = np.arange(64) % 2
    >>> values = np.random.default_rng(0).standard_normal((64, 2, 16)) + label[:, None, None]
    >>> with seeded(0):
    ...     network = Cnn1d(channels=2, filters=(4, 4, 4))
    >>> data = Batch.of_arrays(values, label=label)
    >>> history = fit(network, Shuffled(data, batch_size=16), Supervised(), Options(epochs=5, learning_rate=0.01))
    >>> history.ended, history.train_loss[-1] < history.train_loss[0]
    ('epochs', True)
    """
    run = _Run(network, batches, objective, options, validate, trained, after_step, session or current())
    return run.go()


@dataclass(eq=False)
class _State:
    """What a checkpoint holds besides tensors: the next step, and what is known so far."""

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    train_loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    best_epoch: int | None = None
    ended: str = ""


class _Run:
    def __init__(
        self,
        network: nn.Module,
        batches: Batches,
        objective: Objective,
        options: Options,
        validate: Callable[[nn.Module], float] | None,
        trained: Mapping[str, nn.Parameter] | Sequence[Group] | None,
        after_step: Callable[[nn.Module, float], None] | None,
        session: Session,
    ) -> None:
        self.network, self.batches, self.objective, self.options = network, batches, objective, options
        self.validate, self.after_step, self.session = validate, after_step, session
        self.groups = _groups(network, trained)
        self.device = device_of(options.device)
        self.bfloat16 = bfloat16_is_fast(self.device) if options.bfloat16 == "auto" else options.bfloat16
        self.file = self._file() if session.checkpoints else None
        self.state = _State()
        self.best: dict[str, Tensor] = {}

    def go(self) -> History:
        before = {parameter: parameter.requires_grad for parameter in self.network.parameters()}
        try:
            with seeded(self.options.seed), denormals_flushed():
                set_memory_format(self.network.to(self.device), channels_last=self.options.channels_last)
                self._train()
        finally:
            for parameter, flag in before.items():
                parameter.requires_grad_(flag)
                parameter.grad = None
            set_memory_format(self.network.to(torch.device("cpu")), channels_last=False)
            self.network.eval()
        state = self.state
        return History(
            tuple(state.train_loss), tuple(state.validation_loss), state.best_epoch, state.ended, self.bfloat16
        )

    def _train(self) -> None:
        options, state, steps = self.options, self.state, len(self.batches)
        # AdamW with no decay is Adam; fused = one pass over all parameters. Decay towards values is ours.
        groups = [
            {
                "params": list(group.parameters.values()),
                "weight_decay": self._decay(group) if group.towards is None else 0.0,
            }
            for group in self.groups
        ]
        self.optimiser = torch.optim.AdamW(groups, lr=options.learning_rate, fused=True)
        self.anchors = [
            {name: value.detach().to(self.device, copy=True) for name, value in (group.towards or {}).items()}
            for group in self.groups
        ]
        if self.file and self.file.exists():
            state = self._restore(self.file)
        while not state.ended:
            self._train_mode()
            loss_sum = torch.tensor(state.loss_sum, dtype=torch.float64, device=self.device)
            while state.step < steps and not state.ended:
                loss_sum += self._step()
                state.step += 1
                self._report()
                if self.session.stop is not None and self.session.stop():
                    state.ended = "request"
            state.loss_sum = self._finite(float(loss_sum))
            if state.step == steps:
                self._end_of_epoch()
            if self.file and (state.ended or state.epoch % self.session.every == 0):
                self._save(self.file)
        if self.best:
            self.network.load_state_dict(self.best)

    def _step(self) -> Tensor:
        state = self.state
        batch = self.batches.batch(state.epoch, state.step).to(self.device)
        done = (state.epoch + state.step / len(self.batches)) / self.options.epochs
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            loss = self.objective(self.network, batch, done)
        self.optimiser.zero_grad()
        loss.backward()
        if self.options.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.options.clip_norm)
        rate = self.options.rate(done)
        for group, values in zip(self.groups, self.optimiser.param_groups, strict=True):
            values["lr"] = rate * group.rate
        self.optimiser.step()
        self._pull(rate)
        if self.after_step is not None:
            self.after_step(self.network, done)
        return loss.detach()

    def _decay(self, group: Group) -> float:
        return self.options.weight_decay if group.weight_decay is None else group.weight_decay

    @torch.no_grad()
    def _pull(self, rate: float) -> None:
        for group, anchors in zip(self.groups, self.anchors, strict=True):
            if anchors and group.start <= self.state.epoch:
                share = 1 - 1 / (1 + rate * group.rate * self._decay(group))
                for name, parameter in group.parameters.items():
                    parameter.lerp_(anchors[name], share)

    def _end_of_epoch(self) -> None:
        state, options = self.state, self.options
        state.train_loss.append(state.loss_sum / len(self.batches))
        if self.validate is not None:
            loss = self._finite(self.validate(self.network))
            if state.best_epoch is None or loss < state.validation_loss[state.best_epoch]:
                state.best_epoch = state.epoch
                self.best = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
            state.validation_loss.append(loss)
        state.epoch, state.step, state.loss_sum = state.epoch + 1, 0, 0.0
        self._report()
        if state.epoch == options.epochs:
            state.ended = "epochs"
        elif options.patience and state.best_epoch is not None and state.epoch - state.best_epoch > options.patience:
            state.ended = "patience"

    def _finite(self, loss: float) -> float:
        if math.isfinite(loss):
            return loss
        raise UsageError(
            f"the loss is no longer finite in epoch {self.state.epoch + 1}; lower the learning rate "
            f"(now {self.options.learning_rate}) or look for values far from the others in the data"
        )

    def _train_mode(self) -> None:
        self.network.train()
        active = [group for group in self.groups if group.start <= self.state.epoch]
        wanted = {id(parameter) for group in active for parameter in group.parameters.values()}
        for parameter in self.network.parameters():
            parameter.requires_grad_(id(parameter) in wanted)
        for norm in batch_norms(self.network):
            own = {id(parameter) for parameter in norm.parameters(recurse=False)}
            if own and not own & wanted:
                norm.eval()

    def _report(self) -> None:
        if self.session.progress is None:
            return
        state = self.state
        at = Progress(state.epoch, self.options.epochs, state.step, len(self.batches), best_epoch=state.best_epoch)
        if state.train_loss:
            at = replace(at, train_loss=state.train_loss[-1])
        if state.validation_loss:
            at = replace(at, validation_loss=state.validation_loss[-1])
        self.session.progress(at)

    def _names(self) -> dict[Tensor, str]:
        return {parameter: name for group in self.groups for name, parameter in group.parameters.items()}

    def _save(self, file: Path) -> None:
        tensors = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in self.best.items()}
        moments = optimiser_tensors(self.optimiser, self._names())
        tensors |= {f"optimiser.{name}": value for name, value in moments.items()}
        tensors["random"] = torch.get_rng_state()
        if self.device.type == "cuda":
            tensors["random_cuda"] = torch.cuda.get_rng_state(self.device)
        save_checkpoint(file, tensors, asdict(self.state))

    def _restore(self, file: Path) -> _State:
        tensors, record = load_checkpoint(file)
        parts: dict[str, dict[str, Tensor]] = {
            "network": {},
            "best": {},
            "optimiser": {},
            "random": {},
            "random_cuda": {},
        }
        try:
            for name, value in tensors.items():
                part, _, rest = name.partition(".")
                parts[part][rest] = value
            self.network.load_state_dict(parts["network"])
            self.best = parts["best"]
            restore_optimiser(self.optimiser, self._names(), parts["optimiser"])
            torch.set_rng_state(parts["random"][""])
            if parts["random_cuda"]:
                torch.cuda.set_rng_state(parts["random_cuda"][""], self.device)
            self.state = _State(**record)
        except (KeyError, TypeError, RuntimeError) as error:
            raise ModelFileError(f"{file} does not fit this training ({error}); delete it to start anew") from error
        if self.state.ended == "request":
            self.state.ended = ""
        return self.state

    def _file(self) -> Path:
        """Name by everything that decides the result, so that no training ever goes on from another's state."""
        digest = hashlib.sha256()
        parts: list[Any] = [asdict(self.options), self.bfloat16, [group.fingerprint() for group in self.groups]]
        parts += [self.batches.fingerprint()]
        parts += [identity(self.objective), identity(self.validate), identity(self.after_step)]
        digest.update(json.dumps(parts).encode())
        for name, value in self.network.state_dict().items():
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
        assert self.session.checkpoints is not None
        return self.session.checkpoints / f"{digest.hexdigest()[:32]}.safetensors"


def _groups(network: nn.Module, trained: Mapping[str, nn.Parameter] | Sequence[Group] | None) -> tuple[Group, ...]:
    """What is to be trained as groups that are not empty, each parameter in one of them."""
    if trained is None:
        trained = dict(network.named_parameters())
    groups = (Group(trained),) if isinstance(trained, Mapping) else tuple(trained)
    groups = tuple(group for group in groups if group.parameters)
    if not groups:
        raise UsageError("nothing to train: the part has no parameters")
    names = [name for group in groups for name in group.parameters]
    if twice := {name for name in names if names.count(name) > 1}:
        raise UsageError(f"each parameter belongs to one group, but {sorted(twice)} to several")
    if all(group.start for group in groups):
        raise UsageError("no group of parameters starts in epoch 0, so the first epochs would train nothing")
    return groups
