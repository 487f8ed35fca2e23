"""What scoring and loading need of scikit-learn's estimators, where scikit-learn is not installed.

The convention is scikit-learn's: parameters are the arguments of `__init__`, kept unchanged under their names;
what is fitted ends in an underscore. Buitinck et al., API design for machine learning software, 2013.
"""

from __future__ import annotations

import copy
import inspect
from typing import Any, Self

__all__ = ["BaseEstimator", "ClassifierMixin", "NotFittedError", "RegressorMixin", "TransformerMixin", "clone"]


class NotFittedError(ValueError, AttributeError):
    """An estimator is used before it is fitted."""


class BaseEstimator:
    """Parameters by the signature of `__init__`.

    >>> class Scaled(BaseEstimator):
    ...     def __init__(self, factor=2.0):
    ...         self.factor = factor
    >>> Scaled(3.0).get_params(), clone(Scaled(3.0)).set_params(factor=4.0)
    ({'factor': 3.0}, Scaled(factor=4.0))
    """

    @classmethod
    def _get_param_names(cls) -> list[str]:
        if cls.__init__ is object.__init__:
            return []
        found = list(inspect.signature(cls.__init__).parameters.values())[1:]
        return sorted(parameter.name for parameter in found if parameter.kind != parameter.VAR_KEYWORD)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters and their values; `deep` adds those of estimators among them as `parameter__theirs`."""
        params: dict[str, Any] = {}
        for name in self._get_param_names():
            value = getattr(self, name)
            if deep and hasattr(value, "get_params") and not isinstance(value, type):
                params.update({f"{name}__{key}": inner for key, inner in value.get_params().items()})
            params[name] = value
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters, those of an estimator among them as `parameter__theirs`.

        Errors: `ValueError` for a name that is no parameter.
        """
        nested: dict[str, dict[str, Any]] = {}
        for key, value in params.items():
            name, _, inner = key.partition("__")
            if name not in self._get_param_names():
                raise ValueError(f"{name!r} is no parameter of {self}; there are {self._get_param_names()}")
            if inner:
                nested.setdefault(name, {})[inner] = value
            else:
                setattr(self, name, value)
        for name, inner_params in nested.items():
            getattr(self, name).set_params(**inner_params)
        return self

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.get_params(deep=False).items())
        return f"{type(self).__name__}({shown})"


class ClassifierMixin:
    """Says that an estimator predicts classes."""


class RegressorMixin:
    """Says that an estimator predicts values."""


class TransformerMixin:
    """Fitting and transforming in one call."""

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> Any:
        """What `fit` and then `transform` give."""
        fitted = self.fit(X, **fit_params) if y is None else self.fit(X, y, **fit_params)  # type: ignore[attr-defined]
        return fitted.transform(X)


def clone(estimator: Any, *, safe: bool = True) -> Any:
    """The same estimator, or list, tuple, set or dictionary of them, with equal parameters and without fitted state.

    Errors: `TypeError` for what is no estimator (copied deeply where `safe` is false); `RuntimeError` for an
    estimator that changes what it is given.
    """
    if hasattr(estimator, "__sklearn_clone__") and not isinstance(estimator, type):
        return estimator.__sklearn_clone__()
    kind = type(estimator)
    if kind is dict:
        return {key: clone(value, safe=safe) for key, value in estimator.items()}
    if kind in (list, tuple, set, frozenset):
        return kind([clone(item, safe=safe) for item in estimator])
    if not hasattr(estimator, "get_params") or isinstance(estimator, type):
        if safe:
            raise TypeError(f"{estimator!r} cannot be cloned: it is no fitted or unfitted estimator")
        return copy.deepcopy(estimator)
    params = {name: clone(value, safe=False) for name, value in estimator.get_params(deep=False).items()}
    new = kind(**params)
    changed = [name for name, value in new.get_params(deep=False).items() if value is not params[name]]
    if changed:
        raise RuntimeError(f"{estimator!r} cannot be cloned: its __init__ changes or drops {', '.join(changed)}")
    return new
