"""Persistence: an alarm needs k of the last n cycles past the threshold, so that single flukes stay quiet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from jointwatch.core import Index, Scores
from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.core.estimator import BaseEstimator

__all__ = ["Persistence"]

_PAIRS_NEEDED = 20  # below that a lag-1 correlation says nothing
_ONE_IN_TWENTY = 1.6448536269514722  # standard deviations that a Gaussian exceeds in one case of twenty


@dataclass(frozen=True)
class PersistenceState:
    """What is remembered between cycles: for each unit the session last seen and its last flags, oldest first."""

    recent: Mapping[str, tuple[str, tuple[bool, ...]]] = field(default_factory=dict)


@dataclass(frozen=True)
class PersistenceRate:
    """Expected false alarms per healthy cycle after persistence.

    `independent` holds if cycles are independent; `correlated` if they follow one another with the rank correlation
    `lag1` that was measured on `pairs` neighbouring healthy cycles; `warning` is empty where the two agree.
    """

    per_cycle: float
    independent: float
    correlated: float
    lag1: float
    pairs: int
    warning: str


class Persistence(BaseEstimator):
    """k of n: a cycle raises an alarm if it passes the threshold and at least k of the unit's last n cycles, itself
    included, did. The first alarm of a run of flags comes as early as it can; each alarm stands on a cycle that passed.

    Parameters
    ----------
    k, n : 1 <= k <= n; (1, 1) lets every flag through.
    reset_on_session : forget a unit's flags when its session changes. Off: flags count across sessions.

    >>> import numpy as np
    >>> flags = np.array([True, False, True, True, False, False, True])
    >>> Persistence(2, 3).apply(flags).astype(int).tolist()
    [0, 0, 1, 1, 0, 0, 0]
    >>> persistence = Persistence(2, 3)
    >>> state = persistence.init()
    >>> for flag in flags[:3]:
    ...     state, raised = persistence.step(state, bool(flag), unit="arm-1")
    >>> raised
    True
    """

    def __init__(self, k: int = 1, n: int = 1, reset_on_session: bool = True) -> None:
        self.k = k
        self.n = n
        self.reset_on_session = reset_on_session

    def init(self) -> PersistenceState:
        """The state before the first cycle."""
        self._require_valid()
        return PersistenceState()

    def step(
        self, state: PersistenceState, flag: bool, unit: str = "", session: str = ""
    ) -> tuple[PersistenceState, bool]:
        """(next state, whether this cycle raises an alarm); `state` stays as it is."""
        before, flags = state.recent.get(unit, (session, ()))
        if self.reset_on_session and before != session:
            flags = ()
        flags = (*flags, bool(flag))[-self.n :]
        return PersistenceState({**state.recent, unit: (session, flags)}), bool(flag) and sum(flags) >= self.k

    def apply(self, flags: np.ndarray, index: Index | None = None) -> np.ndarray:
        """(cycle,) bool: what `step` says of cycles in this order.

        `index` has one row for every flag and tells units and sessions apart; without it all are one unit's.
        """
        flags = np.asarray(flags)
        if flags.ndim != 1 or flags.dtype != np.bool_:
            raise UsageError(f"flags must be one-dimensional bool, got {flags.dtype} {flags.shape}")
        if index is not None and len(index) != len(flags):
            raise UsageError(f"{len(flags)} flags do not fit {len(index)} index rows")
        state = self.init()
        raised = np.zeros(len(flags), bool)
        for row, flag in enumerate(flags.tolist()):
            unit, session = ("", "") if index is None else (str(index.unit[row]), str(index.session[row]))
            state, raised[row] = self.step(state, flag, unit, session)
        return raised

    def false_alarm_rate(self, per_cycle: float, lag1: float = 0.0) -> float:
        """Expected alarms per healthy cycle in the long run, if each passes with probability `per_cycle`.

        With `lag1` = 0 cycles are independent: per_cycle P(Binomial(n - 1, per_cycle) >= k - 1). Otherwise the flags
        are the two-state Markov chain with that rate and that correlation of neighbours.

        >>> [round(Persistence(2, 3).false_alarm_rate(0.01, lag1), 5) for lag1 in (0.0, 0.3)]
        [0.0002, 0.00312]
        """
        self._require_valid()
        if not 0 < per_cycle < 1 or not 0 <= lag1 < 1:
            raise UsageError(f"per_cycle is in (0, 1) and lag1 in [0, 1), got {per_cycle} and {lag1}")
        stay, start = per_cycle + lag1 * (1 - per_cycle), per_cycle * (1 - lag1)
        count = np.zeros((2, self.n + 1))  # [last flag, flags so far] -> probability
        count[0, 0], count[1, 1] = 1 - per_cycle, per_cycle
        for _ in range(self.n - 1):
            quiet = count[0] * (1 - start) + count[1] * (1 - stay)
            passed = count[0] * start + count[1] * stay
            count = np.stack([quiet, np.concatenate([[0.0], passed[:-1]])])
        return float(count[1, self.k :].sum())

    def expected_rate(self, healthy: Scores, per_cycle: float) -> PersistenceRate:
        """The rate to expect with the correlation that healthy cycle scores show, and a warning where it matters.

        The correlation is Spearman's between neighbours of one unit and session, in order of time. Taking it for that
        of the flags errs on the safe side for Gaussian-like dependence, whose extremes are less correlated than its
        bulk; it is a figure to warn by, not a guarantee: that needs `confirm` on persisted flags.

        Errors: `NotEnoughData` with fewer than 20 pairs of neighbours.
        """
        cycles = healthy.by_cycle()
        index = cycles.index
        order = np.lexsort((index.start_s, index.session, index.unit))
        first, second = order[:-1], order[1:]
        same = (index.unit[first] == index.unit[second]) & (index.session[first] == index.session[second])
        pairs = int(same.sum())
        if pairs < _PAIRS_NEEDED:
            raise NotEnoughData(
                "the correlation of neighbouring cycles",
                needed=_PAIRS_NEEDED,
                have=pairs,
                unit="pairs of healthy cycles",
            )
        before, after = cycles.value[first[same]], cycles.value[second[same]]
        lag1 = 0.0
        if np.ptp(before) > 0 and np.ptp(after) > 0:
            lag1 = float(np.corrcoef(_ranks(before), _ranks(after))[0, 1])
        significant = lag1 > _ONE_IN_TWENTY / np.sqrt(pairs)
        independent = self.false_alarm_rate(per_cycle)
        correlated = self.false_alarm_rate(per_cycle, min(lag1, 0.999)) if significant else independent
        warning = ""
        if significant and self.n > 1:
            warning = (
                f"neighbouring healthy cycles are correlated ({lag1:.2f}, {pairs} pairs): {self.k} of {self.n} is then "
                f"expected to raise {correlated:.2g} false alarms per cycle, not {independent:.2g}"
            )
        return PersistenceRate(per_cycle, independent, correlated, lag1, pairs, warning)

    def _require_valid(self) -> None:
        if not 1 <= self.k <= self.n:
            raise UsageError(f"persistence is k of n with 1 <= k <= n, got {self.k} of {self.n}")


def _ranks(value: np.ndarray) -> np.ndarray:
    """Ranks from 1, equal values sharing the mean of theirs."""
    _, place, count = np.unique(value, return_inverse=True, return_counts=True)
    ranks: np.ndarray = (np.cumsum(count) - (count - 1) / 2)[place]
    return ranks
