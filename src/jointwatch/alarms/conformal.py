"""Split-conformal threshold: a stated false-alarm rate per cycle that holds for any distribution of healthy scores.

Let n healthy cycles that no detector was fitted on have scores c_1 ... c_n, and let m = floor((n + 1) alpha). A further
healthy cycle is as likely to take any of the n + 1 ranks, so it lies above the m-th largest c with probability at
most alpha. That is exact for every n and every distribution; it asks only that calibration cycles and the cycles
scored later are exchangeable: same robot, task and conditions, and no drift between.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from jointwatch.core import Scores
from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.core.estimator import BaseEstimator, NotFittedError

__all__ = ["ConformalThreshold"]


@dataclass(frozen=True)
class RealisedRate:
    """What a threshold set on `cycles` healthy cycles may do in use.

    `stated` was asked for; `expected` is the mean over all calibration sets that could have been drawn, never
    above `stated`; with probability `confidence` the rate of the one threshold at hand lies in `low` .. `high`.
    """

    stated: float
    expected: float
    low: float
    high: float
    confidence: float
    cycles: int

    def __str__(self) -> str:
        return (
            f"stated {self.stated:.3%} per cycle, from {self.cycles} healthy cycles; "
            f"realised between {self.low:.3%} and {self.high:.3%} with {self.confidence:.0%} confidence"
        )


@dataclass(frozen=True)
class MeasuredRate:
    """False-alarm rate counted on healthy cycles that had no part in fitting or calibration.

    `low` and `high` are the two-sided Clopper-Pearson interval at `confidence`; `proven` says whether the stated
    rate is shown to hold by a one-sided test (see `cycles_to_prove`); `further_cycles` is how many more cycles
    without another alarm would show it, 0 if it is shown.
    """

    stated: float
    cycles: int
    alarms: int
    rate: float
    low: float
    high: float
    confidence: float
    claims: int
    proven: bool
    further_cycles: int

    def __str__(self) -> str:
        end = "proven" if self.proven else f"not proven: {self.further_cycles} more cycles without an alarm would"
        return (
            f"{self.alarms} false alarms in {self.cycles} healthy cycles: {self.rate:.3%} "
            f"({self.low:.3%} to {self.high:.3%} with {self.confidence:.0%} confidence); "
            f"at most {self.stated:.3%} is {end}"
        )


class ConformalThreshold(BaseEstimator):
    """Threshold on cycle scores at a stated false-alarm rate.

    Parameters
    ----------
    false_alarm_rate : alpha, share of healthy cycles that may raise an alarm, between 0 and 1.

    Attributes
    ----------
    threshold_ : the m-th largest calibration score; a cycle strictly above it is an alarm.
    calibration_scores_ : (cycle,) sorted from small to large.
    calibration_cycles_ : n.

    Errors: `NotEnoughData` below ceil(1 / alpha) - 1 healthy cycles, where no score however high could be an alarm.

    Ties count against the alarm, so that a detector with few distinct scores stays below the stated rate.

    Source: V. Vovk, A. Gammerman, G. Shafer, *Algorithmic Learning in a Random World*, Springer 2005; the law of the
    realised rate: V. Vovk, *Conditional validity of inductive conformal predictors*, ACML 2012.

    >>> import numpy as np
    >>> healthy = np.random.default_rng(0).gamma(5.0, size=199)
    >>> threshold = ConformalThreshold(false_alarm_rate=0.01).fit(healthy)
    >>> threshold.threshold_ == np.sort(healthy)[-2]
    np.True_
    >>> threshold.decide(np.array([3.0, 30.0])).tolist(), threshold.p_value(np.array([30.0])).tolist()
    ([False, True], [0.005])
    >>> print(threshold.realised_rate())
    stated 1.000% per cycle, from 199 healthy cycles; realised between 0.122% and 2.768% with 95% confidence
    >>> ConformalThreshold(0.01).fit(healthy[:98])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    jointwatch.core.errors.NotEnoughData: not enough data for a threshold at 1 % ...: 1 more healthy cycles (have 98...)
    """

    threshold_: float
    calibration_scores_: np.ndarray
    calibration_cycles_: int

    def __init__(self, false_alarm_rate: float = 0.01) -> None:
        self.false_alarm_rate = false_alarm_rate

    def fit(self, scores: Scores | np.ndarray) -> Self:
        """Set the threshold from healthy cycles.

        Parameters
        ----------
        scores : `Scores`, brought to one row a cycle by their highest window, all labelled normal; or an array
            (cycle,) of cycle scores that the caller knows to be healthy.

        Errors: `NotEnoughData` (see above); `UsageError` if a cycle is not labelled normal or a score is not finite.
        """
        needed = cycles_to_alarm(self.false_alarm_rate)
        values = _healthy(scores)
        if len(values) < needed:
            raise NotEnoughData(
                f"a threshold at {self.false_alarm_rate * 100:.4g} % false alarms per cycle",
                needed=needed,
                have=len(values),
                unit="healthy cycles",
            )
        self.calibration_scores_ = np.sort(values)
        self.calibration_cycles_ = len(values)
        self.threshold_ = float(self.calibration_scores_[-self._allowed])
        return self

    def p_value(self, scores: Scores | np.ndarray) -> np.ndarray:
        """(cycle,) (1 + calibration cycles that score at least as high) / (n + 1); `Scores` go by `by_cycle()`."""
        self._require_fit()
        below = np.searchsorted(self.calibration_scores_, _cycle_values(scores), side="left")
        return (1 + self.calibration_cycles_ - below) / (self.calibration_cycles_ + 1)

    def decide(self, scores: Scores | np.ndarray) -> np.ndarray:
        """(cycle,) True where a cycle is an alarm: its p-value is at most alpha, so it scores above `threshold_`."""
        self._require_fit()
        return _cycle_values(scores) > self.threshold_

    def realised_rate(self, confidence: float = 0.95) -> RealisedRate:
        """What the guarantee gives. It is an average over calibration sets; the rate of this one threshold follows
        Beta(m, n + 1 - m) where scores are continuous (it is smaller where they tie)."""
        self._require_fit()
        from scipy import stats  # a decision needs the threshold alone

        law = stats.beta(self._allowed, self.calibration_cycles_ + 1 - self._allowed)
        low, high = law.interval(confidence)
        return RealisedRate(
            self.false_alarm_rate, float(law.mean()), float(low), float(high), confidence, self.calibration_cycles_
        )

    def confirm(self, scores: Scores | np.ndarray, confidence: float = 0.95, claims: int = 1) -> MeasuredRate:
        """Count false alarms on fresh healthy cycles: neither fitted nor calibrated on.

        `claims` is how many statements are to hold together at `confidence`, as for `cycles_to_prove`.
        """
        self._require_fit()
        values = _healthy(scores)
        if len(values) == 0:
            raise NotEnoughData("a measured false-alarm rate", needed=1, have=0, unit="fresh healthy cycles")
        count, alarms = len(values), int((values > self.threshold_).sum())
        from scipy import stats  # a decision needs the threshold alone

        interval = stats.binomtest(alarms, count).proportion_ci(confidence, method="exact")
        needed = cycles_to_prove(self.false_alarm_rate, alarms=alarms, confidence=confidence, claims=claims)
        return MeasuredRate(
            self.false_alarm_rate,
            count,
            alarms,
            alarms / count,
            float(interval.low),
            float(interval.high),
            confidence,
            claims,
            count >= needed,
            max(0, needed - count),
        )

    @property
    def _allowed(self) -> int:
        return _floor((self.calibration_cycles_ + 1) * self.false_alarm_rate)

    def _require_fit(self) -> None:
        if not hasattr(self, "threshold_"):
            raise NotFittedError("ConformalThreshold is not fitted; call fit with healthy cycle scores first")

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "threshold_")


def cycles_to_alarm(false_alarm_rate: float) -> int:
    """Fewest calibration cycles with which an alarm at this rate is possible at all: ceil(1 / alpha) - 1.

    >>> [cycles_to_alarm(rate) for rate in (0.1, 0.05, 0.01, 0.001)]
    [9, 19, 99, 999]
    """
    _require_rate(false_alarm_rate)
    return -_floor(-1 / false_alarm_rate) - 1


def cycles_to_prove(rate: float, alarms: int = 0, confidence: float = 0.95, claims: int = 1) -> int:
    """Fewest independent cycles with no more than `alarms` alarms that show a rate of at most `rate`.

    The smallest n whose binomial probability P(at most `alarms` of n | rate) is not above (1 - confidence) / claims;
    without alarms that is log((1 - confidence) / claims) / log(1 - rate), rounded up. `claims` shares the error
    among several statements that shall hold together (Bonferroni): a false-alarm rate of 1 % alone needs 299 cycles,
    together with a recall of 90 % it needs 368, and the recall 36 hits (a miss rate of 10 %).

    >>> cycles_to_prove(0.01), cycles_to_prove(0.01, claims=2), cycles_to_prove(0.10, claims=2)
    (299, 368, 36)
    >>> cycles_to_prove(0.01, alarms=1)
    473
    """
    _require_rate(rate)
    if not 0 < confidence < 1 or claims < 1 or alarms < 0:
        raise UsageError(f"confidence is in (0, 1), claims >= 1, alarms >= 0; got {confidence}, {claims}, {alarms}")
    from scipy import stats  # a decision needs the threshold alone

    error = (1 - confidence) / claims

    def shown(count: int) -> bool:
        return bool(stats.binom.cdf(alarms, count, rate) <= error)

    high = alarms + 1
    while not shown(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if shown(middle) else (middle, high)
    return high


def _floor(value: float) -> int:
    """Floor that takes 0.99999999999 from binary rounding for 1."""
    return math.floor(value + 1e-9 * max(1.0, abs(value)))


def _require_rate(rate: float) -> None:
    if not 0 < rate < 1:
        raise UsageError(f"a rate is between 0 and 1, got {rate}")


def _cycle_values(scores: Scores | np.ndarray) -> np.ndarray:
    values = np.asarray(scores.by_cycle().value if isinstance(scores, Scores) else scores, np.float64)
    if values.ndim != 1:
        raise UsageError(f"cycle scores must be one-dimensional, one a cycle, got shape {values.shape}")
    if not np.isfinite(values).all():
        raise UsageError(f"cycle score {int(np.flatnonzero(~np.isfinite(values))[0])} is not finite")
    return values


def _healthy(scores: Scores | np.ndarray) -> np.ndarray:
    if isinstance(scores, Scores):
        cycles = scores.by_cycle()
        odd = np.flatnonzero(cycles.index.label != "normal")
        if len(odd):
            raise UsageError(
                f"{len(odd)} of {len(cycles)} cycles are not labelled normal, the first {cycles.index.cycle[odd[0]]} "
                f"({cycles.index.label[odd[0]]}); take the normal ones only, or pass the values of cycles you vouch for"
            )
    return _cycle_values(scores)
