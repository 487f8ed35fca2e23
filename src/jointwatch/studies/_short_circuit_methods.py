"""What the short-circuit study compares: each method learns labelled windows and says the state of others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from sklearn.neighbors import KNeighborsClassifier

from jointwatch.diagnosis._carried_discriminant import CarriedDiscriminant
from jointwatch.studies._confusions import CHANCE
from jointwatch.studies._short_circuit_rows import PHASES, SEQUENCES, STATISTICS, WITH_ZERO, ShortCircuitRows
from jointwatch.studies._trees import TREES, Forest
from jointwatch.studies._votes import together

__all__ = [
    "ACROSS",
    "ACROSS_OURS",
    "INSIDE",
    "INSIDE_OURS",
    "NAIVE",
    "Chosen",
    "Method",
    "say",
    "say_chosen",
    "sequences_of",
]

_TREES = 200
_NEIGHBOURS = 5


@dataclass(frozen=True)
class Method:
    """Features into a learner.

    change : features are the difference to the mean of the healthy training windows. relabelled : each training window
    is learned in all three cyclic orders of the phases. says : what is learned, the state or its severity alone.
    size : of the negative sequence only its magnitude is kept, which no relabelling changes.
    """

    learner: Literal["random", "trees", "neighbours", "discriminant"]
    features: str = STATISTICS
    change: bool = False
    relabelled: bool = False
    says: Literal["state", "severity"] = "state"
    size: bool = False

    @property
    def name(self) -> str:
        """As in the tables of results."""
        if self.learner == "random":
            return CHANCE
        parts = [
            self.learner,
            f"{'change of ' * self.change}{self.features}",
            "size only" * self.size,
            "relabelled" * self.relabelled,
            "severity learned" * (self.says == "severity"),
        ]
        return ", ".join(part for part in parts if part)

    @property
    def seeded(self) -> bool:
        """Whether another seed may say something else."""
        return self.learner in ("random", TREES)


@dataclass(frozen=True)
class Chosen:
    """Of the candidates, that which says most inside the training rows, the first of equals.

    name : as in the tables of results. candidates : simplest first. what : groups left out in turn to choose.
    """

    name: str
    candidates: tuple[Method, ...]
    what: Literal["repetition", "phase"]

    seeded = False


_LEARNERS: dict[str, Callable[[int], Any]] = {
    "discriminant": lambda seed: CarriedDiscriminant(),
    "neighbours": lambda seed: KNeighborsClassifier(_NEIGHBOURS),
    TREES: lambda seed: Forest(seed, _TREES),
}
_SIMPLEST_FIRST: tuple[Literal["discriminant", "neighbours"], ...] = ("discriminant", "neighbours")

INSIDE = (
    Method("random"),
    Method("trees"),
    Method("discriminant"),
    Method("discriminant", SEQUENCES),
    Method("trees", SEQUENCES),
    Method("discriminant", SEQUENCES, change=True, relabelled=True),
)
"""Of phases whose faults were learned."""
INSIDE_OURS = Chosen(
    "sequences, learner chosen inside",
    tuple(
        Method(learner, features, change=True, relabelled=relabelled)
        for features, relabelled in ((SEQUENCES, False), (WITH_ZERO, False), (SEQUENCES, True))
        for learner in _SIMPLEST_FIRST
    ),
    "repetition",
)

NAIVE = Method("trees", says="severity")
ACROSS = (
    Method("random"),
    NAIVE,
    Method("trees"),
    Method("discriminant", SEQUENCES),
    Method("trees", relabelled=True),
    Method("discriminant", SEQUENCES, relabelled=True),
    Method("discriminant", SEQUENCES, change=True, size=True, says="severity"),
    Method("discriminant", SEQUENCES, change=True, relabelled=True),
    Method("neighbours", SEQUENCES, change=True, relabelled=True),
)
"""Of a phase whose faults were never learned."""
ACROSS_OURS = Chosen(
    "change of sequences, relabelled, learner chosen inside",
    tuple(Method(learner, SEQUENCES, change=True, relabelled=True) for learner in _SIMPLEST_FIRST),
    "phase",
)


def say(method: Method, rows: ShortCircuitRows, train: np.ndarray, test: np.ndarray, seed: int) -> dict[str, Any]:
    """Classes said of the test rows: `window`, of each by itself, and `recording`, of all windows of its recording.

    Parameters
    ----------
    train, test : row numbers. Classes are states, or severities where the method learns these.
    """
    shares = _shares(method, rows, train, test, seed)
    by_recording = together(shares, rows.recording[test])
    return {"window": shares.argmax(axis=1).tolist(), "recording": by_recording.tolist()}


def say_chosen(
    chosen: Chosen, rows: ShortCircuitRows, train: np.ndarray, test: np.ndarray, seed: int
) -> dict[str, Any]:
    """What the candidate says that is best inside the training rows; `learner` is its name."""
    scores = [_inner_score(candidate, chosen.what, rows, train, seed) for candidate in chosen.candidates]
    best = chosen.candidates[int(np.argmax(np.round(scores, 9)))]
    return {**say(best, rows, train, test, seed), "learner": best.name}


def sequences_of(rows: ShortCircuitRows, healthy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(row,) growth of the positive sequence and change of the negative phasor, against the mean of healthy rows."""
    values = rows.features[SEQUENCES][0]
    change = values - values[healthy].mean(axis=0)
    return change[:, 0], change[:, 1] + 1j * change[:, 2]


def _inner_score(method: Method, what: str, rows: ShortCircuitRows, train: np.ndarray, seed: int) -> float:
    """Share of windows rightly said: of the state with a repetition out, of the severity with a phase out."""
    state = rows.state[train]
    groups = rows.repetition[train] if what == "repetition" else rows.phase_of[state]
    of = np.arange(len(rows.states)) if what == "repetition" else rows.severity_of
    hits: list[np.ndarray] = []
    for group in np.unique(groups[groups >= 0]):
        own = groups == group
        said = say(method, rows, train[~own], train[own], seed)["window"]
        hits.append(of[np.array(said)] == of[state[own]])
    return float(np.concatenate(hits).mean())


def _shares(method: Method, rows: ShortCircuitRows, train: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
    """(test row, class)."""
    classes = len(rows.states) if method.says == "state" else rows.levels + 1
    shares = np.zeros((len(test), classes))
    if method.learner == "random":
        return np.random.default_rng([seed, *test[:1].tolist()]).random(shares.shape)
    healthy = train[rows.state[train] == 0]
    tables = [_table(method, values, healthy) for values in rows.features[method.features]]
    orders: Sequence[int] = range(len(PHASES)) if method.relabelled else (0,)
    known = np.concatenate([tables[order][train] for order in orders])
    truth = np.concatenate([rows.in_order(rows.state[train], order) for order in orders])
    if method.says == "severity":
        truth = rows.severity_of[truth]
    model = _LEARNERS[method.learner](seed).fit(known, truth)
    shares[:, model.classes_] = model.predict_proba(tables[0][test])
    return shares


def _table(method: Method, values: np.ndarray, healthy: np.ndarray) -> np.ndarray:
    """(row, feature) of one order of the phases."""
    if method.change:  # a mean, not a median: it turns with the phases
        values = values - values[healthy].mean(axis=0)
    if method.size:
        values = np.stack([values[:, 0], np.hypot(values[:, 1], values[:, 2])], axis=1)
    return values
