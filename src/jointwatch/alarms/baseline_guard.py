"""Contaminated-baseline guard: finds and names the odd cycle among the healthy ones before it sets the threshold.

A threshold for rare alarms is made by the few highest calibration cycles. One faulty cycle among a hundred becomes the
threshold, and faults like it are missed from then on while the ranking of scores (AUROC) looks perfect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from jointwatch.core import Scores, Windows
from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.core.estimator import BaseEstimator, clone

__all__ = ["BaselineGuard"]

_CYCLES_NEEDED = 20
_ORIGIN_SIGMAS = 2.0
_MAD_TO_SIGMA = 1.4826

_Scored = TypeVar("_Scored", Scores, np.ndarray)


@dataclass(frozen=True)
class OddCycle:
    """A cycle that does not belong among the healthy ones.

    `row` counts calibration cycles from 0, `sigmas` is the distance from their median in robust standard deviations,
    `chance` how probable a gap this wide is among healthy cycles.
    """

    cycle: str
    row: int
    score: float
    sigmas: float
    chance: float
    reason: str


@dataclass(frozen=True)
class GuardReport:
    """What the guard found. Nothing is left out of anything unless `exclude` is called.

    `judged` is False where the cycles could not be judged, `note` then says why.
    """

    cycles: int
    odd: tuple[OddCycle, ...]
    false_naming_rate: float
    judged: bool
    note: str

    def exclude(self, scores: _Scored) -> _Scored:
        """The cycle scores without the odd ones; `Scores` are brought to one row a cycle first.

        A false-alarm rate that is calibrated on the rest holds on condition that the cycles left out were not
        healthy. If all had been healthy, the chance of leaving any out was at most about `false_naming_rate`, which
        adds to the false-alarm rate at worst.
        """
        values = scores.by_cycle() if isinstance(scores, Scores) else scores
        if len(values) != self.cycles:
            raise UsageError(f"the guard judged {self.cycles} cycles, got {len(values)}")
        keep = np.ones(self.cycles, bool)
        keep[[cycle.row for cycle in self.odd]] = False
        return values.take(keep) if isinstance(values, Scores) else values[keep]

    def __str__(self) -> str:
        found = "; ".join(f"{cycle.cycle}: {cycle.reason}" for cycle in self.odd)
        return f"{len(self.odd)} odd of {self.cycles} cycles" + (f" ({found})" if found else "") + f"; {self.note}"


class BaselineGuard(BaseEstimator):
    """Names cycles whose scores stand apart from the upper tail of the others.

    Let L_1 >= L_2 ... be the ordered logarithms of the scores, measured from two robust standard deviations below
    their median. Where the upper tail is a power law of any index, i (L_i - L_{i+1}) are independent exponentials of
    one mean (Renyi); lighter tails have smaller ones at the top. So the gap below the r highest cycles, relative to
    the mean of the 2 sqrt(n) gaps further in, is at most F(2, 4 sqrt(n)) distributed, and a gap beyond that is no
    healthy tail, however skewed. All r up to `max_share` of the cycles are tried, largest first, so that several odd
    cycles do not hide one another; half of `false_naming_rate` is spent on r = 1, the rest shared by the others.

    Parameters
    ----------
    false_naming_rate : probability with which any cycle is named although all are healthy. Measured on clean
        samples of 20 to 1000 cycles at 0.01: below 0.01 for normal, gamma, log-normal (sigma up to 1.5) and
        t with 5 degrees of freedom, and for whole-number counts; 0.02 for t with 3, 0.04 for t with 2.
    max_share : largest share of odd cycles that is looked for. More than that is no baseline.

    It judges cycles as exchangeable: a healthy session at a level of its own is named like a faulty one, and the
    reason says that the cycles come as a group. Moderate oddity (below about 10 robust standard deviations among 100
    cycles) is within what a skewed healthy tail can give, and is not named.

    Source: A. Renyi, *On the theory of order statistics*, Acta Math. Hung. 4, 1953; the mean log-spacing as tail
    index: B. M. Hill, Ann. Statist. 3, 1975; testing outward from the inside against masking: B. Rosner,
    *Percentage points for a generalized ESD many-outlier procedure*, Technometrics 25, 1983.

    >>> import numpy as np
    >>> healthy = np.random.default_rng(0).gamma(50.0, 0.02, size=100)
    >>> BaselineGuard().check(healthy).odd
    ()
    >>> healthy[17] = 8.0
    >>> report = BaselineGuard().check(healthy)
    >>> [(cycle.cycle, round(cycle.sigmas)) for cycle in report.odd], len(report.exclude(healthy))
    ([('17', 53)], 99)
    """

    def __init__(self, false_naming_rate: float = 0.01, max_share: float = 0.1) -> None:
        self.false_naming_rate = false_naming_rate
        self.max_share = max_share

    def check(self, scores: Scores | np.ndarray, names: Sequence[str] | None = None) -> GuardReport:
        """Judge calibration cycles.

        Parameters
        ----------
        scores : `Scores` (brought to one row a cycle) or an array (cycle,).
        names : (cycle,) what to call the cycles; default the index's cycle names, or row numbers from 0.

        Errors: `UsageError` for scores that are not finite or names that do not fit. Fewer than 20 cycles, or scores
        of which half are equal, cannot be judged: the report says so.
        """
        if not 0 < self.false_naming_rate < 1 or not 0 < self.max_share < 0.5:
            raise UsageError(
                f"false_naming_rate is in (0, 1) and max_share in (0, 0.5), "
                f"got {self.false_naming_rate} and {self.max_share}"
            )
        if isinstance(scores, Scores):
            cycles = scores.by_cycle()
            values, names = cycles.value, cycles.index.cycle.tolist() if names is None else names
        else:
            values = np.asarray(scores, np.float64)
        if values.ndim != 1 or not np.isfinite(values).all():
            raise UsageError(f"the guard needs finite scores, one a cycle, got shape {values.shape}")
        names = [str(row) for row in range(len(values))] if names is None else list(names)
        if len(names) != len(values):
            raise UsageError(f"{len(names)} names do not fit {len(values)} cycles")
        count = len(values)
        if count < _CYCLES_NEEDED:
            return self._report(count, (), f"not judged: {count} cycles, at least {_CYCLES_NEEDED} are needed")
        median = float(np.median(values))
        sigma = _MAD_TO_SIGMA * float(np.median(np.abs(values - median)))
        if sigma <= 1e-9 * abs(median):
            return self._report(count, (), "not judged: half of the scores are equal, there is no scale to judge by")
        rows = np.argsort(-values, kind="stable")
        set_apart, ratio, chance = self._set_apart(_untied(values[rows]), median, sigma)
        together = f", as one of {set_apart} cycles that stand apart together" if set_apart > 1 else ""
        odd = tuple(
            OddCycle(
                names[row],
                int(row),
                float(values[row]),
                float((values[row] - median) / sigma),
                chance,
                f"score {values[row]:.4g} is {(values[row] - median) / sigma:.0f} robust sigmas above the median "
                f"{median:.4g}{together}; the gap to the rest is {ratio:.0f} times what their tail lets expect",
            )
            for row in rows[:set_apart]
        )
        return self._report(count, odd, f"{count} cycles judged at a false-naming rate of {self.false_naming_rate:.2g}")

    def check_training(
        self, detector: Any, windows: Windows, groups: np.ndarray | None = None, folds: int = 5
    ) -> GuardReport:
        """Judge the cycles that a detector is to be fitted on, each scored by a clone that never saw its group.

        A cycle that was trained on looks less odd than it is. `groups` (window,) keeps what belongs together on one
        side, default the cycle; a whole session is the stricter choice.

        Errors: `NotEnoughData` with fewer than two groups.
        """
        groups = windows.index.cycle if groups is None else np.asarray(groups)
        folds = min(folds, len(np.unique(groups)))
        if folds < 2:
            raise NotEnoughData("judging training cycles", needed=2, have=folds, unit="groups of cycles")
        value = np.empty(len(windows))
        from sklearn.model_selection import GroupKFold  # only fitting deals folds

        for train, held in GroupKFold(folds).split(np.zeros(len(windows)), groups=groups):
            value[held] = clone(detector).fit(windows[train]).score_samples(windows[held])
        return self.check(Scores(value, windows.index, getattr(detector, "name", "")))

    def _set_apart(self, ordered: np.ndarray, median: float, sigma: float) -> tuple[int, float, float]:
        """(how many of the highest scores stand apart, gap relative to the tail, its p-value)."""
        count = len(ordered)
        inner = int(min(count // 4, 2 * np.sqrt(count)))
        most = max(1, min(int(self.max_share * count), count // 2 - inner))
        upper = ordered[: most + inner + 1]
        log = np.log(upper - (median - _ORIGIN_SIGMAS * sigma))
        gaps = -np.diff(log) * np.arange(1, len(log))
        for size in range(most, 0, -1):
            tail = gaps[size : size + inner].mean()
            share = 1.0 if most == 1 else 0.5 if size == 1 else 0.5 / (most - 1)
            ratio = gaps[size - 1] / tail if tail > 0 else 0.0
            chance = float((1 + ratio / inner) ** -inner)  # F with 2 and 2 x inner degrees of freedom, in closed form
            if chance < share * self.false_naming_rate:
                return size, float(ratio), chance
        return 0, 0.0, 1.0

    def _report(self, cycles: int, odd: tuple[OddCycle, ...], note: str) -> GuardReport:
        return GuardReport(cycles, odd, self.false_naming_rate, not note.startswith("not judged"), note)


def _untied(ordered: np.ndarray) -> np.ndarray:
    """Equal scores spread over the smallest step between different ones: a step of a coarse scale is no gap."""
    distinct, first, inverse, counts = np.unique(-ordered, return_index=True, return_inverse=True, return_counts=True)
    if len(distinct) in (1, len(ordered)):
        return ordered
    place = (np.arange(len(ordered)) - first[inverse] + 0.5) / counts[inverse] - 0.5
    return ordered - place * np.diff(distinct).min()
