"""Windows of three phase currents as features, in all three cyclic orders of the phases, with the state of each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from jointwatch.core import Label, Recording
from jointwatch.core.errors import InputError, NotEnoughData
from jointwatch.features.base import Features
from jointwatch.features.cycle_statistics import CycleStatistics
from jointwatch.features.phase_currents import PhaseCurrents
from jointwatch.recordings import read
from jointwatch.windows.sliding import sliding

__all__ = ["HARMONICS", "PHASES", "SEQUENCES", "STATISTICS", "WITH_ZERO", "ShortCircuitRows", "read_short_circuits"]

STATISTICS, SEQUENCES, WITH_ZERO = "statistics", "sequences", "sequences with zero"
PHASES = ("A", "B", "C")
HARMONICS = (3, 5, 7)
_POSITIVE_AND_NEGATIVE = 3  # columns
_LEAST_REPETITIONS = 3


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

    Errors: `InputError` if none does; `NotEnoughData` without healthy recordings, faults of two phases, or with fewer
    than three repetitions.
    """
    reading = read(folder)
    recordings = [r for r in reading if "repetition" in r.truth and r.condition.label is not Label.UNCERTAIN]
    if not recordings:
        raise InputError(
            "no recording says its state and repetition", file=folder, remedy="give a folder like itsc_motor_current"
        )
    recordings = sorted(recordings, key=_place)
    phases = {str(r.truth["phase"]) for r in recordings if "phase" in r.truth}
    repetitions = np.unique([int(r.truth["repetition"]) for r in recordings])
    if all(r.condition.label is not Label.NORMAL for r in recordings):
        raise NotEnoughData("grading against the healthy motor", needed=1, have=0, unit="healthy recordings")
    if len(phases) < 2:
        raise NotEnoughData("carrying to another phase", needed=2, have=len(phases), unit="phases with faults")
    if len(repetitions) < _LEAST_REPETITIONS:
        raise NotEnoughData(
            "leaving repetitions out", needed=_LEAST_REPETITIONS, have=len(repetitions), unit="repetitions"
        )
    rate_hz = recordings[0].rate_hz
    length = round(window_s * rate_hz)
    windows = sliding(recordings, rate_hz=rate_hz, length=length, step=length)
    orders = [windows.with_values(np.roll(windows.values, -order, axis=1)) for order in range(len(PHASES))]

    def stacked(maker: Features) -> np.ndarray:
        return np.stack([maker.fit(order).transform(order) for order in orders])

    sequences = stacked(PhaseCurrents())
    levels = max(r.condition.stage or 0 for r in recordings)
    facts = {r.session: (_state(r, levels), int(r.truth["repetition"])) for r in recordings}
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
    phase = PHASES.index(str(recording.truth["phase"]).upper())
    return 1 + phase * levels + int(recording.condition.stage or 1) - 1
