"""What tells a faulty joint from healthy ones: a direction for every fault, learned from few labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from jointwatch.core.log_probability import logsumexp

__all__ = ["FaultDirections"]

_SHRINK: Final = 0.2  # of the healthy covariance, towards equal spread in all directions
_FEW: Final = 100  # rows of a fault that count as much as the mean of all faults


@dataclass(frozen=True, eq=False)
class FaultDirections:
    """A linear discriminant between healthy rows and each fault, all with the covariance of the healthy ones.

    Faults point different ways, so one direction for all of them fits none; what healthy rows vary in anyway, all
    directions avoid alike. Rows of a fault are few and of any severity, so their own covariance is not asked for, and
    the mean of a fault seen in few rows is drawn to that of all faults.

    weight : (evidence, fault). offset : (fault,).

    Source: linear discriminant analysis with shrunk covariance; that only healthy rows make the covariance is this
    project's.

    >>> rng = np.random.default_rng(0)
    >>> rows, fault = rng.standard_normal((60, 2)), np.repeat(["", "wear", "play"], 20)
    >>> rows[20:40, 0] += 5
    >>> rows[40:, 1] -= 5
    >>> odds = FaultDirections.of(rows, fault).odds(np.array([[0.0, 0.0], [4.0, 0.0], [0.0, -4.0]]))
    >>> (odds > 0).tolist()
    [False, True, True]
    """

    weight: np.ndarray
    offset: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray, fault: np.ndarray) -> Self:
        """Learned from rows (row, evidence) and the names of their faults, "" = healthy."""
        rows, healthy = rows.astype(np.float64), fault == ""
        middle = rows[healthy].mean(axis=0)
        count = len(middle)
        spread = np.cov(rows[healthy].T, ddof=0).reshape(count, count)
        spread = (1 - _SHRINK) * spread + (_SHRINK * np.trace(spread) / count + 1e-9) * np.eye(count)
        every = rows[~healthy].mean(axis=0)
        means = []
        for name in np.unique(fault[~healthy]):
            own = fault == name
            share = own.sum() / (own.sum() + _FEW)
            means.append(share * rows[own].mean(axis=0) + (1 - share) * every)
        way = np.array(means) - middle
        found = np.linalg.solve(spread, way.T)
        return cls(found, -((middle + way / 2) * found.T).sum(axis=1))

    def odds(self, table: np.ndarray) -> np.ndarray:
        """(...) log-odds of any fault, each as likely as another, of (..., evidence)."""
        return logsumexp(table @ self.weight + self.offset, axis=-1)
