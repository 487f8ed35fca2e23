"""Splits that keep whole sessions, units or domains together, and the random one that papers use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from jointwatch.core import Windows
from jointwatch.core.errors import NotEnoughData, UsageError

__all__ = ["By", "GroupSplit", "RandomSplit", "check_no_leak", "groups_of", "holdout"]

By = Literal["cycle", "session", "unit", "domain"]


def groups_of(windows: Windows, by: By) -> np.ndarray:
    """(window,) name of the group that each window belongs to; a session is one of its unit, a cycle one of both."""
    index = windows.index
    if by == "session":
        return index.unit_session
    if by not in ("cycle", "unit", "domain"):
        raise UsageError(f"windows are grouped by cycle, session, unit or domain, got {by!r}")
    return np.asarray(getattr(index, by))


class GroupSplit:
    """Cross-validation in which no group is on both sides. The headline of a study is `by="unit"`.

    Because a window never crosses a cycle, no raw sample is on both sides either, overlapping windows or not.

    Parameters
    ----------
    by : what stays together: `cycle`, `session` (of a unit), `unit` or `domain`.
    folds : number of folds; None = leave one group out at a time.
    seed : groups are shuffled, then dealt into folds, the largest first, each into the emptiest fold.

    `split` reads the groups from `Windows`; for arrays they are given as `groups`, as scikit-learn does.

    Errors: `NotEnoughData` with fewer groups than folds (or than two); `UsageError` for arrays without groups.

    >>> import numpy as np
    >>> groups = np.array(["a", "a", "b", "b", "c"])
    >>> [test.tolist() for _, test in GroupSplit(by="unit").split(np.zeros(5), groups=groups)]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, by: By = "unit", folds: int | None = None, seed: int = 0) -> None:
        self.by = by
        self.folds = folds
        self.seed = seed

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(training rows, test rows) of each fold, ascending."""
        names, member = np.unique(self._groups(X, groups), return_inverse=True)
        fold_of_group = self._deal(np.bincount(member, minlength=len(names)))
        for fold in range(fold_of_group.max() + 1):
            inside = fold_of_group[member] == fold
            yield np.flatnonzero(~inside), np.flatnonzero(inside)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Number of folds; with `folds=None` it depends on the groups of X."""
        return self.folds if self.folds is not None else len(np.unique(self._groups(X, groups)))

    def _groups(self, X: Any, groups: Any) -> np.ndarray:
        if groups is not None:
            return np.asarray(groups)
        if isinstance(X, Windows):
            return groups_of(X, self.by)
        raise UsageError(f"a split by {self.by} needs Windows, or groups beside an array")

    def _deal(self, sizes: np.ndarray) -> np.ndarray:
        """(group,) number of its fold; folds are filled evenly."""
        folds = len(sizes) if self.folds is None else self.folds
        if folds < 2 and self.folds is not None:
            raise UsageError(f"a split needs at least 2 folds, got {folds}")
        if len(sizes) < max(folds, 2):
            raise NotEnoughData(f"a split by {self.by}", needed=max(folds, 2), have=len(sizes), unit=f"{self.by}s")
        if self.folds is None:
            return np.arange(len(sizes))
        order = np.random.default_rng(self.seed).permutation(len(sizes))
        order = order[np.argsort(-sizes[order], kind="stable")]
        filled = np.zeros(folds, int)
        fold_of_group = np.empty(len(sizes), int)
        for group in order:
            fold = int(np.argmin(filled))
            fold_of_group[group] = fold
            filled[fold] += sizes[group]
        return fold_of_group


class RandomSplit:
    """Windows dealt at random, as most papers do. Optimistic: it rewards recognising the specimen.

    Neighbouring and overlapping windows, which share raw samples, cycles, sessions and units, land on both sides. It
    exists to reproduce published figures; never report it without `GroupSplit(by="unit")` beside it.

    >>> import numpy as np
    >>> [len(test) for _, test in RandomSplit(folds=3).split(np.zeros(7))]
    [3, 2, 2]
    """

    def __init__(self, folds: int = 5, seed: int = 0) -> None:
        self.folds = folds
        self.seed = seed

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(training rows, test rows) of each fold, ascending."""
        if len(X) < self.folds:
            raise NotEnoughData("a random split", needed=self.folds, have=len(X), unit="windows")
        from sklearn.model_selection import KFold  # scoring deals no folds

        yield from KFold(self.folds, shuffle=True, random_state=self.seed).split(np.empty(len(X)))

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Number of folds."""
        return self.folds


def holdout(windows: Windows, by: By = "unit", share: float = 0.2, seed: int = 0) -> tuple[Windows, Windows]:
    """(rest, held out): about `share` of the groups, at least one, are held out; at least one stays.

    Errors: `NotEnoughData` with fewer than two groups; `UsageError` for a share outside (0, 1).

    >>> import numpy as np
    >>> from jointwatch.core import Channel, Index, Quantity
    >>> unit, t = np.array(["a", "a", "b"]), np.zeros(3)
    >>> index = Index(unit, unit, unit, unit, t, t + 1, t, t, np.full(3, "normal"), unit, t, t)
    >>> windows = Windows(np.ones((3, 1, 5)), (Channel(Quantity.POSITION, 1),), index, 5.0)
    >>> rest, held = holdout(windows, by="unit", share=0.5)
    >>> sorted([rest.index.unit.tolist(), held.index.unit.tolist()])
    [['a', 'a'], ['b']]
    """
    if not 0 < share < 1:
        raise UsageError(f"share is between 0 and 1, got {share}")
    groups = groups_of(windows, by)
    names = np.unique(groups)
    if len(names) < 2:
        raise NotEnoughData(f"holding out by {by}", needed=2, have=len(names), unit=f"{by}s")
    count = min(max(round(share * len(names)), 1), len(names) - 1)
    held = np.isin(groups, np.random.default_rng(seed).permutation(names)[:count])
    return windows[~held], windows[held]


def check_no_leak(train: Windows, test: Windows, by: By | Literal["sample"] = "unit") -> None:
    """Raise UsageError, naming the first, if a group is on both sides; `sample` asks only for shared raw samples.

    >>> import numpy as np
    >>> from jointwatch.core import Channel, Index, Quantity
    >>> a, t = np.array(["a", "b"]), np.zeros(2)
    >>> index = Index(a, a, a, a, t, t + 1, t, t, np.array(["normal", "normal"]), a, t, t)
    >>> windows = Windows(np.ones((2, 1, 5)), (Channel(Quantity.POSITION, 1),), index, 5.0)
    >>> check_no_leak(windows[[0]], windows[[1]], by="unit")
    """
    shared = np.empty(0) if by == "sample" else np.intersect1d(groups_of(train, by), groups_of(test, by))
    if len(shared):
        more = f" and {len(shared) - 1} more" if len(shared) > 1 else ""
        raise UsageError(f"{by} {str(shared[0])!r}{more} is on both sides of the split; split by {by} (see GroupSplit)")
    for cycle in np.intersect1d(train.index.cycle, test.index.cycle):
        first, second = (part.index.take(part.index.cycle == cycle) for part in (train, test))
        overlap = (first.start_s[:, None] < second.stop_s) & (second.start_s < first.stop_s[:, None])
        if overlap.any():
            raise UsageError(f"windows on both sides of the split share raw samples of cycle {str(cycle)!r}")
