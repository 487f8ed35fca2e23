"""What the actuator study compares: each method learns labelled cycles and says the state of others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from jointwatch.diagnosis._carried_discriminant import CarriedDiscriminant
from jointwatch.studies._confusions import CHANCE
from jointwatch.studies._strokes import COARSE, PROFILE, STATISTICS, Strokes
from jointwatch.studies._trees import Forest
from jointwatch.studies._votes import together
from jointwatch.windows.own_baseline import OwnBaseline

__all__ = ["ALONE", "CARRIED", "INSIDE", "OWN", "POOLED", "TRANSFERRED", "UNCHANGED", "Method", "Task", "say"]

ALONE, UNCHANGED, OWN, POOLED, CARRIED = (
    "target only",
    "source as it is",
    "source, own baseline",
    "source and target pooled",
    "carried",
)
_TREES = 200
_NEIGHBOURS = 5


@dataclass(frozen=True)
class Method:
    """approach : what is done with source and target. learner : `trees`, `knn`, `discriminant` or `random`."""

    approach: str
    learner: str
    features: str = STATISTICS

    @property
    def name(self) -> str:
        """As in the tables of results."""
        what = CHANCE if self.learner == "random" else f"{self.learner}, {self.features}"
        return f"{self.approach}: {what}" if self.approach else what


INSIDE = (
    Method("", "random"),
    Method("", "knn"),
    Method("", "trees"),
    Method("", "discriminant"),
    Method("", "discriminant", COARSE),
    Method("", "trees", PROFILE),
    Method("", "discriminant", PROFILE),
)
"""Inside a load; the last is what the cross-validation inside the training runs prefers."""

TRANSFERRED = (
    Method(ALONE, "random"),
    Method(UNCHANGED, "trees"),
    Method(UNCHANGED, "discriminant", PROFILE),
    Method(OWN, "trees"),
    Method(OWN, "discriminant", PROFILE),
    Method(ALONE, "knn"),
    Method(ALONE, "trees"),
    Method(ALONE, "discriminant"),
    Method(ALONE, "discriminant", PROFILE),
    Method(POOLED, "trees"),
    Method(POOLED, "discriminant", PROFILE),
    Method(CARRIED, "discriminant"),
    Method(CARRIED, "discriminant", PROFILE),
)
"""From load to load."""


@dataclass(frozen=True, eq=False)
class Task:
    """Rows of `strokes`: of the source (none inside a load), labelled ones of the target, those to be judged."""

    strokes: Strokes
    source: np.ndarray
    given: np.ndarray
    test: np.ndarray


def say(method: Method, task: Task, seed: int) -> dict[str, list[int]]:
    """States said of the test rows: `cycle`, of each cycle, and `run`, of all cycles of its run together."""
    shares = _shares(method, task, seed)
    by_run = together(shares, task.strokes.cluster()[task.test])
    return {"cycle": shares.argmax(axis=1).tolist(), "run": by_run.tolist()}


def _shares(method: Method, task: Task, seed: int) -> np.ndarray:
    """(test row, state)."""
    strokes = task.strokes
    shares = np.zeros((len(task.test), len(strokes.states)))
    if method.learner == "random":
        return np.random.default_rng(seed).random(shares.shape)
    rows = {ALONE: task.given, "": task.given, POOLED: np.concatenate([task.source, task.given])}.get(
        method.approach, task.source
    )
    X, y, runs = strokes.features[method.features], strokes.state, strokes.cluster()
    known, asked = X[rows], X[task.test]
    if method.approach == OWN:
        index = strokes.index
        baseline = OwnBaseline(by="domain").fit(known, index.take(rows))
        known = baseline.crossed(known, index.take(rows))
        normal = task.given[y[task.given] == 0]
        asked = baseline.add(X[normal], index.take(normal)).transform(asked, index.take(task.test))
    model = _LEARNERS[method.learner](seed).fit(known, y[rows], **_runs_for(method.learner, runs[rows]))
    if method.approach == CARRIED:
        model = model.adapt(X[task.given], y[task.given], runs[task.given])
    shares[:, model.classes_] = model.predict_proba(asked)
    return shares


def _runs_for(learner: str, runs: np.ndarray) -> dict[str, np.ndarray]:
    return {"runs": runs} if learner == "discriminant" else {}


_LEARNERS: dict[str, Callable[[int], Any]] = {
    "trees": lambda seed: Forest(seed, _TREES),
    "knn": lambda seed: make_pipeline(StandardScaler(), KNeighborsClassifier(_NEIGHBOURS)),
    "discriminant": lambda seed: CarriedDiscriminant(),
}
