"""Faults of a ball-screw axis inside a load, and carried from load to load with few labelled runs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
from pydantic import Field, field_validator

from jointwatch.studies._actuator_methods import (
    ALONE,
    CARRIED,
    INSIDE,
    OWN,
    POOLED,
    TRANSFERRED,
    UNCHANGED,
    Method,
    Task,
    say,
)
from jointwatch.studies._confusions import METRICS, confusions
from jointwatch.studies._ledger import Ledger
from jointwatch.studies._loads import ONE_SPECIMEN, first_runs, load_pairs, loads_judged
from jointwatch.studies._part import Part
from jointwatch.studies._sources import sources_digest
from jointwatch.studies._strokes import PROFILE, STATISTICS, Strokes, load_name, read_strokes
from jointwatch.studies.base import Progress, Results, Study, StudyOptions

__all__ = ["ActuatorTransfer"]

_METRICS = {"cycle": ("accuracy", "macro F1", "MCC"), "run": ("accuracy",)}
_LAST, _INSIDE, _DRAWN, _STAGE = (
    "last runs out",
    "inside the training runs, each out in turn",
    "all runs but the drawn ones out",
    "stage out",
)
_HEADLINE = Method(CARRIED, "discriminant", PROFILE)
_DRAWN_METHODS = (Method(ALONE, "trees"), Method(ALONE, "discriminant", PROFILE), _HEADLINE)
_BASELINE_RUNS = 3  # normal runs given where all others test
_STAGE_METHODS = (Method("", "trees"), Method("", "discriminant", PROFILE))
_QUICK_SEEDS = 2
_THERE = "normal and faulty runs"

_Said = dict[str, list[int]]


class _Options(StudyOptions):
    source_load: float | None = Field(None, description="Load (kgf) to learn from; without it, each in turn.")
    target_load: float | None = Field(None, description="Load (kgf) to carry to; without it, each in turn.")
    target_runs: str = Field(
        "0,1,2", description="Labelled runs of each target state, comma-separated; 0 is always there."
    )
    train_runs: int = Field(5, ge=2, description="How many runs, in order of number, may be learned; later ones test.")
    classes: Literal["4", "13", "both"] = Field("both", description="Families of faults (4), states (13), or both.")

    @field_validator("target_runs")
    @classmethod
    def _numbers(cls, value: str) -> str:
        if not all(part.strip().isdigit() for part in value.split(",")):
            raise ValueError(f"runs are whole numbers, comma-separated, got {value!r}")
        return value


class ActuatorTransfer(Study):
    """`jointwatch study actuator-transfer --data DIR --source-load 20 --target-load 40 --target-runs 1`, where DIR is
    `cranfield_linear_actuator` or a folder of its form. Without loads, every load that has faults to every other.

    The later runs of each state test, and nothing is chosen by them: features and learner were taken by
    cross-validation inside the training runs, which is among the results. For a target, normal training runs are
    given, as a plant has them, and K runs of every state, drawn for each seed; the same for every method. As two runs
    of each state are few, the main methods are judged on all runs that were not drawn as well.

    Each method learns the states; the family (backlash, lack of lubrication, spalling) is that of the state it says.
    Trees are 200 extremely randomised ones, three rows a leaf at least, classes weighed alike. A run is the cluster of
    all intervals. With a whole stage held out a method must tell the family from other
    specimens of it.
    """

    Options = _Options
    revision = 2

    def _rests_on(self) -> str:
        return sources_digest()

    def _run(self, options: Any, ledger: Ledger, progress: Progress) -> Results:
        strokes = read_strokes(options.data)
        seeds = min(_QUICK_SEEDS, options.seeds) if options.quick else options.seeds
        pairs = load_pairs(strokes.loads, options.source_load, options.target_load, _THERE)
        loads = loads_judged(strokes.loads, pairs, options.source_load, _THERE)
        budgets = sorted({0} | {int(part) for part in options.target_runs.split(",")})
        part = Part(notes=list(strokes.notes))
        judge = _Judge(part, strokes, options.classes)
        jobs = [("inside", load, split) for load in loads for split in (_LAST, _INSIDE)]
        drawn = [(pair, k, split) for pair in pairs for k in budgets for split in (_LAST, _DRAWN)[: 2 if k else 1]]
        total = len(jobs) + len(loads) + len(drawn)
        for number, (_, load, split) in enumerate(jobs):
            progress(number, total, f"{load_name(load)}: {split}")
            _inside(judge, load, split, options.train_runs, seeds, ledger, options.quick)
        for number, load in enumerate(loads):
            progress(len(jobs) + number, total, f"{load_name(load)}: {_STAGE}")
            _stages(judge, load, seeds, ledger)
        for number, (pair, budget, split) in enumerate(drawn):
            what = f"{load_name(pair[0])} to {load_name(pair[1])}, {budget} runs, {split}"
            progress(len(jobs) + len(loads) + number, total, what)
            _carry(judge, pair, _Draw(strokes, pair[1], budget, split, options.train_runs), seeds, ledger)
        progress(total, total, "done")
        part.notes += _closing(strokes)
        return Results("actuator-transfer", "", 0.0, tuple(part.rows), tuple(part.notes), part.details)


class _Judge:
    """Turns states said of test rows into rows, confusions and the worst state."""

    def __init__(self, part: Part, strokes: Strokes, classes: str) -> None:
        self.part, self.strokes = part, strokes
        whole = np.arange(len(strokes.states))
        kinds = {"4": ("families", strokes.family_of, strokes.families), "13": ("states", whole, strokes.states)}
        self.kinds = [kinds[key] for key in (("13", "4") if classes == "both" else (classes,))]

    def add(self, method: str, test: np.ndarray, said: Sequence[_Said], **place: str) -> None:
        """One method on one split; `said` one for each seed, -1 where it was not asked."""
        strokes = self.strokes
        cluster = strokes.cluster()[test]
        names, first = np.unique(cluster, return_index=True)
        for kind, class_of, titles in self.kinds:
            true = class_of[strokes.state[test]]
            for what, metrics in _METRICS.items():
                rows = np.arange(len(test)) if what == "cycle" else first
                counts = [
                    confusions(cluster[rows], names, true[rows], _classes(one[what], class_of)[rows], len(titles))
                    for one in said
                ]
                ending = "" if what == "cycle" else ", by run"
                suffix = f" of {len(titles)} {kind}{ending}"
                self.part.add(counts, metrics, method=method, suffix=suffix, **place)
                if what == "cycle":
                    mean = np.mean(counts, axis=0).sum(axis=0)
                    self.part.table(f"confusion_{kind}", _cells(mean, titles, method=method, **place))
                    self._worst(mean, titles, kind, method, place)

    def _worst(self, counts: np.ndarray, titles: Sequence[str], kind: str, method: str, place: dict[str, str]) -> None:
        if method not in (INSIDE[-1].name, _HEADLINE.name) or place["split"] != _LAST:
            return
        there = np.flatnonzero(counts.sum(axis=1) > 0)
        recall = np.diag(counts)[there] / counts.sum(axis=1)[there]
        worst = there[int(recall.argmin())]
        wrong = counts[worst].copy()
        wrong[worst] = 0
        where = place["target"] if place["source"] == place["target"] else f"{place['source']} to {place['target']}"
        labels = f", {place['labels']}" if place.get("labels") else ""
        often = f", most often called {titles[int(wrong.argmax())]}" if wrong.any() else ""
        self.part.notes.append(
            f"{where}{labels}, {method}: worst of {len(there)} {kind}: {titles[worst]}, "
            f"recall {recall.min():.2f}{often}"
        )


def _parts(strokes: Strokes, load: float, train_runs: int) -> tuple[np.ndarray, np.ndarray]:
    """(training rows, test rows) of a load: the first runs by number, and the later ones."""
    rows = np.flatnonzero(strokes.load_kgf == load)
    early = first_runs(strokes.load_kgf, strokes.run, load, train_runs)[rows]
    return rows[early], rows[~early]


def _folds(strokes: Strokes, load: float, split: str, train_runs: int) -> list[tuple[np.ndarray, np.ndarray]]:
    train, test = _parts(strokes, load, train_runs)
    if split == _LAST:
        return [(train, test)]
    runs = strokes.run[train]
    return [(train[runs != run], train[runs == run]) for run in np.unique(runs)]


def _inside(judge: _Judge, load: float, split: str, train_runs: int, seeds: int, ledger: Ledger, quick: bool) -> None:
    strokes, nothing = judge.strokes, np.empty(0, int)
    folds = _folds(strokes, load, split, train_runs)
    test = np.concatenate([late for _, late in folds])
    place = {"split": split, "source": load_name(load), "target": load_name(load)}
    for method in INSIDE:
        if quick and (method.learner, method.features) == ("trees", PROFILE):
            continue
        said = []
        for seed in range(seeds if method.learner in ("trees", "random") else 1):
            steps = [
                ledger.once(
                    f"inside/{load:g}/{split}/{method.name}/{seed}/{number}",
                    partial(say, method, Task(strokes, nothing, train, late), seed),
                )
                for number, (train, late) in enumerate(folds)
            ]
            said.append({what: [state for step in steps for state in step[what]] for what in ("cycle", "run")})
        judge.add(method.name, test, said, labels=f"{len(np.unique(strokes.run[folds[0][0]]))} runs", **place)


def _stages(judge: _Judge, load: float, seeds: int, ledger: Ledger) -> None:
    """Families of stages that were never seen: all runs of one stage out."""
    strokes, nothing = judge.strokes, np.empty(0, int)
    rows = np.flatnonzero(strokes.load_kgf == load)
    there = np.unique(strokes.state[rows])
    family = strokes.family_of
    out = [state for state in there if state > 0 and (family[there] == family[state]).sum() > 1]
    if not out:
        return
    place = {"split": _STAGE, "source": load_name(load), "target": load_name(load)}
    for method in _STAGE_METHODS:
        counts = []
        for seed in range(seeds if method.learner == "trees" else 1):
            table = np.zeros((len(out), len(strokes.families), len(strokes.families)), int)
            for place_of, state in enumerate(out):
                own = strokes.state[rows] == state
                task = Task(strokes, nothing, rows[~own], rows[own])
                step = ledger.once(f"stage/{load:g}/{method.name}/{state}/{seed}", partial(say, method, task, seed))
                np.add.at(table, (place_of, family[state], family[np.array(step["cycle"])]), 1)
            counts.append(table)
        judge.part.add(counts, ("accuracy", "macro recall"), method=method.name, suffix=" of families", **place)
        mean = np.mean(counts, axis=0)
        for place_of, state in enumerate(out):
            hit = mean[place_of, family[state], family[state]] / mean[place_of].sum()
            record = {"load": load_name(load), "method": method.name, "stage": strokes.states[state], "recall": hit}
            judge.part.table("stages", [record])
        shares = {
            name: mean[:, k, k].sum() / mean[:, k].sum() for k, name in enumerate(strokes.families) if mean[:, k].sum()
        }
        judge.part.notes.append(
            f"{load_name(load)}, {method.name}: cycles of a stage that was never learned whose family is found: "
            + ", ".join(f"{name} {share:.2f}" for name, share in shares.items())
        )


class _Draw:
    """What is given of the target and what tests, for each seed.

    Of the last runs nothing is given; or all runs may be drawn and the others test, but for normal runs, of which some
    are given in any case.
    """

    def __init__(self, strokes: Strokes, load: float, budget: int, split: str, train_runs: int) -> None:
        early, late = _parts(strokes, load, train_runs)
        self.strokes, self.budget, self.split = strokes, budget, split
        self.rows = early if split == _LAST else np.sort(np.concatenate([early, late]))
        self.asked = late if split == _LAST else self.rows
        self.runs = np.unique(strokes.run[self.rows])
        self.normal_runs = len(self.runs) if split == _LAST else min(max(_BASELINE_RUNS, budget), len(self.runs) - 1)

    def of(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """(rows given, mask of `asked` that test)."""
        order = np.random.default_rng(seed).permutation(self.runs)
        run, state = self.strokes.run[self.rows], self.strokes.state[self.rows]
        given = np.zeros(len(run), bool)
        for one in np.unique(state):  # a run that a state has not is passed over, so that each has its number
            own = order[np.isin(order, run[state == one])]
            given |= (state == one) & np.isin(run, own[: self.budget if one else self.normal_runs])
        return self.rows[given], ~np.isin(self.asked, self.rows[given])


def _carry(judge: _Judge, pair: tuple[float, float], draw: _Draw, seeds: int, ledger: Ledger) -> None:
    """From a load to another with so many labelled runs of each state, drawn for each seed."""
    strokes, budget, split = judge.strokes, draw.budget, draw.split
    source = np.flatnonzero(strokes.load_kgf == pair[0])
    if budget >= len(draw.runs) + (split == _LAST):
        judge.part.notes.append(f"{load_name(pair[1])}, {split}: {budget} labelled of {len(draw.runs)} runs cannot be")
        return
    place = {"split": split, "source": load_name(pair[0]), "target": load_name(pair[1])}
    found: dict[Method, list[_Said]] = {}
    for method in _methods(split, budget):
        for seed in range(seeds if budget or method.learner in ("trees", "random") else 1):
            given, tests = draw.of(seed)
            task = Task(strokes, source, given, draw.asked[tests])
            key = f"carry/{pair[0]:g}/{pair[1]:g}/{split}/{budget}/{method.name}/{seed}"
            step = ledger.once(key, partial(say, method, task, seed))
            found.setdefault(method, []).append({what: _spread_out(step[what], tests) for what in step})
        labels = f"{budget} runs of each state, {draw.normal_runs} normal"
        judge.add(method.name, draw.asked, found[method], labels=labels, **place)
    _compare(judge, draw, found, place)


def _methods(split: str, budget: int) -> list[Method]:
    """Without labels, all but target-only, because normal runs alone name no fault; with some, those that use them."""
    unlabelled = [m for m in TRANSFERRED if m.approach in (UNCHANGED, OWN) or m.learner == "random"]
    if split != _LAST:
        return list(_DRAWN_METHODS)
    if budget:
        return [method for method in TRANSFERRED if method not in unlabelled]
    return [method for method in TRANSFERRED if method.approach != ALONE or method in unlabelled]


def _spread_out(said: Sequence[int], tests: np.ndarray) -> list[int]:
    """What was said at the places of the rows that test, -1 elsewhere."""
    whole = np.full(len(tests), -1)
    whole[tests] = said
    return [int(state) for state in whole]


def _compare(judge: _Judge, draw: _Draw, found: dict[Method, list[_Said]], place: dict[str, str]) -> None:
    """Transfer against target-only with the same learner, features and runs, draw by draw."""
    for method, said in found.items():
        alone = found.get(Method(ALONE, method.learner, method.features))
        if method.approach not in (POOLED, CARRIED) or alone is None:
            continue
        for kind, class_of, titles in judge.kinds:
            metric = "accuracy" if kind == "states" else "macro F1"
            true = class_of[judge.strokes.state[draw.asked]]
            both = zip(_figures(said, metric, true, class_of), _figures(alone, metric, true, class_of), strict=True)
            judge.part.pairs(
                [carried - lonely for carried, lonely in both],
                method=f"{method.name}, against {ALONE}",
                labels=f"{draw.budget} runs of each state, {draw.normal_runs} normal",
                seeds=len(said),
                suffix=f", {metric} of {len(titles)} {kind}",
                **place,
            )


def _figures(said: Sequence[_Said], metric: str, true: np.ndarray, class_of: np.ndarray) -> list[float]:
    """The metric of all test cycles, one for each draw."""
    one, size = np.zeros(len(true), int), int(class_of.max()) + 1
    counts = [confusions(one, np.array([0]), true, _classes(step["cycle"], class_of), size) for step in said]
    return [float(METRICS[metric](table.astype(float))[0]) for table in counts]


def _classes(said: Sequence[int], class_of: np.ndarray) -> np.ndarray:
    """Classes of the states said, -1 where none was."""
    states = np.asarray(said)
    return np.where(states < 0, -1, class_of[states])


def _cells(counts: np.ndarray, titles: Sequence[str], **place: str) -> list[dict[str, Any]]:
    return [
        {**place, "true": titles[i], "said": titles[k], "cycles": float(counts[i, k])}
        for i, k in zip(*np.nonzero(counts), strict=True)
    ]


def _closing(strokes: Strokes) -> list[str]:
    """What a reader must know of all figures."""
    left = [load_name(load) for load in strokes.all_loads if load not in strokes.loads]
    notes = [f"loads without faults, or without normal runs, are not judged: {', '.join(left)}"] if left else []
    notes.append(
        f"'{STATISTICS}' are of the whole cycle; '{PROFILE}' is the current at every phase with the roughness of "
        "current and position error in 27 phases"
    )
    return [*notes, ONE_SPECIMEN]
