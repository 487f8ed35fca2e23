"""Ways of telling worn reducers from healthy ones with whole units held out, all on the same cycles."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_curve

from jointwatch.core import Index, Label, Recording, Windows, catalog
from jointwatch.core.errors import UsageError
from jointwatch.core.estimator import clone
from jointwatch.diagnosis._friction_view import FrictionView
from jointwatch.diagnosis.axis_fault import AxisFaultClassifier
from jointwatch.features.cycle_statistics import CycleStatistics
from jointwatch.recordings import read
from jointwatch.studies._axes import Counts, codes_of
from jointwatch.studies._confusions import CHANCE, confusions
from jointwatch.studies._contacts import BASELINES
from jointwatch.studies._fleet_table import numbers_of
from jointwatch.studies._folds import folds
from jointwatch.studies._trees import ORACLE, TREES, Forest
from jointwatch.training.recipes import recipe
from jointwatch.training.seed import generator
from jointwatch.windows.own_baseline import OwnBaseline

__all__ = [
    "CARRIED",
    "DEFAULT",
    "METHODS",
    "OF_NETWORKS",
    "OF_SESSIONS",
    "ORACLE_OWN",
    "QUICK",
    "TREES_OWN",
    "Place",
    "Problem",
    "Scored",
    "Task",
    "across",
    "counts_by_unit",
    "counts_of_rows",
    "problem_of",
    "within",
]

_TEST = 0.25  # share of the units
_BASELINE = 2  # healthy sessions of a test unit that the plant has kept
_LABELLED = 0.1  # share of the target's units whose labels are known
_HEALTHY_ONLY = tuple(name for name in BASELINES if name not in ("random_score", "envelope"))
"""Detectors that learn from healthy cycles alone: the baselines of every table."""

Scored = tuple[Index, np.ndarray, np.ndarray]
"""Index, score (higher = more anomalous) and verdict (0, 1) of test cycles."""


@dataclass(frozen=True)
class Place:
    """Sessions of an axis. `severity`: worn ones of this severity alone; None = all."""

    folder: str
    axis: int
    severity: float | None = None


@dataclass(frozen=True)
class Problem:
    """Units to learn from, and other units to be judged of which a few healthy sessions are known.

    Parameters
    ----------
    train : all sessions of the training units, labelled.
    baseline : healthy sessions of the test units; test : their other sessions.
    epochs : of networks; None = those of their recipe.
    """

    train: Sequence[Recording]
    baseline: Sequence[Recording]
    test: Sequence[Recording]
    axis: int
    seed: int
    epochs: int | None = None

    @cached_property
    def cut(self) -> tuple[Windows, Windows, Windows]:
        """Cycles of training, baseline and test."""
        view = FrictionView(self.axis)
        return view.cut(self.train), view.cut(self.baseline), view.cut(self.test)

    def classifier(self, **settings: Any) -> AxisFaultClassifier:
        """With the seed and epochs of the problem."""
        training = recipe(settings.pop("training", "modern"))
        training = training if self.epochs is None else training.lasting(self.epochs)
        return AxisFaultClassifier(random_state=self.seed, training=training, **settings)

    def judged(self, score: np.ndarray, verdict: np.ndarray) -> Scored:
        """What a method says of the test cycles."""
        return self.cut[2].index, score, verdict.astype(np.int64)


def _chance(problem: Problem) -> Scored:
    score = generator(problem.seed, 31).random(len(problem.cut[2]))
    return problem.judged(score, score > 0.5)


def _detector(problem: Problem, name: str) -> Scored:
    """A detector of the catalog on the training units' healthy cycles.

    Its limit is the best one for the labels of training units, each scored while it was held out: on its own training
    rows a detector scores too low.
    """
    train, _, test = problem.cut
    detector = catalog.load("detectors", name)()
    held = np.empty(len(train))
    for rest, out in folds(train, "unit", problem.seed):
        held[out] = clone(detector).fit(train[rest].normal()).score_samples(train[out])
    false, true, limits = roc_curve(codes_of(train), held)
    score = clone(detector).fit(train.normal()).score_samples(test)
    return problem.judged(score, score >= limits[int(np.argmax(true - false))])


def _trees(problem: Problem, own: bool) -> Scored:
    """The plain tree ensemble on statistics of whole cycles, alone or relative to the unit's own healthy ones."""
    train, baseline, test = problem.cut
    features = CycleStatistics().fit(train)
    X, B, T = (features.transform(part) for part in (train, baseline, test))
    if own:
        relative = OwnBaseline()
        X = relative.fit_transform(X, train.index)
        T = relative.add(B, baseline.index).transform(T, test.index)
    share = Forest(problem.seed).fit(X, codes_of(train)).predict_proba(T)[:, 1]
    return problem.judged(share, share > 0.5)


def _oracle(problem: Problem, own: bool) -> Scored:
    """The same trees on what the simulation knows of the joint in each session: about what any method can reach that
    is given no healthy session of the unit, or (`own`) relative to the true parameters of those it is given."""

    def latent(recordings: Sequence[Recording]) -> list[dict[str, float]]:
        return [numbers_of(_of_joint(r.truth["latent"], problem.axis), "") for r in recordings]

    parts = [latent(recordings) for recordings in (problem.train, problem.baseline, problem.test)]
    names = sorted({name for row in parts[0] for name in row})
    X, B, T = (np.array([[row.get(name, 0.0) for name in names] for row in rows]) for rows in parts)
    if own:
        indexes = [
            _by_session(windows.index, recordings)
            for windows, recordings in zip(problem.cut, (problem.train, problem.baseline, problem.test), strict=True)
        ]
        relative = OwnBaseline()
        X = relative.fit_transform(X, indexes[0])
        T = relative.add(B, indexes[1]).transform(T, indexes[2])
    y = np.array([r.condition.label == "anomalous" for r in problem.train], np.int64)
    share = Forest(problem.seed).fit(X, y).predict_proba(T)[:, 1]
    of_session = {(r.robot.unit, r.session): s for r, s in zip(problem.test, share, strict=True)}
    index = problem.cut[2].index
    score = np.array([of_session[key] for key in zip(index.unit.tolist(), index.session.tolist(), strict=True)])
    return problem.judged(score, score > 0.5)


def _by_session(cycles: Index, recordings: Sequence[Recording]) -> Index:
    """One row a recording, in their order: that of its first cycle."""
    first = {key: row for row, key in reversed(list(enumerate(zip(cycles.unit, cycles.session, strict=True))))}
    return cycles.take(np.array([first[r.robot.unit, r.session] for r in recordings], np.int64))


def _of_joint(latent: Mapping[str, Any], axis: int) -> dict[str, Any]:
    return {name: values[axis - 1] if isinstance(values, list) else values for name, values in latent.items()}


def _classifier(problem: Problem, **settings: Any) -> Scored:
    model = problem.classifier(**settings).fit(problem.train)
    # An axis's baseline is the training units': the test units' healthy sessions are for those that use them.
    return of_model(problem, model if model.baseline == "domain" else model.adapt(problem.baseline))


def of_model(problem: Problem, model: AxisFaultClassifier) -> Scored:
    """What a classifier that knows the baselines says of the test cycles."""
    found = model.diagnose(problem.test).by("cycle")
    wanted = problem.cut[2].index
    place = {cycle: row for row, cycle in enumerate(found.index.cycle.tolist())}
    missing = set(wanted.cycle.tolist()) - set(place)
    if missing:
        raise UsageError(f"the method says nothing of {len(missing)} test cycles, the first {min(missing)}")
    worn = found.probability[[place[cycle] for cycle in wanted.cycle.tolist()], 1]
    return problem.judged(worn, worn > 0.5)


@dataclass(frozen=True)
class Task:
    """A source axis, and of the target axis the labelled sessions of a few units and the units to be judged."""

    source: Sequence[Recording]
    origin: Place
    labelled: Sequence[Recording]
    target: Problem


@dataclass(frozen=True)
class Carry:
    """A way to carry. `labels`: what is known of the target; `alone`: the same method without the source."""

    run: Callable[[Task], Scored]
    labels: str
    alone: str


_NETWORK: dict[str, Any] = {"views": ("network",)}
_FRICTION: dict[str, Any] = {"views": ("friction",)}
_BOTH: dict[str, Any] = {"views": ("friction", "network")}


def _carried(task: Task, labelled: bool, settings: Mapping[str, Any]) -> Scored:
    """Learned on the source, each unit against its own baseline, and on a few units of the target if `labelled`."""
    target = task.target
    model = _source_model(task, settings)
    if labelled:
        model = model.adapt(task.labelled)
    return of_model(target, model.adapt(target.baseline, learn=False))


_FITTED: dict[str, AxisFaultClassifier] = {}
"""The last model of a source in this process: methods and targets that follow each other share it."""


def _source_model(task: Task, settings: Mapping[str, Any]) -> AxisFaultClassifier:
    target = task.target
    key = f"{task.origin} {len(task.source)} {target.seed} {target.epochs} {sorted(settings.items())}"
    if key not in _FITTED:
        _FITTED.clear()
        _FITTED[key] = target.classifier(**settings).fit(task.source)
    return _FITTED[key]


def _alone(task: Task, settings: Mapping[str, Any]) -> Scored:
    """Learned on the labelled units of the target alone."""
    target = task.target
    model = target.classifier(**settings).fit(task.labelled)
    return of_model(target, model.adapt(target.baseline, learn=False))


def _trees_alone(task: Task) -> Scored:
    return _trees(replace(task.target, train=task.labelled), own=True)


TREES_OWN, ORACLE_OWN = f"{TREES}, own baseline", f"{ORACLE}, own baseline"
DEFAULT = "friction, own baseline"
"""The method of `AxisFaultClassifier()`."""
OF_SESSIONS = (ORACLE, ORACLE_OWN)
"""Methods that judge a session as a whole, and all of its cycles with it."""
METHODS: dict[str, Callable[[Problem], Scored]] = {
    CHANCE: _chance,
    **{f"{name}, healthy only": partial(_detector, name=name) for name in _HEALTHY_ONLY},
    TREES: partial(_trees, own=False),
    TREES_OWN: partial(_trees, own=True),
    "AD-CNN as published": partial(_classifier, **_NETWORK, training="paper", baseline="domain"),
    "AD-CNN, our training": partial(_classifier, **_NETWORK, baseline="domain"),
    "AD-CNN, own baseline": partial(_classifier, **_NETWORK),
    "AD-CNN, own baseline, mean of three": partial(_classifier, **_NETWORK, members=3),
    "AD-CNN, own baseline, invariant": partial(_classifier, **_NETWORK, invariance=1.0),
    "FCN, own baseline": partial(_classifier, **_NETWORK, network="fcn"),
    "friction, axis baseline": partial(_classifier, **_FRICTION, baseline="domain"),
    DEFAULT: partial(_classifier, **_FRICTION),
    "friction and AD-CNN, own baseline": partial(_classifier, **_BOTH),
    ORACLE: partial(_oracle, own=False),
    ORACLE_OWN: partial(_oracle, own=True),
}
_FEW = "10 % of the units"
_NO_LABEL = "healthy baselines only"
CARRIED: dict[str, Carry] = {
    "trees alone": Carry(_trees_alone, _FEW, "trees alone"),
    "friction alone": Carry(partial(_alone, settings=_FRICTION), _FEW, "friction alone"),
    "friction carried, no labels": Carry(
        partial(_carried, labelled=False, settings=_FRICTION), _NO_LABEL, "friction alone"
    ),
    "friction carried": Carry(partial(_carried, labelled=True, settings=_FRICTION), _FEW, "friction alone"),
    "AD-CNN alone": Carry(partial(_alone, settings=_NETWORK), _FEW, "AD-CNN alone"),
    "AD-CNN carried, no labels": Carry(partial(_carried, labelled=False, settings=_NETWORK), _NO_LABEL, "AD-CNN alone"),
    "AD-CNN carried": Carry(partial(_carried, labelled=True, settings=_NETWORK), _FEW, "AD-CNN alone"),
    "both carried": Carry(partial(_carried, labelled=True, settings=_BOTH), _FEW, "friction alone"),
}
OF_NETWORKS = tuple(name for name in (*METHODS, *CARRIED) if "CN" in name or name.startswith("both"))
"""Methods that train a network."""
QUICK = (CHANCE, TREES, TREES_OWN, DEFAULT, ORACLE, ORACLE_OWN, "friction alone", "friction carried")
"""What a quick run shows."""


@lru_cache(maxsize=2)
def _sessions(place: Place) -> tuple[Recording, ...]:
    chosen = place.severity
    return tuple(r for r in read(Path(place.folder)) if chosen is None or r.condition.severity in (None, chosen))


def problem_of(place: Place, seed: int, epochs: int | None = None) -> Problem:
    """Training units, and test units of each of which two healthy sessions are the baseline, one if it has but two."""
    sessions = _sessions(place)
    units = generator(seed, 41).permutation(sorted({r.robot.unit for r in sessions}))
    held = set(units[: max(1, round(_TEST * len(units)))].tolist())
    baseline: list[Recording] = []
    for unit in sorted(held):
        healthy = [r for r in sessions if r.robot.unit == unit and r.condition.label is Label.NORMAL]
        order = generator(seed, 42, int(np.flatnonzero(units == unit)[0])).permutation(len(healthy))
        kept = order[: min(_BASELINE, max(1, len(healthy) - 1))]
        baseline += [healthy[i] for i in kept]
    known = {(r.robot.unit, r.session) for r in baseline}
    test = [r for r in sessions if r.robot.unit in held and (r.robot.unit, r.session) not in known]
    return Problem([r for r in sessions if r.robot.unit not in held], baseline, test, place.axis, seed, epochs)


def within(names: Sequence[str], place: Place, seed: int, epochs: int | None = None) -> dict[str, dict[str, list[Any]]]:
    """What methods say of the test cycles of an axis whose other units they have learned."""
    problem = problem_of(place, seed, epochs)
    return {name: _json(METHODS[name](problem)) for name in names}


def across(
    names: Sequence[str], origin: Place, place: Place, seed: int, epochs: int | None = None
) -> dict[str, dict[str, list[Any]]]:
    """What methods say of them that have learned another axis, and of this one at most the labels of a tenth of its
    training units. An axis carried to itself gives its training units."""
    problem = problem_of(place, seed, epochs)
    units = sorted({r.robot.unit for r in problem.train})
    few = set(generator(seed, 43).permutation(units)[: max(1, round(_LABELLED * len(units)))].tolist())
    source = problem.train if origin == place else _sessions(origin)
    judged = {r.robot.unit for r in problem.test}
    if leaked := judged & {r.robot.unit for r in source}:
        raise UsageError(f"units {', '.join(sorted(leaked))} are on both sides")
    task = Task(source, origin, [r for r in problem.train if r.robot.unit in few], problem)
    return {name: _json(CARRIED[name].run(task)) for name in names}


def _json(scored: Scored) -> dict[str, list[Any]]:
    index, score, verdict = scored
    return {
        "unit": index.unit.tolist(),
        "severity": np.nan_to_num(index.severity).tolist(),
        "worn": (index.label == "anomalous").astype(int).tolist(),
        "score": [round(float(value), 5) for value in score],
        "said": verdict.tolist(),
    }


def counts_by_unit(rows: dict[str, list[Any]], units: np.ndarray, severity: float | None = None) -> np.ndarray:
    """(unit, true, said) counts of healthy cycles and those of a severity, or all."""
    worn, said = np.array(rows["worn"]), np.array(rows["said"])
    chosen = (worn == 0) | (np.array(rows["severity"]) == severity) if severity else np.ones(len(worn), bool)
    return confusions(np.array(rows["unit"]), units, worn, np.where(chosen, said, -1), 2)


def counts_of_rows(rows: dict[str, list[Any]]) -> Counts:
    """(true, said) counts of cycles by unit."""
    units = np.unique(rows["unit"])
    return dict(zip(units.tolist(), counts_by_unit(rows, units).tolist(), strict=True))
