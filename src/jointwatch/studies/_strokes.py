"""Cycles of one axis under several loads as features, with the state, load and run of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jointwatch.core import Index, Label, Quantity, Recording
from jointwatch.core.errors import InputError, MissingChannel
from jointwatch.diagnosis._profile_view import SPREAD_PARTS, typical_samples
from jointwatch.features.cycle_statistics import CycleStatistics
from jointwatch.features.phase_profile import PhaseProfile
from jointwatch.recordings import read
from jointwatch.windows.by_cycle import by_cycle
from jointwatch.windows.layout import common_channels

__all__ = ["COARSE", "PROFILE", "STATISTICS", "Strokes", "load_name", "read_strokes"]

STATISTICS, COARSE, PROFILE = "statistics", "coarse profile", "profile"
_QUANTITIES = (Quantity.POSITION_ERROR, Quantity.CURRENT)


@dataclass(frozen=True, eq=False)
class Strokes:
    """One row a cycle.

    features : by name, (row, feature): `STATISTICS` of the whole cycle, `COARSE` means in 27 phases, `PROFILE` current
    at every sample with the roughness in 27 phases. state : (row,) place in `states`; 0 is normal. load_kgf, run :
    (row,). index : (row,) whose rows they are. states, families : names; family_of : (state,) place in `families`.
    """

    features: dict[str, np.ndarray]
    state: np.ndarray
    load_kgf: np.ndarray
    run: np.ndarray
    index: Index
    states: tuple[str, ...]
    families: tuple[str, ...]
    family_of: np.ndarray
    notes: tuple[str, ...] = ()

    @property
    def loads(self) -> list[float]:
        """Loads under which there are faults as well as normal runs, ascending."""
        return [
            load for load in self.all_loads if {0, 1} <= set(np.minimum(self.state[self.load_kgf == load], 1).tolist())
        ]

    @property
    def all_loads(self) -> list[float]:
        """Loads of the recordings, ascending."""
        found: list[float] = np.unique(self.load_kgf).tolist()
        return found

    def cluster(self) -> np.ndarray:
        """(row,) name of its run: the cycles of a run are near copies."""
        parts = zip(self.state, self.load_kgf, self.run, strict=True)
        return np.array([f"{self.states[s]} {load_name(load)} run {r}" for s, load, r in parts])


def load_name(load_kgf: float) -> str:
    """As it is called in tables."""
    return f"{load_kgf:+g} kgf"


def read_strokes(folder: Path) -> Strokes:
    """All recordings of a folder that say their load, run and state.

    Errors: `InputError` if none does; `MissingChannel` without current or position error.
    """
    reading = read(folder)
    recordings = [r for r in reading if {"load_kgf", "run"} <= set(r.truth) and r.condition.label != Label.UNCERTAIN]
    if not recordings:
        raise InputError(
            "no recording says its load, run and state",
            file=folder,
            remedy="give a folder of the form of cranfield_linear_actuator, one file a state",
        )
    channels = common_channels(recordings, quantities=_QUANTITIES)
    if {channel.quantity for channel in channels} != set(_QUANTITIES):
        raise MissingChannel("current and position error are needed", file=folder)
    windows = by_cycle(
        recordings, length=max(SPREAD_PARTS, typical_samples(recordings)), channels=channels, domain="truth:load_kgf"
    )
    effort = [channel.key for channel in channels if channel.quantity is Quantity.CURRENT]
    makers = {
        STATISTICS: CycleStatistics(),
        COARSE: CycleStatistics(SPREAD_PARTS, ["mean"]),
        PROFILE: PhaseProfile(spread_parts=SPREAD_PARTS, channels=effort),
    }
    facts = {recording.session: _facts(recording) for recording in recordings}
    of_row = [facts[session] for session in windows.index.session]
    pairs = sorted({(family != "normal", family, stage) for _, _, family, stage in of_row})
    states = tuple(family if stage == 0 else f"{family} {stage}" for _, family, stage in pairs)
    families = tuple(dict.fromkeys(family for _, family, _ in pairs))
    skipped = [f"cycles left out: {dict(windows.skipped)}"] if windows.skipped else []
    return Strokes(
        {name: maker.fit(windows).transform(windows) for name, maker in makers.items()},
        np.array([pairs.index((family != "normal", family, stage)) for _, _, family, stage in of_row]),
        np.array([load for load, *_ in of_row]),
        np.array([run for _, run, *_ in of_row]),
        windows.index,
        states,
        families,
        np.array([families.index(family) for _, family, _ in pairs]),
        (*reading.summary(), *skipped),
    )


def _facts(recording: Recording) -> tuple[float, int, str, int]:
    condition = recording.condition
    family = "normal" if condition.label is Label.NORMAL else condition.fault
    return float(recording.truth["load_kgf"]), int(recording.truth["run"]), family, condition.stage or 0
