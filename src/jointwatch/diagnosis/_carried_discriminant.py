"""Linear discriminant whose classes are carried from one machine or load to another with few labelled runs."""

from __future__ import annotations

import copy
from typing import Self

import numpy as np

from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.core.estimator import BaseEstimator, ClassifierMixin, NotFittedError
from jointwatch.core.log_probability import softmax

__all__ = ["CarriedDiscriminant"]


class CarriedDiscriminant(ClassifierMixin, BaseEstimator):
    """Linear discriminant analysis with shrunken covariance, adapted to a target by empirical Bayes.

    Cycles of a run are near copies; what makes classification hard is that runs drift. Few runs of a target cannot
    show the drift, the source has seen it: the covariance within classes is taken from both. Where the target has
    runs of a class, its mean is a compromise between what these say and the source's mean of that class, moved by the
    shift that the target's classes have in common; where it has none, the moved mean alone. The weight is not tuned: it
    follows from how far classes are from having one common shift, against how far runs of one class are apart
    (random effects, in whitened features). Without `adapt` this is ordinary linear discriminant analysis.

    Attributes
    ----------
    classes_ : labels. mean_ : (class, feature) class means, adapted. runs_ : (class,) runs behind each; after `adapt`,
    so many runs of the target as would tell the mean equally well.
    weight_ : (class,) share of the target's own runs in each class mean, NaN before `adapt`.
    residual_ : (row, feature) rows about their class mean, of source and target.
    run_residual_ : (run, feature) means of the source's runs about their class mean.

    Errors: `NotEnoughData` with one class, or a class without a second row anywhere; `UsageError` for a class of the
    target that the source has not.

    Source: O. Ledoit, M. Wolf, J. Multivariate Analysis 88, 2004 (shrinkage); B. Efron, C. Morris, J. Am. Stat. Assoc.
    70, 1975 (empirical Bayes).

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1, 2], 40)
    >>> X = np.eye(3)[y] * 6 + rng.standard_normal((120, 3))
    >>> shifted = X + [0, 12, 0]
    >>> normal = y == 0
    >>> discriminant = CarriedDiscriminant().fit(X, y)
    >>> adapted = discriminant.adapt(shifted[normal], y[normal])
    >>> round(discriminant.score(shifted, y), 1), round(adapted.score(shifted, y), 1)
    (0.3, 1.0)
    """

    def fit(self, X: np.ndarray, y: np.ndarray, runs: np.ndarray | None = None) -> Self:
        """Learn a source. `runs` : (row,) run of each row, unique with its class; None = every row is a run."""
        X, y = np.asarray(X, float), np.asarray(y)
        self.classes_ = np.unique(y)
        if len(self.classes_) < 2 or len(X) <= len(self.classes_):
            raise NotEnoughData("a discriminant", needed=2, have=len(self.classes_), unit="classes with several rows")
        self.mean_ = np.stack([X[y == label].mean(axis=0) for label in self.classes_])
        self.residual_ = X - self.mean_[np.searchsorted(self.classes_, y)]
        runs = np.arange(len(X)) if runs is None else np.asarray(runs)
        parts = [self.residual_[(y == c) & (runs == r)] for c in self.classes_ for r in np.unique(runs[y == c])]
        self.run_residual_ = np.stack([part.mean(axis=0) for part in parts])
        self.runs_ = _runs_of_class(y, runs, self.classes_)
        self.weight_ = np.full(len(self.classes_), np.nan)
        return self._solve()

    def adapt(self, X: np.ndarray, y: np.ndarray, runs: np.ndarray | None = None) -> Self:
        """A new discriminant for the target that these labelled rows are of; this one stays as it is.

        What was adapted already is the source of another target. More rows of the same target belong into one call with
        the others: in two calls, a shift would be looked for between them.
        """
        self._fitted()
        X, y = np.asarray(X, float), np.asarray(y)
        unknown = sorted(set(y.tolist()) - set(self.classes_.tolist()))
        if unknown or not len(y):
            raise UsageError(f"the source has no class {', '.join(map(str, unknown))}" if unknown else "no target rows")
        runs = np.arange(len(X)) if runs is None else np.asarray(runs)
        adapted = copy.deepcopy(self)
        place = np.searchsorted(self.classes_, y)
        known = np.isin(np.arange(len(self.classes_)), place)
        own = self.mean_.copy()
        own[known] = np.stack([X[place == k].mean(axis=0) for k in np.flatnonzero(known)])
        adapted.residual_ = np.concatenate([self.residual_, X - own[place]])
        adapted._solve()
        count = _runs_of_class(y, runs, self.classes_)
        apart = (own - self.mean_) @ adapted.whitening_
        drift = adapted._drift()
        # noise of each class's difference: its runs here and there
        noise = drift * (1 / self.runs_[known] + 1 / count[known])
        free = known.sum() - 1
        spread = ((apart[known] - apart[known].mean(axis=0)) ** 2).mean(axis=1).sum() / free if free else 0.0
        prior = max(0.0, float(spread - noise.mean())) + drift / self.runs_
        weight = np.zeros(len(known))
        weight[known] = prior[known] / (prior[known] + drift / count[known])
        shift = (own - self.mean_)[known].mean(axis=0)
        adapted.mean_ = weight[:, None] * own + (1 - weight[:, None]) * (self.mean_ + shift)
        adapted.weight_ = weight
        adapted.runs_ = drift / prior + count
        return adapted._solve()

    def decision_function(self, X: np.ndarray) -> np.ndarray:
        """(row, class) discriminant scores: logarithms of the class densities up to a constant of the row."""
        self._fitted()
        scores: np.ndarray = np.asarray(X, float) @ self.coef_.T + self.intercept_
        return scores

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """(row, class) shares under equal priors; confident, as many features are taken to be Gaussian."""
        shares: np.ndarray = softmax(self.decision_function(X), axis=1)
        return shares

    def predict(self, X: np.ndarray) -> np.ndarray:
        """(row,) the likeliest class."""
        best = self.decision_function(X).argmax(axis=1)
        labels: np.ndarray = self.classes_[best]
        return labels

    def _drift(self) -> float:
        """Variance of a run about its class, mean over whitened features; 1, that of a row, if no class has two."""
        free = len(self.run_residual_) - len(self.classes_)
        return float(((self.run_residual_ @ self.whitening_) ** 2).mean(axis=1).sum() / free) if free > 0 else 1.0

    def _solve(self) -> Self:
        """Whitening of the residuals, and from it the linear functions of the classes."""
        from sklearn.covariance import ledoit_wolf_shrinkage  # a known discriminant is a product of arrays

        size = self.residual_.std(axis=0)
        scale = np.where(size > 0, size, 1.0)
        scaled = self.residual_ / scale
        share = float(ledoit_wolf_shrinkage(scaled, assume_centered=True))
        covariance = scaled.T @ scaled / len(scaled)
        round_ = np.trace(covariance) / len(covariance) * np.eye(len(covariance))
        lengths, axes = np.linalg.eigh((1 - share) * covariance + share * round_)
        self.whitening_ = axes / np.sqrt(np.maximum(lengths, 1e-12)) / scale[:, None]
        centres = self.mean_ @ self.whitening_
        self.coef_ = centres @ self.whitening_.T
        self.intercept_ = -0.5 * (centres**2).sum(axis=1)
        return self

    def _fitted(self) -> None:
        if not hasattr(self, "classes_"):
            raise NotFittedError("CarriedDiscriminant is not fitted; call fit first")


def _runs_of_class(y: np.ndarray, runs: np.ndarray, classes: np.ndarray) -> np.ndarray:
    return np.array([len(np.unique(runs[y == label])) for label in classes])
