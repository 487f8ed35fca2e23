"""What an estimator is: scikit-learn's own classes where it is installed, else stand-ins that load and score.

Fitting needs scikit-learn (extra `fit`); a stored model is loaded and scores without it.
"""

from __future__ import annotations

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin, clone
    from sklearn.exceptions import NotFittedError
except ModuleNotFoundError:
    from jointwatch.core._plain_estimator import (
        BaseEstimator,
        ClassifierMixin,
        NotFittedError,
        RegressorMixin,
        TransformerMixin,
        clone,
    )

__all__ = ["BaseEstimator", "ClassifierMixin", "NotFittedError", "RegressorMixin", "TransformerMixin", "clone"]
