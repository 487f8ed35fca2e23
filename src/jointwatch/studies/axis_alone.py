"""AD-CNN on one axis without transfer, against the share of its labelled data that it learns from."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from pydantic import Field

from jointwatch.core import Windows
from jointwatch.studies._axes import AxisOptions, Counts, Fleet, add_counts, fitted, judged, numbers
from jointwatch.studies._axis_carry import share_of
from jointwatch.studies._ledger import Ledger
from jointwatch.studies._part import Part
from jointwatch.studies.base import Progress, Results, Study
from jointwatch.training.recipes import Recipe

__all__ = ["AxisAlone"]


class _Options(AxisOptions):
    axis: int = Field(4, ge=1, description="The axis that is learned and tested.")
    shares: str = Field(
        "10,20,30,40,50,60,70,80,90,100", description="Shares of the training data, per cent, comma-separated."
    )


class AxisAlone(Study):
    """`jointwatch study axis-alone --data FLEET`, where FLEET is what `jointwatch simulate m1-axes --out FLEET` makes.

    How much labelled data of an axis the published network and training need. Under the random split (optimistic) a
    share is one of maps, as many of each label as there are; with whole units held out it is one of units, at least
    one, with all their maps. The test maps are the same for all shares of a seed, and a larger share holds the smaller.
    """

    Options = _Options

    def _run(self, options: Any, ledger: Ledger, progress: Progress) -> Results:
        fleet = Fleet(options.data, options)
        splits = fleet.splits(options.axis)
        shares = numbers(options.shares)
        training = options.recipe("paper")
        steps, amounts = {}, {}
        for split in splits:
            for seed in options.repeats:
                halves = fleet.halves(options.axis, split, seed)
                for share in shares:
                    key = f"{split}/{share:g}/{seed}"
                    train = halves.train[share_of(halves, share / 100, seed)]
                    amounts[key] = (len(train), len(np.unique(train.index.unit)))
                    steps[key] = partial(_learned, train, halves.test, training, seed)
        found = ledger.every(steps, progress)
        part = Part()
        axis = f"axis {options.axis}"
        for split in splits:
            for share in shares:
                keys = [f"{split}/{share:g}/{seed}" for seed in options.repeats]
                maps, units = np.mean([amounts[key] for key in keys], axis=0)
                add_counts(
                    part,
                    [found[key] for key in keys],
                    split,
                    {"share": share / 100, "maps": float(maps), "units": float(units)},
                    method="AD-CNN",
                    source=axis,
                    target=axis,
                    labels=f"{maps:.0f} maps" if split == "random" else f"{units:.0f} units",
                )
        part.notes.append(fleet.note)
        return Results("axis-alone", "", 0.0, tuple(part.rows), tuple(part.notes), part.details)


def _learned(train: Windows, test: Windows, training: Recipe, seed: int) -> Counts:
    return judged(fitted(train, training, seed), test)
