"""Figures of joints relative to the own unit's baseline, in one layout for all robots."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Self

import numpy as np

from jointwatch.core import Index
from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.features._path_profile import joint_places
from jointwatch.windows.own_baseline import OwnBaseline

__all__ = ["Evidence"]

_SIGNALS: Final = ("drive", "link", "tracking", "position")
_PARTS = 8  # of the path, whose mean deviations are evidence
_SHRINK = 1.3  # of what the other joints show in common: a little less than the fit says is taken off
_STILL = 1e-6  # spread of evidence that a joint does not have
_FAR = 8.0  # standard deviations at which a deviation at one place is cut


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of the units of one domain.

    baseline : of every unit. joints : (joint,) numbers. there : (joint,) bool, whether the robot has them.
    place : signal -> (joint, figure) columns of the features, -1 where the robot has none; figures are named alike.
    common : (joint, evidence) how much of the other joints' mean is in a joint's evidence when it is healthy.
    mean, scale : (joint, evidence) of healthy rows that had no part in their baseline.
    raw_ : (row, joint, evidence) of the rows it was learned from, healthy ones against their other sessions, before
    what is common is taken off and all is scaled. index_ : whose they are.
    """

    baseline: OwnBaseline
    joints: np.ndarray
    there: np.ndarray
    place: dict[str, np.ndarray]
    names: dict[str, list[str]]
    common: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    raw_: np.ndarray
    index_: Index

    @classmethod
    def of(cls, vectors: np.ndarray, index: Index, features: Any) -> Self:
        """Learned from rows of one domain; those labelled normal are the baselines. A unit of which one healthy row is
        known has a baseline, and nothing is learned from that row.

        Errors: `NotEnoughData` unless a unit has two healthy rows; `UsageError` for a unit that has none.
        """
        place, names, joints = _layout(features)
        if any(sum(name.startswith("place ") for name in own) % _PARTS for own in names.values()):
            raise UsageError(f"evidence is of {_PARTS} parts of the path; give PathProfile a multiple of {_PARTS} bins")
        normal, alone = index.label == "normal", _alone(index)
        if (normal & ~alone).sum() < 2:
            raise NotEnoughData(
                "a unit's own past", needed=2, have=int(normal.any()), unit="healthy cycles of one unit"
            )
        used = np.ptp(vectors[normal], axis=0) > 0
        place = {s: np.where((p >= 0) & used[np.maximum(p, 0)], p, -1) for s, p in place.items()}
        there = np.any([(p >= 0).any(axis=1) for p in place.values()], axis=0)
        baseline = OwnBaseline(form="difference").fit(vectors[normal], index.take(normal))
        nothing = np.zeros(1)
        made = cls(baseline, joints, there, place, names, nothing, nothing, nothing, nothing, index)
        return made._remembering(vectors, index, alone).measured_on(np.ones(int((~alone).sum()), bool))

    def _remembering(self, vectors: np.ndarray, index: Index, alone: np.ndarray) -> Self:
        """A copy that has learned from these rows, whose baselines it knows, and from no others."""
        normal = index.label == "normal"
        relative = self.baseline.transform(vectors, index)
        relative[normal] = self.baseline.crossed(vectors[normal], index.take(normal))
        return replace(self, raw_=self._table(relative[~alone]), index_=index.take(~alone))

    def with_units(self, vectors: np.ndarray, index: Index) -> Self:
        """A copy that knows further units of its domain, or units that it knew by newer cycles; what it has learned of
        the other units stays."""
        normal, alone = index.label == "normal", _alone(index)
        kept = np.flatnonzero(~np.isin(self.index_.unit, index.unit))
        added = replace(self, baseline=self.baseline.add(vectors[normal], index.take(normal)))
        added = added._remembering(vectors, index, alone)
        both = replace(
            added,
            raw_=np.concatenate([self.raw_[kept], added.raw_]),
            index_=Index.concatenate([self.index_.take(kept), added.index_]),
        )
        known = both.index_.label == "normal"
        if known.sum() < 2:
            raise NotEnoughData("a unit's own past", needed=2, have=1, unit="healthy cycles of one unit")
        return both.measured_on(np.ones(len(known), bool))

    def measured_on(self, rows: np.ndarray) -> Self:
        """A copy whose common part and scale come from these rows of its own alone; the baselines stay as they are."""
        raw = self.raw_[rows & (self.index_.label == "normal")]
        made = replace(self, common=_common(raw, self.there))
        rest = made._apart(raw)
        return replace(made, mean=rest.mean(axis=0), scale=np.maximum(rest.std(axis=0), _STILL))

    def crossed(self, rows: np.ndarray) -> np.ndarray:
        """(row, joint, evidence) of those rows that it was learned from, healthy ones against their other sessions."""
        return self._scaled(self._apart(self.raw_[rows]))

    def distance(self, table: np.ndarray) -> np.ndarray:
        """(row, joint) mean square of the evidence that the joint has."""
        count = np.maximum((self.scale > _STILL).sum(axis=1), 1)
        found: np.ndarray = (table**2).sum(axis=2) / count
        return found

    @property
    def signal(self) -> np.ndarray:
        """(evidence,) the signal that each is of, numbered as in `names`."""
        counts = [
            sum(not name.startswith(("place ", "rough ")) for name in own) + (_PARTS + 2) * (signal != "position")
            for signal, own in self.names.items()
        ]
        return np.repeat(np.arange(len(counts)), counts)

    def transform(self, vectors: np.ndarray, index: Index) -> np.ndarray:
        """(row, joint, evidence) in healthy standard deviations; 0 where a robot lacks signal or joint."""
        return self._scaled(self._apart(self._table(self.baseline.transform(vectors, index))))

    def places(self, vectors: np.ndarray, index: Index) -> np.ndarray:
        """(row, joint, signal, part of the path) deviations along the path of drive, link and tracking, then of the
        roughness of all four along it."""
        return self._along(self.baseline.transform(vectors, index))

    def places_crossed(self, vectors: np.ndarray, index: Index) -> np.ndarray:
        """The same of healthy rows that are in the baselines, against their units' other sessions."""
        return self._along(self.baseline.crossed(vectors, index))

    def _along(self, relative: np.ndarray) -> np.ndarray:
        kinds = [(signal, "place ") for signal in _SIGNALS[:3]] + [(signal, "rough ") for signal in _SIGNALS]
        found = [self._of(relative, *kind) for kind in kinds if kind[0] in self.names]
        return np.clip(np.stack(found, axis=2), -_FAR, _FAR)

    def _of(self, relative: np.ndarray, signal: str, kind: str, *, inside: bool = True) -> np.ndarray:
        """(row, joint, figure) of those figures whose name begins so, or of the others."""
        wanted = np.array([name.startswith(kind) == inside for name in self.names[signal]], bool)
        if not inside:
            wanted &= np.array([not name.startswith("place ") for name in self.names[signal]], bool)
        place = self.place[signal][:, wanted]
        return np.where(place >= 0, relative[:, np.maximum(place, 0)], 0.0)

    def _table(self, relative: np.ndarray) -> np.ndarray:
        columns = []
        for signal in self.names:
            columns.append(self._of(relative, signal, "rough ", inside=False))
            if signal == "position":
                continue
            places = np.clip(self._of(relative, signal, "place "), -_FAR, _FAR)
            columns.append(places.reshape(*places.shape[:2], _PARTS, places.shape[2] // _PARTS).mean(axis=3))
            square = np.log(np.mean(places**2, axis=2) + 0.05)
            columns.append(np.stack([square, np.log(np.abs(places).max(axis=2) + 0.2)], axis=2))
        return np.concatenate(columns, axis=2)

    def _apart(self, raw: np.ndarray) -> np.ndarray:
        return raw - self.common * _others(raw, self.there)

    def _scaled(self, rest: np.ndarray) -> np.ndarray:
        return np.where(self.there[:, None], (rest - self.mean) / self.scale, 0.0)


def _alone(index: Index) -> np.ndarray:
    """(row,) whether it is its unit's only healthy one, so that there is no other to compare it with."""
    normal = index.label == "normal"
    units, count = np.unique(index.unit[normal], return_counts=True)
    found: np.ndarray = normal & np.isin(index.unit, units[count == 1])
    return found


def _layout(features: Any) -> tuple[dict[str, np.ndarray], dict[str, list[str]], np.ndarray]:
    places = joint_places(features.channels_)
    column = {name: number for number, name in enumerate(features.feature_names_)}
    names: dict[str, list[str]] = {}
    for signal in _SIGNALS:
        there = [features.channels_[own[signal]] for own in places.values() if signal in own]
        prefix = f"{there[0]} " if there else ""
        if there:
            names[signal] = [name.removeprefix(prefix) for name in features.feature_names_ if name.startswith(prefix)]
    found = {}
    for signal in names:
        table = np.full((len(places), len(names[signal])), -1)
        for row, own in enumerate(places.values()):
            if signal in own:
                table[row] = [column[f"{features.channels_[own[signal]]} {name}"] for name in names[signal]]
        found[signal] = table
    return found, names, np.array(list(places))


def _others(raw: np.ndarray, there: np.ndarray) -> np.ndarray:
    """(row, joint, evidence) mean over the other joints of the robot."""
    count = int(there.sum())
    if count < 2:
        return np.zeros_like(raw)
    total = raw[:, there].sum(axis=1, keepdims=True)
    found: np.ndarray = (total - raw) / (count - 1)
    return found


def _common(raw: np.ndarray, there: np.ndarray) -> np.ndarray:
    others = _others(raw, there)
    square = (others**2).sum(axis=0)
    found: np.ndarray = (others * raw).sum(axis=0) / np.maximum(_SHRINK * square, 1e-12)
    return found
