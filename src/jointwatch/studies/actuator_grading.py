"""Stage of a ball screw's spalling, with calibrated intervals, inside a load and carried from load to load."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from pydantic import Field

from jointwatch.core.errors import NotEnoughData
from jointwatch.diagnosis._profile_view import SPREAD_PARTS
from jointwatch.studies._grading_methods import (
    ACROSS,
    COVERAGES,
    EACH_OUT,
    HEADLINES,
    INSIDE,
    LEAST_STAGES,
    STAGE_OUT,
    Grades,
    Method,
    Task,
    enough,
    graded,
    say,
)
from jointwatch.studies._grading_scores import RANK, SCORES, covered, rank_correlation, run_means, spread
from jointwatch.studies._ledger import Ledger
from jointwatch.studies._loads import ONE_SPECIMEN, first_runs, load_pairs, loads_judged
from jointwatch.studies._part import Part
from jointwatch.studies._sources import sources_digest
from jointwatch.studies._strokes import PROFILE, load_name, read_strokes
from jointwatch.studies.base import Progress, Results, Study, StudyOptions

__all__ = ["ActuatorGrading"]

_LAST, _EACH, _STAGE, _ACROSS = "last runs out", "each run out in turn", "stage out", "across loads"
_QUICK_SEEDS = 1
_ROUGH = 2 * SPREAD_PARTS  # features of the profile after the current: roughness of it and of the position error
_EARLY = 5  # stages up to this are barely visible
_THERE = f"normal runs and {LEAST_STAGES} stages of the fault"
_BY_RUN = f"{RANK}, interval by run"
_Job = tuple[str, float, float, Method, list[Task]]


class _Options(StudyOptions):
    source_load: float | None = Field(None, description="Load (kgf) to learn from; without it, each in turn.")
    target_load: float | None = Field(None, description="Load (kgf) to carry to; without it, each in turn.")
    train_runs: int = Field(5, ge=2, description="How many runs, in order of number, may be learned; later ones test.")
    fault: str = Field("spalling", description="Fault whose stages are graded; normal runs are stage 0.")


class ActuatorGrading(Study):
    """`jointwatch study actuator-grading --data DIR --source-load 20 --target-load 40`, where DIR is
    `cranfield_linear_actuator` or a folder of its form. Without loads, every load that has stages to every other.

    The stage, 0 to 8, is regressed as a degree, cycle by cycle; that of a run is the mean over its cycles. Inside a
    load the last runs test, and each run in turn. From load to load all of the source is learned, normal training
    runs of the target are its baseline, and all its other runs test: no stage of the target is seen. With a stage held
    out, the degree must be found between or beyond specimens that were learned.

    Nothing is chosen by a target's stages: of `auto`, the settings by runs of the source held out, the family (ridge,
    kernel, discriminant) inside a load by runs too, from load to load by whole stages held out, because what is met
    there is as new. By that argument settings belong to stages held out as well: `settings by stages` is that line.
    Intervals of grades are made of errors of whole runs held out, or of whole stages (`specimens`).

    A stage at a load is one session of one specimen, and the cluster of all intervals of figures; the rank has one by
    run beside it, which speaks of further runs of the same specimens alone.
    """

    Options = _Options
    revision = 2

    def _rests_on(self) -> str:
        return sources_digest()

    def _run(self, options: Any, ledger: Ledger, progress: Progress) -> Results:
        strokes = read_strokes(options.data)
        grades = graded(strokes, options.fault)
        seeds = min(_QUICK_SEEDS, options.seeds) if options.quick else options.seeds
        pairs = load_pairs(grades.loads, options.source_load, options.target_load, _THERE)
        loads = loads_judged(grades.loads, pairs, options.source_load, _THERE)
        jobs = [job for load in loads for job in _inside(grades, load, options.train_runs, options.quick)]
        jobs += [job for pair in pairs for job in _across(grades, pair, options.train_runs, options.quick)]
        steps: dict[str, Callable[[], dict[str, Any]]] = {}
        for split, source, target, method, tasks in jobs:
            for seed in range(_seeds(method, seeds)):
                for number, task in enumerate(tasks):
                    steps[_key(split, source, target, method, seed, number)] = partial(say, method, task, seed)
        said = ledger.every(steps, progress)
        part = Part(notes=list(strokes.notes))
        for split, source, target, method, tasks in jobs:
            found = [
                _joined([said[_key(split, source, target, method, seed, n)] for n in range(len(tasks))])
                for seed in range(_seeds(method, seeds))
            ]
            _judge(part, grades, np.concatenate([task.test for task in tasks]), found, split, source, target, method)
        for load in loads:
            _leading(part, grades, load, loads, options.train_runs)
        part.notes += _closing(grades, loads)
        return Results("actuator-grading", "", 0.0, tuple(part.rows), tuple(part.notes), part.details)


def _early(grades: Grades, load: float, train_runs: int) -> np.ndarray:
    """(row,) the training runs of a load."""
    return first_runs(grades.load_kgf, grades.run, load, train_runs)


def _normal(grades: Grades, load: float, train_runs: int) -> np.ndarray:
    """(row,) the normal training runs of a load, its baseline."""
    normal: np.ndarray = _early(grades, load, train_runs) & (grades.stage == 0)
    if not normal.any():
        what = f"a baseline at {load_name(load)}"
        raise NotEnoughData(what, needed=1, have=0, unit="normal runs among the training runs")
    return normal


def _inside(grades: Grades, load: float, train_runs: int, quick: bool) -> list[_Job]:
    _normal(grades, load, train_runs)  # without them nothing is compared
    there, early = grades.load_kgf == load, _early(grades, load, train_runs)
    nothing = np.empty(0, int)

    def task(test: np.ndarray, learned: np.ndarray) -> Task:
        return Task(grades, np.flatnonzero(learned), nothing, np.flatnonzero(test))

    last = [task(there & ~early, early)]
    each = [task(there & (grades.run == run), there & (grades.run != run)) for run in np.unique(grades.run[there])]
    stages = np.unique(grades.stage[there])
    out = [task(there & (grades.stage == stage), there & (grades.stage != stage)) for stage in stages]
    jobs: list[_Job] = [(_LAST, load, load, method, last) for method in INSIDE]
    if not quick:
        jobs += [(_EACH, load, load, method, each) for method in EACH_OUT]
        jobs += [(_STAGE, load, load, method, out) for method in STAGE_OUT]
    return jobs


def _across(grades: Grades, pair: tuple[float, float], train_runs: int, quick: bool) -> list[_Job]:
    normal = _normal(grades, pair[1], train_runs)
    test = (grades.load_kgf == pair[1]) & ~normal
    rows = [np.flatnonzero(mask) for mask in (grades.load_kgf == pair[0], normal, test)]
    return [
        (_ACROSS, *pair, method, [Task(grades, *rows)])
        for method in ACROSS
        if not quick or method.learner not in ("kernel", "discriminant")
    ]


def _seeds(method: Method, seeds: int) -> int:
    """Those of a ridge or a discriminant would only deal runs to folds otherwise."""
    return 1 if method.learner in ("constant", "ridge", "discriminant") else seeds


def _key(split: str, source: float, target: float, method: Method, seed: int, number: int) -> str:
    return f"{split}/{source:g}/{target:g}/{method.name}/{seed}/{number}"


def _joined(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What was said of the rows of all folds."""
    whole: dict[str, Any] = {"degree": np.concatenate([part["degree"] for part in parts])}
    whole["chosen"] = [part["chosen"] for part in parts if "chosen" in part]
    first = parts[0].get("intervals", {})
    whole["intervals"] = {
        (kind, coverage): np.concatenate([part["intervals"][kind][coverage] for part in parts], axis=1)
        for kind, widths in first.items()
        for coverage in widths
    }
    return whole


def _judge(
    part: Part,
    grades: Grades,
    test: np.ndarray,
    found: Sequence[dict[str, Any]],
    split: str,
    source: float,
    target: float,
    method: Method,
) -> None:
    """Rows of one method on one split, cycle by cycle and by run; the headline's predictions and confusions."""
    stage, runs = grades.stage[test], grades.runs[test]
    degree = np.stack([one["degree"] for one in found])
    names, first = np.unique(runs, return_index=True)
    place = {"method": method.name, "split": split, "source": load_name(source), "target": load_name(target)}
    sessions, last = len(np.unique(stage)), grades.last_stage
    for values, true, ending in ((degree, stage, ""), (run_means(degree, runs), stage[first], ", by run")):
        for name, score in SCORES.items():
            if name == RANK and method.learner == "constant":
                continue  # a constant ranks nothing
            figures = spread(values if name == RANK else np.clip(values, 0, last), true, true, score)
            part.figure(figures, name + ending, n=sessions, seeds=len(found), **place)
    if method.learner != "constant":
        part.figure(spread(degree, stage, runs, SCORES[RANK]), _BY_RUN, n=len(names), seeds=len(found), **place)
    for kind, coverage in found[0]["intervals"]:
        ends = np.stack([one["intervals"][kind, coverage] for one in found])
        what = f"{100 * float(coverage):g} % intervals by {kind}"
        inside = np.stack([covered(low, high, stage) for low, high in ends])
        for values, name in ((inside, "coverage"), (ends[:, 1] - ends[:, 0], "width in stages")):
            figures = spread(values, stage, stage, _average)
            part.figure(figures, f"{name}, {what}", n=sessions, seeds=len(found), **place)
    headline = method.name in HEADLINES or (split == _STAGE and method == STAGE_OUT[-1])
    if headline:
        _details(part, stage, runs, found, place, last)
    if headline or method.learner == "trees":
        counts = np.zeros((last + 1,) * 2)
        for one in degree:
            np.add.at(counts, (stage, np.rint(np.clip(one, 0, last)).astype(int)), 1 / len(degree))
        cells = zip(*np.nonzero(counts), strict=True)
        part.table("confusion", [{**place, "true": int(i), "said": int(k), "cycles": counts[i, k]} for i, k in cells])


def _average(values: np.ndarray, stage: np.ndarray, weights: np.ndarray) -> np.ndarray:
    mean: np.ndarray = weights @ values / weights.sum(axis=1)
    return mean


def _details(
    part: Part,
    stage: np.ndarray,
    runs: np.ndarray,
    found: Sequence[dict[str, Any]],
    place: dict[str, str],
    last: int,
) -> None:
    """What was said of each run, and a note: which stages are far off."""
    names, first = np.unique(runs, return_index=True)
    degree = run_means(np.mean([one["degree"] for one in found], axis=0), runs)
    kinds = list(dict.fromkeys(kind for kind, _ in found[0]["intervals"]))
    kind = "specimens" if "specimens" in kinds else kinds[0]
    widths = [width for one, width in found[0]["intervals"] if one == kind]
    coverage = widths[0] if kind == "specimens" else widths[-1]  # of few specimens the widest are all there is
    low, high = run_means(np.mean([one["intervals"][kind, coverage] for one in found], axis=0), runs)
    part.table(
        "predictions",
        [
            {**place, "run": str(name), "stage": int(stage[i]), "degree": d, "low": a, "high": b,
             "intervals": f"{100 * float(coverage):g} % intervals by {kind}"}
            for name, i, d, a, b in zip(names, first, degree, low, high, strict=True)
        ],
    )  # fmt: skip
    error = np.mean([np.abs(np.clip(one["degree"], 0, last) - stage) for one in found], axis=0)
    off = {int(k): float(error[stage == k].mean()) for k in np.unique(stage)}
    worst, by_stage = max(off, key=lambda k: off[k]), ", ".join(f"{k}: {value:.2f}" for k, value in off.items())
    bias = float(np.mean([np.clip(one["degree"], 0, last)[stage == worst].mean() for one in found]))
    known = np.mean([_error_less_offset(one["degree"], stage, last) for one in found])
    chosen = sorted({name for one in found for name in one["chosen"]})
    faint = [rows for rows in ((stage >= 1) & (stage <= _EARLY), stage > _EARLY) if rows.any()]
    rank = [float(np.mean([_rank(one["degree"][rows], stage[rows]) for one in found])) for rows in faint]
    part.notes.append(
        f"{place['split']}, {place['source']} to {place['target']}, {place['method']} ({', '.join(chosen)}): mean "
        f"error by stage {by_stage}; worst is stage {worst}, said to be "
        f"{bias:.1f}; mean error {error.mean():.2f}, if the one offset common to all were known {known:.2f}; "
        f"rank correlation inside stages 1 to {_EARLY} and beyond {_EARLY}: "
        + ", ".join("-" if np.isnan(value) else f"{value:.2f}" for value in rank)
    )


def _error_less_offset(degree: np.ndarray, stage: np.ndarray, last: int) -> float:
    """Mean absolute error that is left by the best common offset, which no method may know."""
    moved = degree + np.median(stage - degree)
    return float(np.abs(np.clip(moved, 0, last) - stage).mean())


def _rank(degree: np.ndarray, stage: np.ndarray) -> float:
    return float(rank_correlation(degree, stage, np.ones((1, len(stage))))[0])


def _leading(part: Part, grades: Grades, source: float, loads: Sequence[float], train_runs: int) -> None:
    """The phase in which the current ranks the source's training runs best, at every load by run."""
    current = grades.features[PROFILE][:, :-_ROUGH]
    phases = np.stack([phase.mean(axis=1) for phase in np.array_split(current, SPREAD_PARTS, axis=1)], axis=1)
    early = _early(grades, source, train_runs)
    ranks = [_rank(column, grades.stage[early]) for column in phases[early].T]
    best = int(np.nanargmax(np.abs(ranks)))
    name = f"current in phase {best + 1} of {SPREAD_PARTS}"
    found = []
    for load in loads:
        there, change = grades.load_kgf == load, phases[:, best]
        change = change - change[_normal(grades, load, train_runs)].mean()
        runs, stage = grades.runs[there], grades.stage[there]
        names, first = np.unique(runs, return_index=True)
        place = {"source": load_name(source), "load": load_name(load), "feature": name}
        rows = zip(names, stage[first], run_means(change[there], runs), strict=True)
        part.table("leading", [{**place, "run": str(r), "stage": int(k), "change": value} for r, k, value in rows])
        found.append(f"{_rank(change[there], stage):+.2f} at {load_name(load)}")
    part.notes.append(
        f"leading feature by the training runs at {load_name(source)}: {name}, rank correlation " + ", ".join(found)
    )


def _closing(grades: Grades, loads: Sequence[float]) -> list[str]:
    notes = [f"loads judged: {', '.join(map(load_name, loads))}"]
    for load in loads:
        left = len(np.unique(grades.stage[grades.load_kgf == load])) - 1
        if not enough(left, COVERAGES[-1]):
            notes.append(
                f"{load_name(load)}: with a stage held out {left} are left, too few for {COVERAGES[-1]:.0%} intervals "
                f"by specimens; {COVERAGES[0]:.0%} is what they can promise"
            )
    return [*notes, ONE_SPECIMEN]
