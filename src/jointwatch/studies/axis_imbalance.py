"""What the share of worn maps in training does on the source axis, and after transfer, at a fixed number of maps."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from pydantic import Field

from jointwatch.core import Windows
from jointwatch.core.errors import UsageError
from jointwatch.studies._axes import (
    FIGURES,
    AxisOptions,
    Counts,
    Fleet,
    Halves,
    add_counts,
    codes_of,
    counts_of,
    fitted,
    judged,
    numbers,
)
from jointwatch.studies._axis_carry import carried
from jointwatch.studies._folds import SPLITS
from jointwatch.studies._ledger import Ledger
from jointwatch.studies._part import Part
from jointwatch.studies.base import Progress, Results, Study
from jointwatch.training.recipes import Recipe
from jointwatch.training.seed import generator

__all__ = ["AxisImbalance"]

_METHODS = {"paper": "AD-CNN", "paper-balanced": "AD-CNN, balanced weights"}
_ALL_WORN = "every map called worn"
_ALARMS = "false-alarm share"
_FIGURES = (*FIGURES, _ALARMS)


class _Options(AxisOptions):
    axis: int = Field(6, ge=1, description="The source: the axis with much labelled data.")
    target: int = Field(4, ge=1, description="The axis that the network is carried to.")
    target_share: float = Field(10.0, gt=0, le=100, description="Of the target's training data, per cent.")
    worn: str = Field("50,65,80.9,90,95", description="Shares of worn maps in training, per cent, comma-separated.")


class AxisImbalance(Study):
    """`jointwatch study axis-imbalance --data FLEET`; FLEET is what `jointwatch simulate m1-axes --out FLEET` makes.

    The published source data are worn to 80.9 %. Here the number of training maps is the same for all shares, the
    largest that the scarcer label of each allows, and maps are drawn by lot from the training side; the test maps stay
    as they are. AD-CNN is trained as published, with every map counted alike in the loss; then its convolutions are
    frozen and new dense layers learn from some of the target's data. With balanced weights the classes count alike in
    both trainings. Beside it stands what calls every map worn: what accuracy says of it is worth nothing.
    """

    Options = _Options
    revision = 2

    def _run(self, options: Any, ledger: Ledger, progress: Progress) -> Results:
        fleet = Fleet(options.data, options)
        splits = fleet.splits(options.axis, options.target)
        shares = numbers(options.worn)
        if not 0 < shares[0] <= shares[-1] < 100:
            raise UsageError(f"shares of worn maps are between 0 and 100 %, got {options.worn}")
        recipes = {name: options.recipe(name) for name in _METHODS}
        few = options.target_share / 100
        steps: dict[str, Any] = {}
        sizes: dict[str, list[int]] = {split: [] for split in splits}
        blind: dict[str, list[Counts]] = {split: [] for split in splits}
        as_they_are: dict[str, list[float]] = {split: [] for split in splits}
        for split in splits:
            for seed in options.repeats:
                source, target = (fleet.halves(axis, split, seed) for axis in (options.axis, options.target))
                blind[split].append(counts_of(source.test, np.ones(len(source.test), int)))
                as_they_are[split].append(float(codes_of(source.train).mean()))
                size = _common_size(codes_of(source.train), shares)
                sizes[split].append(size)
                for share in shares:
                    train = source.train[_rows_with(codes_of(source.train), share / 100, size, seed)]
                    for name, training in recipes.items():
                        key = f"{split}/{name}/{share:g}/{seed}"
                        steps[key] = partial(_learned, train, source.test, target, few, training, seed)
        found = ledger.every(steps, progress)
        part = Part()
        for split in splits:
            maps = float(np.mean(sizes[split]))
            means = {}
            for name in _METHODS:
                for share in shares:
                    both = [found[f"{split}/{name}/{share:g}/{seed}"] for seed in options.repeats]
                    means[name, share] = _report(part, both, split, name, share, maps, options)
            blindly = _report_blind(part, blind[split], split, float(np.mean(as_they_are[split])), options.axis)
            part.notes.append(_hidden(split, shares, means, blindly))
        part.notes.append(fleet.note)
        return Results("axis-imbalance", "", 0.0, tuple(part.rows), tuple(part.notes), part.details)


def _common_size(code: np.ndarray, shares: Sequence[float]) -> int:
    """The most maps that can be had with each of the shares (per cent) of class 1."""
    healthy, worn = np.bincount(code, minlength=2)
    return int(min(min(worn / share, healthy / (100 - share)) for share in shares) * 100)


def _rows_with(code: np.ndarray, share: float, size: int, seed: int) -> np.ndarray:
    """Rows drawn by lot, so many in all and this share of class 1; other shares have as many of them as can be."""
    rng = generator(seed, 24)
    worn = round(share * size)
    rows = [rng.permutation(np.flatnonzero(code == kind))[:count] for kind, count in ((0, size - worn), (1, worn))]
    return np.sort(np.concatenate(rows))


def _learned(
    train: Windows, test: Windows, target: Halves, few: float, training: Recipe, seed: int
) -> dict[str, Counts]:
    view = fitted(train, training, seed)
    return {"source": judged(view, test), "target": carried(view, target, [few], training, seed)[few]}


def _report(
    part: Part, both: list[dict[str, Counts]], split: str, name: str, share: float, maps: float, options: Any
) -> dict[str, float]:
    """Rows of the source and of the target; means on the source."""
    source, target = f"axis {options.axis}", f"axis {options.target}"
    common = {"method": _METHODS[name], "source": f"{source}, {share:g} % worn"}
    record = {"method": _METHODS[name], "worn": share / 100, "maps": maps}
    means = add_counts(
        part,
        [one["source"] for one in both],
        split,
        {**record, "target": source},
        _FIGURES,
        target=source,
        labels=f"{maps:.0f} maps",
        **common,
    )
    add_counts(
        part,
        [one["target"] for one in both],
        split,
        {**record, "target": target},
        _FIGURES,
        target=target,
        labels=f"{options.target_share:g} %",
        **common,
    )
    return means


def _report_blind(part: Part, counts: list[Counts], split: str, share: float, axis: int) -> dict[str, float]:
    """What calls every map worn, at the share of worn maps in training as they come."""
    record = {"method": _ALL_WORN, "worn": share, "maps": 0.0, "target": f"axis {axis}"}
    return add_counts(
        part,
        counts,
        split,
        record,
        _FIGURES,
        method=_ALL_WORN,
        source="-",
        target=f"axis {axis}",
        labels="0 maps",
    )


def _hidden(
    split: str, shares: Sequence[float], means: dict[tuple[str, float], dict[str, float]], blind: dict[str, float]
) -> str:
    """What accuracy does not tell, in numbers."""
    shown = ("accuracy", "balanced accuracy", "MCC", _ALARMS)
    ends = [means["paper", share] for share in (shares[0], shares[-1])]
    changes = ", ".join(f"{figure} {ends[0][figure]:.2f} -> {ends[1][figure]:.2f}" for figure in shown)
    nothing = ", ".join(f"{figure} {blind[figure]:.2f}" for figure in shown)
    return (
        f"{SPLITS[split]}, {shares[0]:g} -> {shares[-1]:g} % worn maps in training as published: {changes}; "
        f"{_ALL_WORN}: {nothing}"
    )
