"""Windows of three phase currents as features, in all three cyclic orders of the phases, with the state of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from jointwatch.core import Label, Recording
from jointwatch.core.errors import InputError, NotEnoughData, UsageError
from jointwatch.features.base import Features
from jointwatch.features.cycle_statistics import CycleStatistics
from jointwatch.features.phase_currents import PhaseCurrents
from jointwatch.recordings import read
from jointwatch.signals.three_phase import supply_frequency
from jointwatch.windows.sliding import sliding

__all__ = ["HARMONICS", "PHASES", "SEQUENCES", "STATISTICS", "WITH_ZERO", "ShortCircuitRows", "read_short_circuits"]

STATISTICS, SEQUENCES, WITH_ZERO = "statistics", "sequences", "sequences with zero"
PHASES = ("A", "B", "C")
HARMONICS = (3, 5, 7)
_POSITIVE_AND_NEGATIVE = 3  # columns
_LEAST_REPETITIONS = 3  # one is tested, another left out to choose, one learned
_LEAST_PERIODS = 2


@dataclass(frozen=True, eq=False)
class ShortCircuitRows:
    """One row a window.

    features : by name, (order, row, feature): orders a b c, b c a, c a b of the phases. state : (row,) 0 is healthy,
    1 + phase * levels + severity - 1 a fault. repetition : (row,) number. recording : (row,) name. levels : severities
    of a fault. harmonics : (row, harmonic) strength of `HARMONICS` against the fundamental.
    """

    features: dict[str, np.ndarray]
    state: np.ndarray
    repetition: np.ndarray
    recording: np.ndarray
    levels: int
    harmonics: np.ndarray
    notes: tuple[str, ...] = ()

    @cached_property
    def states(self) -> tuple[str, ...]:
        """Names of the states."""
        return ("healthy", *(f"{phase}{10 * (level + 1)}" for phase in PHASES for level in range(self.levels)))

    @cached_property
    def severity_of(self) -> np.ndarray:
        """(state,) 0 is healthy."""
        return np.array([0, *np.tile(np.arange(1, self.levels + 1), len(PHASES))])

    @cached_property
    def phase_of(self) -> np.ndarray:
        """(state,) place in `PHASES`, -1 is healthy."""
        return np.array([-1, *np.repeat(np.arange(len(PHASES)), self.levels)])

    def in_order(self, state: np.ndarray, order: int) -> np.ndarray:
        """The states under the names that the phases have in that order."""
        moved = 1 + (self.phase_of[state] - order) % len(PHASES) * self.levels + self.severity_of[state] - 1
        return np.where(state == 0, 0, moved)


def read_short_circuits(folder: Path, window_s: float) -> ShortCircuitRows:
    """All recordings of a folder that say their repetition and state, cut into windows side by side.

    Errors: `InputError` if none does, or for a fault without phase or severity; `NotEnoughData` without faults of all
    three phases and the healthy motor in three repetitions, in recordings as long as a window; `UsageError` for
    windows of less than two periods of the supply.
    """
    reading = read(folder)
    recordings = [r for r in reading if "repetition" in r.truth and r.condition.label is not Label.UNCERTAIN]
    if not recordings:
        raise InputError(
            "no recording says its state and repetition", file=folder, remedy="give a folder like itsc_motor_current"
        )
    recordings = sorted(recordings, key=_place)
    length = _length(recordings, window_s)
    levels = max(r.condition.stage or 0 for r in recordings)
    cut = [r for r in recordings if len(r.time_s) >= length]
    facts = {r.session: (_state(r, levels), int(r.truth["repetition"])) for r in cut}
    phases = {1 + (state - 1) // levels for state, _ in facts.values() if state}
    if len(phases) < len(PHASES):
        raise NotEnoughData(
            "carrying to another phase", needed=len(PHASES), have=len(phases), unit="phases with faults"
        )
    healthy = {repetition for state, repetition in facts.values() if state == 0}
    if len(healthy) < _LEAST_REPETITIONS:
        what, unit = "leaving repetitions out", "repetitions of the healthy motor"
        raise NotEnoughData(what, needed=_LEAST_REPETITIONS, have=len(healthy), unit=unit)
    rate_hz = recordings[0].rate_hz
    windows = sliding(recordings, rate_hz=rate_hz, length=length, step=length)
    orders = [windows.with_values(np.roll(windows.values, -order, axis=1)) for order in range(len(PHASES))]

    def stacked(maker: Features) -> np.ndarray:
        return np.stack([maker.fit(order).transform(order) for order in orders])

    sequences = stacked(PhaseCurrents())
    of_row = [facts[session] for session in windows.index.session]
    skipped = [f"windows left out: {dict(windows.skipped)}"] if windows.skipped else []
    return ShortCircuitRows(
        {
            STATISTICS: stacked(CycleStatistics()),
            SEQUENCES: sequences[..., :_POSITIVE_AND_NEGATIVE],
            WITH_ZERO: sequences,
        },
        np.array([state for state, _ in of_row]),
        np.array([repetition for _, repetition in of_row]),
        np.array(windows.index.session),
        levels,
        PhaseCurrents(harmonics=HARMONICS).fit(windows).transform(windows)[:, -len(HARMONICS) :],
        (*reading.summary(), *skipped),
    )


def _place(recording: Recording) -> tuple[str, int, int]:
    truth = recording.truth
    return str(truth.get("phase", "")), recording.condition.stage or 0, int(truth["repetition"])


def _state(recording: Recording, levels: int) -> int:
    if recording.condition.label is Label.NORMAL:
        return 0
    phase, stage = str(recording.truth.get("phase", "")).upper(), recording.condition.stage
    if phase not in PHASES or not stage:
        raise InputError(
            f"recording {recording.session} is of a fault without its phase (A, B or C) or its severity",
            remedy="say both, or leave it out",
        )
    return 1 + PHASES.index(phase) * levels + stage - 1


def _length(recordings: Sequence[Recording], window_s: float) -> int:
    """Samples of a window, of which there are some and which holds two periods of the supply."""
    rate_hz = recordings[0].rate_hz
    length = round(window_s * rate_hz)
    longest = max(len(recording.time_s) for recording in recordings)
    if longest < length:
        raise NotEnoughData(f"windows of {window_s:g} s", needed=length, have=longest, unit="samples of a recording")
    supply_hz = rate_hz * float(np.median([supply_frequency(recording.values) for recording in recordings]))
    if length * supply_hz < _LEAST_PERIODS * rate_hz:
        raise UsageError(
            f"windows of {window_s:g} s hold {window_s * supply_hz:.2g} periods of a supply of {supply_hz:.1f} Hz: "
            f"{_LEAST_PERIODS} or more are needed, that is {_LEAST_PERIODS / supply_hz:.3f} s"
        )
    return length
