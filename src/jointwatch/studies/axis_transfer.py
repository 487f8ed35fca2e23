"""From one axis to another: share of the source's data against share of the target's, and ways of fine-tuning."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from pydantic import Field

from jointwatch.studies._axes import (
    AxisOptions,
    Counts,
    Fleet,
    Halves,
    add_counts,
    balanced_of,
    fitted,
    numbers,
    over_repeats,
)
from jointwatch.studies._axis_carry import (
    ALONE,
    carried,
    family,
    on_the_target_alone,
    share_of,
    trees_alone,
)
from jointwatch.studies._folds import SPLITS
from jointwatch.studies._ledger import Ledger
from jointwatch.studies._part import Part
from jointwatch.studies._trees import TREES
from jointwatch.studies.base import Progress, Results, Study
from jointwatch.training.recipes import Recipe

__all__ = ["AxisTransfer"]

_FEW = 0.1
_CARRIED = "AD-CNN, transfer"
_TREES_ALONE = f"{TREES}, target alone"


class _Options(AxisOptions):
    source: int = Field(6, ge=1, description="The axis with much labelled data.")
    target: int = Field(4, ge=1, description="The axis with little.")
    shares: str = Field(
        "10,20,30,40,50,60,70,80,90,100",
        description="Shares of both axes' training data, per cent, comma-separated; quick: three of them.",
    )


class AxisTransfer(Study):
    """`jointwatch study axis-transfer --data FLEET --source 6 --target 4`, the grid of the publication.

    For every share of the source's training maps (10 to 100 %) AD-CNN is trained as published; its convolutions are
    frozen, their features computed once, and new dense layers trained on every share of the target's training maps, all
    at once. Beside it the target alone (the same network, and a tree ensemble), and with all of the source and a tenth
    of the target every way of fine-tuning that `transfer` has. The target is split at random at the published amounts
    (optimistic), and with whole units held out (the headline; shares are shares of units).
    """

    Options = _Options

    def _run(self, options: Any, ledger: Ledger, progress: Progress) -> Results:
        fleet = Fleet(options.data, options)
        seeds, splits = options.repeats, fleet.splits(options.target)
        shares = [share / 100 for share in numbers(options.shares)]
        if options.quick:
            shares = sorted({shares[0], shares[(len(shares) - 1) // 2], shares[-1]})
        most = _percent(shares[-1])
        paper = options.recipe("paper")
        steps: dict[str, Any] = {}
        for seed in seeds:
            source = fleet.halves(options.source, "random", seed)
            targets = {split: fleet.halves(options.target, split, seed) for split in splits}
            for share in reversed(shares):
                step = partial(_one, source, targets, share, shares, paper, seed, share == shares[-1])
                steps[f"source {_percent(share)}/seed {seed}"] = step
            for split, target in targets.items():
                for share in reversed(shares):
                    steps[f"alone {split} {_percent(share)}/seed {seed}"] = partial(_alone, target, share, paper, seed)
        found = ledger.every(steps, progress)
        part = Part()
        place = {"source": f"axis {options.source}", "target": f"axis {options.target}"}
        for split in splits:
            for few in shares:
                for much in shares:
                    grid = [found[f"source {_percent(much)}/seed {seed}"][split][_percent(few)] for seed in seeds]
                    of = {**place, "source": f"{place['source']}, {_percent(much)}"}
                    _report(part, grid, split, _CARRIED, few, much, of)
                for method in (ALONE, _TREES_ALONE):
                    alone = [found[f"alone {split} {_percent(few)}/seed {seed}"][method] for seed in seeds]
                    _report(part, alone, split, method, few, 0.0, {**place, "source": "-"})
                whole = [found[f"source {most}/seed {seed}"][split][_percent(few)] for seed in seeds]
                alone = [found[f"alone {split} {_percent(few)}/seed {seed}"][ALONE] for seed in seeds]
                _pairs(part, whole, alone, split, few, place)
            for method in found[f"source {most}/seed 0"][f"family {split}"]:
                tuned = [found[f"source {most}/seed {seed}"][f"family {split}"][method] for seed in seeds]
                name = f"AD-CNN, fine-tuning {method.replace('_', ' ')}"
                means = add_counts(part, tuned, split, method=name, labels=_percent(_FEW), **place)
                for row in part.rows[-len(means) :]:
                    ends = {"metric": row.metric, "mean": row.mean, "low": row.low, "high": row.high}
                    part.table("family", [{"method": method.replace("_", " "), "split": split, **ends}])
        part.notes.append(fleet.note)
        part.notes.append("a tenth of the target is " + _amount(fleet, options, splits))
        return Results("axis-transfer", "", 0.0, tuple(part.rows), tuple(part.notes), part.details)


def _one(
    source: Halves,
    targets: dict[str, Halves],
    share: float,
    shares: Sequence[float],
    paper: Recipe,
    seed: int,
    tune: bool,
) -> Any:
    """One source network, carried to both splits of the target with all shares of it; `tune` in every way."""
    view = fitted(source.train[share_of(source, share, seed)], paper, seed)
    found: dict[str, Any] = {
        split: {_percent(few): counts for few, counts in carried(view, target, shares, paper, seed).items()}
        for split, target in targets.items()
    }
    if tune:
        found |= {f"family {split}": family(view, target, _FEW, paper, seed) for split, target in targets.items()}
    return found


def _percent(share: float) -> str:
    return f"{100 * share:g}%"


def _alone(target: Halves, share: float, paper: Recipe, seed: int) -> dict[str, Counts]:
    return {ALONE: on_the_target_alone(target, share, paper, seed), _TREES_ALONE: trees_alone(target, share, seed)}


def _report(
    part: Part, counts: list[Counts], split: str, method: str, few: float, much: float, place: dict[str, str]
) -> None:
    means = add_counts(part, counts, split, method=method, labels=_percent(few), **place)
    last = part.rows[-len(means) :]
    for row in last:
        std = over_repeats(counts, row.metric)[1]
        part.table(
            "grid",
            [
                {
                    "method": method,
                    "split": split,
                    "source share": much,
                    "target share": few,
                    "metric": row.metric,
                    "mean": row.mean,
                    "low": row.low,
                    "high": row.high,
                    "std": std,
                }
            ],
        )


def _pairs(
    part: Part, carried_: list[Counts], alone: list[Counts], split: str, few: float, place: dict[str, str]
) -> None:
    """Wins, losses and ties of transfer against the target alone, seed by seed, in balanced accuracy."""
    part.pairs(
        [balanced_of(one) - balanced_of(other) for one, other in zip(carried_, alone, strict=True)],
        method=f"{_CARRIED}, against alone",
        split=SPLITS[split],
        labels=_percent(few),
        seeds=len(alone),
        **place,
    )


def _amount(fleet: Fleet, options: Any, splits: tuple[str, ...]) -> str:
    parts = []
    for split in splits:
        halves = fleet.halves(options.target, split, 0)
        rows = share_of(halves, _FEW, 0)
        units = len(np.unique(halves.train.index.unit[rows]))
        parts.append(f"{len(rows)} maps of {units} units ({split} split, of {len(halves.train)})")
    return ", ".join(parts)
