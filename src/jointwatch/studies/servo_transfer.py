"""Overheating of small servos carried from servo to servo, with temperature and without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from sklearn.covariance import LedoitWolf
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from jointwatch.alarms.conformal import ConformalThreshold
from jointwatch.core.errors import NotEnoughData
from jointwatch.studies._confusions import CHANCE
from jointwatch.studies._ledger import Ledger
from jointwatch.studies._part import Part
from jointwatch.studies._servo_rows import DECIDE_S, ELECTRIC, LEVEL, RISE, THERMAL, ServoRows, read_servo_rows
from jointwatch.studies._sources import sources_digest
from jointwatch.studies._statistics import bootstrap
from jointwatch.studies._trees import Forest
from jointwatch.studies.base import Progress, Results, Study

__all__ = ["ServoTransfer"]

FALSE_ALARM_RATE = 0.01
_SPLIT = "servo and session out"
_OWN = "session out"
_TREES = 200

_Cases = dict[tuple[int, int, str], list[dict[str, float]]]
"""Figures, one for each seed, by source, target and test session."""


@dataclass(frozen=True)
class _Method:
    """`approach` is what is learned from: `target only` (its normal sessions) or `labelled sessions` of the source."""

    approach: str
    learner: str
    columns: tuple[int, ...]
    what: str

    @property
    def name(self) -> str:
        return f"{self.approach}: {self.learner}, {self.what}" if self.what else f"{self.approach}: {self.learner}"


_ALONE, _CARRIED = "target only", "labelled sessions"
_BOTH = (*THERMAL, *ELECTRIC)
_THERMAL_RIVAL = _Method(_ALONE, "value", (RISE,), "temperature above start")
_ELECTRIC_RIVAL = _Method(_ALONE, "mahalanobis", ELECTRIC, "position and voltage")
_METHODS = (
    _Method(_ALONE, CHANCE, (LEVEL,), ""),
    _Method(_ALONE, "value", (LEVEL,), "temperature"),
    _THERMAL_RIVAL,
    _Method(_ALONE, "mahalanobis", THERMAL, "temperature figures"),
    _ELECTRIC_RIVAL,
    _Method(_CARRIED, "logistic", THERMAL, "temperature figures"),
    _Method(_CARRIED, "trees", THERMAL, "temperature figures"),
    _Method(_CARRIED, "logistic", ELECTRIC, "position and voltage"),
    _Method(_CARRIED, "trees", ELECTRIC, "position and voltage"),
    _Method(_CARRIED, "trees", _BOTH, "all"),
)


class ServoTransfer(Study):
    """`jointwatch study servo-transfer --data DIR`, where DIR is `armpi_servo_faults` or a folder of its form.

    A decision is taken every two seconds for every servo. A model is learned on one servo's labelled sessions and
    judged on another servo, in each session in which that one is heated; this session is never learned from, so a pair
    counts only where the source servo was heated in another one. The same servo, with the session out, stands
    beside it. Target-only methods see the target's normal sessions: a servo that was heated in one session cannot
    learn from its own heating. Trees are 200 extremely randomised ones, three rows a leaf at least, classes weighed
    alike. Every second normal session of the target sets the threshold of all methods.
    """

    revision = 2

    def _rests_on(self) -> str:
        return sources_digest()

    def _run(self, options: Any, ledger: Ledger, progress: Progress) -> Results:
        rows = read_servo_rows(options.data)
        seeds = min(2, options.seeds) if options.quick else options.seeds
        tests, impossible = _tests(rows)
        if not tests:
            raise NotEnoughData("carrying heating to another servo", needed=2, have=1, unit="sessions with heating")
        part = Part(notes=list(rows.notes))
        alone = [(target, target, session) for target, session in sorted({(b, session) for _, b, session in tests})]
        found: dict[tuple[str, _Method], _Cases] = {}
        for number, method in enumerate(_METHODS):
            for source, target, session in alone if method.approach == _ALONE else tests:
                progress(number, len(_METHODS), f"{method.name}: servo {source} to {target}")
                steps = [
                    ledger.once(
                        f"{method.name}/{source}/{target}/{session}/{seed}",
                        partial(_step, rows, method, source, target, session, seed),
                    )
                    for seed in range(seeds if method.learner in ("trees", CHANCE) else 1)
                ]
                split = _OWN if source == target else _SPLIT
                found.setdefault((split, method), {})[source, target, session] = steps
        progress(len(_METHODS), len(_METHODS), "done")
        for (split, method), cases in found.items():
            _summarise(part, split, method, cases)
        _pairs(part, found)
        counts = {servo: int(rows.heated[rows.servo == servo].sum()) for servo in np.unique(rows.servo)}
        part.notes.append(
            f"heated decisions of {DECIDE_S:g} s by servo: " + ", ".join(f"{k}: {n}" for k, n in counts.items())
        )
        if impossible:
            part.notes.append(
                f"{len(impossible)} pairs of servos were heated in one and the same session only and are not judged, "
                f"for example {impossible[0][0]} to {impossible[0][1]}"
            )
        part.notes.append(
            "there is no current, and 10 Hz is slow: heating shows in the temperature; position and voltage alone are "
            "here to tell whether they say anything of it"
        )
        return Results("servo-transfer", "", 0.0, tuple(part.rows), tuple(part.notes), part.details)


def _tests(rows: ServoRows) -> tuple[list[tuple[int, int, str]], list[tuple[int, int]]]:
    """((source, target, test session) in which the source learns from another session, pairs without any)."""
    heated = {int(s): set(rows.session[rows.heated & (rows.servo == s)].tolist()) for s in np.unique(rows.servo)}
    pairs = [(source, target) for source in heated for target in heated if heated[source] and heated[target]]
    tests = [(a, b, session) for a, b in pairs for session in sorted(heated[b]) if heated[a] - {session}]
    judged = {(a, b) for a, b, _ in tests}
    return tests, [(a, b) for a, b in pairs if a != b and (a, b) not in judged]


def _step(rows: ServoRows, method: _Method, source: int, target: int, session: str, seed: int) -> dict[str, float]:
    """AUROC in the test session, share of heated decisions and of others that alarm, and whether any does."""
    test = (rows.servo == target) & (rows.session == session)
    normal = (rows.servo == target) & rows.normal
    names = np.unique(rows.session[normal])
    if len(names) < 2:
        raise NotEnoughData(
            f"the threshold of servo {target}, which needs a normal session that is not learned from; "
            "record or add normal sessions of it. That",
            needed=2,
            have=len(names),
            unit="normal sessions",
        )
    aside = normal & np.isin(rows.session, names[1::2])
    if method.approach == _ALONE:
        learned = normal & ~aside
    else:
        learned = (rows.servo == source) & (rows.session != session) & ~aside
    score = _scorer(method, rows.values[learned], rows.heated[learned], seed)
    scores, truth = score(rows.values[test]), rows.heated[test]
    alarm = ConformalThreshold(FALSE_ALARM_RATE).fit(score(rows.values[aside])).decide(scores)
    return {
        "auroc": float(roc_auc_score(truth, scores)),
        "recall": float(alarm[truth].mean()),
        "detected": float(alarm[truth].any()),
        "false alarms": float(alarm[~truth].mean()),
    }


def _scorer(method: _Method, X: np.ndarray, heated: np.ndarray, seed: int) -> Any:
    """Rows -> scores, higher = more likely heated."""
    columns = list(method.columns)
    if method.learner == CHANCE:
        rng = np.random.default_rng(seed)
        return lambda rows: rng.random(len(rows))
    if method.learner == "value":
        return lambda rows: rows[:, columns[0]]
    if method.learner == "mahalanobis":
        scale = StandardScaler().fit(X[:, columns])
        normal = LedoitWolf().fit(scale.transform(X[:, columns]))
        return lambda rows: normal.mahalanobis(scale.transform(rows[:, columns]))
    model = {
        "trees": Forest(seed, _TREES),
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000)),
    }[method.learner].fit(X[:, columns], heated)
    return lambda rows: model.predict_proba(rows[:, columns])[:, 1]


def _summarise(part: Part, split: str, method: _Method, cases: _Cases) -> None:
    """Means over cases; a test session of a target is a cluster, whatever the source. All cases are in the details."""
    metrics = {
        "auroc": "AUROC",
        "recall": f"recall at {FALSE_ALARM_RATE:.0%} false alarms",
        "detected": f"heatings detected at {FALSE_ALARM_RATE:.0%} false alarms (share)",
        "false alarms": "false-alarm share in the test sessions",
    }
    means = {case: {m: float(np.mean([s[m] for s in steps])) for m in metrics} for case, steps in cases.items()}
    for metric, title in metrics.items():
        clusters: dict[tuple[int, str], list[float]] = {}
        for (_, target, session), mean in means.items():
            clusters.setdefault((target, session), []).append(mean[metric])
        spread = bootstrap([np.array(values) for values in clusters.values()])
        seeds = max(len(steps) for steps in cases.values())
        part.figure(spread, title, method=method.name, n=len(clusters), seeds=seeds, **_place(split, method))
    part.table(
        "cases",
        [
            {"split": split, "method": method.name, "source": a, "target": b, "session": session, **mean}
            for (a, b, session), mean in means.items()
        ],
    )
    if method.approach == _CARRIED:
        worst = min(means, key=lambda case: means[case]["auroc"])
        sources = {a: np.mean([mean["auroc"] for case, mean in means.items() if case[0] == a]) for a, _, _ in means}
        part.notes.append(
            f"{split}, {method.name}: AUROC by source servo "
            + ", ".join(f"{a}: {value:.2f}" for a, value in sources.items())
            + f"; worst: {worst[0]} to {worst[1]} in {worst[2]}, {means[worst]['auroc']:.2f}"
        )


def _place(split: str, method: _Method) -> dict[str, str]:
    source = "same servo" if split == _OWN else "another servo"
    return {"split": split, "source": "none" if method.approach == _ALONE else source, "target": "servo"}


def _pairs(part: Part, found: dict[tuple[str, _Method], _Cases]) -> None:
    """Labelled sessions against the target-only rival, case by case (AUROC, mean over seeds)."""
    for (split, method), cases in found.items():
        if method.approach == _ALONE:
            continue
        rival = _ELECTRIC_RIVAL if method.columns == ELECTRIC else _THERMAL_RIVAL
        alone = found[_OWN, rival]
        part.pairs(
            [_auroc(steps) - _auroc(alone[b, b, session]) for (_, b, session), steps in cases.items()],
            method=f"{method.name}, against {rival.name}",
            labels="",
            seeds=max(len(steps) for steps in cases.values()),
            suffix=", AUROC",
            **_place(split, method),
        )


def _auroc(steps: Sequence[dict[str, float]]) -> float:
    return float(np.mean([step["auroc"] for step in steps]))
