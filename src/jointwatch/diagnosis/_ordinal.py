"""Ordered grades from a regressed degree, with intervals and probabilities that hold for runs or units never seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np

from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.core.estimator import BaseEstimator, NotFittedError, RegressorMixin
from jointwatch.diagnosis._carried_discriminant import CarriedDiscriminant
from jointwatch.signals.numerics import cdist
from jointwatch.training.seed import generator

__all__ = ["Learner", "OrdinalRegressor"]

Learner = Literal["ridge", "kernel", "discriminant", "average", "auto"]

_STRENGTHS = np.logspace(-4, 1.5, 12)  # of the ridge, for each row
_WIDTHS = (0.5, 1.0, 2.0)  # of the kernel, in typical distances of rows
_KNOTS = 9
_PRIOR_GROUPS = 5.0  # weight of the common spread against that of one degree
_FOLD_STREAM, _LANDMARK_STREAM = 31, 32


class OrdinalRegressor(RegressorMixin, BaseEstimator):
    """A continuous degree, the interval it lies in, and the probability of every ordered level.

    Grades are ordered, so that taking 2 for 3 is a small mistake; six separate classes do not know it. The degree is
    regressed; how far it is off is measured on rows whose whole group (run, unit, specimen) was held out, the choice of
    learner and of its settings included. Held-out errors, divided by the spread that is usual at that degree, make one
    symmetric distribution, from which intervals and probabilities both come: its half above a limit is the
    probability of lying above it.

    Rows of a group resemble each other and are not exchangeable, groups are. Among the errors each group weighs alike,
    however many rows it has, and one more group of any error is reckoned with (hierarchical conformal prediction): the
    interval covers a row of a *new group of the same kind* with at least the coverage asked for, up to the difference
    between learners of a fold and that of all rows, which errs on the safe side. What is a group must therefore be what
    is new in use: with runs of one specimen as groups, nothing is promised of another specimen.

    Parameters
    ----------
    edges : upper limits of all levels but the last, ascending, in the unit of y. Level k is (edge k-1, edge k].
    learner : `ridge` (linear), `kernel` (ridge in a radial-basis kernel), `discriminant` (expectation over the levels
        of a shrunken linear discriminant), `average` (of ridge and kernel, each with its own setting), or `auto`,
        whichever of the first three errs least on groups held out.
    coverage : of `predict_interval`, unless asked otherwise.
    folds : of whole groups; at most as many as there are groups, which is leave-one-group-out.
    limits : (least, greatest) degree there is; medians and intervals are cut there.
    landmarks : most rows that the kernel stands on.
    random_state : seed of how groups are dealt to folds and landmarks of the kernel drawn.

    Attributes
    ----------
    model_ : fitted learner. chosen_ : name of its family. groups_ : how many there were.
    error_ : mean absolute error on groups held out, each group alike, before any cut.
    score_, mass_ : sorted |error| / spread of rows held out, and the share of new groups' rows that is up to it; the
    rest is beyond all that was seen. degree_knots_, spread_knots_ : usual |error| by predicted degree.

    Errors: `UsageError` for edges that do not ascend, a coverage or limits out of range, rows that do not fit;
    `NotEnoughData` with less than two groups, or too few for the coverage (0.9 needs 9, 0.95 needs 19).

    Source: Y. Lee, R. F. Barber, R. Willett, arXiv:2306.06342
    (hierarchical conformal prediction); V. Vovk, Ann. Math. Artif. Intell. 74, 2015 (cross-conformal).

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> drive = np.repeat(np.arange(30), 6)
    >>> degree = drive % 6 + 0.5
    >>> X = (degree + 0.3 * rng.standard_normal(30)[drive])[:, None] * [1.0, -1.0] + 0.1 * rng.standard_normal((180, 2))
    >>> grader = OrdinalRegressor(edges=(1, 2, 3, 4, 5), learner="ridge").fit(X, degree, drive)
    >>> new = np.array([[2.4, -2.4]])
    >>> low, high = grader.predict_interval(new)
    >>> round(float(grader.predict(new)[0])), bool(low[0] < 2.4 < high[0]), int(grader.predict_proba(new).argmax())
    (2, True, 2)
    """

    def __init__(
        self,
        edges: Sequence[float] | np.ndarray,
        learner: Learner = "auto",
        coverage: float = 0.9,
        folds: int = 5,
        limits: tuple[float, float] | None = None,
        landmarks: int = 500,
        random_state: int = 0,
    ) -> None:
        self.edges = edges
        self.learner = learner
        self.coverage = coverage
        self.folds = folds
        self.limits = limits
        self.landmarks = landmarks
        self.random_state = random_state

    def fit(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray, within: np.ndarray | None = None) -> Self:
        """Learn from labelled rows.

        Parameters
        ----------
        X : (row, feature). y : (row,) degree, continuous or whole stages.
        groups : (row,) what is new in use, such as units; errors are measured, and families of learners compared, on
            whole groups held out.
        within : (row,) smaller parts of the groups, such as runs, by which the settings of each family are chosen. A
            handful of groups cannot choose a setting: with the outermost degrees held out, the flattest looks best.
            None = the groups themselves.
        """
        self._check()
        X, y, groups = _rows(X), np.asarray(y, float), np.asarray(groups)
        within = groups if within is None else np.asarray(within)
        if not y.shape == groups.shape == within.shape == (len(X),) or not np.isfinite(np.column_stack([X, y])).all():
            raise UsageError(f"y and groups must have one entry for each of the {len(X)} rows, all of them finite")
        self.groups_ = len(np.unique(groups))
        needed = max(2, _groups_needed(self.coverage))
        if self.groups_ < needed:
            what = f"intervals of coverage {self.coverage:g}"
            raise NotEnoughData(what, needed=needed, have=self.groups_, unit="groups")
        degree = np.empty(len(y))
        for held in self._deal(y, groups):
            degree[held] = self._chosen(X[~held], y[~held], groups[~held], within[~held])[1].predict(X[held])
        self.chosen_, self.model_ = self._chosen(X, y, groups, within)
        self._calibrate(degree, y, groups)
        return self

    def decision_function(self, X: np.ndarray) -> np.ndarray:
        """(row,) degree as regressed, not cut at the limits: what rows are ranked by."""
        if not hasattr(self, "model_"):
            raise NotFittedError("OrdinalRegressor is not fitted; call fit first")
        degree: np.ndarray = self.model_.predict(_rows(X))
        return degree

    def predict(self, X: np.ndarray) -> np.ndarray:
        """(row,) median degree."""
        return self._cut(self.decision_function(X))

    def predict_level(self, X: np.ndarray) -> np.ndarray:
        """(row,) level that the median lies in, from 0."""
        return np.searchsorted(np.asarray(self.edges, float), self.predict(X), side="left")

    def predict_interval(self, X: np.ndarray, coverage: float | None = None) -> tuple[np.ndarray, np.ndarray]:
        """(low, high), (row,) each, of the degree.

        Parameters
        ----------
        coverage : share of rows of new groups that lie inside; None = as in the constructor.

        Errors: `NotEnoughData` where there were too few groups for such a coverage.
        """
        coverage = self.coverage if coverage is None else coverage
        _check_coverage(coverage)
        degree = self.decision_function(X)
        reach = self._quantile(coverage) * self._spread(degree)
        return self._cut(degree - reach), self._cut(degree + reach)

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """(row, level) probabilities, from the distribution that the intervals are of."""
        degree = self.decision_function(X)
        away = (np.asarray(self.edges, float) - degree[:, None]) / self._spread(degree)[:, None]
        within = np.concatenate([[0.0], self.mass_])[np.searchsorted(self.score_, np.abs(away), side="right")]
        below = 0.5 + 0.5 * np.sign(away) * within
        ends = np.ones((len(degree), 1))
        return np.diff(below, axis=1, prepend=0 * ends, append=ends)

    def _chosen(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray, within: np.ndarray) -> tuple[str, Any]:
        """(name, fitted learner): of each family the setting by parts held out, then the family by groups held out."""
        names = _PARTS.get(self.learner, [self.learner])
        errors = {name: self._errors(name, X, y, within, groups) for name in names}
        setting = {name: int(error.argmin()) for name, error in errors.items()}
        if self.learner == "average":
            both = [self._family(name, X, y, groups)[setting[name]] for name in names]
            return self.learner, _filled(Average(), models_=both)
        if len(names) > 1 and within is not groups:
            errors = {name: self._errors(name, X, y, groups, groups) for name in names}
        best = min(names, key=lambda name: float(errors[name][setting[name]]))
        return best, self._family(best, X, y, groups)[setting[best]]

    def _errors(self, name: str, X: np.ndarray, y: np.ndarray, parts: np.ndarray, groups: np.ndarray) -> np.ndarray:
        """(setting,) mean absolute error of rows whose part was held out."""
        weight = _weights(parts)
        error = np.zeros(1)
        for held in self._deal(y, parts):
            models = self._family(name, X[~held], y[~held], groups[~held])
            error = error + [float(weight[held] @ np.abs(model.predict(X[held]) - y[held])) for model in models]
        return error

    def _family(self, name: str, X: np.ndarray, y: np.ndarray, groups: np.ndarray) -> list[Any]:
        given = _Given(X, y, groups, np.asarray(self.edges, float), self.landmarks, int(self.random_state))
        return _FAMILIES[name](given)

    def _deal(self, y: np.ndarray, groups: np.ndarray) -> list[np.ndarray]:
        """(row,) held-out rows of each fold; groups of like degree are spread over the folds."""
        names, place = np.unique(groups, return_inverse=True)
        mean = np.bincount(place, y) / np.bincount(place)
        order = generator(int(self.random_state), _FOLD_STREAM).permutation(len(names))
        order = order[np.argsort(mean[order], kind="stable")]
        count = min(self.folds, len(names))
        if count < 2:
            raise NotEnoughData("errors on groups held out", needed=2, have=len(names), unit="groups")
        return [np.isin(place, order[first::count]) for first in range(count)]

    def _calibrate(self, degree: np.ndarray, y: np.ndarray, groups: np.ndarray) -> None:
        error, weight = np.abs(degree - y), _weights(groups)
        self.error_ = float(weight @ error)
        low, high = np.quantile(degree, [0.05, 0.95])
        self.degree_knots_ = np.linspace(low, high, _KNOTS)
        width = max((high - low) / 4, 1e-12)
        near = np.exp(-0.5 * ((self.degree_knots_[:, None] - degree) / width) ** 2) * weight * self.groups_
        spread = (near @ error + _PRIOR_GROUPS * self.error_) / (near.sum(axis=1) + _PRIOR_GROUPS)
        self.spread_knots_ = np.maximum(spread, 1e-9 * max(1.0, float(np.abs(y).max())))
        score = error / self._spread(degree)
        order = np.argsort(score)
        self.score_ = score[order]
        self.mass_ = np.cumsum(weight[order]) * self.groups_ / (self.groups_ + 1)

    def _spread(self, degree: np.ndarray) -> np.ndarray:
        return np.interp(degree, self.degree_knots_, self.spread_knots_)

    def _quantile(self, coverage: float) -> float:
        place = int(np.searchsorted(self.mass_, coverage - 1e-9))
        if place == len(self.mass_):
            raise NotEnoughData(
                f"intervals of coverage {coverage:g}", needed=_groups_needed(coverage), have=self.groups_, unit="groups"
            )
        return float(self.score_[place])

    def _cut(self, degree: np.ndarray) -> np.ndarray:
        return degree if self.limits is None else np.clip(degree, *self.limits)

    def _check(self) -> None:
        edges = np.asarray(self.edges, float)
        if edges.ndim != 1 or not len(edges) or not np.isfinite(edges).all() or (np.diff(edges) <= 0).any():
            raise UsageError(f"edges are ascending upper limits of all levels but the last, got {self.edges!r}")
        if self.learner not in (known := [*_PARTS, *_FAMILIES]):
            raise UsageError(f"a learner is {', '.join(known)}; got {self.learner!r}")
        if self.limits is not None and not self.limits[0] < self.limits[1]:
            raise UsageError(f"limits are (least, greatest) degree, got {self.limits!r}")
        if self.landmarks < 1:
            raise UsageError(f"at least one landmark is needed, got {self.landmarks}")
        if self.folds < 2:
            raise UsageError(f"at least 2 folds are needed, got {self.folds}")
        _check_coverage(self.coverage)


class Linear(BaseEstimator):
    """Ridge regression of standardised features."""

    def predict(self, X: np.ndarray) -> np.ndarray:
        return _row_by_row((X - self.centre_) / self.scale_, self.coef_) + self.intercept_


class Kernel(BaseEstimator):
    """Ridge regression in a radial-basis kernel on rows taken as landmarks; on all rows it is exact."""

    def predict(self, X: np.ndarray) -> np.ndarray:
        near = _rbf((X - self.centre_) / self.scale_, self.landmark_, self.width_)
        return _row_by_row(near, self.coef_) + self.intercept_


class Levels(BaseEstimator):
    """Expected degree under a discriminant of the levels."""

    def predict(self, X: np.ndarray) -> np.ndarray:
        degree: np.ndarray = self.discriminant_.predict_proba(X) @ self.degree_
        return degree


class Average(BaseEstimator):
    """Mean of what several learners say."""

    def predict(self, X: np.ndarray) -> np.ndarray:
        degree: np.ndarray = np.mean([model.predict(X) for model in self.models_], axis=0)
        return degree


@dataclass(frozen=True)
class _Given:
    """What a family of learners learns from."""

    X: np.ndarray
    y: np.ndarray
    groups: np.ndarray
    edges: np.ndarray
    landmarks: int
    seed: int


def _linear(given: _Given) -> list[Any]:
    """One for each strength."""
    centre, scale = _standard(given.X)
    middle = float(given.y.mean())
    coef = _ridge_path((given.X - centre) / scale, given.y - middle)
    return [_filled(Linear(), centre_=centre, scale_=scale, coef_=own, intercept_=middle) for own in coef]


def _kernel(given: _Given) -> list[Any]:
    """One for each width and strength."""
    y = given.y
    centre, scale = _standard(given.X)
    scaled = (given.X - centre) / scale
    count = min(len(scaled), given.landmarks)
    landmark = scaled[np.sort(generator(given.seed, _LANDMARK_STREAM).permutation(len(scaled))[:count])]
    typical = max(float(np.median(cdist(landmark, landmark))), 1e-12)
    models = []
    for width in np.array(_WIDTHS) * typical:
        lengths, axes = np.linalg.eigh(_rbf(landmark, landmark, width))
        kept = lengths > 1e-9 * lengths[-1]
        root = axes[:, kept] / np.sqrt(lengths[kept])
        if count == len(scaled):  # the landmarks are the rows: no further decomposition
            path = (axes[:, kept].T @ (y - y.mean())) / (lengths[kept] + _STRENGTHS[:, None] * count)
            path = path * np.sqrt(lengths[kept])
        else:
            path = _ridge_path(_rbf(scaled, landmark, width) @ root, y - y.mean())
        for own in path:
            fitted = {"landmark_": landmark, "width_": float(width), "coef_": root @ own, "intercept_": float(y.mean())}
            models.append(_filled(Kernel(), centre_=centre, scale_=scale, **fitted))
    return models


def _levels(given: _Given) -> list[Any]:
    level = np.searchsorted(given.edges, given.y, side="left")
    discriminant = CarriedDiscriminant().fit(given.X, level, given.groups)
    degree = np.array([given.y[level == one].mean() for one in discriminant.classes_])
    return [_filled(Levels(), discriminant_=discriminant, degree_=degree)]


_FAMILIES: dict[str, Callable[[_Given], list[Any]]] = {
    "ridge": _linear,
    "kernel": _kernel,
    "discriminant": _levels,
}
_PARTS = {"auto": list(_FAMILIES), "average": ["ridge", "kernel"]}


def _filled(model: Any, **fitted: Any) -> Any:
    for name, value in fitted.items():
        setattr(model, name, value)
    return model


def _row_by_row(X: np.ndarray, coef: np.ndarray) -> np.ndarray:
    """(row,) the matrix product, to the last bit the same whatever other rows there are."""
    product: np.ndarray = (X * coef).sum(axis=1)
    return product


def _ridge_path(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(strength, feature) coefficients, from one decomposition of the smaller product of X with itself."""
    rows, features = X.shape
    if features <= rows:
        lengths, axes = np.linalg.eigh(X.T @ X)
        target = axes.T @ (X.T @ y)
        return np.stack([axes @ (target / (np.maximum(lengths, 0) + s * rows)) for s in _STRENGTHS])
    lengths, axes = np.linalg.eigh(X @ X.T)
    target = axes.T @ y
    return np.stack([X.T @ (axes @ (target / (np.maximum(lengths, 0) + s * rows))) for s in _STRENGTHS])


def _rbf(X: np.ndarray, landmark: np.ndarray, width: float) -> np.ndarray:
    near: np.ndarray = np.exp(-0.5 * cdist(X, landmark, "sqeuclidean") / width**2)
    return near


def _standard(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    spread = X.std(axis=0)
    return X.mean(axis=0), np.where(spread > 1e-12 * np.abs(X).max(initial=1.0), spread, 1.0)


def _weights(groups: np.ndarray) -> np.ndarray:
    """(row,) shares of rows, each group alike, 1 together."""
    _, place, count = np.unique(groups, return_inverse=True, return_counts=True)
    return 1.0 / (count[place] * len(count))


def _rows(X: np.ndarray) -> np.ndarray:
    X = np.asarray(X, float)
    if X.ndim != 2:
        raise UsageError(f"features must be (row, feature), got {X.shape}")
    return X


def _groups_needed(coverage: float) -> int:
    return math.ceil(coverage / (1 - coverage) - 1e-9)


def _check_coverage(coverage: float) -> None:
    if not 0 < coverage < 1:
        raise UsageError(f"a coverage lies between 0 and 1, got {coverage}")
