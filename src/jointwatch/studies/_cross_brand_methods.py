"""Methods that need no network: baselines, trees, the oracle, and joints against their own past."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, Final

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier

from jointwatch.core import Channel, Index, Quantity, Source, Windows, catalog
from jointwatch.detectors.base import Detector
from jointwatch.detectors.joint_deviations import JointDeviations
from jointwatch.studies._cross_brand_task import Tables, Task, found, judged_by

__all__ = ["ALONE", "CARRIED", "HEALTHY_ONLY", "ORACLE", "OURS", "deviations", "healthy_only", "oracle", "trees"]

HEALTHY_ONLY: Final = (
    "random_score",
    "duration",
    "phase_zscore",
    "mahalanobis",
    "pca",
    "kmeans",
    "knn",
    "lof",
    "isolation_forest",
    "linear_autoregression",
)
"""Detectors that learn from the target's baselines; all but the first two see deviations from the own baseline."""
ALONE: Final = "target only"
CARRIED: Final = "carried"
OURS: Final = "joint deviations"
ORACLE: Final = "oracle: true parameters of the drives"
_TREES = 200
_FOLDS = 3
_ALONG: Final = (
    (Quantity.EFFORT, ""),
    (Quantity.JOINT_TORQUE, ""),
    (Quantity.POSITION_ERROR, ""),
    (Quantity.EFFORT, "rough"),
    (Quantity.JOINT_TORQUE, "rough"),
    (Quantity.POSITION_ERROR, "rough"),
    (Quantity.VELOCITY, "rough"),
)


def healthy_only(name: str, task: Task, tables: Tables) -> dict[str, Any]:
    """A detector of the catalog on deviations along the path, fitted on the baselines of the target."""
    begin = time.perf_counter()
    evidence, _, along = tables.target(task)
    rows = np.flatnonzero(task.of_target)
    index = task.fleet.index.take(rows)
    windows = _windows(along, evidence.joints, evidence.there, index)
    healthy = task.baseline[rows]

    def fitted(chosen: np.ndarray) -> Detector:
        kind = catalog.load("detectors", name)
        detector: Detector = kind(**({"random_state": task.seed} if "random_state" in kind().get_params() else {}))
        known = windows[chosen]
        normal = replace(known.index, label=np.full(len(known), "normal"))
        return detector.fit(replace(known, index=normal))

    detector = fitted(healthy)
    seconds = time.perf_counter() - begin
    scores = detector.detect(windows[task.judged[rows]])
    blamed = None
    if scores.contributions is not None:
        of = np.array([channel.joint for channel in windows.channels])
        by_joint = np.stack([scores.contributions[:, of == joint].sum(axis=1) for joint in evidence.joints], axis=1)
        blamed = evidence.joints[by_joint.argmax(axis=1)]
    calibration: list[np.ndarray] = []
    units = np.random.default_rng(task.seed).permutation(np.unique(index.unit[task.near[rows]]))
    for part in np.array_split(units, _FOLDS):
        out = healthy & np.isin(index.unit, part)
        if out.any() and (healthy & ~out).any():
            calibration.append(fitted(healthy & ~out).score_samples(windows[out]))
    held_out = np.concatenate(calibration) if calibration else np.empty(0)
    return found(task, scores.value, held_out, blamed, seconds)


def _windows(along: np.ndarray, joints: np.ndarray, there: np.ndarray, index: Index) -> Windows:
    """Deviations (cycle, joint, signal, place) of the joints that there are, as windows."""
    own = along[:, there]
    channels = tuple(
        Channel(quantity, int(joint), Source.DERIVED, component)
        for joint in joints[there]
        for quantity, component in _ALONG
    )
    values = own.reshape(len(own), len(channels), -1)
    used = np.ptp(values, axis=(0, 2)) > 0
    return Windows(values[:, used], tuple(c for c, u in zip(channels, used, strict=True) if u), index, float("nan"))


def deviations(task: Task, tables: Tables) -> dict[str, Any]:
    """The project's detector: on the target alone where the task has no sources, else learned there and carried."""
    fleet = task.fleet
    if task.sources:
        learned = np.isin(fleet.index.domain, task.sources) & fleet.sure
        detector = JointDeviations(fleet.features()).fit(fleet.windows(learned))
    else:
        detector = JointDeviations(fleet.features()).fit(fleet.windows(task.baseline, "normal"))
    begin = time.perf_counter()
    labelled = fleet.windows(task.labelled) if task.budget else None
    if task.sources or task.budget:
        detector = detector.adapt(fleet.windows(task.baseline, "normal"), labelled)
    seconds = time.perf_counter() - begin
    return found(task, *judged_by(detector, task), seconds)


def trees(task: Task, tables: Tables) -> dict[str, Any]:
    """Extremely randomised trees on deviations pooled over joints, from the sources' labels and those of the target."""
    fleet = task.fleet
    X, y = [], []
    for brand in task.sources:
        rows = fleet.index.domain == brand
        X.append(_pooled(tables.source(brand)[1])[fleet.sure[rows]])
        y.append(fleet.anomalous[rows & fleet.sure])
    begin = time.perf_counter()
    of_target = np.flatnonzero(task.of_target)
    table = _pooled(tables.target(task)[1])
    known = np.isin(of_target, task.labelled) | (task.baseline & task.near)[of_target]
    if task.budget or not task.sources:
        X.append(table[known])
        y.append(fleet.anomalous[of_target[known]] & ~task.baseline[of_target[known]])
    model = _forest(task.seed).fit(np.concatenate(X), np.concatenate(y))
    seconds = time.perf_counter() - begin
    score = _share(model, table)
    # rows that the trees have learned would look too healthy: the threshold comes from trees without their unit
    units = fleet.index.unit[of_target]
    healthy = (task.baseline & task.near)[of_target]
    calibration = score[healthy]
    if task.budget or not task.sources:
        calibration = np.empty(0)
        for part in np.array_split(np.unique(units[healthy]), _FOLDS):
            out = np.isin(units, part)
            if not (healthy & out).any() or not (known & ~out).any():
                continue  # fewer units than parts
            less = _forest(task.seed).fit(
                np.concatenate([*X[:-1], table[known & ~out]]),
                np.concatenate([*y[:-1], y[-1][~out[known]]]),
            )
            calibration = np.concatenate([calibration, _share(less, table[healthy & out])])
    return found(task, score[task.judged[of_target]], calibration, None, seconds)


def oracle(task: Task, tables: Tables) -> dict[str, Any]:
    """The same trees on the true parameters of the drives relative to the own baseline: what is there to be seen of
    lasting faults of a joint, if every parameter could be measured."""
    fleet = task.fleet
    rows = np.flatnonzero(task.of_target)
    index, latent = fleet.index.take(rows), fleet.latent[rows]
    base = task.baseline[rows]
    relative = np.full(latent.shape, np.nan)
    for unit in np.unique(index.unit):
        own = index.unit == unit
        mean = latent[own & base].mean(axis=0)
        ratio = np.abs(mean) > 1e-15
        relative[own] = np.where(ratio, latent[own] / np.where(ratio, mean, 1.0) - 1, latent[own] - mean)
    named: dict[str, list[int]] = {}
    for column, name in enumerate(fleet.latent_names):
        if np.isfinite(relative[:, column]).all():
            named.setdefault(name.rpartition("/")[0], []).append(column)
    X = np.concatenate(
        [
            np.stack([np.abs(relative[:, columns]).max(axis=1), relative[:, columns].mean(axis=1)], axis=1)
            for columns in named.values()
        ],
        axis=1,
    )
    known = (task.near & fleet.sure)[rows]
    y = fleet.anomalous[rows]
    model = _forest(task.seed).fit(X[known], y[known])
    score = _share(model, X)
    return found(task, score[task.judged[rows]], score[(task.near & task.baseline)[rows]], None, 0.0)


def _pooled(table: np.ndarray) -> np.ndarray:
    """(cycle, figure): largest and second size over joints, mean size and mean."""
    size = np.sort(np.abs(table), axis=1)[:, ::-1]
    return np.concatenate([size[:, 0], size[:, 1], size.mean(axis=1), table.mean(axis=1)], axis=1)


def _forest(seed: int) -> ExtraTreesClassifier:
    return ExtraTreesClassifier(
        _TREES, min_samples_leaf=3, max_features="sqrt", class_weight="balanced", random_state=seed
    )


def _share(model: Any, X: np.ndarray) -> np.ndarray:
    shares = model.predict_proba(X)
    chosen: np.ndarray = shares[:, list(model.classes_).index(True)] if True in model.classes_ else np.zeros(len(X))
    return chosen
