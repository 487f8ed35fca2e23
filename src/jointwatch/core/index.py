"""Where each window or score comes from: the columns every split, alarm and interval rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from jointwatch.core.errors import UsageError

__all__ = ["Index"]

_TEXT = ("unit", "session", "cycle", "domain", "label", "fault")


@dataclass(frozen=True, eq=False)
class Index:
    """One row for every window or score.

    Parameters
    ----------
    unit, session, cycle, domain : (row,) text. `cycle` names the cycle uniquely within all data
        (unit, session and number); `domain` is what is transferred between: brand, axis or load.
    start_s, stop_s : (row,) seconds on the recording's clock.
    phase : (row,) centre of the window within its cycle, 0 to 1.
    cycle_s : (row,) duration of the whole cycle, seconds.
    label : (row,) text, `normal`, `anomalous` or `uncertain`.
    fault : (row,) text, empty where none or unknown.
    joint : (row,) int, joint of the fault from 1, 0 = none or unknown.
    severity : (row,) float, NaN where unknown.
    """

    unit: np.ndarray
    session: np.ndarray
    cycle: np.ndarray
    domain: np.ndarray
    start_s: np.ndarray
    stop_s: np.ndarray
    phase: np.ndarray
    cycle_s: np.ndarray
    label: np.ndarray
    fault: np.ndarray
    joint: np.ndarray
    severity: np.ndarray

    def __post_init__(self) -> None:
        length = len(self.unit)
        for column in fields(self):
            kind: Any = np.str_ if column.name in _TEXT else np.int64 if column.name == "joint" else np.float64
            array = np.asarray(getattr(self, column.name)).astype(kind)
            if array.shape != (length,):
                raise UsageError(f"index column {column.name} must be ({length},), got {array.shape}")
            array.flags.writeable = False
            object.__setattr__(self, column.name, array)
        unknown = set(np.unique(self.label)) - {"normal", "anomalous", "uncertain"}
        if unknown:
            raise UsageError(f"labels are normal, anomalous or uncertain, got {sorted(unknown)}")

    def __len__(self) -> int:
        return len(self.unit)

    def take(self, rows: np.ndarray | slice) -> Index:
        """Rows by position, mask or slice."""
        return Index(**{column.name: getattr(self, column.name)[rows] for column in fields(self)})

    @property
    def unit_session(self) -> np.ndarray:
        """(row,) `unit/session`: a session is one of its unit."""
        return np.array([f"{unit}/{session}" for unit, session in zip(self.unit, self.session, strict=True)], np.str_)

    def grouped(self, names: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """First row of each group in the order in which they come, group of each row, start and stop of each group."""
        _, first, member = np.unique(names, return_index=True, return_inverse=True)
        order = np.argsort(first, kind="stable")
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        group = rank[member]
        start, stop = np.full(len(order), np.inf), np.full(len(order), -np.inf)
        np.minimum.at(start, group, self.start_s)
        np.maximum.at(stop, group, self.stop_s)
        return first[order], group, start, stop

    def columns(self) -> dict[str, np.ndarray]:
        """All columns by name, for a table."""
        return {column.name: getattr(self, column.name) for column in fields(self)}

    @classmethod
    def concatenate(cls, parts: Sequence[Index]) -> Index:
        """Rows of all parts, one after the other."""
        return cls(**{c.name: np.concatenate([getattr(part, c.name) for part in parts]) for c in fields(cls)})
