"""What every feature transformer is: it turns windows into one vector each, and knows which channel a feature is of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self, final

import numpy as np

from jointwatch.core import Windows
from jointwatch.core.errors import UsageError
from jointwatch.core.estimator import BaseEstimator, NotFittedError, TransformerMixin
from jointwatch.windows.time_step import time_step_s

__all__ = ["Features"]


class Features(TransformerMixin, BaseEstimator, ABC):
    """A scikit-learn transformer: windows, or arrays (window, channel, time), to float64 vectors (window, feature).

    Authors write `_names` and `_transform` (or `_transform_timed`), and `_fit` where something is learned. Fitted
    state lives in attributes that end in an underscore, as in `Detector`.

    Attributes
    ----------
    channels_ : tuple of channel keys, `c0`, `c1` ... for arrays. length_ : samples a window.
    feature_names_ : list of str. feature_channel_ : (feature,) int, channel each feature is of, -1 = of several.
    n_features_in_ : channels a window.
    of_one_channel : class attribute, False where a feature rests on other channels of the same joint as well, or on
        what channels are called; such features need `Windows`, because arrays do not name their channels.
    of_time : class attribute, True where a feature depends on the sampling rate; authors then write `_transform_timed`.

    Features of channels that a robot does not have are 0.
    """

    of_one_channel: ClassVar[bool] = True
    of_time: ClassVar[bool] = False

    @abstractmethod
    def _names(self, channels: tuple[str, ...], length: int) -> list[tuple[str, int]]:
        """Name and channel number (-1 = several) of each feature, in the order of `_transform`."""

    def _transform(self, values: np.ndarray, presence: np.ndarray) -> np.ndarray:
        """(window, channel, time) and (window, channel) -> (window, feature)."""
        raise NotImplementedError

    def _transform_timed(self, values: np.ndarray, presence: np.ndarray, step_s: np.ndarray) -> np.ndarray:
        """The same where `of_time`; step_s (window,) is the time from sample to sample."""
        raise NotImplementedError

    def _fit(self, values: np.ndarray, presence: np.ndarray) -> None:
        """Learn what is to be learned; most features need nothing."""

    @final
    def fit(self, X: Windows | np.ndarray, y: np.ndarray | None = None) -> Self:
        """Remember channels and length, and learn what is to be learned; labels are not looked at."""
        values, presence, channels = _parts(X)
        pairs = self._names(channels, values.shape[2])
        self.channels_, self.length_, self.n_features_in_ = channels, values.shape[2], values.shape[1]
        self.feature_names_ = [name for name, _ in pairs]
        self.feature_channel_ = np.array([channel for _, channel in pairs], np.int64)
        self._fit(values, presence)
        return self

    @final
    def transform(self, X: Windows | np.ndarray) -> np.ndarray:
        """(window, feature) float64.

        Errors: `NotFittedError`; `UsageError` for other channels or another length than at `fit`, or NaN.
        """
        if not hasattr(self, "feature_names_"):
            raise NotFittedError(f"{type(self).__name__} is not fitted; call fit first")
        values, presence, channels = _parts(X)
        if values.shape[1:] != (self.n_features_in_, self.length_) or (
            isinstance(X, Windows) and channels != self.channels_
        ):
            raise UsageError(
                f"{type(self).__name__} was fitted on {self.length_} samples of {', '.join(self.channels_)}; "
                f"got {values.shape[2]} of {', '.join(channels)}"
            )
        if not self.of_time:
            features = np.asarray(self._transform(values, presence), np.float64)
        elif isinstance(X, Windows):
            features = np.asarray(self._transform_timed(values, presence, time_step_s(X)), np.float64)
        else:
            raise UsageError(f"{type(self).__name__} depends on the sampling rate; give Windows, which know theirs")
        absent = ~presence[:, self.feature_channel_] & (self.feature_channel_ >= 0)
        return np.where(absent, 0.0, features)

    @final
    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the features, as scikit-learn asks for them."""
        if not hasattr(self, "feature_names_"):
            raise NotFittedError(f"{type(self).__name__} is not fitted; call fit first")
        return np.array(self.feature_names_, dtype=object)

    @final
    def by_channel(self, values: np.ndarray) -> np.ndarray:
        """(window, feature) figures summed to (window, channel), for contributions; those of several are left out."""
        table = np.zeros((len(values), self.n_features_in_))
        own = self.feature_channel_ >= 0
        np.add.at(table.T, self.feature_channel_[own], np.asarray(values)[:, own].T)
        return table

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "feature_names_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.two_d_array = False
        return tags


def _parts(X: Windows | np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    if isinstance(X, Windows):
        return X.values, X.presence, tuple(channel.key for channel in X.channels)
    values = np.asarray(X)
    if values.ndim != 3:
        raise UsageError(f"expected windows (window, channel, time), got shape {values.shape}")
    if values.dtype.kind not in "fiub" or not np.isfinite(values).all():
        raise UsageError("windows must be finite numbers")
    return values, np.ones(values.shape[:2], bool), tuple(f"c{i}" for i in range(values.shape[1]))
