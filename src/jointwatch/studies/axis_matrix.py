"""From every axis to every other, with a tenth of the target's data or with no label of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

from pydantic import Field, field_validator

from jointwatch.studies._axes import (
    AxisOptions,
    Counts,
    Fleet,
    Halves,
    add_counts,
    balanced_of,
    fitted,
    judged,
    numbers,
)
from jointwatch.studies._axis_carry import ALONE, carried, on_the_target_alone
from jointwatch.studies._axis_methods import CARRIED, Place, across, counts_of_rows
from jointwatch.studies._folds import SPLITS
from jointwatch.studies._ledger import Ledger
from jointwatch.studies._part import Part
from jointwatch.studies.base import Progress, Results, Study
from jointwatch.training.recipes import Recipe

__all__ = ["AxisMatrix"]

_FEW = 0.1
_NETWORK = "AD-CNN, transfer"
_FRICTION = ("friction alone", "friction carried, no labels", "friction carried")


class _Options(AxisOptions):
    amounts: Literal["few", "all"] = Field(
        "few", description="Of the random split: on every axis as published for axis 4, or all."
    )
    axes: str = Field("1,2,3,4,5,6", description="Sources and targets, comma-separated.")
    methods: str = Field("network,friction", description="Which, comma-separated: network, friction.")

    @field_validator("methods")
    @classmethod
    def _known(cls, value: str) -> str:
        if not set(value.split(",")) <= {"network", "friction"}:
            raise ValueError(f"methods are network and friction, comma-separated, got {value!r}")
        return value


class AxisMatrix(Study):
    """`jointwatch study axis-matrix --data FLEET`, where FLEET is what `jointwatch simulate m1-axes --out FLEET` makes.

    The publication carried axis 6 to axis 4 and left the others open. Here every axis is source and target, all with
    the amount of data that axis 4 had. AD-CNN is carried as published (frozen convolutions, new dense layers) with a
    tenth of the target, under the random split and with whole units held out; the friction of cycles relative to each
    unit's own healthy ones is carried without any label and with those of a tenth of the units. On the diagonal stands
    the test on other data of the source axis itself.
    """

    Options = _Options

    def _run(self, options: Any, ledger: Ledger, progress: Progress) -> Results:
        fleet = Fleet(options.data, options)
        axes = [int(axis) for axis in numbers(options.axes)]
        splits, seeds, paper = fleet.splits(*axes), options.repeats, options.recipe("paper")
        methods = options.methods.split(",")
        places = {axis: Place(str(fleet.folder / fleet.axes[axis]), axis, options.severity) for axis in axes}
        steps: dict[str, Any] = {}
        for seed in seeds if "network" in methods else ():
            halves = {(axis, split): fleet.halves(axis, split, seed) for axis in axes for split in splits}
            for source in axes:
                targets = {f"{axis}/{split}": half for (axis, split), half in halves.items() if axis != source}
                own = halves[source, "random"]
                steps[f"network/{source}/{seed}"] = partial(_from, own, targets, paper, seed)
            for (axis, split), half in halves.items():
                steps[f"alone/{axis}/{split}/{seed}"] = partial(on_the_target_alone, half, _FEW, paper, seed)
        for seed in seeds if "friction" in methods and "unit" in splits else ():
            for source in axes:
                # what the target alone gives has no source, so it is computed with the first
                names = [name for name in _FRICTION if source == axes[0] or CARRIED[name].alone != name]
                for target in axes:
                    step = partial(across, names, places[source], places[target], seed)
                    steps[f"friction/{source}/{target}/{seed}"] = step
        found = ledger.every(steps, progress)
        part = Part()
        if "network" in methods:
            for split in splits:
                _network(part, found, axes, split, seeds)
        if "friction" in methods and "unit" in splits:
            _friction(part, found, axes, seeds)
        part.notes.append(fleet.note)
        return Results("axis-matrix", "", 0.0, tuple(part.rows), tuple(part.notes), part.details)


def _from(own: Halves, targets: dict[str, Halves], paper: Recipe, seed: int) -> dict[str, Counts]:
    """One source network: on its own test maps, and carried to every target."""
    view = fitted(own.train, paper, seed)
    found = {"own": judged(view, own.test)}
    return found | {name: carried(view, target, [_FEW], paper, seed)[_FEW] for name, target in targets.items()}


def _network(part: Part, found: dict[str, Any], axes: Sequence[int], split: str, seeds: Sequence[int]) -> None:
    gains: list[float] = []
    for target in axes:
        alone = [found[f"alone/{target}/{split}/{seed}"] for seed in seeds]
        add_counts(part, alone, split, method=ALONE, source="-", target=f"axis {target}", labels=f"{_FEW:.0%}")
        _cell(part, ALONE, split, 0, target)
        for source in axes:
            if source == target:
                if split == "random":
                    own = [found[f"network/{source}/{seed}"]["own"] for seed in seeds]
                    add_counts(part, own, split, method=_NETWORK, source=f"axis {source}", target=f"axis {target}")
                    _cell(part, _NETWORK, split, source, target)
                continue
            moved = [found[f"network/{source}/{seed}"][f"{target}/{split}"] for seed in seeds]
            place = {"source": f"axis {source}", "target": f"axis {target}", "labels": f"{_FEW:.0%}"}
            add_counts(part, moved, split, method=_NETWORK, **place)
            _cell(part, _NETWORK, split, source, target)
            gains += [balanced_of(one) - balanced_of(other) for one, other in zip(moved, alone, strict=True)]
    _pairs(part, gains, _NETWORK, split, f"{_FEW:.0%}", len(seeds))


def _friction(part: Part, found: dict[str, Any], axes: Sequence[int], seeds: Sequence[int]) -> None:
    for name in _FRICTION:
        gains: list[float] = []
        alone_name, lonely = CARRIED[name].alone, CARRIED[name].alone == name
        for target in axes:
            for source in axes[:1] if lonely else axes:
                rows = [found[f"friction/{source}/{target}/{seed}"][name] for seed in seeds]
                counts = [counts_of_rows(one) for one in rows]
                place = {"source": "-" if lonely else f"axis {source}", "target": f"axis {target}"}
                add_counts(part, counts, "unit", method=name, labels=CARRIED[name].labels, **place)
                _cell(part, name, "unit", 0 if lonely else source, target)
                alone = [counts_of_rows(found[f"friction/{axes[0]}/{target}/{seed}"][alone_name]) for seed in seeds]
                if lonely or source == target:
                    continue
                gains += [balanced_of(one) - balanced_of(other) for one, other in zip(counts, alone, strict=True)]
        if not lonely:
            _pairs(part, gains, name, "unit", CARRIED[name].labels, len(seeds))


def _cell(part: Part, method: str, split: str, source: int, target: int) -> None:
    """The last rows' balanced accuracy as a cell of the matrix; source 0 = the target alone."""
    row = next(row for row in reversed(part.rows) if row.metric == "balanced accuracy")
    cell = {"method": method, "split": split, "source": source, "target": target}
    part.table("matrix", [{**cell, "mean": row.mean, "low": row.low, "high": row.high}])


def _pairs(part: Part, gains: Sequence[float], name: str, split: str, labels: str, seeds: int) -> None:
    """Against the target alone."""
    part.pairs(
        gains,
        method=f"{name}, against alone",
        split=SPLITS[split],
        source="every axis",
        target="every other axis",
        labels=labels,
        seeds=seeds,
    )
