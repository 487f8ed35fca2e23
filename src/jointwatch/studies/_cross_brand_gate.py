"""Borrowed or not: the carried detector against target-only, on what the target itself shows."""

from __future__ import annotations

import time
from typing import Any, Final

import numpy as np
from sklearn.metrics import roc_auc_score

from jointwatch.detectors.joint_deviations import JointDeviations
from jointwatch.studies._cross_brand_task import Tables, Task, found, judged_by

__all__ = ["GATED", "gated"]

GATED: Final = "gated"
"""Approach: the carried detector where the target's own evidence is for it, else the target alone."""
_FOLDS = 3
_DRAWS = 300
_BOUND = 0.1  # one-sided: the lead must be above 0 in nine of ten draws of units
_LABELS_HALF = 10  # labelled anomalous cycles that count as much as all that are lent


def gated(task: Task, tables: Tables) -> dict[str, Any]:
    """The project's detector behind a gate, with `used` (whether the borrowed one won), and its lead.

    Units of the target that are not judged are held out in turn; both detectors learn no label of them. What they then
    tell apart from their healthy cycles: labelled anomalous ones, as far as there are some, and *lent* ones, that is
    healthy cycles of the target on which deviations of a faulty joint of a source are put, of units that the borrowed
    rule has not seen either. The borrowed one is used if its lead is above 0 in nine of ten draws of units.
    """
    begin = time.perf_counter()
    fleet, rng = task.fleet, np.random.default_rng([task.seed, 5])
    evidence, table, _ = tables.target(task)
    rows = np.flatnonzero(task.of_target)
    own = fleet.index.unit[rows]
    shown = np.zeros(len(fleet), bool)
    shown[task.labelled] = fleet.anomalous[task.labelled]
    sources = np.isin(fleet.index.domain, task.sources) & fleet.sure
    lenders = np.array_split(rng.permutation(np.unique(fleet.index.unit[sources])), _FOLDS)
    leads = []
    for part, lender in zip(
        np.array_split(rng.permutation(np.unique(fleet.index.unit[task.near])), _FOLDS), lenders, strict=True
    ):
        known = task.labelled[~np.isin(fleet.index.unit[task.labelled], part)]
        lending = np.isin(fleet.index.unit, lender)
        sides = [_detector(task, sources & ~lending, known), _detector(task, None, known)]
        faulty = _faulty_joints(task, tables, sources & lending)
        for unit in part:
            healthy = table[task.baseline[rows] & (own == unit)].astype(float)
            real = table[shown[rows] & (own == unit)].astype(float)
            lent = _lent(healthy, faulty, evidence.there, rng)
            figures = [[_auroc(_scores(d, task, x), _scores(d, task, healthy)) for x in (lent, real)] for d in sides]
            leads.append([figures[0][0] - figures[1][0], figures[0][1] - figures[1][1]])
    lead = np.array(leads)
    count = int(shown.sum())
    share = np.where(np.isfinite(lead[:, 1]), count / (count + _LABELS_HALF), 0.0)
    both = share * np.nan_to_num(lead[:, 1]) + (1 - share) * lead[:, 0]
    draws = rng.integers(len(both), size=(_DRAWS, len(both)))
    low = float(np.quantile(both[draws].mean(axis=1), _BOUND))
    detector = _detector(task, sources if low > 0 else None, task.labelled)
    seconds = time.perf_counter() - begin
    step = found(task, *judged_by(detector, task), seconds)
    return {**step, "used": low > 0, "lead": round(float(both.mean()), 4), "lead_low": round(low, 4)}


def _detector(task: Task, sources: np.ndarray | None, labelled: np.ndarray) -> JointDeviations:
    """Learned on these cycles of the sources, or on the target alone, with these labels of the target."""
    fleet = task.fleet
    base = fleet.windows(task.baseline, "normal")
    start = JointDeviations(fleet.features()).fit(base if sources is None else fleet.windows(sources))
    return start.adapt(base, fleet.windows(labelled) if len(labelled) else None)


def _faulty_joints(task: Task, tables: Tables, rows: np.ndarray) -> np.ndarray:
    """(joint, evidence) of joints that are faulty by themselves, all brands together."""
    parts = []
    for brand in task.sources:
        evidence, table, _ = tables.source(brand)
        own = np.flatnonzero(task.fleet.index.domain == brand)
        joint = task.fleet.index.joint[own]
        cells = rows[own] & task.fleet.anomalous[own] & (joint > 0)
        parts.append(table[cells, np.searchsorted(evidence.joints, joint[cells])])
    return np.concatenate(parts).astype(float)


def _lent(healthy: np.ndarray, faulty: np.ndarray, there: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Healthy cycles with a fault on one joint, as far as the target has the signals that show it."""
    changed = healthy.copy()
    if not len(faulty):  # the lenders' joints were all healthy: nothing to lend, and no lead of either side
        return changed
    joints = rng.choice(np.flatnonzero(there), len(healthy))
    shown = (healthy != 0).any(axis=(0, 1))
    changed[np.arange(len(healthy)), joints] += faulty[rng.integers(len(faulty), size=len(healthy))] * shown
    return changed


def _scores(detector: JointDeviations, task: Task, table: np.ndarray) -> np.ndarray:
    return detector.score_evidence(table, task.target)


def _auroc(positive: np.ndarray, negative: np.ndarray) -> float:
    if not len(positive) or not len(negative):
        return float("nan")
    return float(roc_auc_score(np.repeat([1, 0], [len(positive), len(negative)]), np.concatenate([positive, negative])))
