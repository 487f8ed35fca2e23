"""Anomalies for the target's own healthy windows: made up, or taken over from a labelled source.

A target that has recorded nothing but health can still judge a detector: some of its windows are disturbed
(`training.synthetic_anomalies`), and, where a source has labelled faults, changed by what those faults changed there.
No label of the target has a part in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jointwatch.core import Windows
from jointwatch.core.errors import NotEnoughData
from jointwatch.training.synthetic_anomalies import disturb
from jointwatch.windows.normalise import DomainZScore

__all__ = ["Changed", "Lender", "disturbed", "highest_of_cycle", "scale_of"]

_LENT = 300  # anomalous windows of a source that are lent, and healthy ones they are compared with
_UNCLIPPED = 1e9


@dataclass(frozen=True, eq=False)
class Changed:
    """Copies of some windows with an anomaly in them. `rows` (copy,) says which window each is a copy of."""

    windows: Windows
    rows: np.ndarray

    def cycle_scores(self, scores: np.ndarray, of_windows: np.ndarray, cycle: np.ndarray) -> np.ndarray:
        """(copy,) score of the cycle in which this one window is replaced by its copy: the highest of its windows.

        Parameters
        ----------
        scores : (copy,) of the copies. of_windows, cycle : (window,) score and cycle of the windows as they were.
        """
        _, number = np.unique(cycle, return_inverse=True)
        order = np.lexsort((-of_windows, number))
        first = np.searchsorted(number[order], np.arange(number.max() + 1))
        best = order[first]
        others = np.full(len(first), -np.inf)
        several = np.flatnonzero(np.bincount(number) > 1)
        others[several] = of_windows[order[first[several] + 1]]
        own = number[self.rows]
        rest = np.where(best[own] == self.rows, others[own], of_windows[best[own]])
        return np.asarray(np.maximum(scores, rest))


def highest_of_cycle(scores: np.ndarray, cycle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First row of each cycle, and the highest window score of each, in the order of their names.

    >>> [a.tolist() for a in highest_of_cycle(np.array([1.0, 3.0, 2.0]), np.array(["b", "a", "b"]))]
    [[1, 0], [3.0, 2.0]]
    """
    _, first, number = np.unique(cycle, return_index=True, return_inverse=True)
    highest = np.full(len(first), -np.inf)
    np.maximum.at(highest, number, scores)
    return first, highest


def scale_of(windows: Windows) -> DomainZScore:
    """Each robot's own z-score, all windows taken as healthy, nothing clipped."""
    return DomainZScore(clip_sigma=_UNCLIPPED).fit(windows, np.zeros(len(windows), int))


def disturbed(
    windows: Windows,
    scale: DomainZScore,
    rng: np.random.Generator,
    *,
    copies: int = 1,
    strength_sigma: tuple[float, float] = (0.5, 5.0),
) -> Changed:
    """`copies` of a random window of every cycle, each with a synthetic anomaly of its own.

    Parameters
    ----------
    windows : healthy, SI units. scale : of `scale_of`, learned on windows of the same robots.
    """
    rows = _one_of_each_cycle(windows.index.cycle, copies, rng)
    picked = windows[rows]
    z = scale.transform(picked)
    made = disturb(z.values, z.channels, rng, mask=z.presence, strength_sigma=strength_sigma)
    return Changed(_back(picked, made.values - z.values, scale), rows)


class Lender:
    """What the faults of a labelled source change, put into the windows of another robot.

    The change is an anomalous window less the most similar healthy one of the source, in standard deviations. Two
    healthy windows differ, too; so the control gets the difference of a healthy window and the most similar other one,
    and only what exceeds that counts as detected.

    Parameters
    ----------
    source : windows with labels, SI units. Take such that the candidates were not trained on, where there are some.

    Errors: `NotEnoughData` without an anomalous window, or with fewer than two healthy ones.
    """

    def __init__(self, source: Windows, rng: np.random.Generator) -> None:
        healthy = _some(np.flatnonzero(source.index.label == "normal"), rng)
        anomalous = _some(np.flatnonzero(source.index.label == "anomalous"), rng)
        if len(healthy) < 2:
            raise NotEnoughData("lending faults", needed=2, have=len(healthy), unit="healthy windows of the source")
        if not len(anomalous):
            raise NotEnoughData("lending faults", needed=1, have=0, unit="anomalous windows of the source")
        scale = DomainZScore(clip_sigma=_UNCLIPPED).fit(source)
        self.channels = source.channels
        z = scale.transform(source[np.concatenate([healthy, anomalous])])
        values, number = z.values.astype(np.float64), len(healthy)
        flat = values.reshape(len(values), -1)
        apart = np.square(flat).sum(axis=1)[:, None] + np.square(flat[:number]).sum(axis=1) - 2 * flat @ flat[:number].T
        apart[np.arange(number), np.arange(number)] = np.inf
        change = values - values[apart.argmin(axis=1)]
        self._healthy, self._anomalous = change[:number], change[number:]

    def lend(
        self, windows: Windows, scale: DomainZScore, rng: np.random.Generator, *, copies: int = 1
    ) -> tuple[Changed, Changed]:
        """(with faults, controls), `copies` of a random window of every cycle each; the same windows in both."""
        rows = _one_of_each_cycle(windows.index.cycle, copies, rng)
        picked = windows[rows]
        return tuple(  # type: ignore[return-value]
            Changed(_back(picked, changes[rng.integers(len(changes), size=len(rows))], scale), rows)
            for changes in (self._anomalous, self._healthy)
        )


def _one_of_each_cycle(cycle: np.ndarray, copies: int, rng: np.random.Generator) -> np.ndarray:
    """(cycle x copies,) a random window of each cycle, `copies` times."""
    found = []
    for _ in range(copies):
        order = rng.permutation(len(cycle))
        _, first = np.unique(cycle[order], return_index=True)
        found.append(order[first])
    return np.concatenate(found)


def _back(windows: Windows, change: np.ndarray, scale: DomainZScore) -> Windows:
    """The windows plus a change in standard deviations, in SI units; absent channels stay as they are."""
    domain = np.array([scale.domains_.index(str(name)) for name in windows.index.domain], np.intp)
    added = change * scale.scale_[domain][:, :, None] * windows.presence[:, :, None]
    return windows.with_values(windows.values + added.astype(np.float32))


def _some(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.sort(rng.permutation(rows)[:_LENT])
