"""What a diagnosis is: for each decided piece of a recording the probability of every condition, or of every grade."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from jointwatch.core import Channel, Index, Scores
from jointwatch.core.errors import UsageError
from jointwatch.core.levels import LEVEL_RAD, LEVELS
from jointwatch.core.log_probability import log_softmax

__all__ = ["HEALTHY", "Decide", "Diagnosis", "Explanation", "Grades", "check_limit", "conditions", "together"]

Decide = Literal["faulty", "kind", "state"]
HEALTHY = "normal"
_LEAST = 1e-12


def conditions(index: Index, decide: Decide) -> np.ndarray:
    """(row,) name of the condition; empty where the label is uncertain, or does not name the fault that is asked for.

    `faulty` knows `normal` and `faulty`; `kind` the kind of the fault; `state` its kind and severity.

    >>> import numpy as np
    >>> text, t = np.array(["a", "a"]), np.zeros(2)
    >>> index = Index(text, text, text, text, t, t + 1, t, t, np.array(["normal", "anomalous"]),
    ...               np.array(["", "spalling"]), t, np.array([np.nan, 0.5]))
    >>> [conditions(index, name).tolist()[1] for name in ("faulty", "kind", "state")]
    ['faulty', 'spalling', 'spalling 0.5']
    """
    if decide not in ("faulty", "kind", "state"):
        raise UsageError(f"what is decided is faulty, kind or state, got {decide!r}")
    anomalous = index.label == "anomalous"
    if decide == "faulty":
        names = np.where(anomalous, "faulty", "")
    elif decide == "kind":
        names = np.where(anomalous, index.fault, "")
    else:
        severity = [f" {s:.3g}" if np.isfinite(s) else "" for s in index.severity]
        named = anomalous & (index.fault != "")
        names = np.where(named, np.char.add(index.fault, np.array(severity, dtype=np.str_)), "")
    return np.asarray(np.where(index.label == "normal", HEALTHY, names))


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """Probabilities of the conditions, one row a decision.

    Parameters
    ----------
    index : one row for every decision (a window, a cycle or a session).
    classes : names of the conditions; the first is `normal`.
    probability : (row, class), rows sum to 1.
    skipped : how many pieces could not be judged, by reason: gaps, lost samples ...; a reason of maps where rows are
        cycles is called `maps: gap`.
    """

    index: Index
    classes: tuple[str, ...]
    probability: np.ndarray
    skipped: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.probability.shape != (len(self.index), len(self.classes)):
            raise UsageError(
                f"probabilities must be (row, class) = {(len(self.index), len(self.classes))}, "
                f"got {self.probability.shape}"
            )

    def __len__(self) -> int:
        return len(self.index)

    @property
    def condition(self) -> np.ndarray:
        """(row,) the most probable condition."""
        return np.array(self.classes, dtype=np.str_)[self.probability.argmax(axis=1)]

    def columns(self) -> dict[str, np.ndarray]:
        """The table of it: the index, the condition, and the probability of each."""
        shares = {f"probability {name}": part for name, part in zip(self.classes, self.probability.T, strict=True)}
        return {**self.index.columns(), "condition": self.condition, **shares}

    def scores(self, detector: str) -> Scores:
        """Log-odds of not being healthy, as alarms take them."""
        healthy = np.clip(self.probability[:, 0], _LEAST, 1 - _LEAST)
        return Scores(np.log1p(-healthy) - np.log(healthy), self.index, detector)

    def by(self, level: Literal["cycle", "session"]) -> Diagnosis:
        """One row for each cycle, or session of a unit: the geometric mean of its rows' probabilities. The row keeps
        the index of its first piece, with the times of all.

        >>> import numpy as np
        >>> text, t = np.array(["a", "a"]), np.zeros(2)
        >>> index = Index(text, text, text, text, t, t + 1, t, t, np.full(2, "normal"), np.full(2, ""), t, t)
        >>> Diagnosis(index, ("normal", "faulty"), np.array([[0.9, 0.1], [0.1, 0.9]])).by("cycle").probability.tolist()
        [[0.5, 0.5]]
        """
        if level not in ("cycle", "session"):
            raise UsageError(f"decisions are put together by cycle or session, got {level!r}")
        names = self.index.cycle if level == "cycle" else self.index.unit_session
        index, logarithm = together(names, self.index, np.log(np.maximum(self.probability, _LEAST)))
        return replace(self, index=index, probability=np.exp(logarithm))


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why rows were diagnosed as they were.

    Parameters
    ----------
    index : one row for every explained piece.
    channels, contributions : (row, channel) what each signal brought to the log-odds of not being healthy, beyond what
        it brings in healthy rows; negative = it spoke for healthy.
    features : (feature,) names of the rows of a map; maps, attention : (row, feature, block) what the network saw,
        and the share of attention that each position got; None for methods without them.
    """

    index: Index
    channels: tuple[Channel, ...]
    contributions: np.ndarray
    features: tuple[str, ...] = ()
    maps: np.ndarray | None = None
    attention: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Grades:
    """Ordered grades of a drive's static transmission error, one row a decision.

    Parameters
    ----------
    index : one row for every decision (a cycle or a session); its joint is the drive's.
    probability : (row, level) of level 1 to 6, rows sum to 1.
    error_rad : (row,) median estimate of the error.
    low_rad, high_rad : (row,) its interval; NaN where the view gives none.
    score : (row, level) what the levels were decided by: log-likelihoods, or log-probabilities.
    coverage : nominal, of intervals and of what is `said`.
    limit_rad : error from which a drive is out of tolerance.
    skipped : how many cycles could not be judged, by reason.

    >>> import numpy as np
    >>> text, t = np.array(["a", "a"]), np.zeros(2)
    >>> index = Index(text, text, text, text, t, t + 1, t, t, np.full(2, "normal"), np.full(2, ""), t, t)
    >>> share = np.array([[0, 0, 0.95, 0.05, 0, 0], [0, 0.02, 0.4, 0.52, 0.06, 0]])
    >>> error = np.array([2.5, 3.2]) * LEVEL_RAD
    >>> grades = Grades(index, share, error, error - LEVEL_RAD, error + LEVEL_RAD, np.log(share + 1e-9))
    >>> [grades.said(row) for row in range(2)], grades.level.tolist(), grades.by("session").level.tolist()
    (['level 3', 'level 3 or 4'], [3, 4], [3])
    """

    index: Index
    probability: np.ndarray
    error_rad: np.ndarray
    low_rad: np.ndarray
    high_rad: np.ndarray
    score: np.ndarray
    coverage: float = 0.9
    limit_rad: float = LEVEL_RAD
    skipped: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rows = len(self.index)
        for name in ("probability", "score"):
            if getattr(self, name).shape != (rows, LEVELS):
                raise UsageError(f"{name} must be (row, level) = {(rows, LEVELS)}, got {getattr(self, name).shape}")
        for name in ("error_rad", "low_rad", "high_rad"):
            if getattr(self, name).shape != (rows,):
                raise UsageError(f"{name} must be ({rows},), got {getattr(self, name).shape}")
        if not 0 < self.coverage < 1:
            raise UsageError(f"a coverage lies between 0 and 1, got {self.coverage}")
        check_limit(self.limit_rad)

    def __len__(self) -> int:
        return len(self.index)

    @property
    def levels(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(f"level {number}" for number in range(1, LEVELS + 1))

    @property
    def level(self) -> np.ndarray:
        """(row,) level 1 to 6 in which the distribution has its half: of ordered grades the decision that is off by the
        fewest levels on average."""
        half = (np.cumsum(self.probability, axis=1) < 0.5 - 1e-12).sum(axis=1)
        return np.minimum(half, LEVELS - 1) + 1

    @property
    def likeliest(self) -> np.ndarray:
        """(row,) level 1 to 6 of the largest score, as published for log-likelihoods."""
        return self.score.argmax(axis=1) + 1

    @property
    def margin_rad(self) -> np.ndarray:
        """(row,) what is left up to the limit; negative = beyond it."""
        return self.limit_rad - self.error_rad

    @property
    def margin_interval_rad(self) -> tuple[np.ndarray, np.ndarray]:
        """(low, high), (row,) each, of the margin."""
        return self.limit_rad - self.high_rad, self.limit_rad - self.low_rad

    def said(self, row: int) -> str:
        """The fewest neighbouring levels that hold the coverage together, in words."""
        until = np.concatenate([[0.0], np.cumsum(self.probability[row])])
        held = until[None, :] - until[:, None]  # [before the first, last]
        for width in range(1, LEVELS):
            runs = np.diagonal(held, width)
            if runs.max() >= self.coverage - 1e-12:
                first = int(runs.argmax()) + 1
                words = {1: f"level {first}", 2: f"level {first} or {first + 1}"}
                return words.get(width, f"levels {first} to {first + width - 1}")
        return f"levels 1 to {LEVELS}"

    def columns(self) -> dict[str, np.ndarray]:
        """The table of it: the index, what is said, the error in degrees with its interval, and each level's
        probability."""
        degrees = {
            "error_deg": np.degrees(self.error_rad),
            "low_deg": np.degrees(self.low_rad),
            "high_deg": np.degrees(self.high_rad),
            "margin_deg": np.degrees(self.margin_rad),
        }
        shares = {f"probability {name}": part for name, part in zip(self.levels, self.probability.T, strict=True)}
        said = np.array([self.said(row) for row in range(len(self))], dtype=np.str_)
        return {**self.index.columns(), "level": self.level, "said": said, **degrees, **shares}

    @property
    def _drive_session(self) -> np.ndarray:
        rows = zip(self.index.unit_session, self.index.joint, strict=True)
        return np.array([f"{joint} {name}" for name, joint in rows], np.str_)

    def scores(self, detector: str) -> Scores:
        """Log-odds of an error above the limit, as alarms take them; inside a level probability is spread evenly."""
        share = np.clip(self.limit_rad / LEVEL_RAD - np.arange(LEVELS), 0.0, 1.0)
        below = np.clip(self.probability @ share, _LEAST, 1 - _LEAST)
        return Scores(np.log1p(-below) - np.log(below), self.index, detector)

    def by(self, level: Literal["cycle", "session"]) -> Grades:
        """One row for each cycle, or session of a drive (unit and joint): geometric mean of probabilities, mean of
        errors, intervals and scores. Intervals do not shrink, because a drive's cycles are wrong alike."""
        if level not in ("cycle", "session"):
            raise UsageError(f"decisions are put together by cycle or session, got {level!r}")
        names = self.index.cycle if level == "cycle" else self._drive_session
        index, logarithm = together(names, self.index, np.log(np.maximum(self.probability, _LEAST)))
        _, member, *_ = self.index.grouped(names)
        count = np.bincount(member, minlength=len(index))

        def mean(values: np.ndarray) -> np.ndarray:
            return np.bincount(member, values, minlength=len(index)) / count

        return replace(
            self,
            index=index,
            probability=np.exp(logarithm),
            error_rad=mean(self.error_rad),
            low_rad=mean(self.low_rad),
            high_rad=mean(self.high_rad),
            score=np.column_stack([mean(column) for column in self.score.T]),
        )


def check_limit(limit_rad: float) -> None:
    """Errors: `UsageError` for a limit that is not inside the levels."""
    if not 0 < limit_rad <= (LEVELS - 1) * LEVEL_RAD:
        raise UsageError(f"a limit lies between 0 and the last level, got {limit_rad} rad")


def together(names: np.ndarray, index: Index, log_proba: np.ndarray) -> tuple[Index, np.ndarray]:
    """One row for each name, in the order in which they come: index of its first row with the times of all, and its
    rows' mean (row, class) log-probabilities, made to be such again."""
    first, member, start, stop = index.grouped(names)
    logarithm = np.zeros((len(first), log_proba.shape[1]))
    np.add.at(logarithm, member, log_proba)
    columns = {**index.take(first).columns(), "start_s": start, "stop_s": stop}
    logarithm /= np.bincount(member, minlength=len(first))[:, None]
    return Index(**columns), log_softmax(logarithm, axis=1) if len(first) else logarithm
