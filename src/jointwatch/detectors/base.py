"""What every detector is: fitted on normal windows, it scores windows; higher = more anomalous."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any, Self, final

import numpy as np

from jointwatch.core import Channel, Scores, Windows
from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.core.estimator import BaseEstimator, NotFittedError

__all__ = ["Detector"]


class Detector(BaseEstimator, ABC):
    """A scikit-learn estimator on `Windows` or arrays (window, channel, time).

    Authors write `_fit` and `_score`, and `_contributions` where the method can tell which channel is to blame.

    Fitted state lives in attributes that end in an underscore and hold arrays, numbers, text, `Channel`s,
    other estimators of ours, networks of `models`, or lists and dictionaries of these: that is what is stored.
    Anything else (a fitted estimator of another library) lives in an attribute with a leading underscore and is
    made from the stored state by `_rebuild`, which runs after fitting and after loading.
    """

    minimum_windows: int = 2
    needs_labels: bool = False
    uses_labels: bool = False
    whole_cycles: int = 0
    """For detectors of whole cycles only: samples to which these are stretched where none are asked for."""
    compares_units: bool = False
    """Whether it needs healthy windows of every unit that it scores."""

    @abstractmethod
    def _fit(self, windows: Windows) -> None:
        """Learn what normal is. Only detectors that need or use labels (`needs_labels`, `uses_labels`: take them
        where there are some) get anomalous windows as well."""

    @abstractmethod
    def _score(self, windows: Windows) -> np.ndarray:
        """(window,) finite scores, higher = more anomalous."""

    def _contributions(self, windows: Windows) -> np.ndarray | None:
        """(window, channel) not negative, or None if the method cannot say."""
        return None

    def _assess(self, windows: Windows) -> tuple[np.ndarray, np.ndarray | None]:
        """Scores and contributions of the same windows; overridden where they share the work."""
        return self._score(windows), self._contributions(windows)

    @property
    def _costly_contributions(self) -> bool:
        """Whether contributions take more than scores do, so that they are left out where nobody looks."""
        return False

    def _rebuild(self) -> None:
        """Make what is not stored from what is."""

    @final
    def fit(self, X: Windows | np.ndarray, y: np.ndarray | None = None) -> Self:
        """Fit on windows. `y` (1 = anomalous, 0 = normal) or the windows' own labels say which are normal;
        without either all are taken as normal. Uncertain windows are left out.

        Errors: `NotEnoughData` with fewer normal windows than `minimum_windows`; `UsageError` for NaN or wrong shape.
        """
        windows = as_windows(X, y)
        windows = windows[windows.index.label != "uncertain"]
        normal = windows.normal()
        if len(normal) < self.minimum_windows:
            raise NotEnoughData(
                f"fitting {type(self).__name__}", needed=self.minimum_windows, have=len(normal), unit="normal windows"
            )
        if not (self.needs_labels or self.uses_labels):
            windows = normal
        self.channels_ = windows.channels
        self.length_ = windows.shape[2]
        self._fit(windows)
        self._rebuild()
        return self

    @final
    def score_samples(self, X: Windows | np.ndarray) -> np.ndarray:
        """(window,) scores; higher = more anomalous (the opposite of scikit-learn's outlier estimators)."""
        windows = self._checked(X)
        return np.asarray(self._score(windows), np.float64) if len(windows) else np.empty(0)

    @final
    def explain(self, X: Windows | np.ndarray) -> np.ndarray | None:
        """(window, channel) how much each channel brought to the score, or None if the method cannot say."""
        windows = self._checked(X)
        return self._contributions(windows) if len(windows) else None

    @final
    def detect(self, windows: Windows) -> Scores:
        """Scores with their index and contributions."""
        windows = self._checked(windows)
        scores, parts = self._assess(windows) if len(windows) else (np.empty(0), None)
        channels = windows.channels if parts is not None else ()
        return Scores(scores, windows.index, self.name, channels, parts)

    @final
    def detect_by_cycle(self, windows: Windows) -> tuple[Scores, Scores]:
        """`detect`, and its `by_cycle()`: contributions of the highest window of each cycle. Where contributions take
        long and cycles have several windows, those of the other windows are not computed, and the first result has
        none."""
        windows = self._checked(windows)
        if not self._costly_contributions or 2 * len(np.unique(windows.index.cycle)) > len(windows):
            scores = self.detect(windows)
            return scores, scores.by_cycle()
        scores = Scores(self._score(windows), windows.index, self.name)
        told = scores.by_cycle()
        best = self.detect(windows[scores.highest()])
        return scores, replace(best, value=told.value, index=told.index)

    @final
    def score(self, X: Windows | np.ndarray, y: np.ndarray | None = None) -> float:
        """AUROC against `y` or the windows' labels, so that `cross_validate` works as it stands."""
        windows = as_windows(X, y)
        windows = windows[windows.index.label != "uncertain"]
        truth = windows.index.label == "anomalous"
        if truth.all() or not truth.any():
            raise UsageError("AUROC needs normal and anomalous windows")
        from sklearn.metrics import roc_auc_score  # scoring of windows goes without

        return float(roc_auc_score(truth, self.score_samples(windows)))

    @property
    def name(self) -> str:
        """Catalog name: the stem of the file the detector lives in."""
        return type(self).__module__.rpartition(".")[2]

    def _checked(self, X: Windows | np.ndarray) -> Windows:
        if not hasattr(self, "channels_"):
            raise NotFittedError(f"{type(self).__name__} is not fitted; call fit first")
        windows = as_windows(X)
        if windows.shape[1:] != (len(self.channels_), self.length_):
            raise UsageError(
                f"{type(self).__name__} was fitted on windows of (channel, time) = "
                f"{(len(self.channels_), self.length_)}, got {windows.shape[1:]}"
            )
        if isinstance(X, Windows) and windows.channels != self.channels_:
            raise UsageError(f"{type(self).__name__} was fitted on other channels: {[c.key for c in self.channels_]}")
        return windows

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "channels_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.two_d_array = False
        return tags


def as_windows(X: Windows | np.ndarray, y: np.ndarray | None = None) -> Windows:
    """Arrays (window, channel, time) as anonymous windows; labels replaced by `y` where it is given."""
    from jointwatch.core import Index, Quantity

    if isinstance(X, Windows) and y is None:
        return X
    if isinstance(X, Windows):
        values, channels, rate_hz, mask, columns = X.values, X.channels, X.rate_hz, X.mask, X.index.columns()
    else:
        values = np.asarray(X)
        if values.ndim != 3:
            raise UsageError(f"expected windows (window, channel, time), got shape {values.shape}")
        channels = tuple(Channel(Quantity.STATUS, component=f"c{i}") for i in range(values.shape[1]))
        rate_hz, mask, count = 1.0, None, len(values)
        name = np.array([str(i) for i in range(count)])
        one, zero = np.full(count, "1"), np.zeros(count)
        columns = {
            "unit": one, "session": one, "cycle": name, "domain": one, "start_s": zero, "stop_s": zero + 1,
            "phase": zero + 0.5, "cycle_s": zero + 1, "label": np.full(count, "normal"), "fault": np.full(count, ""),
            "joint": np.zeros(count, int), "severity": zero * np.nan,
        }  # fmt: skip
    if y is not None:
        y = np.asarray(y)
        if y.shape != (len(values),):
            raise UsageError(f"y must be ({len(values)},), got {y.shape}")
        text = y if y.dtype.kind in "US" else np.where(y.astype(int) == 1, "anomalous", "normal")
        columns = {**columns, "label": text}
    return Windows(values, channels, Index(**columns), rate_hz, mask)
