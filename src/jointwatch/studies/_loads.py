"""Loads of one axis as domains: which pairs are judged, which runs may be learned, and what every figure rests on."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import numpy as np

from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.studies._strokes import load_name

__all__ = ["ONE_SPECIMEN", "first_runs", "load_pairs", "loads_judged"]

_LEAST_RUNS = 3  # two to learn from, one to test

ONE_SPECIMEN = (
    "every faulty state is one specimen, recorded in one session a load: its fault and whatever else is special to the "
    "specimen, its mounting and the temperature of that session cannot be told apart; 'stage out' shows what is left "
    "where the specimen was never seen"
)


def load_pairs(
    loads: Sequence[float], source: float | None, target: float | None, what: str
) -> list[tuple[float, float]]:
    """Ordered pairs of loads, all or those that are asked for.

    Parameters
    ----------
    loads : ascending, kgf. source, target : what is asked for; None = each. what : that the loads have.

    Errors: `UsageError` naming the loads there are, where one that is asked for is not.

    >>> load_pairs([20.0, 40.0], None, 20.0, "normal runs")
    [(40.0, 20.0)]
    """
    for load in (source, target):
        if load is not None and load not in loads:
            there = ", ".join(map(load_name, loads)) or "none"
            raise UsageError(f"no load {load_name(load)} with {what}; there are {there}")
    return [(a, b) for a, b in permutations(loads, 2) if source in (None, a) and target in (None, b)]


def loads_judged(
    loads: Sequence[float], pairs: Sequence[tuple[float, float]], source: float | None, what: str
) -> list[float]:
    """Those of the pairs, ascending; without any pair the source, or all.

    Errors: `NotEnoughData` without any.

    >>> loads_judged([20.0, 40.0], [], 40.0, "normal runs")
    [40.0]
    """
    found = sorted({load for pair in pairs for load in pair}) or (list(loads) if source is None else [source])
    if not found:
        raise NotEnoughData("a study of loads", needed=1, have=0, unit=f"loads with {what}")
    return found


def first_runs(load_kgf: np.ndarray, run: np.ndarray, load: float, count: int) -> np.ndarray:
    """(row,) which rows are of the first so many runs of a load, by number; at least one run is left.

    Parameters
    ----------
    load_kgf, run : (row,) of each cycle.

    Errors: `NotEnoughData` with fewer than three runs.

    >>> first_runs(np.full(4, 20.0), np.array([1, 2, 3, 2]), 20.0, 5).tolist()
    [True, True, False, True]
    """
    there = load_kgf == load
    runs = np.unique(run[there])
    if len(runs) < _LEAST_RUNS:
        what = f"training and test runs at {load_name(load)}"
        raise NotEnoughData(what, needed=_LEAST_RUNS, have=len(runs), unit="runs")
    early: np.ndarray = there & np.isin(run, runs[: min(count, len(runs) - 1)])
    return early
