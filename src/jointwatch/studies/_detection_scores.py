"""Figures of a detector as maintenance uses it: the k worst, a stated false-positive rate, flags, the joint named."""

from __future__ import annotations

import math

import numpy as np

from jointwatch.core.errors import UsageError

__all__ = ["f1_at", "false_positive_rate", "localised", "precision_at_k", "recall_at_rate"]


def precision_at_k(score: np.ndarray, truth: np.ndarray, k: int) -> float:
    """Share of anomalies among the k highest scores: what a team finds that can look at k cycles.

    Parameters
    ----------
    score : (row,) higher = more anomalous. truth : (row,) bool, True = anomalous.
    k : rows looked at; more than there are = all of them.

    Rows that tie at the border count with the share of them that fits, so the order of the rows has no influence.
    NaN without rows. Errors: `UsageError` for k below 1, or lengths that differ.

    >>> precision_at_k(np.array([4.0, 3.0, 2.0, 1.0]), np.array([True, False, True, False]), 2)
    0.5
    """
    score, truth = _pair(score, truth)
    if k < 1:
        raise UsageError(f"precision at k needs a k of at least 1, got {k}")
    if len(score) == 0:
        return math.nan
    k = min(k, len(score))
    border = np.partition(score, len(score) - k)[len(score) - k]
    above, at = score > border, score == border
    hits = truth[above].sum() + (k - above.sum()) * truth[at].mean()
    return float(hits / k)


def recall_at_rate(score: np.ndarray, truth: np.ndarray, rate: float = 0.01) -> float:
    """Largest share of anomalies above a threshold that at most `rate` of the healthy rows pass, as on the ROC curve.

    The threshold is read off the rows that are judged: a property of the ranking, never of a threshold set beforehand.
    With fewer healthy rows than 1 / rate none of them may pass. NaN without anomalies or without healthy rows.

    >>> score = np.array([1.0, 2.0, 3.0, 4.0, 2.5, 3.5, 9.0])
    >>> truth = np.array([False, False, False, False, True, True, True])
    >>> round(recall_at_rate(score, truth, 0.01), 3), round(recall_at_rate(score, truth, 0.25), 3)
    (0.333, 0.667)
    """
    score, truth = _pair(score, truth)
    if not 0 <= rate <= 1:
        raise UsageError(f"a false-positive rate is between 0 and 1, got {rate}")
    healthy, anomalous = np.sort(score[~truth])[::-1], score[truth]
    if not len(healthy) or not len(anomalous):
        return math.nan
    allowed = math.floor(rate * len(healthy) + 1e-9)
    return 1.0 if allowed >= len(healthy) else float((anomalous > healthy[allowed]).mean())


def f1_at(flag: np.ndarray, truth: np.ndarray) -> float:
    """F1 of flags: harmonic mean of precision and recall; 0 where nothing is flagged or nothing of it right, NaN
    without anomalies. The threshold behind the flags is the caller's: set it without test data.

    >>> f1_at(np.array([True, True, False, False]), np.array([True, False, True, False]))
    0.5
    """
    flag, truth = _pair(flag, truth)
    flag = flag.astype(bool)
    if not truth.any():
        return math.nan
    return float(2 * (flag & truth).sum() / (flag.sum() + truth.sum()))


def false_positive_rate(flag: np.ndarray, truth: np.ndarray) -> float:
    """Share of the healthy rows that are flagged; NaN without healthy rows.

    >>> false_positive_rate(np.array([True, True, False]), np.array([True, False, False]))
    0.5
    """
    flag, truth = _pair(flag, truth)
    return float(flag[~truth].astype(bool).mean()) if (~truth).any() else math.nan


def localised(blame: np.ndarray, joint: np.ndarray) -> float:
    """Share of the rows whose most blamed joint is the faulty one.

    Parameters
    ----------
    blame : (row, joint) not negative, column 0 is joint 1 (`Scores.by_joint` gives it).
    joint : (row,) faulty joint from 1; rows with 0 (none, or unknown) do not count.

    A row that blames n joints alike, the faulty one among them, counts 1/n: a method that cannot say has the share of
    chance. NaN where no row counts. Errors: `UsageError` for a faulty joint that `blame` has no column for.

    >>> localised(np.array([[0.1, 0.9], [0.5, 0.5], [1.0, 0.0]]), np.array([2, 1, 0]))
    0.75
    """
    blame, joint = np.asarray(blame, np.float64), np.asarray(joint)
    if blame.ndim != 2 or joint.shape != (len(blame),):
        raise UsageError(f"blame is (row, joint) with a joint a row, got {blame.shape} and {joint.shape}")
    rows = np.flatnonzero(joint > 0)
    if not len(rows):
        return math.nan
    if joint.max() > blame.shape[1]:
        raise UsageError(f"joint {joint.max()} is faulty, but there are blames for {blame.shape[1]} joints only")
    most = blame[rows] == blame[rows].max(axis=1, keepdims=True)
    return float((most[np.arange(len(rows)), joint[rows] - 1] / most.sum(axis=1)).mean())


def _pair(value: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    value, truth = np.asarray(value), np.asarray(truth, bool)
    if value.ndim != 1 or value.shape != truth.shape:
        raise UsageError(f"scores and truth are one value a row, got {value.shape} and {truth.shape}")
    return value, truth
