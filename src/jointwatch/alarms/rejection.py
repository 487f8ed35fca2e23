"""Rejection of what is none of the known classes, with a stated share of known rows that are rejected wrongly.

For each class c, let n held-out rows that are known to be c have the evidence e_1 ... e_n for it. A further row of
class c is as likely to take any of the n + 1 ranks, so its p-value for c, (1 + rows of c with no more evidence) /
(n + 1), is at most alpha with probability at most alpha. A row is unknown if its p-values for all classes are at most
alpha; as one of them is that of its true class, a known row is rejected with probability at most alpha, in every class.

It is for whoever has several named classes and, of the target itself, held-out rows of each: a classifier of faults
behind an open-set strategy. `diagnosis.anomaly.AnomalyDetector` knows one class only, healthy, of which it has held-out
rows; there a row that is strange to all known classes is simply `anomalous`, and `uncertain` is the doubt between the
two limits on the same p-value.
"""

from __future__ import annotations

from typing import Self

import numpy as np

from jointwatch.alarms.conformal import cycles_to_alarm
from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.core.estimator import BaseEstimator, NotFittedError

__all__ = ["Rejection"]

UNKNOWN = -1


class Rejection(BaseEstimator):
    """Split-conformal rejection by class: a row is `unknown` if to every known class it is stranger than all but a
    stated share of that class's own rows.

    The rate holds on average over calibration sets, for any number of rows and any distribution, where held-out rows
    and the rows decided later are exchangeable within each class: of the same robot, held out from all training, and
    one row a cycle or session rather than many windows of one. Rows of a source robot do not calibrate a target.

    Parameters
    ----------
    rate : alpha, share of the rows of each known class that may be rejected, between 0 and 1.

    Attributes
    ----------
    classes_ : (class,) the known classes, in the order of the evidence's columns.
    calibration_ : one array a class: the evidence of its held-out rows, sorted.

    Errors: `NotEnoughData` where a class has fewer than ceil(1 / rate) - 1 rows: nothing could be rejected.

    Source: V. Vovk, A. Gammerman, G. Shafer, *Algorithmic Learning in a Random World*, Springer 2005 (Mondrian
    conformal prediction: by class).

    >>> rng = np.random.default_rng(0)
    >>> label = np.repeat([0, 1], 100)
    >>> centres = np.array([0.0, 8.0])
    >>> distance = np.abs((centres[label] + rng.standard_normal(200))[:, None] - centres)
    >>> rejection = Rejection(rate=0.05).fit(-distance, label)
    >>> rejection.classify(-np.abs(np.array([0.5, 7.0, 4.0, 30.0])[:, None] - centres)).tolist()
    [0, 1, -1, -1]
    """

    classes_: np.ndarray
    calibration_: list[np.ndarray]

    def __init__(self, rate: float = 0.05) -> None:
        self.rate = rate

    def fit(self, evidence: np.ndarray, label: np.ndarray) -> Self:
        """Remember how strongly rows of each known class are taken for what they are.

        Parameters
        ----------
        evidence : (row, class) finite; higher = more like that class: log-probabilities, or minus a distance.
        label : (row,) true class, the number of its column. Rows that had no part in training.

        Errors: `NotEnoughData` (see above); `UsageError` for a label that is no column.
        """
        needed = cycles_to_alarm(self.rate)
        values, label = _evidence(evidence), np.asarray(label)
        classes = values.shape[1]
        if label.shape != (len(values),) or not np.isin(label, np.arange(classes)).all():
            raise UsageError(f"each row needs a label from 0 to {classes - 1}, the number of its column of evidence")
        counts = np.bincount(label.astype(np.int64), minlength=classes)
        if (short := np.flatnonzero(counts < needed)).size:
            raise NotEnoughData(
                f"rejection of unknown rows at {self.rate * 100:.4g} % of the known ones",
                needed=needed * len(short),
                have=int(counts[short].sum()),
                unit=f"held-out rows of class {', '.join(map(str, short))} ({needed} of each)",
            )
        self.classes_ = np.arange(classes)
        self.calibration_ = [np.sort(values[label == number, number]) for number in self.classes_]
        return self

    def p_value(self, evidence: np.ndarray) -> np.ndarray:
        """(row, class) how usual the row is for that class: (1 + calibration rows with no more evidence) / (n + 1)."""
        if not hasattr(self, "calibration_"):
            raise NotFittedError("Rejection is not fitted; call fit with evidence of held-out rows first")
        values = _evidence(evidence)
        if values.shape[1] != len(self.classes_):
            raise UsageError(f"the evidence is for {len(self.classes_)} classes, got {values.shape[1]} columns")
        below = [np.searchsorted(own, values[:, k], side="right") for k, own in enumerate(self.calibration_)]
        counts = np.array([len(own) for own in self.calibration_])
        return (1 + np.stack(below, axis=1)) / (counts + 1)

    def decide(self, evidence: np.ndarray) -> np.ndarray:
        """(row,) True where the row is unknown: no p-value is above the rate."""
        return self.p_value(evidence).max(axis=1) <= self.rate * (1 + 1e-9)

    def classify(self, evidence: np.ndarray) -> np.ndarray:
        """(row,) the class with the largest p-value, by the evidence where several have it; -1 = unknown."""
        p_value = self.p_value(evidence)
        best = p_value == p_value.max(axis=1, keepdims=True)
        chosen = np.where(best, _evidence(evidence), -np.inf).argmax(axis=1)
        return np.where(self.decide(evidence), UNKNOWN, self.classes_[chosen])


def _evidence(evidence: np.ndarray) -> np.ndarray:
    values = np.asarray(evidence, np.float64)
    if values.ndim != 2 or not values.shape[1]:
        raise UsageError(f"evidence is (row, class), got shape {values.shape}")
    if not np.isfinite(values).all():
        raise UsageError(
            f"the evidence of row {int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])} is not finite"
        )
    return values
