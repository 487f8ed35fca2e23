"""What fine-tuning strategies share: a network trained further on the target, by the one loop."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, final

import numpy as np
from torch import nn

from jointwatch.core import Windows, catalog
from jointwatch.core.errors import MissingExtra, NotEnoughData, UsageError
from jointwatch.models.base import Network
from jointwatch.training.data import Batch, Batches, Shuffled
from jointwatch.training.groups import Group
from jointwatch.training.loop import History, fit
from jointwatch.training.objectives import HeldOut, Objective, Supervised, balanced_weights
from jointwatch.training.options import Options, Schedule
from jointwatch.training.seed import seeded
from jointwatch.transfer.base import Strategy

__all__ = ["FineTuning", "Validate", "Weights"]

Validate = Callable[[nn.Module], float]
Weights = Sequence[float] | Literal["balanced"] | None


@dataclass(eq=False, repr=False)
class FineTuning(Strategy):
    """A network that learned on the source is trained further on the target. A strategy says which parameters, and how.

    It serves on two levels: `tune` trains any network of `models` with any number of classes; `fit` and `adapt` do
    the same inside a detector that has a network, such as `Cnn`. With healthy target windows only, or with nothing
    but unlabelled ones (taken as healthy), the detector makes anomalies from them (`training.synthetic_anomalies`).

    Parameters
    ----------
    detector : one with a network; None where only networks are tuned.
    clip_sigma, floor_share : of the normalisation under every strategy.
    epochs, learning_rate, schedule, warm_up : of the fine-tuning (`training.options.Options`).
    weight_decay : None = 0 for networks, the detector's own for detectors.
    batch_size, minimum_steps : rows of a step and steps of an epoch at least, for networks; detectors have their own.
    patience : epochs without a better loss on `validate` after which `tune` stops; without `validate` no effect.
    new_head : begin with new fully connected layers and classifier instead of those of the source.

    Errors: `UsageError` for a detector without a network.
    """

    usual_detector: ClassVar[str] = "cnn"

    detector: Any = None
    clip_sigma: float = 5.0
    floor_share: float = 0.01
    epochs: int = 30
    learning_rate: float = 1e-3
    weight_decay: float | None = None
    batch_size: int = 64
    minimum_steps: int = 8
    patience: int | None = None
    schedule: Schedule = "cosine"
    warm_up: float = 0.1
    new_head: bool = False

    @abstractmethod
    def _groups(self, network: Network) -> Sequence[Group]:
        """What of an opened network is trained, and how."""

    def _opened(self, network: Network, seed: int) -> Network:
        """The network that is trained: the given one (a copy already), or one that holds it."""
        return network

    def _closed(self, trained: Network, start: Network, batches: Batches) -> Network:
        """The network that is kept; `start` is as it was before training where `_opened` made another."""
        return trained

    def _fitted(
        self, network: Network, batches: Batches, objective: Objective, options: Options, validate: Validate | None
    ) -> History:
        return fit(network, batches, objective, options, trained=self._groups(network), validate=validate)

    @final
    def tune(
        self,
        network: Network,
        data: Batch,
        *,
        validate: Batch | None = None,
        classes: int | None = None,
        class_weights: Weights = "balanced",
        seed: int = 0,
        device: str = "cpu",
        bfloat16: bool | Literal["auto"] = False,
    ) -> Network:
        """A network for the target; the given one stays as it is.

        Parameters
        ----------
        network : trained on the source.
        data : labelled rows of the target, classes from 0; rows with label -1 do not count.
        validate : rows held out from training that choose the epoch; None = the last. Never test data.
        classes : of the target; None = those of the network. Another number makes the head new.
        class_weights : of the cross-entropy; `balanced` = each class counts the same.
        seed : of a new head, the batches and dropout.

        Errors: `NotEnoughData` without a labelled row; `UsageError` for a label that is not among the classes.
        """
        start = self._start(network, classes, seed)
        objective = self._objective(start, data, class_weights)
        batches = Shuffled(data, self.batch_size, seed, minimum_steps=self.minimum_steps)
        held_out = None if validate is None else HeldOut(objective, validate)
        options = Options(seed=seed, device=device, bfloat16=bfloat16)
        return self._trained(start, batches, objective, options, held_out)[0]

    def tune_many(
        self,
        network: Network | Sequence[Network],
        data: Batch,
        rows: Sequence[np.ndarray],
        *,
        seeds: Sequence[int] | None = None,
        validate_rows: Sequence[np.ndarray] | None = None,
        classes: int | None = None,
        class_weights: Weights = "balanced",
        device: str = "cpu",
        bfloat16: bool | Literal["auto"] = False,
    ) -> list[Network]:
        """`tune` once for each entry of `rows`, which names its rows of `data` by number.

        Parameters
        ----------
        network : one for all, or one each.
        seeds : one each; None = 0 for all.
        validate_rows : rows of `data` that choose the epoch, one entry each.

        Errors: `UsageError` if the lengths differ.
        """
        networks, numbers = self._each(network, rows, seeds, validate_rows)
        return [
            self.tune(
                networks[i],
                data.take(rows[i]),
                validate=None if validate_rows is None else data.take(validate_rows[i]),
                classes=classes,
                class_weights=class_weights,
                seed=numbers[i],
                device=device,
                bfloat16=bfloat16,
            )
            for i in range(len(rows))
        ]

    @final
    def train(
        self, network: Network, batches: Batches, objective: Objective, options: Options
    ) -> tuple[Network, History]:
        """The same with batches and an objective of the caller, whose `options` give seed, device and precision: what a
        detector's `fine_tune_by` calls."""
        start = self._start(network, None, options.seed)
        return self._trained(start, batches, objective, options, None)

    def _trained(
        self, start: Network, batches: Batches, objective: Objective, options: Options, validate: Validate | None
    ) -> tuple[Network, History]:
        options = self._options(options)
        opened = self._opened(start, options.seed)
        history = self._fitted(opened, batches, objective, options, validate)
        return self._closed(opened, start, batches).eval(), history

    def _options(self, given: Options) -> Options:
        return replace(
            given,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            weight_decay=given.weight_decay if self.weight_decay is None else self.weight_decay,
            patience=self.patience,
            schedule=self.schedule,
            warm_up=self.warm_up,
        )

    def _start(self, network: Network, classes: int | None, seed: int) -> Network:
        """A copy of the network, with a new head where there shall be one."""
        config = network.config()
        if not self.new_head and classes in (None, config["classes"]):
            return copy.deepcopy(network)
        with seeded(seed):
            fresh = type(network)(**{**config, "classes": classes or config["classes"]})
        state = network.state_dict()
        fresh.load_state_dict({**state, **{f"head.{key}": value for key, value in fresh.head.state_dict().items()}})
        return fresh

    def _objective(self, network: Network, data: Batch, weights: Weights) -> Supervised:
        label, classes = data.label.numpy(), int(network.config()["classes"])
        if not (label >= 0).any():
            raise NotEnoughData("fine-tuning", needed=1, have=0, unit="labelled rows")
        if label.max() >= classes:
            raise UsageError(
                f"a row has class {label.max()}, but the network has {classes} classes, numbered from 0; "
                "say how many there are with `classes`"
            )
        return Supervised(balanced_weights(label, classes) if weights == "balanced" else weights)

    def _each(
        self,
        network: Network | Sequence[Network],
        rows: Sequence[np.ndarray],
        seeds: Sequence[int] | None,
        validate_rows: Sequence[np.ndarray] | None,
    ) -> tuple[list[Network], list[int]]:
        networks = [network] * len(rows) if isinstance(network, Network) else list(network)
        numbers = [0] * len(rows) if seeds is None else list(seeds)
        held = len(rows) if validate_rows is None else len(validate_rows)
        if not len(networks) == len(numbers) == held == len(rows):
            raise UsageError(
                f"one network, seed and set of rows each: got {len(networks)} networks, {len(numbers)} seeds, "
                f"{len(rows)} sets of rows and {held} to validate"
            )
        return networks, numbers

    def _fit(self, source: Windows) -> None:
        if not hasattr(self.detector_, "fine_tune_by"):
            raise UsageError(
                f"{type(self.detector_).__name__} has no network to fine-tune; {self.name} works with the detectors "
                f"{', '.join(_with_network())}, normalisation with all"
            )
        self.detector_.fit(source)

    def _adapt(self, target: Windows, labelled: Windows | None) -> None:
        windows = target
        if labelled is not None:
            known = labelled[labelled.index.label != "uncertain"]
            windows = known
            if not len(known.normal()):  # a classifier needs healthy windows too: the target's other cycles
                others = target[~np.isin(target.index.cycle, known.index.cycle)]
                windows = Windows.concatenate([others, known])
        self.detector_.fine_tune_by(windows, self.train)


def _with_network() -> list[str]:
    found = []
    for name in catalog.names("detectors"):
        try:
            if hasattr(catalog.load("detectors", name), "fine_tune_by"):
                found.append(name)
        except MissingExtra:
            continue
    return found
