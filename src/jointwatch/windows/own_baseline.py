"""Features relative to the healthy ones of the same unit: what is left once the specimen is known."""

from __future__ import annotations

import copy
from typing import Literal, Self

import numpy as np

from jointwatch.core import Index
from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.core.estimator import BaseEstimator, NotFittedError

__all__ = ["OwnBaseline"]

_FLOOR = 0.05  # least ratio that a logarithm is taken of
_LEAST = 1e-6  # least baseline of a ratio, as share of the typical size


class OwnBaseline(BaseEstimator):
    """How far each feature is from the mean of the unit's own healthy rows.

    Units of one make differ from each other by as much as wear changes them, and each differs little from itself: a
    plant that keeps a few healthy cycles of every unit can take the specimen out. Logarithms of the ratio are taken
    of features that are never negative, because wear multiplies friction, whatever the axis; of the others, the
    difference, in standard deviations of healthy rows about their unit's mean.

    Baselines are means over sessions, as a unit's rows of one session resemble each other. `fit_transform` compares a
    healthy row only with the unit's *other* healthy sessions (by domain: with the *other* units'), as it will be in
    use; compared with itself, every healthy row would be too close. Where there is one session only, with its other
    cycles.

    Parameters
    ----------
    by : column of the index that tells whose baseline it is: `unit`, or `domain` (axis, load).
    form : `auto`, or `difference` for every feature.

    Attributes
    ----------
    ratio_ : (feature,) bool, where logarithms of ratios are taken. size_ : (feature,) typical magnitude.
    scale_ : (feature,) healthy spread about the unit's mean. names_ : list of units. mean_ : (unit, feature) baselines.

    Errors: `NotEnoughData` without healthy rows; `UsageError` for a unit without a baseline, naming it.

    Source: what condition monitoring does everywhere, a machine against its own healthy state; leaving out the own
    session is this project's.

    >>> import numpy as np
    >>> unit = np.array(["a", "a", "a", "b", "b"])
    >>> session, zero = np.array(["1", "2", "3", "1", "2"]), np.zeros(5)
    >>> cycle = np.array(["a1", "a2", "a3", "b1", "b2"])
    >>> label = np.array(["normal", "normal", "anomalous", "normal", "normal"])
    >>> index = Index(unit, session, cycle, unit, zero, zero + 1, zero, zero, label, label, zero, zero)
    >>> friction = np.array([[4.0], [4.0], [6.0], [8.0], [8.0]])
    >>> OwnBaseline().fit_transform(friction, index).round(3).ravel().tolist()
    [0.0, 0.0, 0.405, 0.0, 0.0]
    """

    def __init__(self, by: Literal["unit", "domain"] = "unit", form: Literal["auto", "difference"] = "auto") -> None:
        self.by = by
        self.form = form

    def fit(self, X: np.ndarray, index: Index) -> Self:
        """Learn the form of each feature, the healthy spread, and the baseline of every unit with healthy rows."""
        X, names = self._checked(X, index)
        healthy = index.label == "normal"
        if not healthy.any():
            raise NotEnoughData("a baseline", needed=1, have=0, unit="healthy rows")
        self.ratio_ = (X[healthy] > 0).all(axis=0) & (self.form == "auto")
        self.size_ = np.maximum(np.median(np.abs(X[healthy]), axis=0), 1e-12)
        self.scale_ = np.ones(X.shape[1])
        self.names_: list[str] = []
        self.mean_ = np.empty((0, X.shape[1]))
        self._remember(X[healthy], names[healthy], index.take(healthy))
        spread = np.sqrt(np.mean(self._crossed(X[healthy], index.take(healthy)) ** 2, axis=0))
        self.scale_ = np.where(self.ratio_ | (spread == 0), 1.0, spread)
        return self

    def add(self, X: np.ndarray, index: Index) -> Self:
        """A copy that knows the baselines of further units, or newer ones of units it knew, from their healthy rows."""
        self._fitted()
        X, names = self._checked(X, index)
        healthy = index.label == "normal"
        added = copy.deepcopy(self)
        added._remember(X[healthy], names[healthy], index.take(healthy))
        return added

    def transform(self, X: np.ndarray, index: Index) -> np.ndarray:
        """(row, feature) relative to the unit's baseline, as learned."""
        self._fitted()
        X, names = self._checked(X, index)
        unknown = sorted(set(np.unique(names)) - set(self.names_))
        if unknown:
            raise UsageError(
                f"no healthy baseline is known of {self.by} {', '.join(unknown)}; fit or adapt with some healthy "
                "cycles of it, and of every other one that is to be judged"
            )
        place = {name: number for number, name in enumerate(self.names_)}
        return self._against(X, self.mean_[[place[name] for name in names]])

    def fit_transform(self, X: np.ndarray, index: Index) -> np.ndarray:
        """Fit, and the same rows relative to baselines that their own session (by domain: unit) had no part in."""
        return self.fit(X, index).crossed(X, index)

    def crossed(self, X: np.ndarray, index: Index) -> np.ndarray:
        """Rows that are in the baselines, relative to baselines that their own session had no part in."""
        self._fitted()
        return self._crossed(self._checked(X, index)[0], index)

    def _crossed(self, X: np.ndarray, index: Index) -> np.ndarray:
        relative, names = self.transform(X, index), getattr(index, self.by)
        healthy, sessions = index.label == "normal", index.unit_session
        for name in np.unique(names[healthy]):
            own = np.flatnonzero(healthy & (names == name))
            apart = (
                (sessions[own], index.cycle[own])
                if self.by == "unit"
                else (index.unit[own], sessions[own], index.cycle[own])
            )
            for parts in apart:
                means, part = _part_means(X[own], parts)
                if len(means) > 1:
                    others = (means.sum(axis=0) - means) / (len(means) - 1)
                    relative[own] = self._against(X[own], others[part])
                    break
        return relative

    def _against(self, X: np.ndarray, mean: np.ndarray) -> np.ndarray:
        """(row, feature) logarithm of the ratio to the baseline, or difference to it."""
        level = np.where(self.ratio_, np.maximum(mean, _LEAST * self.size_), 1.0)
        logarithm = np.log(np.maximum(np.where(self.ratio_, X / level, 1.0), _FLOOR))
        relative: np.ndarray = np.where(self.ratio_, logarithm, (X - mean) / (self.size_ * self.scale_))
        return relative

    def _remember(self, X: np.ndarray, names: np.ndarray, index: Index) -> None:
        sessions = index.unit_session
        for name in np.unique(names):
            own = names == name
            mean = _part_means(X[own], sessions[own])[0].mean(axis=0)
            if name in self.names_:
                self.mean_[self.names_.index(name)] = mean
            else:
                self.names_.append(str(name))
                self.mean_ = np.vstack([self.mean_, mean])

    def _checked(self, X: np.ndarray, index: Index) -> tuple[np.ndarray, np.ndarray]:
        if self.by not in ("unit", "domain") or self.form not in ("auto", "difference"):
            raise UsageError(
                f"a baseline is by unit or domain, its form auto or difference; got {self.by!r} and {self.form!r}"
            )
        X = np.asarray(X, np.float64)
        if X.ndim != 2 or len(X) != len(index):
            raise UsageError(f"features must be (row, feature) with {len(index)} rows, got {X.shape}")
        return X, getattr(index, self.by)

    def _fitted(self) -> None:
        if not hasattr(self, "names_"):
            raise NotFittedError("OwnBaseline is not fitted; call fit first")


def _part_means(rows: np.ndarray, part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(part, feature) means of the rows of each part, and the number of each row's part."""
    names, number = np.unique(part, return_inverse=True)
    sums = np.zeros((len(names), rows.shape[1]))
    np.add.at(sums, number, rows)
    return sums / np.bincount(number, minlength=len(names))[:, None], number
