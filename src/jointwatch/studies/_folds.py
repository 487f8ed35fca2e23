"""The splits that a study compares, from the optimistic one to whole units held out."""

from __future__ import annotations

from typing import Any

import numpy as np

from jointwatch.core import Windows
from jointwatch.core.errors import UsageError
from jointwatch.windows.splits import GroupSplit, RandomSplit, check_no_leak

__all__ = ["SPLITS", "folds"]

SPLITS = {"random": "random (optimistic)", "session": "session out", "unit": "unit out"}
"""What a table of results calls each split."""
_FOLDS = 5


def folds(windows: Windows, split: str, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """(training rows, test rows) of each fold; whole sessions, units or domains are checked to be on one side.

    Five folds, fewer where there are fewer units; `domain` leaves one domain out at a time.

    Parameters
    ----------
    split : `random`, `session`, `unit` or `domain`.
    """
    if split == "random":
        return list(RandomSplit(_FOLDS, seed).split(windows))
    if split not in ("session", "unit", "domain"):
        raise UsageError(f"a split is random, session, unit or domain, got {split!r}")
    by: Any = split
    groups = len(np.unique(windows.index.unit)) if split == "unit" else None
    count = None if split == "domain" else min(_FOLDS, groups or _FOLDS)
    found = list(GroupSplit(by, count, seed).split(windows))
    for train, test in found:
        check_no_leak(windows[train], windows[test], by=by)
    return found
