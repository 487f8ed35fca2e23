"""Worn reducers of units never seen, on every axis and between axes: every method, and what each part brings."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from pydantic import Field

from jointwatch.studies._axes import AxisOptions, Fleet, balanced_of, numbers
from jointwatch.studies._axis_methods import (
    CARRIED,
    DEFAULT,
    METHODS,
    OF_NETWORKS,
    OF_SESSIONS,
    ORACLE_OWN,
    QUICK,
    TREES_OWN,
    Place,
    across,
    counts_by_unit,
    counts_of_rows,
    within,
)
from jointwatch.studies._folds import SPLITS
from jointwatch.studies._ledger import Ledger
from jointwatch.studies._part import LEAK, Part
from jointwatch.studies._statistics import cluster_auroc
from jointwatch.studies._trees import ORACLE, TREES
from jointwatch.studies.base import Progress, Results, Row, Study

__all__ = ["AxisUnits"]

_FIGURES = ("balanced accuracy", "recall", "false-alarm share", "F1", "MCC")
_OF_ALL = _FIGURES[:3]  # others depend on how frequent wear is, which differs between axes
_ALL = "all axes"
_BINS = 10


class _Options(AxisOptions):
    axes: str = Field("1,2,3,4,5,6", description="Which axes, comma-separated.")
    network_axes: str = Field("4,6", description="Axes on which networks are trained and to which they are carried.")
    source: int = Field(6, ge=1, description="The axis that is carried to the others.")


class AxisUnits(Study):
    """`jointwatch study axis-units --data FLEET`, where FLEET is what `jointwatch simulate m1-axes --out FLEET` makes.

    The headline: for every seed a quarter of the units is held out; of each of them two healthy sessions are known, as
    a plant has them, and all others are judged, cycle by cycle. Every method sees the same cycles. Then the source axis
    is carried to each other axis, with no label of it and with those of a tenth of its training units, beside the same
    methods on that tenth alone. The oracle knows the true parameters of the joint in every session.
    """

    Options = _Options

    def _run(self, options: Any, ledger: Ledger, progress: Progress) -> Results:
        fleet = Fleet(options.data, options)
        axes, deep = ([int(axis) for axis in numbers(text)] for text in (options.axes, options.network_axes))
        methods = [name for name in METHODS if not options.quick or name in QUICK]
        carried = [name for name in CARRIED if not options.quick or name in QUICK]
        steps: dict[str, Any] = {}
        for axis in axes:
            origin, place = (
                Place(str(fleet.folder / fleet.axes[a]), a, options.severity) for a in (options.source, axis)
            )
            for seed in options.repeats:
                for names in _together(methods, axis in deep):
                    steps[f"{axis}/{names[0]}/{seed}"] = partial(within, names, place, seed, options.epochs)
                for names in _together(carried, axis in deep) if axis != options.source else ():
                    step = partial(across, names, origin, place, seed, options.epochs)
                    steps[f"{options.source} to {axis}/{names[0]}/{seed}"] = step
        # The longest last steps would leave processes idle, so networks come first.
        order = sorted(steps.items(), key=lambda item: item[0].split("/")[1] not in OF_NETWORKS)
        found = {
            f"{key.split('/')[0]}/{name}/{key.split('/')[2]}": rows
            for key, results in ledger.every(dict(order), progress).items()
            for name, rows in results.items()
        }
        part = Part()
        for name in methods:
            repetitions = {
                a: [found[f"{a}/{name}/{seed}"] for seed in options.repeats]
                for a in axes
                if f"{a}/{name}/{options.repeats[0]}" in found
            }
            _report(part, name, repetitions, "", "", len(axes))
        others = [axis for axis in axes if axis != options.source]
        for name in carried if others else ():
            repetitions = {
                a: [found[f"{options.source} to {a}/{name}/{seed}"] for seed in options.repeats]
                for a in others
                if f"{options.source} to {a}/{name}/{options.repeats[0]}" in found
            }
            _report(part, name, repetitions, f"axis {options.source}", CARRIED[name].labels, len(others))
        if others:
            _pairs(part, found, others, options, carried)
        _calibration(part, found, axes, options)
        _judge(part, axes)
        part.notes.append(fleet.note)
        return Results("axis-units", "", 0.0, tuple(part.rows), tuple(part.notes), part.details)


def _together(names: Sequence[str], deep: bool) -> list[list[str]]:
    """Steps: all quick methods in one, each network in its own."""
    quick = [name for name in names if name not in OF_NETWORKS]
    return [quick] + ([[name] for name in names if name in OF_NETWORKS] if deep else [])


def _report(
    part: Part, name: str, repetitions: dict[int, list[dict[str, Any]]], source: str, labels: str, axes: int
) -> None:
    """Rows of each axis and severity, and of all axes, every axis counted alike."""
    everything = [rows for repeats in repetitions.values() for rows in repeats]
    severities = sorted({s for rows in everything for s in rows["severity"] if s})
    for severity in (None, *severities):
        whole: list[np.ndarray] = []
        for axis, repeats in repetitions.items():
            units = np.unique([unit for rows in repeats for unit in rows["unit"]])
            counts = [counts_by_unit(rows, units, severity) for rows in repeats]
            whole.append(np.array([c / np.maximum(c.sum(axis=(0, 2), keepdims=True), 1) for c in counts]))
            _line(part, counts, name, source or f"axis {axis}", f"axis {axis}", severity, labels)
        if len(repetitions) == axes:
            together = list(np.concatenate(whole, axis=1))
            _line(part, together, name, source or "each axis", _ALL, severity, labels, _OF_ALL)
    for axis, repeats in repetitions.items():
        area = cluster_auroc([_clusters(rows, repeats) for rows in repeats], repeats=300)
        part.rows.append(
            Row(
                name,
                SPLITS["unit"],
                source or f"axis {axis}",
                f"axis {axis}",
                labels,
                f"AUROC of {_counted(name)}",
                *area,
                n=len({unit for rows in repeats for unit in rows["unit"]}),
                seeds=len(repeats),
            )
        )


def _line(
    part: Part,
    counts: Sequence[np.ndarray],
    name: str,
    source: str,
    target: str,
    severity: float | None,
    labels: str,
    figures: Sequence[str] = _FIGURES,
) -> None:
    figures = figures if severity is None else figures[:1]
    part.add(
        counts,
        figures,
        method=name,
        split=SPLITS["unit"],
        source=source,
        target=target if severity is None else f"{target}, severity {severity:g}",
        labels=labels,
        suffix=f" of {_counted(name)}",
    )
    for row in part.rows[-len(figures) :]:
        part.table(
            "units",
            [
                {
                    "method": name,
                    "source": source,
                    "target": target,
                    "labels": labels,
                    "severity": severity or 0.0,
                    "metric": row.metric.rpartition(" of ")[0],
                    "mean": row.mean,
                    "low": row.low,
                    "high": row.high,
                }
            ],
        )


def _counted(name: str) -> str:
    return "sessions" if name in OF_SESSIONS else "cycles"


def _clusters(rows: dict[str, Any], repeats: Sequence[dict[str, Any]]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of each unit that any repetition tested, scores of its worn and of its healthy cycles."""
    unit, worn, score = (np.array(rows[key]) for key in ("unit", "worn", "score"))
    names = np.unique([name for other in repeats for name in other["unit"]])
    return [(score[(unit == name) & (worn == 1)], score[(unit == name) & (worn == 0)]) for name in names]


def _pairs(part: Part, found: dict[str, Any], others: Sequence[int], options: Any, carried: Sequence[str]) -> None:
    """Wins and losses of what is carried against the same method on the labelled units alone, pair by pair."""
    for name in carried:
        alone = CARRIED[name].alone
        if alone not in carried or alone == name:
            continue
        gains = [
            balanced_of(counts_of_rows(found[f"{options.source} to {axis}/{name}/{seed}"]))
            - balanced_of(counts_of_rows(found[f"{options.source} to {axis}/{alone}/{seed}"]))
            for axis in others
            for seed in options.repeats
            if f"{options.source} to {axis}/{name}/{seed}" in found
            and f"{options.source} to {axis}/{alone}/{seed}" in found
        ]
        part.pairs(
            gains,
            method=f"{name}, against {alone}",
            split=SPLITS["unit"],
            source=f"axis {options.source}",
            target="all other axes",
            labels=CARRIED[name].labels,
            seeds=len(options.repeats),
        )


def _calibration(part: Part, found: dict[str, Any], axes: Sequence[int], options: Any) -> None:
    """Of the default classifier: what share of the cycles it gives a probability are worn, classes counted alike."""
    rows = [found[f"{axis}/{DEFAULT}/{seed}"] for axis in axes for seed in options.repeats]
    worn, said = (np.concatenate([np.array(r[key], float) for r in rows]) for key in ("worn", "score"))
    weight = np.where(worn == 1, 0.5 / max(worn.sum(), 1), 0.5 / max((1 - worn).sum(), 1))
    bins = np.minimum((said * _BINS).astype(int), _BINS - 1)
    error = 0.0
    for number in range(_BINS):
        mine = bins == number
        if mine.any():
            mean, true = np.average(said[mine], weights=weight[mine]), np.average(worn[mine], weights=weight[mine])
            error += float(weight[mine].sum()) * abs(mean - true)
            part.table("calibration", [{"said": mean, "true": true, "share": float(weight[mine].sum())}])
    brier = float(np.average((said - worn) ** 2, weights=weight))
    for metric, value in (("expected calibration error", error), ("Brier score", brier)):
        part.rows.append(
            Row(
                DEFAULT,
                SPLITS["unit"],
                "each axis",
                _ALL,
                "",
                metric,
                value,
                float("nan"),
                float("nan"),
                len(worn),
                len(options.repeats),
            )
        )


def _judge(part: Part, axes: Sequence[int]) -> None:
    """How much of the gap between the trees and the oracle is closed; results too good to be true."""
    of = {
        (r["method"], r["target"]): r["mean"]
        for r in part.details["units"]
        if r["metric"] == "balanced accuracy" and not r["severity"] and not r["labels"]
    }
    for target in [f"axis {axis}" for axis in axes] + ([_ALL] if len(axes) > 1 else []):
        value = of.get((DEFAULT, target))
        for low, high in ((TREES, ORACLE), (TREES_OWN, ORACLE_OWN)):
            floor, ceiling = of.get((low, target)), of.get((high, target))
            if floor is None or ceiling is None or value is None or ceiling <= floor:
                continue
            part.notes.append(
                f"{target}: {low} {floor:.3f}, {DEFAULT} {value:.3f}, {high} {ceiling:.3f} (balanced accuracy, all "
                f"severities): {(value - floor) / (ceiling - floor):.0%} of the gap closed"
            )
    for (method, target), value in of.items():
        if method not in OF_SESSIONS and value > LEAK and target != _ALL:
            part.notes.append(f"suspected leak until shown otherwise: {method}, {target}: {value:.3f}, units held out")
