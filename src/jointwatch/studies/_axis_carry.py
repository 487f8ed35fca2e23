"""AD-CNN learned on one axis and carried to another, as published: convolutions frozen, new dense layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from jointwatch.core import Windows, catalog
from jointwatch.diagnosis._maps_view import MapsView
from jointwatch.models.base import Network
from jointwatch.studies._axes import Counts, Halves, codes_of, counts_of, fitted, judged
from jointwatch.studies._trees import Forest
from jointwatch.training.data import Batch
from jointwatch.training.recipes import Recipe
from jointwatch.training.seed import generator
from jointwatch.transfer._fine_tuning import FineTuning

__all__ = ["ALONE", "FAMILY", "as_in", "carried", "family", "on_the_target_alone", "share_of", "trees_alone"]

ALONE = "AD-CNN, target alone"
FAMILY = (
    "full",
    "head_only",
    "discriminative",
    "gradual_unfreezing",
    "l2_sp",
    "batch_norm",
    "lora",
    "adapters",
)


def as_in(training: Recipe, name: str = "head_only", *, new_head: bool = True) -> FineTuning:
    """A strategy of `transfer` that trains by a recipe."""
    strategy: FineTuning = catalog.load("transfer", name)(
        epochs=training.options.epochs,
        learning_rate=training.options.learning_rate,
        batch_size=training.batch_size,
        schedule=training.options.schedule,
        warm_up=training.options.warm_up,
        weight_decay=training.options.weight_decay,
        patience=training.options.patience,
        minimum_steps=1,
        new_head=new_head,
    )
    return strategy


def share_of(halves: Halves, share: float, seed: int) -> np.ndarray:
    """Rows of a share of the training maps: maps by lot, as many of each label as there are; or whole units, where
    units are held out. Both labels are there; a larger share holds the smaller one."""
    maps = halves.train
    rng = generator(seed, 23)
    if halves.split == "unit":
        units = rng.permutation(np.unique(maps.index.unit))
        return np.flatnonzero(np.isin(maps.index.unit, units[: max(1, round(share * len(units)))]))
    rows = []
    for code in (0, 1):
        own = rng.permutation(np.flatnonzero(codes_of(maps) == code))
        rows.append(own[: max(1, round(share * len(own)))])
    return np.sort(np.concatenate(rows))


def carried(
    view: MapsView, target: Halves, shares: Sequence[float], training: Recipe, seed: int
) -> dict[float, Counts]:
    """Counts on the target's test maps after learning from each share of its training maps, all shares at once.

    Scales come from the share alone.
    """
    adapted, pieces, rows, first = [], [], [], 0
    for share in shares:
        maps = target.train[share_of(target, share, seed)]
        ready = view.adapt(maps, codes_of(maps))
        adapted.append(ready)
        pieces.append((ready.scaled(maps, crossed=True), codes_of(maps)))
        rows.append(np.arange(first, first + len(maps)))
        first += len(maps)
    data = Batch.of_arrays(np.concatenate([x for x, _ in pieces]), label=np.concatenate([y for _, y in pieces]))
    tuned = as_in(training).tune_many(
        view.networks_[0], data, rows, seeds=[seed] * len(rows), class_weights=_weights(training)
    )
    return {
        share: _judged_by(ready, network, target.test)
        for share, ready, network in zip(shares, adapted, tuned, strict=True)
    }


def family(view: MapsView, target: Halves, share: float, training: Recipe, seed: int) -> Mapping[str, Counts]:
    """Every way of fine-tuning on one share of the target's training maps, and none at all."""
    maps = target.train[share_of(target, share, seed)]
    ready = view.adapt(maps, codes_of(maps))
    found = {"none": judged(ready, target.test)}
    data = Batch.of_arrays(ready.scaled(maps, crossed=True), label=codes_of(maps))
    for name in FAMILY:
        # The source's head is kept: with a new one the methods would differ in little but its start.
        strategy = as_in(training, name, new_head=False)
        network = strategy.tune(view.networks_[0], data, seed=seed, class_weights=_weights(training))
        found[name] = _judged_by(ready, network, target.test)
    return found


def on_the_target_alone(target: Halves, share: float, training: Recipe, seed: int) -> Counts:
    """The same network from the beginning, on the share."""
    return judged(fitted(target.train[share_of(target, share, seed)], training, seed), target.test)


def trees_alone(target: Halves, share: float, seed: int) -> Counts:
    """The plain tree ensemble on the values of the share's maps."""
    maps = target.train[share_of(target, share, seed)]
    model = Forest(seed).fit(maps.values.reshape(len(maps), -1), codes_of(maps))
    return counts_of(target.test, model.predict(target.test.values.reshape(len(target.test), -1)))


def _weights(training: Recipe) -> Literal["balanced"] | None:
    """Of the classes in the loss, as on the source."""
    return "balanced" if training.balanced else None


def _judged_by(ready: MapsView, network: Network, maps: Windows) -> Counts:
    ready.networks_ = [network]
    return judged(ready, maps)
