"""Classifier two-sample test: whether trees tell simulated windows from measured ones, and by which feature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.inspection import permutation_importance
from sklearn.metrics import roc_auc_score

from jointwatch.core import Channel, Quantity, Recording, Source
from jointwatch.core.errors import NotEnoughData
from jointwatch.signals.statistics import kurtosis
from jointwatch.studies._realism import Axis
from jointwatch.studies._statistics import cluster_auroc

__all__ = ["FEATURES", "VIEWS", "TwoSample", "two_sample", "window_features"]

FEATURES = (
    "joint",
    "mean speed",
    "mean effort",
    "effort along the motion",
    "effort spread",
    "effort noise",
    "effort noise kurtosis",
    "effort noise autocorrelation",
    "effort repeats",
    "effort below 5 Hz",
    "position noise",
    "position repeats",
    "velocity noise",
    "following error",
    "step spread",
)
VIEWS = {
    "all": FEATURES,
    "without clock": tuple(name for name in FEATURES if name != "step spread"),
    "effort only": tuple(name for name in FEATURES if name in ("joint", "mean effort") or name.startswith("effort")),
}
"""What the trees may see: everything, all but the clock, or the motor's effort alone."""
_WINDOW_S = 1.0
_LEAST_SAMPLES = 16
_FOLDS = 5


def window_features(recording: Recording, axes: Sequence[Axis], *, most: int = 24) -> np.ndarray:
    """(window and joint, feature) `FEATURES` in windows of 1 s, at most `most` of them evenly over the recording.

    Noise is the second difference divided by the square root of 6: the standard deviation of white noise. What is not
    recorded is 0 on both sides.
    """
    if not axes:
        return np.zeros((0, len(FEATURES)))
    time_s = axes[0].time_s
    starts = np.arange(time_s[0], time_s[-1] - _WINDOW_S, _WINDOW_S)
    if len(starts) > most:
        starts = starts[np.linspace(0, len(starts) - 1, most).round().astype(int)]
    reported = [
        (
            axis,
            _channel(recording, axis, Channel(Quantity.VELOCITY, axis.joint)),
            _channel(recording, axis, Channel(Quantity.POSITION, axis.joint, Source.COMMANDED)),
        )
        for axis in axes
    ]
    rows = []
    for start in starts:
        a, b = np.searchsorted(time_s, [start, start + _WINDOW_S])
        if b - a >= _LEAST_SAMPLES:
            rows += [_features(axis, slice(a, b), velocity, command) for axis, velocity, command in reported]
    return np.array(rows).reshape(-1, len(FEATURES))


def _channel(recording: Recording, axis: Axis, channel: Channel) -> np.ndarray | None:
    """A channel at the samples that the axis has."""
    if channel not in recording:
        return None
    return np.nan_to_num(recording[channel])[np.searchsorted(recording.time_s, axis.time_s)]


def _features(axis: Axis, part: slice, velocity: np.ndarray | None, command: np.ndarray | None) -> list[float]:
    effort, position, speed = axis.effort[part], axis.position[part], axis.speed[part]
    steps = np.diff(axis.time_s[part])
    rough = np.diff(effort, 2)
    block = max(1, round(0.1 / axis.step_s))
    coarse = effort[: len(effort) // block * block].reshape(-1, block).mean(axis=1)
    return [
        float(axis.joint),
        float(np.abs(speed).mean()),
        float(effort.mean()),
        float((effort * np.sign(speed)).mean()),
        float(effort.std()),
        float(rough.std() / np.sqrt(6)),
        float(kurtosis(rough)),
        _autocorrelation(rough),
        float((np.diff(effort) == 0).mean()),
        float((coarse - np.polyval(np.polyfit(np.arange(len(coarse)), coarse, 2), np.arange(len(coarse)))).std()),
        float(np.diff(position, 3).std() / np.sqrt(20)),
        float((np.diff(position) == 0).mean()),
        0.0 if velocity is None else float(np.diff(velocity[part], 2).std() / np.sqrt(6)),
        0.0 if command is None else float(np.abs(command[part] - position).mean()),
        float(steps.std()),
    ]


def _autocorrelation(values: np.ndarray) -> float:
    power = float((values**2).sum())
    return float((values[1:] * values[:-1]).sum()) / power if power else 0.0


@dataclass(frozen=True)
class TwoSample:
    """How well two sources are told apart: area under the ROC curve on recordings that the trees have not seen, 0.5 =
    not at all, with its 95 % interval over recordings; and (feature, loss of area when it is shuffled, area of this
    feature alone, median in the first and in the second source), the most telling first."""

    auroc: float
    low: float
    high: float
    groups: int
    windows: int
    features: list[tuple[str, float, float, float, float]]


def two_sample(
    first: Sequence[np.ndarray],
    second: Sequence[np.ndarray],
    *,
    features: Sequence[str] = FEATURES,
    seed: int = 0,
    trees: int = 200,
) -> TwoSample:
    """Tell windows of two sources apart.

    Parameters
    ----------
    first, second : (window, feature) of each recording. Those at the same place of both lists follow the same motion
        and are always on the same side of a split, so that neither a motion nor a recording can be recognised.

    Errors: `NotEnoughData` with fewer than two recordings that have windows on both sides.
    """
    pairs = [(a, b) for a, b in zip(first, second, strict=True) if len(a) and len(b)]
    if len(pairs) < 2:
        raise NotEnoughData("telling two sources apart", needed=2, have=len(pairs), unit="recordings with windows")
    X = np.concatenate([part for pair in pairs for part in pair])[:, [FEATURES.index(name) for name in features]]
    y = np.concatenate([np.full(len(part), side) for pair in pairs for side, part in enumerate(pair)])
    group = np.concatenate([np.full(len(part), k) for k, pair in enumerate(pairs) for part in pair])
    score = np.zeros(len(y))
    importance = np.zeros(X.shape[1])
    folds = np.array_split(np.random.default_rng(seed).permutation(len(pairs)), min(_FOLDS, len(pairs)))
    for fold in folds:
        held = np.isin(group, fold)
        model = ExtraTreesClassifier(trees, min_samples_leaf=2, class_weight="balanced", n_jobs=1, random_state=seed)
        model.fit(X[~held], y[~held])
        score[held] = model.predict_proba(X[held])[:, 1]
        shuffled = permutation_importance(
            model, X[held], y[held], scoring="roc_auc", n_repeats=2, random_state=seed, n_jobs=1
        )
        importance += shuffled.importances_mean / len(folds)
    clusters = [(score[(group == k) & (y == 1)], score[(group == k) & (y == 0)]) for k in range(len(pairs))]
    auroc, low, high = cluster_auroc([clusters], repeats=1000, seed=seed)
    found = []
    for k in np.argsort(-importance):
        alone = float(roc_auc_score(y, X[:, k]))
        a, b = (float(np.median(X[y == side, k])) for side in (0, 1))
        found.append((features[k], float(importance[k]), max(alone, 1 - alone), a, b))
    return TwoSample(auroc, low, high, len(pairs), len(y), found)
