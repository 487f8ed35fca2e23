"""A plain tree ensemble under the four splits, and its figures from confusions by unit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.inspection import permutation_importance

from jointwatch.core.errors import UsageError
from jointwatch.studies._difficulty_table import Table
from jointwatch.windows.splits import GroupSplit, RandomSplit, check_no_leak

__all__ = [
    "METRICS",
    "SPLITS",
    "Forest",
    "confusions",
    "folds",
    "healthy_scale",
    "held_out",
    "leading_features",
    "random_choice",
    "repeat",
    "spread",
]

SPLITS = {"random": "random (optimistic)", "session": "session out", "unit": "unit out"}
_FOLDS = 5


@dataclass(frozen=True)
class Forest:
    """Extremely randomised trees, classes weighed alike; `regression`: of a figure."""

    seed: int
    trees: int = 100
    regression: bool = False

    def fit(self, X: np.ndarray, y: np.ndarray) -> Any:
        kind = ExtraTreesRegressor if self.regression else ExtraTreesClassifier
        balance = {} if self.regression else {"class_weight": "balanced"}
        return kind(self.trees, min_samples_leaf=3, max_features="sqrt", random_state=self.seed, **balance).fit(X, y)


def repeat(compute: Callable[[Forest], Any], seeds: int, trees: int, *, regression: bool = False) -> list[Any]:
    """`compute` with the forest of each seed, on all cores."""
    workers = min(seeds, joblib.effective_n_jobs(-1))
    jobs = (joblib.delayed(compute)(Forest(seed, trees, regression)) for seed in range(seeds))
    return list(joblib.Parallel(n_jobs=workers)(jobs))


def folds(table: Table, split: str, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """(training rows, test rows) of each fold; whole sessions, units or domains are checked to be on one side."""
    if split == "random":
        return list(RandomSplit(_FOLDS, seed).split(table.values))
    if split not in ("session", "unit", "domain"):
        raise UsageError(f"a split is random, session, unit or domain, got {split!r}")
    by: Any = split
    groups = len(np.unique(table.index.unit)) if split == "unit" else None
    count = None if split == "domain" else min(_FOLDS, groups or _FOLDS)
    found = list(GroupSplit(by, count, seed).split(table.stub))
    for train, test in found:
        check_no_leak(table.stub[train], table.stub[test], by=by)
    return found


def held_out(
    X: np.ndarray, y: np.ndarray, parts: Sequence[tuple[np.ndarray, np.ndarray]], forest: Forest
) -> np.ndarray:
    """(row, class) shares of the trees, or (row,) figures of a regression, of rows while they were held out.

    Rows that no fold tests are NaN. Classes are 0, 1 ...; one that is not in the training rows gets 0.
    """
    shape = (len(X),) if forest.regression else (len(X), int(y.max()) + 1)
    found = np.full(shape, np.nan)
    for train, test in parts:
        model = forest.fit(X[train], y[train])
        if forest.regression:
            found[test] = model.predict(X[test])
        else:
            found[test] = 0.0
            found[np.ix_(test, model.classes_)] = model.predict_proba(X[test])
    return found


def healthy_scale(X: np.ndarray, healthy: np.ndarray) -> np.ndarray:
    """Features in standard deviations of the healthy rows about their mean."""
    spread_ = X[healthy].std(axis=0)
    scaled: np.ndarray = (X - X[healthy].mean(axis=0)) / np.where(spread_ > 0, spread_, 1.0)
    return scaled


def leading_features(
    X: np.ndarray, y: np.ndarray, names: Sequence[str], part: tuple[np.ndarray, np.ndarray], forest: Forest
) -> list[tuple[str, float]]:
    """The three features whose shuffling costs the held-out rows most, with the loss (accuracy or R2)."""
    train, test = part
    score = "r2" if forest.regression else "balanced_accuracy"
    model = forest.fit(X[train], y[train])
    found = permutation_importance(model, X[test], y[test], scoring=score, n_repeats=3, random_state=forest.seed)
    order = np.argsort(-found.importances_mean)[:3]
    return [(names[i], float(found.importances_mean[i])) for i in order]


def confusions(units: np.ndarray, names: np.ndarray, true: np.ndarray, said: np.ndarray, classes: int) -> np.ndarray:
    """(unit, true, said) counts, units as in the sorted `names`; rows said to be -1 were not tested."""
    table = np.zeros((len(names), classes, classes), int)
    rows = said >= 0
    place = np.searchsorted(names, units[rows])
    np.add.at(table, (place, true[rows], said[rows]), 1)
    return table


def random_choice(true: np.ndarray, classes: int, seed: int) -> np.ndarray:
    """What a method says that knows nothing."""
    return np.random.default_rng(seed).integers(0, classes, len(true))


def spread(
    repetitions: Sequence[np.ndarray], metric: str, *, repeats: int = 1000, seed: int = 0
) -> tuple[float, float, float]:
    """(mean over repetitions, low, high): 95 % interval from whole units drawn with replacement.

    Parameters
    ----------
    repetitions : for each seed (unit, true, said) counts; the units are the same in all and are drawn together.
    metric : one of `METRICS`.

    >>> import numpy as np
    >>> spread([np.array([[[8, 2], [0, 8]], [[7, 3], [0, 8]]])], "balanced accuracy")[0]
    0.875
    """
    counts = np.array(repetitions, float)
    units = counts.shape[1]
    weights = np.ones((1, units))
    if units > 1:
        drawn = np.random.default_rng(seed).multinomial(units, np.full(units, 1 / units), size=repeats)
        weights = np.concatenate([weights, drawn])
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.array([METRICS[metric](np.einsum("ru,ukl->rkl", weights, one)) for one in counts]).mean(axis=0)
    if units == 1 or np.isnan(found[1:]).all():
        return (float(found[0]), np.nan, np.nan)
    low, high = np.nanpercentile(found[1:], [2.5, 97.5])
    return (float(found[0]), float(low), float(high))


def _accuracy(c: np.ndarray) -> np.ndarray:
    hit: np.ndarray = np.einsum("rkk->r", c) / c.sum(axis=(1, 2))
    return hit


def _balanced(c: np.ndarray) -> np.ndarray:
    there = c.sum(axis=2)
    recall = np.where(there > 0, np.einsum("rkk->rk", c) / there, np.nan)
    mean: np.ndarray = np.nansum(recall, axis=1) / (there > 0).sum(axis=1)
    return mean


def _kappa(c: np.ndarray) -> np.ndarray:
    total = c.sum(axis=(1, 2))
    chance = np.einsum("rk,rk->r", c.sum(axis=2), c.sum(axis=1)) / total**2
    kappa: np.ndarray = (_accuracy(c) - chance) / (1 - chance)
    return kappa


def _distance(c: np.ndarray) -> np.ndarray:
    level = np.arange(c.shape[1])
    apart: np.ndarray = np.abs(level[:, None] - level)
    return apart


def _level_error(c: np.ndarray) -> np.ndarray:
    error: np.ndarray = (c * _distance(c)).sum(axis=(1, 2)) / c.sum(axis=(1, 2))
    return error


def _within_one(c: np.ndarray) -> np.ndarray:
    near: np.ndarray = (c * (_distance(c) <= 1)).sum(axis=(1, 2)) / c.sum(axis=(1, 2))
    return near


def _recall(c: np.ndarray) -> np.ndarray:
    recall: np.ndarray = c[:, 1, 1] / c[:, 1].sum(axis=1)
    return recall


def _false_alarms(c: np.ndarray) -> np.ndarray:
    share: np.ndarray = c[:, 0, 1] / c[:, 0].sum(axis=1)
    return share


METRICS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "accuracy": _accuracy,
    "balanced accuracy": _balanced,
    "kappa": _kappa,
    "within one level": _within_one,
    "mean absolute level error": _level_error,
    "recall": _recall,
    "false-alarm share": _false_alarms,
}
"""Figures of (draw, true, said) counts."""
