"""What all joints of an arm say together: their ratio, which of them carry both orders, how often nothing is found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jointwatch.studies._part import Part
from jointwatch.studies._statistics import bootstrap

__all__ = ["BEFOREHAND", "BLIND", "LEAST_TURNS", "NULL", "holm", "joints_together"]

BLIND, BEFOREHAND = "blind search", "named beforehand"
NULL = {
    "line": (BLIND, "any line"),
    "single": (BEFOREHAND, "an order, mean of all places"),
    "single_near": (BEFOREHAND, "an order at 0.8 to 1.3 times the ratio"),
    "pair": (BEFOREHAND, "a ratio, mean of all places"),
    "pair_near": (BEFOREHAND, "a ratio at 0.8 to 1.3 times the one named"),
}
"""What may be found at a wrong ratio, and in which kind of test."""
LEAST_TURNS = 0.15
"""In less, the 24 neighbours that an order is tested against in one stretch reach over most of the band."""
_REPEATS = 2000


def holm(p_values: Sequence[float]) -> np.ndarray:
    """p-values adjusted for their number by Holm's rule.

    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, float)
    ascending = np.argsort(p)
    adjusted = np.empty_like(p)
    adjusted[ascending] = np.maximum.accumulate(p[ascending] * np.arange(len(p), 0, -1)).clip(max=1.0)
    return adjusted


def joints_together(part: Part, steps: Mapping[int, dict[str, Any]], *, ratio: float, level: float, seeds: int) -> None:
    """Rows, tables and sentences of the currents of all joints; `steps` by joint. Each order named of each joint gets
    `lock_holm`, the p-value of its phase for the number of phases tested."""
    _ratio(part, steps)
    _orders(part, steps, ratio, level)
    _phases(part, steps, level)
    _backward(part, steps, level)
    _null(part, steps, level, seeds)
    highest = min(one["highest"] for step in steps.values() for one in step["stretches"])
    part.notes.append(f"half the sampling rate is order {highest:.0f} in the fastest stretch: nothing below it folds")


def _row(part: Part, metric: str, value: tuple[float, float, float], steps: Mapping[int, Any]) -> None:
    place = {"method": "current", "source": "all joints", "target": "all joints"}
    part.figure(value, metric, split=BEFOREHAND, n=len(steps), seeds=1, **place)


def _ratio(part: Part, steps: Mapping[int, dict[str, Any]]) -> None:
    gain = np.array([step["gain"] for step in steps.values()])
    ratios = np.array(next(iter(steps.values()))["ratios"])
    rng = np.random.default_rng(0)
    draws = [ratios[gain[rng.integers(len(gain), size=len(gain))].sum(axis=0).argmax()] for _ in range(_REPEATS)]
    low, high = np.percentile(draws, [2.5, 97.5])
    _row(part, "ratio fitted", (float(ratios[gain.sum(axis=0).argmax()]), float(low), float(high)), steps)


def _orders(part: Part, steps: Mapping[int, dict[str, Any]], ratio: float, level: float) -> None:
    """How many joints have one of both orders at least, and how many have both: the second is not the first."""
    once, twice = f"{ratio:g}", f"{2 * ratio:g}"
    either = holm([step["pair"]["p"] for step in steps.values()]) <= level
    larger = np.array([step["pair"]["p_larger"] for step in steps.values()])
    ordered = np.array([all(line["is_order"] for line in step["named"][:2]) for step in steps.values()])
    for metric, joints in (
        (f"joints with {once} or {twice} (Holm, {level:g})", either),
        (f"joints with {once} and {twice} (each at {level:g})", larger <= level),
        (f"joints with {once} and {twice} (Holm, {level:g})", holm(larger.tolist()) <= level),
        (f"joints with {once} and {twice} (each at {level:g}), both as the speed", (larger <= level) & ordered),
    ):
        _row(part, metric, (float(joints.sum()), np.nan, np.nan), steps)


def _phases(part: Part, steps: Mapping[int, dict[str, Any]], level: float) -> None:
    lines = [line for step in steps.values() for line in step["named"]]
    for line, adjusted in zip(lines, holm([line["lock_p"] for line in lines]), strict=True):
        line["lock_holm"] = float(adjusted)
    left = sum(line["lock_holm"] <= level for line in lines)
    part.notes.append(
        f"{len(lines)} phases were tested, {sum(line['lock_p'] <= level for line in lines)} have a p-value of at most "
        f"{level:g}, {left} after Holm's rule over all of them"
    )


def _backward(part: Part, steps: Mapping[int, dict[str, Any]], level: float) -> None:
    """Each order in each backward stretch that is long enough, against its neighbours, for the number of tests."""
    stretches = [(joint, one) for joint, step in steps.items() for one in step["stretches"] if one["way"] < 0]
    long = [(joint, one) for joint, one in stretches if one["turns"] >= LEAST_TURNS]
    tests = [
        {"joint": joint, "session": one["session"], "turns": one["turns"], "order": line["order"], "p": fit[2]}
        for joint, one in long
        for line, fit in zip(steps[joint]["named"], one["orders"], strict=True)
    ]
    adjusted = holm([test["p"] for test in tests])
    part.table("backward", [test | {"holm": float(p)} for test, p in zip(tests, adjusted, strict=True)])
    if tests:
        part.notes.append(
            f"{len(stretches)} stretches go backward, {len(long)} of them {LEAST_TURNS:g} turns or more: "
            f"{len(tests)} orders were tested there, {sum(test['p'] <= level for test in tests)} have a p-value of at "
            f"most {level:g}, {(adjusted <= level).sum()} after Holm's rule over all of them"
        )


def _null(part: Part, steps: Mapping[int, dict[str, Any]], level: float, seeds: int) -> None:
    place = {"method": "current, wrong ratio", "source": "all joints", "target": "all joints"}
    for key, (split, what) in NULL.items():
        shares = [np.array([run[key] for run in step["null"]], float) for step in steps.values()]
        metric = f"share with {what} (stated {level:g})"
        part.figure(bootstrap(shares), metric, split=split, n=sum(map(len, shares)), seeds=seeds, **place)
