"""Every method that grades drives: what it says of rows that were held out, learned once a fold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from jointwatch.core import Index
from jointwatch.core.levels import LEVEL_RAD, LEVELS
from jointwatch.diagnosis._code_clusters import CodeClusters
from jointwatch.diagnosis._code_view import median_error
from jointwatch.diagnosis._fusion_code import Code, FusionCode
from jointwatch.diagnosis._hidden_markov import LevelHmms
from jointwatch.diagnosis._last_cycles import last_cycles, mean_of_last
from jointwatch.diagnosis._profile_grades import ABSOLUTE, RELATIVE, ProfileGrades
from jointwatch.diagnosis._softmax_regression import SoftmaxRegression
from jointwatch.studies._confusions import CHANCE, random_choice
from jointwatch.studies._transmission_error_table import Cycles
from jointwatch.studies._trees import ORACLE, Forest
from jointwatch.windows.own_baseline import OwnBaseline

__all__ = [
    "AE_HMM",
    "AE_KMEANS",
    "AE_LOGISTIC",
    "ORACLES",
    "OWN",
    "PCA_HMM",
    "PROFILE",
    "TREES",
    "TREES_BANDS",
    "TREES_ERROR",
    "TREES_PROFILE",
    "CodeGrades",
    "LearnedCode",
    "Problem",
    "Said",
    "bands_of",
    "code_learned",
    "graded_drives",
    "key_of",
    "profile_learned",
    "trees_learned",
    "vectors_of",
]

AE_HMM, PCA_HMM = "auto-encoder + HMM", "PCA + HMM"
AE_LOGISTIC, AE_KMEANS = "auto-encoder + logistic regression", "auto-encoder + k-means"
TREES, TREES_ERROR = "trees on the 2,500 figures", "trees on the 2,500 figures, static error"
TREES_PROFILE, TREES_BANDS = "trees on the profile, static error", "trees on band energies, static error"
PROFILE = "profile, ordinal"
ORACLES = (ORACLE, f"{ORACLE}, static error")
OWN = ", own baseline"
"""What the name of a method says that is given the drive's own healthy cycles."""
Ask = Callable[[Cycles], "Said"]
"""Grades of the rows that a problem asks, of cycles as recorded or with noise."""
_FOREST = 100
_CLASSIFIERS = {AE_HMM: "hmm", PCA_HMM: "hmm", AE_LOGISTIC: "logistic", AE_KMEANS: "k_means"}


@dataclass(frozen=True, eq=False)
class Said:
    """What a method says of the rows it was asked.

    level : (row,) from 0. degree : (row,) static error in levels, empty where the method gives none. low, high : (row,)
    of its interval. above : (row,) probability of an error above the limit.
    """

    level: np.ndarray
    degree: np.ndarray = field(default_factory=lambda: np.empty(0))
    low: np.ndarray = field(default_factory=lambda: np.empty(0))
    high: np.ndarray = field(default_factory=lambda: np.empty(0))
    above: np.ndarray = field(default_factory=lambda: np.empty(0))

    def to_json(self) -> dict[str, Any]:
        """Levels as one text of digits from 1, other figures as lists."""
        numbers = {name: getattr(self, name) for name in ("degree", "low", "high", "above")}
        kept = {name: np.round(values, 4).tolist() for name, values in numbers.items() if len(values)}
        return {"level": "".join(str(level + 1) for level in self.level.tolist()), **kept}

    @classmethod
    def of_json(cls, kept: dict[str, Any]) -> Said:
        """The inverse of `to_json`."""
        numbers = {name: np.array(kept[name], float) for name in ("degree", "low", "high", "above") if name in kept}
        return cls(np.array([int(digit) for digit in kept["level"]], np.int64) - 1, **numbers)


@dataclass(frozen=True, eq=False)
class Problem:
    """Rows of `cycles` that are learned, whose drive's youth is known, and that are asked.

    groups : (row,) of all cycles, what is held out as a whole inside the training rows.
    """

    cycles: Cycles
    train: np.ndarray
    known: np.ndarray
    asked: np.ndarray
    groups: np.ndarray
    seed: int

    def index(self, rows: np.ndarray) -> Index:
        return self.cycles.index.take(rows)


def key_of(method: str, cycles: int) -> str:
    """What a step calls a method that judges so many cycles together."""
    return f"{method}|{cycles}"


@dataclass(frozen=True, eq=False)
class LearnedCode:
    """A code, and those of whole fleets, which are computed once for all classifiers."""

    code: FusionCode
    _of: dict[Cycles, np.ndarray] = field(default_factory=dict)

    def codes(self, cycles: Cycles) -> np.ndarray:
        """(row, 10)"""
        if cycles not in self._of:
            self._of[cycles] = self.code.transform(cycles.vector)
        return self._of[cycles]


def code_learned(kind: Code, problem: Problem, epochs: int) -> LearnedCode:
    """Of the training rows' vectors alone."""
    vectors, groups = problem.cycles.vector[problem.train], _code_groups(problem)
    return LearnedCode(FusionCode(kind, epochs=max(epochs, 1), random_state=problem.seed).fit(vectors, groups))


@dataclass(frozen=True, eq=False)
class CodeGrades:
    """`CodeView` on a code that was learned before, so that all classifiers stand on the same one.

    model : the fitted classifier.
    """

    problem: Problem
    code: LearnedCode
    baseline: OwnBaseline | None
    classifier: str
    cycles: int
    model: Any

    @classmethod
    def of(cls, code: LearnedCode, method: str, problem: Problem, *, own: bool, cycles: int) -> CodeGrades:
        """Learned from the training rows."""
        train, classifier = problem.train, _CLASSIFIERS[method]
        codes, level = code.codes(problem.cycles)[train], problem.cycles.level[train]
        baseline = None
        if own:
            baseline = OwnBaseline("unit", "difference")
            codes = baseline.fit_transform(codes, problem.index(train))
            known = code.codes(problem.cycles)[problem.known]
            baseline = baseline.add(known, problem.index(problem.known))
        fed = _fed(codes, problem.index(train), cycles, sequences=classifier == "hmm")
        if classifier == "hmm":
            model: Any = LevelHmms(LEVELS, random_state=problem.seed).fit(fed, level, _code_groups(problem))
        elif classifier == "logistic":
            model = SoftmaxRegression().fit(fed, level, LEVELS)
        else:
            model = CodeClusters(LEVELS, problem.seed).fit(fed, level)
        return cls(problem, code, baseline, classifier, cycles, model)

    def scores(self, cycles: Cycles) -> tuple[np.ndarray, np.ndarray]:
        """(row, level) of what the asked rows are decided by, and probabilities."""
        index = self.problem.index(self.problem.asked)
        codes = self.code.codes(cycles)[self.problem.asked]
        if self.baseline is not None:
            codes = self.baseline.transform(codes, index)
        fed = _fed(codes, index, self.cycles, sequences=self.classifier == "hmm")
        logarithm = self.model.log_proba(fed)
        score = self.model.score_table(fed) if self.classifier == "hmm" else logarithm
        counts = np.bincount(self.problem.cycles.level[self.problem.train], minlength=LEVELS)
        probability = np.where(counts > 0, np.exp(logarithm), 0.0)
        return score, probability / probability.sum(axis=1, keepdims=True)

    def ask(self, cycles: Cycles) -> Said:
        """Of the asked rows; the likeliest level, as published."""
        score, probability = self.scores(cycles)
        degree = median_error(probability) / LEVEL_RAD
        return Said(score.argmax(axis=1), degree, above=1 - probability[:, 0])


def _code_groups(problem: Problem) -> np.ndarray:
    """Of the training rows: sessions where a level is of one group only, as in `CodeView`."""
    groups, level = problem.groups[problem.train], problem.cycles.level[problem.train]
    if any(len(np.unique(groups[level == one])) < 2 for one in np.unique(level)):
        return problem.index(problem.train).unit_session
    return groups


def _fed(codes: np.ndarray, index: Index, cycles: int, *, sequences: bool) -> np.ndarray:
    """What a classifier takes: (row, T, code) with NaN in front, or (row, code) means."""
    last = last_cycles(index, cycles)
    return np.where((last >= 0)[..., None], codes[last], np.nan) if sequences else mean_of_last(codes, last)


def profile_learned(problem: Problem, *, own: bool, cycles: int) -> Ask:
    """`ProfileGrades` on figures that were measured before; the median of the levels' distribution."""
    families, train = RELATIVE if own else ABSOLUTE, problem.train
    figures = problem.cycles.families(families)
    view = ProfileGrades(baseline="unit" if own else None, cycles=cycles, random_state=problem.seed)
    view.fit(figures[train], problem.index(train), problem.cycles.error_rad[train], problem.groups[train])
    if own:
        view = view.adapt(figures[problem.known], problem.index(problem.known))

    def ask(asked: Cycles) -> Said:
        table = view.table(asked.families(families)[problem.asked], problem.index(problem.asked))
        half = (np.cumsum(table.probability, axis=1) < 0.5 - 1e-12).sum(axis=1)
        error, low, high = (values / LEVEL_RAD for values in (table.error_rad, table.low_rad, table.high_rad))
        return Said(np.minimum(half, LEVELS - 1), error, low, high, 1 - table.probability[:, 0])

    return ask


def trees_learned(
    figures: Callable[[Cycles], np.ndarray], problem: Problem, *, own: bool, cycles: int, regression: bool
) -> Ask:
    """Extremely randomised trees on (row, figure) of cycles: classes, or the static error."""
    train = problem.train
    learned, baseline = figures(problem.cycles)[train], OwnBaseline("unit")
    if own:
        learned = baseline.fit_transform(learned, problem.index(train))
        baseline = baseline.add(figures(problem.cycles)[problem.known], problem.index(problem.known))
    learned = mean_of_last(learned, last_cycles(problem.index(train), cycles))
    target = problem.cycles.degree if regression else problem.cycles.level
    model = Forest(problem.seed, _FOREST, regression).fit(learned, target[train])

    def ask(cycles_asked: Cycles) -> Said:
        index, asked = problem.index(problem.asked), figures(cycles_asked)[problem.asked]
        if own:
            asked = baseline.transform(asked, index)
        asked = mean_of_last(asked, last_cycles(index, cycles))
        if regression:
            degree = model.predict(asked)
            return Said(np.clip(np.ceil(degree), 1, LEVELS).astype(np.int64) - 1, degree)
        shares = np.zeros((len(asked), LEVELS))
        shares[:, model.classes_] = model.predict_proba(asked)
        return Said(shares.argmax(axis=1), median_error(shares) / LEVEL_RAD, above=1 - shares[:, 0])

    return ask


def graded_drives(
    problem: Problem,
    counts: Sequence[int],
    epochs: int,
    heard: Mapping[float, Cycles],
    heard_counts: Sequence[int],
    *,
    others: bool = True,
    networks: bool = True,
) -> Iterator[tuple[str, Said, dict[float, Said]]]:
    """(key, of the asked rows, of the same as `heard` with noise) of every method, with and without own baselines.

    The main methods for every T, all `others` with one cycle.

    Parameters
    ----------
    heard : all cycles with noise added, by its size; asked of the main methods for the numbers in `heard_counts`.
    networks : the auto-encoder too, which takes most of the time.
    """
    code = code_learned("auto_encoder", problem, epochs) if networks else None
    for own in (False, True):
        name = OWN if own else ""
        for cycles in counts:
            noises = heard if cycles in heard_counts else {}
            asks = {PROFILE: profile_learned(problem, own=own, cycles=cycles)}
            if code is not None:
                asks[AE_HMM] = CodeGrades.of(code, AE_HMM, problem, own=own, cycles=cycles).ask
            if others:
                asks[TREES] = trees_learned(vectors_of, problem, own=own, cycles=cycles, regression=False)
                asks[TREES_BANDS] = trees_learned(bands_of, problem, own=own, cycles=cycles, regression=True)
            for method, ask in asks.items():
                again = {size: ask(noisy) for size, noisy in noises.items()}
                yield key_of(method + name, cycles), ask(problem.cycles), again
    if others:
        for key, said in _others(problem, code):
            yield key, said, {}


def _others(problem: Problem, code: LearnedCode | None) -> Iterator[tuple[str, Said]]:
    codes = {PCA_HMM: code_learned("pca", problem, 0)}
    if code is not None:
        codes |= {AE_LOGISTIC: code, AE_KMEANS: code}
    sessions = _first_of_sessions(problem)
    for own in (False, True):
        name, families = (OWN, RELATIVE) if own else ("", ABSOLUTE)
        asks: dict[str, Ask] = {
            method: CodeGrades.of(of, method, problem, own=own, cycles=1).ask for method, of in codes.items()
        }
        profile = partial(Cycles.families, groups=families)
        asks[TREES_ERROR] = trees_learned(vectors_of, problem, own=own, cycles=1, regression=True)
        asks[TREES_PROFILE] = trees_learned(profile, problem, own=own, cycles=1, regression=True)
        for oracle, regression in zip(ORACLES, (False, True), strict=True):
            asks[oracle] = trees_learned(_latent_of, sessions, own=own, cycles=1, regression=regression)
        for method, ask in asks.items():
            yield key_of(method + name, 1), ask(problem.cycles)
    level = problem.cycles.level[problem.asked]
    yield key_of(CHANCE, 1), Said(random_choice(level, LEVELS, 1000 * problem.seed + int(problem.asked[0])))


def vectors_of(cycles: Cycles) -> np.ndarray:
    """The 2,500 figures."""
    return cycles.vector


def bands_of(cycles: Cycles) -> np.ndarray:
    """Statistics and band energies."""
    return cycles.bands


def _latent_of(cycles: Cycles) -> np.ndarray:
    return cycles.latent


def _first_of_sessions(problem: Problem) -> Problem:
    """True parameters are those of a session: they are learned once."""
    rows = {}
    for name in ("train", "known"):
        mine = getattr(problem, name)
        _, first = np.unique(problem.index(mine).unit_session, return_index=True)
        rows[name] = mine[first]
    return replace(problem, **rows)
