"""One hidden Markov model a level on short sequences of codes; the level of the largest likelihood."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

import numpy as np

from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.core.estimator import BaseEstimator, NotFittedError
from jointwatch.core.log_probability import log_softmax
from jointwatch.diagnosis._forward import Hmm, log_likelihood
from jointwatch.training.seed import generator

if TYPE_CHECKING:
    from hmmlearn.hmm import GaussianHMM

__all__ = ["Calibration", "LevelHmms", "calibrated", "per_cycle"]

Form = Literal["diag", "full"]
Covariance = Form | Literal["auto"]
_FOLDS = 3
_LEAST_VARIANCE = 1e-3  # of standardised codes
_PRIOR = 1.0  # sum of squares that is added to each state's variances, that of one row
_LEAST_WEIGHT = 1e-6  # keeps the mean, and the moves, of a state that nothing falls into finite
_LEAST_COUNT = 1e-5  # the same of its covariance
_FOLD_STREAM, _START_STREAM = 51, 52
_SHARPNESS = (-9.0, 4.0)  # logarithms, between which it is sought
_LAPSES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
_EVEN = 0.1  # weight of even shares against what was counted, of an average level


class LevelHmms(BaseEstimator):
    """A Gaussian hidden Markov model for every level, trained by hmmlearn's Baum-Welch on sequences of that level.

    A sequence starts in the first state, and hmmlearn keeps it there. Sequences of one cycle reach no other state, so
    that for T = 1 each level has one state, a Gaussian of its codes: `start_` is [1], `states` and `transition_` mean
    nothing then. Probabilities are the softmax of the log-likelihood per cycle times a
    sharpness, mixed in a share, the lapse, with how often each level is the true one where this one is the likeliest:
    likelihoods of drives never seen can be far off in size where their order still tells something. All of it, and the
    form of the covariances, is chosen on groups held out from training.

    Scoring takes all sequences at once (`diagnosis._forward`) and gives hmmlearn's likelihoods.

    Parameters
    ----------
    levels : how many there are. A level without sequences has log-likelihood -inf and probability 0.
    states : hidden states.
    covariance : `diag`, `full`, or `auto`, whichever has the smaller log loss on groups held out.
    iterations, tolerance : of Baum-Welch; it ends when the log-likelihood per cycle rises by less.
    random_state : seed of first means (codes drawn from the level) and transitions.

    Attributes
    ----------
    centre_, scale_ : (code,) of the training codes, by which all are standardised.
    known_ : (level,) which levels were trained. start_ : (state,). transition_ : (level, state, state).
    mean_ : (level, state, code). covariances_ : (level, state, code, code).
    curve_ : list of arrays, by level, log-likelihood of its sequences before each iteration, from hmmlearn's monitor.
    covariance_ : form that was chosen. sharpness_, lapse_ : of the probabilities. confusion_ : (likeliest level, level)
    shares of true levels. loss_ : log loss on groups held out, NaN without.

    Errors: `NotEnoughData` with fewer sequences of a level than states, or of one level only.

    Source: hidden Markov models of M2 (docs/transmission-error.md); L. R. Rabiner, Proc. IEEE 77, 1989.

    >>> rng = np.random.default_rng(0)
    >>> level = np.repeat([0, 1], 40)
    >>> sequences = 3.0 * level[:, None, None] + rng.standard_normal((80, 4, 2))
    >>> model = LevelHmms(levels=2, covariance="diag").fit(sequences, level, np.arange(80) // 4)
    >>> model.score_table(np.full((1, 4, 2), 3.0)).argmax(axis=1).tolist(), [len(curve) > 1 for curve in model.curve_]
    ([1], [True, True])
    """

    def __init__(
        self,
        levels: int = 6,
        states: int = 3,
        covariance: Covariance = "auto",
        iterations: int = 30,
        tolerance: float = 1e-3,
        random_state: int = 0,
    ) -> None:
        self.levels = levels
        self.states = states
        self.covariance = covariance
        self.iterations = iterations
        self.tolerance = tolerance
        self.random_state = random_state

    def fit(self, sequences: np.ndarray, level: np.ndarray, groups: np.ndarray) -> Self:
        """Train on labelled sequences.

        Parameters
        ----------
        sequences : (row, T, code); NaN cycles in front of those that are shorter.
        level : (row,) from 0.
        groups : (row,) names of what is held out as a whole when form, sharpness and lapse are chosen.
        """
        if self.covariance not in ("diag", "full", "auto"):
            raise UsageError(f"a covariance is diag, full or auto, got {self.covariance!r}")
        sequences, level = _sequences(sequences), np.asarray(level, np.int64)
        if level.shape != (len(sequences),) or len(groups) != len(level) or not (
            len(level) and 0 <= level.min() <= level.max() < self.levels
        ):  # fmt: skip
            raise UsageError(f"each sequence needs one group and a level from 0 to {self.levels - 1}")
        forms: list[Form] = ["diag", "full"] if self.covariance == "auto" else [self.covariance]
        found = {form: self._held_out(sequences, level, np.asarray(groups), form) for form in forms}
        self.covariance_ = min(found, key=lambda form: found[form].loss)
        chosen = found[self.covariance_]
        self.sharpness_, self.lapse_, self.confusion_ = chosen.sharpness, chosen.lapse, chosen.confusion
        self.loss_ = chosen.loss if np.isfinite(chosen.loss) else float("nan")
        self._train(sequences, level, self.covariance_)
        return self

    def score_table(self, sequences: np.ndarray) -> np.ndarray:
        """(row, level) log-likelihoods of (row, T, code) sequences; NaN cycles in front do not count."""
        if not hasattr(self, "covariances_"):
            raise NotFittedError("LevelHmms is not fitted; call fit first")
        sequences = _sequences(sequences)
        found = np.full((len(sequences), self.levels), -np.inf)
        if not len(sequences):
            return found
        there = np.isfinite(sequences).all(axis=2)
        z = (np.where(there[..., None], sequences, 0.0) - self.centre_) / self.scale_
        for number in np.flatnonzero(self.known_):
            found[:, number] = log_likelihood(self._model(int(number)), z, there)
        return found

    def log_proba(self, sequences: np.ndarray) -> np.ndarray:
        """(row, level) logarithms of the probabilities, levels alike beforehand."""
        sequences = _sequences(sequences)
        table = per_cycle(self.score_table(sequences), sequences)
        return _log_proba(table, self.sharpness_, self.lapse_, self.confusion_)

    def init(self) -> np.ndarray:
        """(0, code) codes of the session so far: none."""
        if not hasattr(self, "covariances_"):
            raise NotFittedError("LevelHmms is not fitted; call fit first")
        return np.empty((0, len(self.centre_)))

    def step(self, state: np.ndarray, code: np.ndarray, cycles: int) -> tuple[np.ndarray, np.ndarray]:
        """(next state, (level,) log-likelihoods of the last `cycles` codes), what `score_table` gives for the session's
        sequences; `state` stays as it is."""
        state = np.concatenate([state, np.asarray(code, float)[None]])[-cycles:]
        return state, self.score_table(state[None])[0]

    def _held_out(self, sequences: np.ndarray, level: np.ndarray, groups: np.ndarray, form: Form) -> Calibration:
        """By rows whose group was held out; rows of a level that would be left without
        training are not asked."""
        tables, levels = [], []
        for held in self._folds(groups, level):
            rest = ~held
            enough = np.bincount(level[rest], minlength=self.levels) >= self.states
            asked = held & enough[level]
            if not asked.any() or enough.sum() < 2:
                continue
            kept = rest & enough[level]
            model = type(self)(**{**self.get_params(), "covariance": form})
            model._train(sequences[kept], level[kept], form)
            tables.append(per_cycle(model.score_table(sequences[asked]), sequences[asked]))
            levels.append(level[asked])
        if not tables:
            return Calibration(1.0, 0.0, np.eye(self.levels), np.inf)
        return calibrated(np.concatenate(tables), np.concatenate(levels))

    def _folds(self, groups: np.ndarray, level: np.ndarray) -> list[np.ndarray]:
        """(row,) rows of each fold of whole groups, those of like levels dealt evenly."""
        names, place = np.unique(groups, return_inverse=True)
        mean = np.bincount(place, level) / np.bincount(place)
        order = generator(self.random_state, _FOLD_STREAM).permutation(len(names))
        order = order[np.argsort(mean[order], kind="stable")]
        count = min(_FOLDS, len(names))
        return [np.isin(place, order[first::count]) for first in range(count)] if count > 1 else []

    def _train(self, sequences: np.ndarray, level: np.ndarray, form: Form) -> None:
        counts = np.bincount(level, minlength=self.levels)
        if np.count_nonzero(counts) < 2:
            raise NotEnoughData("a model of each level", needed=2, have=int(np.count_nonzero(counts)), unit="levels")
        for number in np.flatnonzero((counts > 0) & (counts < self.states)):
            what = f"the model of level {number + 1}"
            raise NotEnoughData(what, needed=self.states, have=int(counts[number]), unit="sequences")
        there = np.isfinite(sequences).all(axis=2)
        codes = sequences[there]
        self.centre_, spread = codes.mean(axis=0), codes.std(axis=0)
        self.scale_ = np.where(spread > 1e-12 * np.abs(codes).max(initial=0.0), spread, 1.0)
        states, size = (1 if sequences.shape[1] == 1 else self.states), sequences.shape[2]
        self.known_ = counts > 0
        self.start_ = np.eye(states)[0]
        self.transition_ = np.tile(np.eye(states), (self.levels, 1, 1))
        self.mean_ = np.zeros((self.levels, states, size))
        self.covariances_ = np.tile(np.eye(size), (self.levels, states, 1, 1))
        self.curve_: list[np.ndarray] = [np.empty(0)] * self.levels
        for number in np.flatnonzero(self.known_):
            rows = level == number
            z = (sequences[rows] - self.centre_) / self.scale_
            self._train_level(int(number), z, there[rows], form)

    def _train_level(self, number: int, z: np.ndarray, there: np.ndarray, form: Form) -> None:
        rng = generator(self.random_state, _START_STREAM, number)
        states, codes = len(self.start_), z[there]
        spread = np.maximum(codes.var(axis=0), _LEAST_VARIANCE)
        first = {
            "startprob_": self.start_,
            "transmat_": rng.dirichlet(np.ones(states), size=states),
            "means_": codes[rng.choice(len(codes), states, replace=len(codes) < states)],
            "covars_": np.array([spread if form == "diag" else np.diag(spread)] * states),
        }
        lengths = there.sum(axis=1) if states > 1 else np.array([len(codes)])  # of one state any sequences are one
        model = _trained(first, codes, lengths, form, self.iterations, self.tolerance * len(codes))
        self.curve_[number] = np.array(model.monitor_.history)
        squares, axes = np.linalg.eigh(model.covars_)
        floored = (axes * np.maximum(squares, _LEAST_VARIANCE)[:, None, :]) @ axes.transpose(0, 2, 1)
        self.transition_[number], self.mean_[number] = model.transmat_, model.means_
        self.covariances_[number] = (floored + floored.transpose(0, 2, 1)) / 2

    def _model(self, number: int) -> Hmm:
        return Hmm(self.start_, self.transition_[number], self.mean_[number], self.covariances_[number])


def _trained(
    first: dict[str, np.ndarray],
    codes: np.ndarray,
    lengths: np.ndarray,
    form: Form,
    iterations: int,
    tolerance: float,
) -> GaussianHMM:
    """hmmlearn's model of (code row, code) sequences of those lengths, trained from the first one; its start stays."""
    from hmmlearn.hmm import GaussianHMM  # here, as grading does not need it

    size = codes.shape[1]

    def trained(implementation: Literal["scaling", "log"]) -> GaussianHMM:
        model = GaussianHMM(
            len(first["startprob_"]),
            form,
            transmat_prior=1 + _LEAST_WEIGHT,
            means_weight=_LEAST_WEIGHT,
            covars_prior=_PRIOR if form == "diag" else _PRIOR * np.eye(size),
            covars_weight=1 if form == "diag" else size + _LEAST_COUNT,  # what counts is above 1, or above the size
            n_iter=iterations,
            tol=tolerance,
            params="tmc",
            init_params="",
            implementation=implementation,
        )
        for name, value in first.items():
            setattr(model, name, value)
        return model.fit(codes, lengths)

    with _quiet():
        try:
            return trained("scaling")  # in half the time
        except ValueError:  # a code so far off that its density is 0 as a number
            return trained("log")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without hmmlearn's words on few rows, which the priors are for, and on likelihoods that fall by a hair, which
    comes of the priors."""
    log = logging.getLogger("hmmlearn.base")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


@dataclass(frozen=True, eq=False)
class Calibration:
    """What makes probabilities of scores, and the mean log loss that is left. confusion : (likeliest level, level)."""

    sharpness: float
    lapse: float
    confusion: np.ndarray
    loss: float


def calibrated(table: np.ndarray, level: np.ndarray) -> Calibration:
    """What gives (row, level) scores probabilities of the smallest log loss, each level alike.

    >>> rng = np.random.default_rng(0)
    >>> level = rng.integers(0, 2, 4000)
    >>> code = level + rng.standard_normal(4000)  # log-likelihoods are off by a factor of 5
    >>> round(calibrated(-5 * 0.5 * (code[:, None] - [0, 1]) ** 2, level).sharpness, 1)
    0.2
    """
    from scipy.optimize import minimize_scalar  # only fitting needs it

    counts = np.bincount(level, minlength=table.shape[1])
    known = counts > 0
    weight = 1.0 / (counts[level] * np.count_nonzero(known))
    confusion = np.tile(_EVEN * known / known.sum() ** 2, (len(known), 1))
    np.add.at(confusion, (table.argmax(axis=1), level), weight)
    confusion /= confusion.sum(axis=1, keepdims=True)
    rows = np.arange(len(level))

    def loss(logarithm: float, lapse: float) -> float:
        return -float(weight @ _log_proba(table, float(np.exp(logarithm)), lapse, confusion)[rows, level])

    found = []
    for lapse in _LAPSES:
        best = minimize_scalar(loss, bounds=_SHARPNESS, args=(lapse,), method="bounded", options={"xatol": 1e-3})
        found.append((float(best.fun), float(np.exp(best.x)), lapse))
    least, factor, lapse = min(found)
    return Calibration(factor, lapse, confusion, least)


def _log_proba(table: np.ndarray, sharpness: float, lapse: float, confusion: np.ndarray) -> np.ndarray:
    """(row, level) logarithms of the softmax of scores, mixed with the shares that the likeliest level stands for."""
    told = np.exp(log_softmax(sharpness * table, axis=1))
    with np.errstate(divide="ignore"):
        found: np.ndarray = np.log((1 - lapse) * told + lapse * confusion[table.argmax(axis=1)])
    return found


def per_cycle(table: np.ndarray, sequences: np.ndarray) -> np.ndarray:
    """(row, level) log-likelihoods by the number of cycles of each sequence."""
    count = np.isfinite(sequences).all(axis=2).sum(axis=1)
    found: np.ndarray = table / np.maximum(count, 1)[:, None]
    return found


def _sequences(sequences: np.ndarray) -> np.ndarray:
    sequences = np.asarray(sequences, float)
    if sequences.ndim != 3 or (len(sequences) and not np.isfinite(sequences[:, -1]).all()):
        raise UsageError(f"sequences must be (row, T, code) and end with a cycle, got {sequences.shape}")
    return sequences
