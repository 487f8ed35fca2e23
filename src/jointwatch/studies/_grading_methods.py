"""What the grading study compares: each method learns cycles of known stage and tells the degree of others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np

from jointwatch.core import Index
from jointwatch.core.errors import UsageError
from jointwatch.diagnosis._ordinal import Learner, OrdinalRegressor
from jointwatch.studies._strokes import PROFILE, STATISTICS, Strokes
from jointwatch.studies._trees import Forest
from jointwatch.windows.own_baseline import OwnBaseline

__all__ = [
    "ACROSS",
    "COVERAGES",
    "EACH_OUT",
    "HEADLINES",
    "INSIDE",
    "LEAST_STAGES",
    "STAGE_OUT",
    "Grades",
    "Method",
    "Task",
    "enough",
    "graded",
    "say",
]

Baseline = Literal["none", "own", "shift"]
Intervals = Literal["runs", "widened", "specimens"]

COVERAGES = (0.8, 0.9)
LEAST_STAGES = 4
"""Beside normal: with one of the five held out four are left, which intervals by specimens need."""
_TREES = 200
_BASELINES = {"none": "no baseline", "own": "own baseline", "shift": "own baseline, shift out"}


@dataclass(frozen=True, eq=False)
class Grades:
    """Cycles of normal runs and of one fault's stages; (row,) arrays, runs named with their state and load."""

    features: dict[str, np.ndarray]
    stage: np.ndarray
    load_kgf: np.ndarray
    run: np.ndarray
    runs: np.ndarray
    index: Index

    @property
    def last_stage(self) -> int:
        """The gravest of the scale, learned or not."""
        return int(self.stage.max())

    @property
    def loads(self) -> list[float]:
        """Loads under which there are normal runs and at least `LEAST_STAGES` stages, ascending."""
        kinds = {float(load): np.unique(self.stage[self.load_kgf == load]) for load in np.unique(self.load_kgf)}
        return [load for load, there in kinds.items() if there[0] == 0 and len(there) > LEAST_STAGES]


def graded(strokes: Strokes, fault: str) -> Grades:
    """The rows that are normal or of a stage of this fault.

    Errors: `UsageError` naming the faults there are, where this one has no stage.
    """
    family = np.array(strokes.families)[strokes.family_of]
    stages = [
        0 if kind == "normal" else int(name.removeprefix(kind) or -1) if kind == fault else -1
        for name, kind in zip(strokes.states, family, strict=True)
    ]
    if max(stages) < 1:
        there = ", ".join(kind for kind in strokes.families if kind != "normal") or "none"
        raise UsageError(f"no stage of a fault {fault!r}; the faults there are: {there}")
    stage = np.array(stages)[strokes.state]
    rows = np.flatnonzero(stage >= 0)
    return Grades(
        {name: values[rows] for name, values in strokes.features.items()},
        stage[rows],
        strokes.load_kgf[rows],
        strokes.run[rows],
        strokes.cluster()[rows],
        strokes.index.take(rows),
    )


@dataclass(frozen=True)
class Method:
    """learner : `random`, `constant`, `trees`, or one of `OrdinalRegressor`. baseline : of a load, its normal runs;
    `shift`: and the direction in which they differ between the loads is left out. intervals : whose held-out errors
    make them, runs or specimens; `widened`: by runs, and by how far the load moves normal runs, in stages. settings :
    what is held out to choose those of a family, runs or whole stages."""

    learner: str
    features: str = PROFILE
    baseline: Baseline = "none"
    intervals: tuple[Intervals, ...] = ("runs",)
    settings: Literal["runs", "stages"] = "runs"

    @property
    def name(self) -> str:
        """As in the tables of results."""
        if self.learner in ("random", "constant"):
            return {"random": "random stage", "constant": "constant: median stage"}[self.learner]
        parts = [self.learner, self.features]
        parts += [_BASELINES[self.baseline]] * (self.baseline != "none")
        parts += [f"settings by {self.settings}"] * (self.settings != "runs")
        return ", ".join(parts)

    @property
    def ordinal(self) -> bool:
        """Whether it tells intervals."""
        return self.learner not in ("random", "constant", "trees")


INSIDE = (
    Method("random"),
    Method("constant"),
    Method("trees", STATISTICS),
    Method("trees"),
    Method("ridge"),
    Method("kernel"),
    Method("auto"),
)
"""Inside a load; the last is the headline."""

EACH_OUT = (*INSIDE[:5], Method("discriminant"))
"""With each run out: `auto`, which decides anew in every fold, would take long."""

STAGE_OUT = (
    Method("random"),
    Method("constant"),
    Method("trees"),
    Method("discriminant"),
    Method("ridge", intervals=("runs", "specimens")),
)
"""With a stage never seen."""

ACROSS = (
    Method("random"),
    Method("constant"),
    Method("trees", STATISTICS),
    Method("trees"),
    Method("trees", STATISTICS, "own"),
    Method("trees", PROFILE, "own"),
    Method("discriminant", PROFILE, "own"),
    Method("ridge"),
    Method("ridge", PROFILE, "own"),
    Method("ridge", PROFILE, "shift"),
    Method("ridge", PROFILE, "shift", ("specimens",), "stages"),
    Method("kernel", PROFILE, "shift"),
    Method("auto", PROFILE, "shift", ("runs", "widened", "specimens")),
)
"""From load to load; the last is the headline."""

HEADLINES = (INSIDE[-1].name, ACROSS[-1].name)


@dataclass(frozen=True, eq=False)
class Task:
    """Rows of `grades`: learned, normal ones given of the target (none inside a load), those to be told."""

    grades: Grades
    learned: np.ndarray
    normal: np.ndarray
    test: np.ndarray


def say(method: Method, task: Task, seed: int) -> dict[str, Any]:
    """Of the test rows: `degree`, and with an ordinal method the family `chosen` and the ends of its `intervals`, by
    kind and coverage; those that too few groups cannot give are not there."""
    grades, count = task.grades, len(task.test)
    stage = grades.stage[task.learned].astype(float)
    if method.learner == "random":
        return {"degree": np.random.default_rng(seed).integers(0, grades.last_stage + 1, count).astype(float).tolist()}
    if method.learner == "constant":
        return {"degree": np.full(count, np.median(stage)).tolist()}
    known, asked = _relative(method, task)[:2]
    if method.learner == "trees":
        return {"degree": Forest(seed, _TREES, regression=True).fit(known, stage).predict(asked).tolist()}
    runs, last = grades.runs[task.learned], grades.last_stage
    parts = runs if method.settings == "runs" else stage
    first_groups = stage if "specimens" in method.intervals else runs
    first = _fitted(method.learner, known, stage, first_groups, parts, last, seed)
    intervals: dict[str, dict[str, list[list[float]]]] = {}
    for kind in method.intervals:
        groups = stage if kind == "specimens" else runs
        by_runs = kind != "specimens" and "specimens" in method.intervals
        model = _fitted(first.chosen_, known, stage, groups, parts, last, seed) if by_runs else first
        more = _moved(first.chosen_, method, task, seed) if kind == "widened" else 0.0
        intervals[kind] = {}
        for coverage in COVERAGES:
            if enough(len(np.unique(groups)), coverage):
                low, high = model.predict_interval(asked, coverage)
                ends = np.clip([low - more, high + more], 0.0, last)
                intervals[kind][f"{coverage:g}"] = ends.tolist()
    return {"degree": first.decision_function(asked).tolist(), "chosen": first.chosen_, "intervals": intervals}


def _fitted(
    learner: str, known: np.ndarray, stage: np.ndarray, groups: np.ndarray, parts: np.ndarray, last: int, seed: int
) -> OrdinalRegressor:
    """Settings by parts held out; the family, where it is to be chosen, and the intervals by groups held out. The scale
    ends at its last stage, whether that was learned or not."""
    return OrdinalRegressor(
        np.arange(last) + 0.5,
        cast(Learner, learner),
        coverage=COVERAGES[0],
        limits=(0.0, float(last)),
        random_state=seed,
    ).fit(known, stage, groups, parts)


def _relative(method: Method, task: Task) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(learned rows, test rows, the target's normal rows against the source's baseline), as the learner sees them."""
    grades, X = task.grades, task.grades.features[method.features]
    known, asked, moved = X[task.learned], X[task.test], X[task.normal]
    if method.baseline == "none":
        return known, asked, moved
    index, there = grades.index.take(task.learned), grades.index.take(task.normal)
    form: Literal["auto", "difference"] = "auto" if method.features == STATISTICS else "difference"
    baseline = OwnBaseline("domain", form).fit(known, index)
    asked = baseline.add(moved, there).transform(asked, grades.index.take(task.test))
    moved = baseline.transform(moved, replace(there, domain=np.full(len(there), index.domain[0])))
    known = baseline.crossed(known, index)
    if method.baseline == "shift":
        size = np.where(known.std(axis=0) > 0, known.std(axis=0), 1.0)
        shift = moved.mean(axis=0) / size
        known, asked, moved = (_without(rows / size, shift) for rows in (known, asked, moved))
    return known, asked, moved


def _moved(learner: str, method: Method, task: Task, seed: int) -> float:
    """By how many stages the target's normal runs would be off if they were held against the source's."""
    known, _, moved = _relative(replace(method, baseline="own"), task)
    stage, runs = task.grades.stage[task.learned].astype(float), task.grades.runs[task.learned]
    model = _fitted(learner, known, stage, runs, runs, task.grades.last_stage, seed)
    here = model.decision_function(known[stage == 0])
    return float(abs(np.median(model.decision_function(moved)) - np.median(here)))


def _without(rows: np.ndarray, direction: np.ndarray) -> np.ndarray:
    length = float(np.linalg.norm(direction))
    unit = direction / length if length else direction
    rest: np.ndarray = rows - np.outer(rows @ unit, unit)
    return rest


def enough(count: int, coverage: float) -> bool:
    """Whether so many groups can give intervals of that coverage."""
    return count / (count + 1) >= coverage - 1e-9
