"""Anomaly scores with where they come from, and the cycle scores that decisions rest on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from jointwatch.core.channel import Channel
from jointwatch.core.errors import UsageError
from jointwatch.core.index import Index

__all__ = ["Scores"]


@dataclass(frozen=True, eq=False)
class Scores:
    """One score a row; higher = more anomalous, everywhere.

    Parameters
    ----------
    value : (row,) float64.
    index : one row for every score.
    detector : name of what scored.
    channels, contributions : which channels each row of `contributions` (row, channel) speaks of; the
        share of the score that each channel brought, not negative; both empty if it cannot say.
    """

    value: np.ndarray
    index: Index
    detector: str = ""
    channels: tuple[Channel, ...] = ()
    contributions: np.ndarray | None = None

    def __post_init__(self) -> None:
        value = np.asarray(self.value, np.float64).copy()
        if value.shape != (len(self.index),):
            raise UsageError(f"scores must be ({len(self.index)},), got {value.shape}")
        if not np.isfinite(value).all():
            raise UsageError(f"{self.detector or 'detector'} gave a score that is not finite")
        value.flags.writeable = False
        object.__setattr__(self, "value", value)
        object.__setattr__(self, "channels", tuple(self.channels))
        if self.contributions is not None:
            parts = np.asarray(self.contributions, np.float64)
            if parts.shape != (len(value), len(self.channels)):
                raise UsageError(f"contributions must be (row, channel), got {parts.shape}")
            object.__setattr__(self, "contributions", parts)

    def __len__(self) -> int:
        return len(self.value)

    def take(self, rows: np.ndarray | slice) -> Scores:
        """Rows by position, mask or slice."""
        parts = None if self.contributions is None else self.contributions[rows]
        return replace(self, value=self.value[rows], index=self.index.take(rows), contributions=parts)

    def by_cycle(self) -> Scores:
        """One row a cycle: its highest window score with that window's contributions; times span the cycle's windows.

        >>> import numpy as np
        >>> text = lambda *names: np.array(names)
        >>> two = np.array([0.0, 1.0])
        >>> index = Index(text("a", "a"), text("s", "s"), text("c1", "c1"), text("d", "d"), two, two + 1, two, two + 2,
        ...               text("normal", "normal"), text("", ""), np.zeros(2), np.zeros(2))
        >>> Scores(np.array([3.0, 7.0]), index).by_cycle().value.tolist()
        [7.0]
        """
        if len(self) == 0:
            return self
        first, group, start, stop = self.index.grouped(self.index.cycle)
        best = self.take(self.highest())
        columns = {**best.index.columns(), "start_s": start, "stop_s": stop}
        anomalous = np.zeros(len(first), bool)
        np.logical_or.at(anomalous, group, self.index.label == "anomalous")
        columns["label"] = np.where(anomalous, "anomalous", columns["label"])
        return replace(best, index=Index(**columns))

    def highest(self) -> np.ndarray:
        """(cycle,) the row of each cycle that scores highest, the first of equal ones; the rows of `by_cycle`."""
        first, group, _, _ = self.index.grouped(self.index.cycle)
        worst = np.lexsort((np.arange(len(self)), -self.value, group))
        return worst[np.searchsorted(group[worst], np.arange(len(first)))]

    def by_joint(self) -> np.ndarray | None:
        """(row, joint) share of the blame that each joint has, column 0 is joint 1; rows sum to 1, or are 0 where no
        joint is blamed. None where the detector cannot say, or no channel is of a joint.

        >>> import numpy as np
        >>> from jointwatch.core import Quantity
        >>> a, t = np.array(["a"]), np.zeros(1)
        >>> index = Index(a, a, a, a, t, t + 1, t, t, np.array(["normal"]), a, t, t)
        >>> channels = (Channel(Quantity.CURRENT, 1), Channel(Quantity.CURRENT, 2), Channel(Quantity.VELOCITY, 2))
        >>> Scores(t, index, "any", channels, np.array([[1.0, 2.0, 1.0]])).by_joint().tolist()
        [[0.25, 0.75]]
        """
        joint = np.array([channel.joint or 0 for channel in self.channels], np.int64)
        if self.contributions is None or not joint.any():
            return None
        blame = np.zeros((joint.max(), len(self)))
        np.add.at(blame, joint[joint > 0] - 1, np.maximum(self.contributions[:, joint > 0], 0.0).T)
        total = blame.sum(axis=0)
        return np.asarray(np.where(total > 0, blame / np.where(total > 0, total, 1.0), 0.0).T)
