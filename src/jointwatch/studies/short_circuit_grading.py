"""Shorted turns of a motor graded by its three phase currents, with repetitions left out and on a phase never seen."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from pydantic import Field

from jointwatch.studies._confusions import confusions
from jointwatch.studies._grading_scores import rank_correlation, spread
from jointwatch.studies._ledger import Ledger
from jointwatch.studies._part import Part
from jointwatch.studies._short_circuit_evidence import (
    doubtful,
    doubts,
    healthy_repetitions,
    plane,
    symmetry,
    symmetry_notes,
)
from jointwatch.studies._short_circuit_methods import (
    ACROSS,
    ACROSS_OURS,
    INSIDE,
    INSIDE_OURS,
    NAIVE,
    Chosen,
    Method,
    say,
    say_chosen,
)
from jointwatch.studies._short_circuit_rows import PHASES, ShortCircuitRows, read_short_circuits
from jointwatch.studies._sources import sources_digest
from jointwatch.studies.base import Progress, Results, Study, StudyOptions

__all__ = ["ShortCircuitGrading"]

_INSIDE, _SURE = "one repetition out", "one repetition out, doubted labels not counted"
_PHASE, _STRICT = "one phase out", "one phase and one repetition out"
_SPLITS = {
    _PHASE: "all repetitions of the other phases and of the healthy motor are learned; faults of the phase are tested",
    _STRICT: "of the other repetitions the other phases and the healthy motor are learned; the healthy motor is tested "
    "as well, and where phases are pooled it counts once with each",
}
_EACH = "each phase in turn"
_QUICK_SEEDS = 2
_WHAT = ("window", "recording")
_ORDINAL = ("accuracy", "within one level", "mean absolute level error")

_AnyMethod = Method | Chosen
_Said = list[dict[str, Any]]
"""What was said of the test rows, one for each seed."""


class _Options(StudyOptions):
    window_s: float = Field(0.2, gt=0, description="Length of a window, whole periods of the supply if possible.")


class ShortCircuitGrading(Study):
    """`jointwatch study short-circuit-grading --data DIR`, where DIR is `itsc_motor_current` or a folder of its form.

    Inside: each repetition is left out in turn, with all its windows; the state (phase and share of shorted turns, or
    healthy) is said of single windows, and of recordings by all their windows together. Across: the faults of two
    phases are learned and the severity of the third one's said, with all repetitions learned, or with the tested
    repetition left out and its healthy recordings tested too.

    Phases are alike by construction, so that the same fault in the next phase gives the same currents under other
    names. Methods called `relabelled` learn each window under all three cyclic orders of the names; `change` is
    against the healthy training windows, which takes out what is not alike in motor, supply and sensors. The learner of
    the last method is taken by leaving out repetitions (or phases) of the training rows. Trees are 200 extremely
    randomised ones, three rows a leaf at least, classes weighed alike. A repetition, of all phases
    together, is the cluster of all intervals; there are few. With the repetition out the healthy motor is tested once
    with each phase, so that its recordings count three times where phases are pooled.
    """

    Options = _Options
    revision = 2

    def _rests_on(self) -> str:
        return sources_digest()

    def _run(self, options: Any, ledger: Ledger, progress: Progress) -> Results:
        rows = read_short_circuits(options.data, options.window_s)
        seeds = min(_QUICK_SEEDS, options.seeds) if options.quick else options.seeds
        part = Part(notes=list(rows.notes))
        points = plane(rows)
        odd = doubts(points)
        part.table("plane", points)
        part.table("doubts", odd)
        part.table("symmetry", symmetry(points))
        asked = _Asked(rows, ledger, seeds)
        inside: tuple[_AnyMethod, ...] = (*INSIDE, INSIDE_OURS)
        across: tuple[_AnyMethod, ...] = (*ACROSS, ACROSS_OURS)
        total = len(inside) + len(_SPLITS) * len(across)
        sure = ~np.isin(rows.recording, [record["recording"] for record in odd if record["doubtful"]])
        for number, method in enumerate(inside):
            progress(number, total, f"{_INSIDE}: {method.name}")
            _inside(part, rows, asked, method, sure)
        for number, (split, method) in enumerate([(s, m) for s in _SPLITS for m in across], len(inside)):
            progress(number, total, f"{split}: {method.name}")
            _across(part, rows, asked, method, split)
        progress(total, total, "done")
        part.notes += [
            *doubtful(odd),
            *symmetry_notes(part.details["symmetry"]),
            *healthy_repetitions(rows),
            *(f"{split}: {words}" for split, words in _SPLITS.items()),
            f"intervals are from {len(np.unique(rows.repetition))} repetitions drawn with replacement: few",
            "each state was probably one session, so that its repetitions are near copies and severity and session "
            "are confounded; only another phase is another session of the same severity",
        ]
        return Results("short-circuit-grading", "", 0.0, tuple(part.rows), tuple(part.notes), part.details)


class _Asked:
    """Asks a method in each fold, each step once."""

    def __init__(self, rows: ShortCircuitRows, ledger: Ledger, seeds: int) -> None:
        self.rows, self.ledger, self.seeds = rows, ledger, seeds

    def say(self, method: _AnyMethod, split: str, folds: Sequence[tuple[np.ndarray, np.ndarray]]) -> _Said:
        """One entry a seed; test rows in the order of the folds."""
        found = []
        for seed in range(self.seeds if method.seeded else 1):
            steps = []
            for number, (train, test) in enumerate(folds):
                compute = (
                    partial(say, method, self.rows, train, test, seed)
                    if isinstance(method, Method)
                    else partial(say_chosen, method, self.rows, train, test, seed)
                )
                steps.append(self.ledger.once(f"{split}/{method.name}/{seed}/{number}", compute))
            found.append(
                {what: np.concatenate([np.array(step[what], int) for step in steps]) for what in _WHAT}
                | {"learner": [step["learner"] for step in steps if "learner" in step]}
            )
        return found


def _inside(part: Part, rows: ShortCircuitRows, asked: _Asked, method: _AnyMethod, sure: np.ndarray) -> None:
    """States and their severity with each repetition out in turn."""
    numbers = np.unique(rows.repetition)
    folds = [(np.flatnonzero(rows.repetition != r), np.flatnonzero(rows.repetition == r)) for r in numbers]
    test = np.concatenate([late for _, late in folds])
    said = asked.say(method, _INSIDE, folds)
    where = {"source": "other repetitions", "target": "motor"}
    for split, kept in ((_INSIDE, np.ones(len(test), bool)), (_SURE, sure[test])):
        if split == _SURE and kept.all():
            continue
        for what in _WHAT:
            chosen = _first(rows, test, what, kept)
            true, cluster = rows.state[test[chosen]], rows.repetition[test[chosen]]
            counts = [confusions(cluster, numbers, true, one[what][chosen], len(rows.states)) for one in said]
            place = {"method": method.name, "split": split, **where}
            part.add(counts, ("accuracy", "macro F1", "kappa"), suffix=f" of {what}s", **place)
            severities = [rows.severity_of[one[what][chosen]] for one in said]
            _grades(part, rows, rows.severity_of[true], severities, cluster, what, f" of severity, {what}s", **place)
            if what == "recording":
                _right(part, counts, "recordings rightly said", **place)
            mean = np.mean(counts, axis=0).sum(axis=0)
            part.table(f"confusion_of_{what}s", _cells(mean, rows.states, split=split, method=method.name))
            if split == _INSIDE and what == "recording" and isinstance(method, Chosen):
                part.notes += [_worst(mean, rows.states, method.name), _learners(method, said)]


def _across(part: Part, rows: ShortCircuitRows, asked: _Asked, method: _AnyMethod, split: str) -> None:
    """Severity, and the phase at fault, of a phase whose faults were never learned."""
    pooled: list[tuple[np.ndarray, _Said]] = []
    faulty = [p for p in range(len(PHASES)) if (rows.phase_of[rows.state] == p).any()]
    exact = {}
    for phase in faulty:
        folds = _phase_folds(rows, phase, split)
        test = np.concatenate([late for _, late in folds])
        said = asked.say(method, f"{split}/{PHASES[phase]}", folds)
        pooled.append((test, said))
        source = " and ".join(PHASES[p] for p in faulty if p != phase)
        exact[PHASES[phase]] = _carried(part, rows, method, split, [(test, said)], source, f"phase {PHASES[phase]}")
        if isinstance(method, Chosen):
            part.notes.append(f"{split}, phase {PHASES[phase]}: {_learners(method, said)}")
    _carried(part, rows, method, split, pooled, "the other phases", _EACH)
    if isinstance(method, Method) and method != NAIVE:
        return
    worst = min(exact, key=lambda name: exact[name])
    part.notes.append(
        f"{split}, {method.name}: worst is phase {worst}, severity right in {exact[worst]:.2f} of windows"
    )


def _carried(
    part: Part,
    rows: ShortCircuitRows,
    method: _AnyMethod,
    split: str,
    pieces: Sequence[tuple[np.ndarray, _Said]],
    source: str,
    target: str,
) -> float:
    """Rows of one or of all phases; the exact share of windows."""
    test = np.concatenate([piece for piece, _ in pieces])
    place = {"method": method.name, "split": split, "source": source, "target": target}
    learns_states = isinstance(method, Chosen) or method.says == "state"
    exact = 0.0
    for what in _WHAT:
        said = [
            np.concatenate([own[seed][what] for _, own in pieces]) for seed in range(min(len(own) for _, own in pieces))
        ]
        # a healthy recording is told once with each phase
        piece = np.repeat(np.arange(len(pieces)), [len(own) for own, _ in pieces])
        kept = _first(rows, test, what, np.ones(len(test), bool), piece)
        state = rows.state[test[kept]]
        cluster = rows.repetition[test[kept]]
        grades = [rows.severity_of[one[kept]] if learns_states else one[kept] for one in said]
        found = _grades(part, rows, rows.severity_of[state], grades, cluster, what, f" of severity, {what}s", **place)
        exact = found if what == "window" else exact
        if learns_states and not (isinstance(method, Method) and method.learner == "random"):
            true = rows.phase_of[state] + 1
            phases = [rows.phase_of[one[kept]] + 1 for one in said]
            counts = [confusions(cluster, np.unique(cluster), true, one, len(PHASES) + 1) for one in phases]
            part.add(counts, ("accuracy",), suffix=f" of the phase at fault, {what}s", **place)
            if what == "recording":
                _right(part, counts, "recordings with the phase rightly said", **place)
    return exact


def _grades(
    part: Part,
    rows: ShortCircuitRows,
    true: np.ndarray,
    said: Sequence[np.ndarray],
    cluster: np.ndarray,
    what: str,
    suffix: str,
    **place: str,
) -> float:
    """Rows of ordered severities; the exact share."""
    names = [str(level) for level in range(rows.levels + 1)]
    counts = [confusions(cluster, np.unique(cluster), true, one, len(names)) for one in said]
    means = part.add(counts, _ORDINAL, suffix=suffix, **place)
    rank = spread(np.stack(said), true, cluster, rank_correlation)
    part.figure(rank, f"rank correlation{suffix}", n=len(np.unique(cluster)), seeds=len(said), **place)
    if what == "recording":
        _right(part, counts, "recordings with the severity rightly said", **place)
    mean = np.mean(counts, axis=0).sum(axis=0)
    part.table(f"severity_of_{what}s", _cells(mean, names, **place))
    return means["accuracy"]


def _right(part: Part, counts: Sequence[np.ndarray], metric: str, **place: str) -> None:
    """How many, as a count: too few for an interval."""
    right = float(np.mean([np.trace(one.sum(axis=0)) for one in counts]))
    total = int(counts[0].sum())
    part.figure((right, np.nan, np.nan), f"{metric} (of {total})", n=total, seeds=len(counts), **place)


def _phase_folds(rows: ShortCircuitRows, phase: int, split: str) -> list[tuple[np.ndarray, np.ndarray]]:
    own, healthy = rows.phase_of[rows.state] == phase, rows.state == 0
    if split == _PHASE:
        return [(np.flatnonzero(~own), np.flatnonzero(own))]
    folds = []
    for number in np.unique(rows.repetition):
        out = rows.repetition == number
        folds.append((np.flatnonzero(~own & ~out), np.flatnonzero((own | healthy) & out)))
    return folds


def _first(
    rows: ShortCircuitRows, test: np.ndarray, what: str, kept: np.ndarray, piece: np.ndarray | None = None
) -> np.ndarray:
    """Places in `test` that count: every window, or one of each recording (and piece)."""
    if what == "window":
        return np.flatnonzero(kept)
    piece = np.zeros(len(test), int) if piece is None else piece
    names = np.char.add(rows.recording[test], np.char.add("/", piece.astype(str)))
    first = np.sort(np.unique(names, return_index=True)[1])
    return first[kept[first]]


def _cells(counts: np.ndarray, names: Sequence[str], **place: str) -> list[dict[str, Any]]:
    return [
        {**place, "true": names[i], "said": names[k], "count": float(counts[i, k])} for i, k in np.argwhere(counts > 0)
    ]


def _worst(counts: np.ndarray, names: Sequence[str], method: str) -> str:
    there = np.flatnonzero(counts.sum(axis=1) > 0)
    recall = np.diag(counts)[there] / counts.sum(axis=1)[there]
    low = [names[k] for k, r in zip(there.tolist(), recall, strict=True) if r == recall.min()]
    return (
        f"{_INSIDE}, {method}: worst of {len(there)} states: {', '.join(low)}, recall of recordings {recall.min():.2f}"
    )


def _learners(method: Chosen, said: _Said) -> str:
    names = [name for one in said for name in one["learner"]]
    counts = {name: names.count(name) for name in dict.fromkeys(names)}
    return "chosen inside: " + "; ".join(f"{name} ({n} of {len(names)})" for name, n in counts.items())
