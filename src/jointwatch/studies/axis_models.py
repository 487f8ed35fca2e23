"""Five networks on one axis's worn and healthy reducers, under the published split and with whole units held out."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from pydantic import Field

from jointwatch.studies._axes import (
    NETWORKS,
    SAID,
    AxisOptions,
    Counts,
    Fleet,
    Halves,
    add_counts,
    codes_of,
    counts_of,
    fitted,
    judged,
    over_repeats,
)
from jointwatch.studies._axis_carry import trees_alone
from jointwatch.studies._confusions import CHANCE, random_choice
from jointwatch.studies._folds import SPLITS
from jointwatch.studies._ledger import Ledger
from jointwatch.studies._part import Part
from jointwatch.studies._trees import TREES
from jointwatch.studies.base import Progress, Results, Study
from jointwatch.training.recipes import RECIPES, Recipe

__all__ = ["AxisModels"]

_BASELINES = (CHANCE, TREES)
_NORMALISED = (
    "the published text does not mention normalisation between layers; 'paper' here has batch norm, because without it "
    "some runs end with one class for all; 'paper-plain' is without"
)


class _Options(AxisOptions):
    axis: int = Field(6, ge=1, description="The axis that is learned and tested.")
    trainings: str = Field("paper,modern", description=f"Recipes, comma-separated, of {', '.join(RECIPES)}.")


class AxisModels(Study):
    """`jointwatch study axis-models --data FLEET`, where FLEET is what `jointwatch simulate m1-axes --out FLEET` makes.

    AD-CNN, D-CNN, CNN, FCN and LSTM on feature maps of one axis (the figure of models of the publication), trained as
    published (Adam 0.01, batches of 256, 150 epochs) and by a recipe of our own, each under the random split of maps
    at the published amounts (optimistic: a test map has near copies in training) and with whole units held out.
    Beside them stand a random score and trees on the values of the maps.
    """

    Options = _Options

    def _run(self, options: Any, ledger: Ledger, progress: Progress) -> Results:
        fleet = Fleet(options.data, options)
        splits = fleet.splits(options.axis)
        recipes = {name: options.recipe(name) for name in options.trainings.split(",")}
        jobs = {
            f"{split}/{training}/{name}/{seed}": (split, training, name, seed)
            for split in splits
            for training in recipes
            for name in NETWORKS
            for seed in options.repeats
        }
        steps: dict[str, Any] = {}
        for split in splits:
            for seed in options.repeats:
                halves = fleet.halves(options.axis, split, seed)
                for name in _BASELINES:
                    steps[f"{split}/{name}/{seed}"] = partial(_plain, halves, name, seed)
                for key, job in jobs.items():
                    if (job[0], job[3]) == (split, seed):
                        steps[key] = partial(_trained, halves, NETWORKS[job[2]], recipes[job[1]], seed)
        training, seed = next(iter(recipes)), options.repeats[0]
        halves = fleet.halves(options.axis, splits[-1], seed)
        steps["attention"] = partial(_attended, halves, recipes[training], seed)
        found = ledger.every(steps, progress)
        part = Part()
        axis = f"axis {options.axis}"
        for split in splits:
            for name in _BASELINES:
                _report(part, [found[f"{split}/{name}/{seed}"] for seed in options.repeats], split, "", name, axis)
            for training in recipes:
                for name in NETWORKS:
                    counts = [found[f"{split}/{training}/{name}/{seed}"] for seed in options.repeats]
                    _report(part, counts, split, training, name, axis)
        part.table("attention", found["attention"])
        part.notes.append(fleet.note)
        if "paper" in recipes:
            part.notes.append(_NORMALISED)
        return Results("axis-models", "", 0.0, tuple(part.rows), tuple(part.notes), part.details)


def _trained(halves: Halves, network: str, training: Recipe, seed: int) -> Counts:
    return judged(fitted(halves.train, training, seed, network), halves.test)


def _plain(halves: Halves, name: str, seed: int) -> Counts:
    if name == TREES:
        return trees_alone(halves, 1.0, seed)
    return counts_of(halves.test, random_choice(codes_of(halves.test), 2, seed))


def _attended(halves: Halves, training: Recipe, seed: int) -> list[dict[str, Any]]:
    """What AD-CNN saw in the first worn test map, and the share of attention that each position got."""
    view = fitted(halves.train, training, seed)
    found = view.explain(halves.test[np.flatnonzero(codes_of(halves.test))[:1]])
    if found.maps is None or found.attention is None:
        return []
    index = found.index
    of = {"unit": str(index.unit[0]), "session": str(index.session[0]), "severity": float(index.severity[0])}
    return [
        {
            **of,
            "feature": feature,
            "start_s": round(block / halves.test.rate_hz, 6),
            "value": round(float(found.maps[0, number, block]), 5),
            "attention": round(float(found.attention[0, number, block]), 7),
        }
        for number, feature in enumerate(found.features)
        for block in range(found.maps.shape[2])
    ]


def _report(part: Part, counts: list[Counts], split: str, training: str, name: str, axis: str) -> None:
    """Rows and tables of a network; without `training`, of a simple baseline, which has no place among the bars."""
    method = name if training in ("", "paper") else f"{name}, {training} training"
    record: dict[str, Any] = {"network": name, "training": training}
    bars = record if training else None
    means = add_counts(part, counts, split, bars, method=method, source=axis, target=axis)
    record["split"] = SPLITS[split]
    total = np.sum([table for repetition in counts for table in repetition.values()], axis=0)
    part.table(
        "confusions",
        [
            {**record, "true": SAID[true], "said": SAID[said], "maps": int(total[true, said])}
            for true, said in np.ndindex(total.shape)
        ],
    )
    for figure in means:
        record[figure], record[f"{figure} std"] = over_repeats(counts, figure)
    part.table("models", [record])
