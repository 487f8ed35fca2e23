"""Classes that are made of several states, each a Gaussian: what tells kinds of faults apart is not one mean a kind."""

from __future__ import annotations

from typing import Self

import numpy as np

from jointwatch.core.estimator import BaseEstimator
from jointwatch.core.log_probability import log_softmax, logsumexp
from jointwatch.diagnosis._carried_discriminant import CarriedDiscriminant

__all__ = ["StateMixture"]

_REST = ""


class StateMixture(BaseEstimator):
    """A `CarriedDiscriminant` of states, whose shares are summed up to the classes that are decided.

    Slight and grave stages of a fault, or different faults, seldom lie about one mean; taken as one class they widen
    the covariance within classes and hide what is small. A state that was seen in fewer than two clusters cannot show
    how it scatters: such rows of a class make one component together.

    Attributes
    ----------
    discriminant_ : CarriedDiscriminant of component numbers. class_of_ : (component,) class. states_ : (component,)
        names, empty for the rest of a class. classes_ : int, how many.

    Source: T. Hastie, R. Tibshirani, "Discriminant analysis by Gaussian mixtures", J. Royal Statistical Society B 58,
    1996; here the components are known.

    >>> rng = np.random.default_rng(0)
    >>> part = np.repeat([0, 1, 2], 40)
    >>> X = np.array([[0.0], [-9.0], [9.0]])[part] + rng.standard_normal((120, 1))  # a fault goes to either side
    >>> state, run = np.array(["normal", "loose", "tight"])[part], np.arange(120)
    >>> mixture = StateMixture().fit(X, (part > 0).astype(int), state, run, 2)
    >>> mixture.log_proba(np.array([[0.0], [-9.0], [9.0]])).argmax(axis=1).tolist()
    [0, 1, 1]
    """

    def fit(self, X: np.ndarray, code: np.ndarray, states: np.ndarray, clusters: np.ndarray, classes: int) -> Self:
        """(row, feature) rows, their classes by number, states and clusters (runs, units)."""
        pairs: list[tuple[int, str]] = []
        for number in np.unique(code):
            own = code == number
            apart = [str(s) for s in np.unique(states[own]) if len(np.unique(clusters[own & (states == s)])) > 1]
            rest = [] if np.isin(states[own], apart).all() else [_REST]
            pairs += [(int(number), state) for state in apart + rest]
        self.class_of_ = np.array([number for number, _ in pairs], np.int64)
        self.states_ = np.array([state for _, state in pairs], np.str_)
        self.classes_ = classes
        self.discriminant_ = CarriedDiscriminant().fit(X, self._component(code, states), clusters)
        return self

    def adapt(self, X: np.ndarray, code: np.ndarray, states: np.ndarray, clusters: np.ndarray) -> Self:
        """A copy for the target that these rows are of; rows of a state that the source has not go to the component of
        their class that they are most like."""
        component = self._component(code, states)
        strange = component < 0
        if strange.any():
            scores = self.discriminant_.decision_function(X[strange])
            scores[self.class_of_[None] != code[strange, None]] = -np.inf
            component[strange] = scores.argmax(axis=1)
        adapted = type(self)()
        adapted.class_of_, adapted.states_, adapted.classes_ = self.class_of_, self.states_, self.classes_
        adapted.discriminant_ = self.discriminant_.adapt(X, component, clusters)
        return adapted

    def log_proba(self, X: np.ndarray) -> np.ndarray:
        """(row, class) logarithms of the probabilities; classes are alike beforehand, and states inside a class."""
        density = self.discriminant_.decision_function(X)
        found = np.full((len(density), self.classes_), -np.inf)
        for number in np.unique(self.class_of_):
            own = density[:, self.class_of_ == number]
            found[:, number] = logsumexp(own, axis=1) - np.log(own.shape[1])
        least = np.where(np.isfinite(found), found, np.inf).min(axis=1, keepdims=True)
        known: np.ndarray = log_softmax(np.maximum(found, least), axis=1)  # a class not learned: as the unlikeliest
        return known

    def parts(self, X: np.ndarray) -> np.ndarray:
        """(row, feature) what each feature adds to the log-odds of any class but the first, on the average of the
        states, up to a constant of the feature."""
        weights = self.discriminant_.coef_
        added: np.ndarray = X * (weights[self.class_of_ > 0].mean(axis=0) - weights[self.class_of_ == 0].mean(axis=0))
        return added

    def _component(self, code: np.ndarray, states: np.ndarray) -> np.ndarray:
        """(row,) number of the component, -1 where there is none for the state."""
        place = {pair: i for i, pair in enumerate(zip(self.class_of_.tolist(), self.states_.tolist(), strict=True))}
        rows = zip(code.tolist(), states.tolist(), strict=True)
        return np.array([place.get(row, place.get((row[0], _REST), -1)) for row in rows], np.int64)
