"""From one axis to another: share of the source's data against share of the target's, and ways of fine-tuning."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from pydantic import Field

from jointwatch.studies._axes import AxisOptions, Counts, Fleet, Halves, add_counts, balanced_of, fitted, over_repeats
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

_SHARES = tuple(round(0.1 * i, 1) for i in range(1, 11))
_QUICK = (0.1, 0.5, 1.0)
_FEW = 0.1
_CARRIED = "AD-CNN, transfer"
_TREES_ALONE = f"{TREES}, target alone"


class _Options(AxisOptions):
    source: int = Field(6, ge=1, description="The axis with much labelled data.")
    target: int = Field(4, ge=1, description="The axis with little.")


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
        shares = _QUICK if options.quick else _SHARES
        paper = options.recipe("paper")
        steps: dict[str, Any] = {}
        for seed in seeds:
            source = fleet.halves(options.source, "random", seed)
            targets = {split: fleet.halves(options.target, split, seed) for split in splits}
            for share in reversed(shares):
                steps[f"source {share:.0%}/seed {seed}"] = partial(_one, source, targets, share, shares, paper, seed)
            for split, target in targets.items():
                for share in reversed(shares):
                    steps[f"alone {split} {share:.0%}/seed {seed}"] = partial(_alone, target, share, paper, seed)
        found = ledger.every(steps, progress)
        part = Part()
        place = {"source": f"axis {options.source}", "target": f"axis {options.target}"}
        for split in splits:
            for few in shares:
                for much in shares:
                    grid = [found[f"source {much:.0%}/seed {seed}"][split][f"{few:.0%}"] for seed in seeds]
                    of = {**place, "source": f"{place['source']}, {much:.0%}"}
                    _report(part, grid, split, _CARRIED, few, much, of)
                for method in (ALONE, _TREES_ALONE):
                    alone = [found[f"alone {split} {few:.0%}/seed {seed}"][method] for seed in seeds]
                    _report(part, alone, split, method, few, 0.0, {**place, "source": "-"})
                whole = [found[f"source 100%/seed {seed}"][split][f"{few:.0%}"] for seed in seeds]
                alone = [found[f"alone {split} {few:.0%}/seed {seed}"][ALONE] for seed in seeds]
                _pairs(part, whole, alone, split, few, place)
            for method in found["source 100%/seed 0"][f"family {split}"]:
                tuned = [found[f"source 100%/seed {seed}"][f"family {split}"][method] for seed in seeds]
                name = f"AD-CNN, fine-tuning {method.replace('_', ' ')}"
                means = add_counts(part, tuned, split, method=name, labels=f"{_FEW:.0%}", **place)
                part.table("family", [{"method": method, "split": split, **means}])
        part.notes.append(fleet.note)
        part.notes.append("a tenth of the target is " + _amount(fleet, options, splits))
        return Results("axis-transfer", "", 0.0, tuple(part.rows), tuple(part.notes), part.details)


def _one(
    source: Halves, targets: dict[str, Halves], share: float, shares: tuple[float, ...], paper: Recipe, seed: int
) -> Any:
    """One source network, carried to both splits of the target with all shares of it."""
    view = fitted(source.train[share_of(source, share, seed)], paper, seed)
    found: dict[str, Any] = {
        split: {f"{few:.0%}": counts for few, counts in carried(view, target, shares, paper, seed).items()}
        for split, target in targets.items()
    }
    if share == 1.0:
        found |= {f"family {split}": family(view, target, _FEW, paper, seed) for split, target in targets.items()}
    return found


def _alone(target: Halves, share: float, paper: Recipe, seed: int) -> dict[str, Counts]:
    return {ALONE: on_the_target_alone(target, share, paper, seed), _TREES_ALONE: trees_alone(target, share, seed)}


def _report(
    part: Part, counts: list[Counts], split: str, method: str, few: float, much: float, place: dict[str, str]
) -> None:
    means = add_counts(part, counts, split, method=method, labels=f"{few:.0%}", **place)
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
        labels=f"{few:.0%}",
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
