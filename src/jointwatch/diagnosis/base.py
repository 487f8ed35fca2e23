"""What a diagnosis is: for each decided piece of a recording the probability of every condition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from scipy.special import log_softmax

from jointwatch.core import Channel, Index, Scores
from jointwatch.core.errors import UsageError

__all__ = ["HEALTHY", "Decide", "Diagnosis", "Explanation", "conditions", "together"]

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


def together(names: np.ndarray, index: Index, log_proba: np.ndarray) -> tuple[Index, np.ndarray]:
    """One row for each name, in the order in which they come: index of its first row with the times of all, and its
    rows' mean (row, class) log-probabilities, made to be such again."""
    first, member, start, stop = index.grouped(names)
    logarithm = np.zeros((len(first), log_proba.shape[1]))
    np.add.at(logarithm, member, log_proba)
    columns = {**index.take(first).columns(), "start_s": start, "stop_s": stop}
    logarithm /= np.bincount(member, minlength=len(first))[:, None]
    return Index(**columns), log_softmax(logarithm, axis=1) if len(first) else logarithm
