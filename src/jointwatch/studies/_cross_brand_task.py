"""Who knows what when a new brand arrives: which cycles are baselines, which may be learned from, which are judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from jointwatch.detectors._joint_evidence import Evidence
from jointwatch.detectors.joint_deviations import JointDeviations
from jointwatch.studies._cross_brand_rows import Fleet

__all__ = ["BASELINES", "Tables", "Task", "found", "judged_by"]

BASELINES = 2
"""Healthy sessions that are known of every unit of the target."""
_FOLDS = 3  # a part of so many of the target's units is judged in one repetition
_Draw = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Task:
    """One target, the brands it may borrow from, and a budget of labels.

    fleet : all cycles. sources, target : brands. budget : labelled cycles of the target, beside its baselines.
    seed : of everything that is drawn. `seed` and the two that follow judge all units of the target once.
    baselines : healthy sessions that are known of every unit of the target; fewer are among the more.
    spared : healthy sessions of every unit that are never judged, so that several `baselines` judge the same cycles.
    """

    fleet: Fleet
    sources: tuple[str, ...]
    target: str
    budget: int
    seed: int
    baselines: int = BASELINES
    spared: int = BASELINES

    @property
    def of_target(self) -> np.ndarray:
        """(cycle,) bool."""
        own: np.ndarray = self.fleet.index.domain == self.target
        return own

    @property
    def judged_units(self) -> np.ndarray:
        """Held out whole."""
        units = np.unique(self.fleet.index.unit[self.of_target])
        rng = np.random.default_rng([self.seed // _FOLDS, 1])
        count = -(-len(units) // _FOLDS)
        start = (self.seed % _FOLDS) * count
        chosen: np.ndarray = rng.permutation(units)[start : start + count]
        return chosen

    @property
    def baseline(self) -> np.ndarray:
        """(cycle,) of the healthy sessions that are known of each unit of the target."""
        return self._first(self.baselines)

    def _first(self, sessions: int) -> np.ndarray:
        """(cycle,) of so many healthy sessions of each unit of the target, in an order drawn by lot."""
        index, of = self.fleet.index, self.of_target & self.fleet.healthy_session
        rng = np.random.default_rng([self.seed, 2])
        found = np.zeros(len(self.fleet), bool)
        for unit in np.unique(index.unit[self.of_target]):
            own = of & (index.unit == unit)
            found |= own & np.isin(index.session, rng.permutation(np.unique(index.session[own]))[:sessions])
        return found

    @property
    def judged(self) -> np.ndarray:
        """(cycle,) of the held-out units, baselines and what is spared aside; uncertain ones too."""
        chosen: np.ndarray = self.of_target & np.isin(self.fleet.index.unit, self.judged_units) & ~self._aside
        return chosen

    @property
    def _aside(self) -> np.ndarray:
        return self._first(max(self.baselines, self.spared))

    @property
    def near(self) -> np.ndarray:
        """(cycle,) of the target's other units: what may be learned from, without labels but those of `labelled`."""
        chosen: np.ndarray = self.of_target & ~np.isin(self.fleet.index.unit, self.judged_units)
        return chosen

    @property
    def labelled(self) -> np.ndarray:
        """Numbers of the cycles whose labels are known: whole sessions of those other units, drawn by lot."""
        rng = np.random.default_rng([self.seed, 3])
        rows = np.flatnonzero(self.near & ~self._aside & self.fleet.sure)
        sessions = self.fleet.index.unit_session[rows]
        order = rng.permutation(np.unique(sessions))
        drawn = np.concatenate([rows[sessions == session] for session in order]) if len(order) else rows
        return drawn[: self.budget]


class Tables:
    """Evidence of brands, computed once in a process: of a source from all of its healthy cycles, of a target from its
    baselines."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self._known: dict[tuple[str, _Draw], tuple[Evidence, np.ndarray, np.ndarray]] = {}

    def of(self, brand: str, known: np.ndarray, draw: _Draw = ()) -> tuple[Evidence, np.ndarray, np.ndarray]:
        """Evidence, (cycle, joint, evidence) and (cycle, joint, signal, place) of all cycles of a brand, those of
        `known` healthy ones against their units' other sessions. `draw` tells one choice of `known` from another."""
        if (brand, draw) not in self._known:
            if draw:  # targets come and go
                self._known = {key: value for key, value in self._known.items() if key[1] in ((), draw)}
            rows = np.flatnonzero(self.fleet.index.domain == brand)
            windows = self.fleet.windows(rows)
            features = self.fleet.features().fit(windows)
            vectors = features.transform(windows)
            healthy = known[rows]
            evidence = Evidence.of(vectors[healthy], windows.index.take(healthy), features)
            table, along = evidence.transform(vectors, windows.index), evidence.places(vectors, windows.index)
            known_rows = np.isin(windows.index.cycle, evidence.index_.cycle)
            table[known_rows] = evidence.crossed(np.ones(len(evidence.index_), bool))
            along[healthy] = evidence.places_crossed(vectors[healthy], windows.index.take(healthy))
            self._known[brand, draw] = (evidence, table.astype(np.float32), along.astype(np.float32))
        return self._known[brand, draw]

    def source(self, brand: str) -> tuple[Evidence, np.ndarray, np.ndarray]:
        """Of a brand whose labels are all known."""
        return self.of(brand, (self.fleet.index.label == "normal") & self.fleet.healthy_session)

    def target(self, task: Task) -> tuple[Evidence, np.ndarray, np.ndarray]:
        """Of the target of a task."""
        return self.of(task.target, task.baseline, (task.seed, task.baselines))


def found(
    task: Task, scores: np.ndarray, calibration: np.ndarray, joints: np.ndarray | None, seconds: float
) -> dict[str, Any]:
    """A step's result as JSON: scores of the judged cycles, of healthy ones for the threshold, blamed joints.

    Parameters
    ----------
    scores : (judged,). calibration : (healthy,) of baselines of the other units. joints : (judged,) numbers, or None.
    seconds : from the signals of the target to a model for it.
    """
    return {
        "score": [float(f"{x:.5g}") for x in scores],
        "calibration": [float(f"{x:.5g}") for x in calibration],
        "joint": None if joints is None else [int(x) for x in joints],
        "seconds": round(seconds, 3),
    }


def judged_by(detector: JointDeviations, task: Task) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores of the judged cycles, of the baselines of the other units, and the blamed joints."""
    windows = task.fleet.windows(task.judged)
    index, healthy = detector.baseline_scores(task.target)
    near = ~np.isin(index.unit, task.judged_units)
    return detector.score_samples(windows), healthy[near], detector.blamed(windows)
