"""Windows of contact events of several arms, the events a method is given and tested on, and the score of a method.

Rules:

- A decision sees one window (28 samples, 0.14 s) and nothing before it. In these files the first window of every event
  is the free one: whoever knew a window's place in its event would know its label.
- A fixed half of the target's events, drawn by lot, is for testing, the same for every method, budget and seed. The
  other half gives unlabelled windows; the labelled events of a budget are drawn from it, by lot for each seed.
- An event is never on both sides. Intervals come from whole events drawn with replacement.
- AUROC of windows ranks all windows with contact among those without. AUROC of events ranks the mean score of each
  event's windows with contact among the mean scores of the windows without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from jointwatch.core import Recording
from jointwatch.core.errors import MissingChannel, NotEnoughData, UsageError
from jointwatch.recordings import read

__all__ = ["Arm", "arms_of", "auroc_of_events", "auroc_of_windows", "read_arm"]

_LENGTH, _STRIDE = 28, 5  # samples of a window, and from one to the next
_REPEATS = 1000
_SPLIT_SEED = 0


@dataclass(frozen=True, eq=False)
class Arm:
    """Windows of one arm or one task of it.

    Parameters
    ----------
    name : stem of the file.
    values : (window, joint, time) position error, mrad.
    contact : (window,) bool. event : (window,) number of the event it is cut from.
    """

    name: str
    values: np.ndarray
    contact: np.ndarray
    event: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: np.ndarray) -> Self:
        return replace(self, values=self.values[rows], contact=self.contact[rows], event=self.event[rows])

    def halves(self) -> tuple[Self, Self]:
        """(for adaptation, for testing): half of the events each, by a lot that is always the same.

        >>> arm = Arm("a", np.zeros((6, 1, 2)), np.tile([False, True], 3), np.repeat([4, 7, 9], 2))
        >>> given, test = arm.halves()
        >>> len(given), len(test), set(given.event) & set(test.event)
        (2, 4, set())
        """
        events = np.unique(self.event)
        if len(events) < 2:
            raise NotEnoughData(f"a split of {self.name} by event", needed=2, have=len(events), unit="events")
        given = np.random.default_rng(_SPLIT_SEED).permutation(events)[: len(events) // 2]
        inside = np.isin(self.event, given)
        for half in (found := (self[inside], self[~inside])):
            if len(kinds := np.unique(half.contact)) < 2:
                purpose = f"halves of {self.name} that both hold windows with and without contact"
                raise NotEnoughData(purpose, needed=2, have=len(kinds), unit="kinds of windows in each half")
        return found

    def some_events(self, count: int, seed: int) -> Self:
        """Windows of `count` events drawn by lot; with fewer events all."""
        drawn = np.random.default_rng(seed).permutation(np.unique(self.event))[:count]
        return self[np.isin(self.event, drawn)]


def arms_of(folder: Path) -> list[str]:
    """Names that can be given as source or target: the stems of the files."""
    return sorted(path.stem for path in folder.glob("*.npz"))


def read_arm(folder: Path, name: str) -> Arm:
    """Windows of one file, each as it was cut: 28 samples, 5 apart, contact if it reaches into the contact.

    Errors: `UsageError` for a name that is no file of the folder, naming those that are; `MissingChannel` where no
    window has contact or none is without.
    """
    if name not in arms_of(folder):
        there = ", ".join(arms_of(folder)) or "no .npz file"
        raise UsageError(f"there is no {name}.npz in {folder}; there is {there}")
    values, contact, event = [], [], []
    for recording in read(folder / f"{name}.npz"):
        cut, touched = _windows(recording)
        values += cut
        contact += touched
        event += [int(recording.truth["event"])] * len(cut)
    if not any(contact) or all(contact):
        raise MissingChannel(
            "windows with and windows without contact are needed, only one kind is there", file=folder / f"{name}.npz"
        )
    return Arm(name, 1e3 * np.stack(values), np.array(contact), np.array(event))


def _windows(recording: Recording) -> tuple[list[np.ndarray], list[bool]]:
    starts = range(0, recording.values.shape[1] - _LENGTH + 1, _STRIDE)
    cut = [recording.values[:, start : start + _LENGTH] for start in starts]
    rate = 1 / float(np.median(np.diff(recording.time_s)))
    onset = next((round(e.start_s * rate) for e in recording.events if e.name == "contact"), None)
    if onset is None:  # touched from its beginning, or never
        onset = 0 if any(cycle.name == "contact" for cycle in recording.cycles) else recording.values.shape[1]
    whole = [(w, start + _LENGTH > onset) for w, start in zip(cut, starts, strict=True) if np.isfinite(w).all()]
    return [w for w, _ in whole], [touched for _, touched in whole]


def auroc_of_windows(arm: Arm, scores: Sequence[np.ndarray], repeats: int = _REPEATS) -> tuple[float, float, float]:
    """(AUROC of windows, low, high): mean over seeds, 95 % interval by event.

    >>> arm = Arm("a", np.zeros((4, 1, 2)), np.array([False, True, False, True]), np.array([0, 0, 1, 1]))
    >>> auroc_of_windows(arm, [np.array([0.0, 2.0, 1.0, 3.0])])[0]
    1.0
    """
    return _auroc([_by_event(arm, score, mean=False) for score in scores], repeats)


def auroc_of_events(arm: Arm, scores: Sequence[np.ndarray], repeats: int = _REPEATS) -> tuple[float, float, float]:
    """(AUROC of events, low, high): as `auroc_of_windows`, of the means of each event's windows."""
    return _auroc([_by_event(arm, score, mean=True) for score in scores], repeats)


def _by_event(arm: Arm, score: np.ndarray, *, mean: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(event, event) pairs won by the first's contact over the second's free windows; how many each has of both."""
    events, number = np.unique(arm.event, return_inverse=True)
    hot = np.eye(len(events))[number]
    with_, without = hot[arm.contact], hot[~arm.contact]
    high, low = score[arm.contact], score[~arm.contact]
    if mean:
        (high, with_), (low, without) = _means(high, with_), _means(low, without)
    won = (high[:, None] > low) + 0.5 * (high[:, None] == low)
    return with_.T @ won @ without, with_.sum(axis=0), without.sum(axis=0)


def _means(score: np.ndarray, hot: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    count = hot.sum(axis=0)
    there = count > 0
    return (hot.T @ score)[there] / count[there], np.eye(len(count))[there]


def _auroc(seeds: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], repeats: int) -> tuple[float, float, float]:
    count = len(seeds[0][0])
    drawn = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=repeats)
    weight = np.concatenate([np.ones((1, count)), drawn])
    found = []
    for won, positives, negatives in seeds:
        pairs = (weight @ positives) * (weight @ negatives)
        found.append(((weight @ won) * weight).sum(axis=1) / np.where(pairs > 0, pairs, np.nan))
    mean = np.mean(found, axis=0)
    if not repeats:
        return float(mean[0]), np.nan, np.nan
    low, high = np.nanpercentile(mean[1:], [2.5, 97.5])
    return float(mean[0]), float(low), float(high)
