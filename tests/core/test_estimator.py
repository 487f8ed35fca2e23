"""The stand-ins behave as scikit-learn's classes do, for what loading and scoring ask of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import sklearn.base
import sklearn.exceptions

from jointwatch.core import _plain_estimator as plain
from jointwatch.core import estimator


def classes(own: Any) -> SimpleNamespace:
    """A few estimators on top of one of both."""

    class Inner(own.BaseEstimator):
        def __init__(self, width=1.0, names=("a",)):
            self.width = width
            self.names = names

    class Outer(own.TransformerMixin, own.BaseEstimator):
        def __init__(self, inner=None, count=3):
            self.inner = inner
            self.count = count

        def fit(self, X, y=None):
            self.mean_ = np.mean(X)
            return self

        def transform(self, X):
            return X - self.mean_

    class Changes(own.BaseEstimator):
        def __init__(self, values=None):
            self.values = list(values)

    class Nothing(own.BaseEstimator):
        pass

    return SimpleNamespace(Inner=Inner, Outer=Outer, Changes=Changes, Nothing=Nothing, clone=own.clone)


BOTH = pytest.mark.parametrize("own", [classes(plain), classes(sklearn.base)], ids=["plain", "scikit-learn"])


def test_where_scikit_learn_is_installed_its_own_are_used() -> None:
    assert estimator.BaseEstimator is sklearn.base.BaseEstimator
    assert estimator.clone is sklearn.base.clone
    assert estimator.NotFittedError is sklearn.exceptions.NotFittedError
    assert set(estimator.__all__) == set(plain.__all__)


@BOTH
def test_parameters_by_signature(own: Any) -> None:
    outer = own.Outer(own.Inner(2.0), count=5)
    assert outer.get_params(deep=False) == {"inner": outer.inner, "count": 5}
    assert outer.get_params()["inner__width"] == 2.0
    assert own.Nothing().get_params() == {}
    assert outer.set_params(count=7, inner__width=4.0) is outer
    assert (outer.count, outer.inner.width) == (7, 4.0)
    assert own.Outer().set_params(inner=own.Inner(), inner__width=9.0).inner.width == 9.0
    with pytest.raises(ValueError, match="height"):
        outer.set_params(height=1)


@BOTH
def test_a_clone_has_equal_parameters_of_its_own_and_nothing_fitted(own: Any) -> None:
    outer = own.Outer(own.Inner(np.arange(3.0))).fit(np.ones(3))
    new = own.clone(outer)
    assert type(new) is type(outer)
    assert not hasattr(new, "mean_")
    assert new.inner is not outer.inner
    assert new.inner.width is not outer.inner.width
    np.testing.assert_array_equal(new.inner.width, outer.inner.width)
    assert [type(each) for each in own.clone([outer, outer.inner])] == [type(outer), type(outer.inner)]
    assert own.clone({"a": outer})["a"].count == 3
    with pytest.raises(TypeError):
        own.clone(3)
    assert own.clone([1, 2], safe=False) == [1, 2]
    with pytest.raises(RuntimeError):
        own.clone(own.Changes((1, 2)))


@BOTH
def test_fitting_and_transforming_in_one_call(own: Any) -> None:
    assert own.Outer().fit_transform(np.array([1.0, 3.0])).tolist() == [-1.0, 1.0]
    assert own.Outer().fit_transform(np.array([1.0, 3.0]), np.zeros(2)).tolist() == [-1.0, 1.0]


def test_not_fitted_is_caught_as_scikit_learns_is() -> None:
    assert set(plain.NotFittedError.__bases__) == set(sklearn.exceptions.NotFittedError.__bases__)
    assert repr(classes(plain).Inner()) == "Inner(names=('a',), width=1.0)"
