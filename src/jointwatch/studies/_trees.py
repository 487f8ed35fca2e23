"""A plain tree ensemble: what it says of rows while they are held out, and what it looks at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.inspection import permutation_importance

__all__ = ["ORACLE", "TREES", "Forest", "healthy_scale", "held_out", "leading_features", "repeat"]

TREES = "trees"
ORACLE = "oracle: true latent parameters"
"""Name of the same trees on what the simulation knows: about what any method can reach."""


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
