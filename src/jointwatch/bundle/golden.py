"""A golden set: inputs, and what a model said of them when it was exported, for the device to check that it says the
same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from jointwatch.alarms.monitor import Monitor
from jointwatch.core import Recording, Windows
from jointwatch.core.errors import UsageError
from jointwatch.diagnosis.anomaly import AnomalyDetector

__all__ = ["TOLERANCE", "Golden", "Parity", "answers", "compare", "disturbed", "golden_set", "monitor_of"]

TOLERANCE = 1e-5
"""Largest relative difference of a score at which two computers are said to agree."""

_WINDOWS = 70  # healthy ones, of which disturbed copies are made
_BUMPS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0)  # heights of the disturbances in standard deviations of the channel


@dataclass(frozen=True, eq=False)
class Golden:
    """What a model said.

    Parameters
    ----------
    inputs : windows, or recordings, which are cut as well.
    scores : (row,) scores, higher = more anomalous. decisions : (row,) what is said, as text.
    """

    inputs: Windows | tuple[Recording, ...]
    scores: np.ndarray
    decisions: np.ndarray

    def __post_init__(self) -> None:
        if not len(self.scores):
            raise UsageError("a golden set needs at least one row; give recordings that the model can judge")


@dataclass(frozen=True)
class Parity:
    """How two answers to the same inputs agree.

    Parameters
    ----------
    rows : how many. changed : decisions that differ, but for rows that tie with a row that set the threshold.
    difference : largest difference of a score, relative to its size, or to the median size where it is smaller.
    """

    rows: int
    changed: int
    difference: float

    @property
    def identical(self) -> bool:
        """Same decisions, and scores within `TOLERANCE`."""
        return self.changed == 0 and self.difference <= TOLERANCE

    def __str__(self) -> str:
        return f"{self.rows} rows: {self.changed} decisions differ, scores by {self.difference:.1e} at most (relative)"


def golden_set(model: Any, recordings: Sequence[Recording] = ()) -> Golden:
    """What the model says of recordings; without any, of healthy windows that a monitor keeps, with a bump on one
    channel of each, so that there are decisions on both sides of the threshold.

    Errors: `UsageError` for a model that keeps no windows, without recordings.
    """
    if recordings:
        inputs: Windows | tuple[Recording, ...] = tuple(recordings)
    elif (monitor := monitor_of(model)) is not None:
        healthy = monitor.healthy_[1::2] if len(monitor.healthy_) > 1 else monitor.healthy_
        some = healthy[np.linspace(0, len(healthy) - 1, _WINDOWS).astype(int)]
        names = np.char.add(np.char.add(some.index.cycle, "/"), np.arange(_WINDOWS).astype(np.str_))
        inputs = disturbed(replace(some, index=replace(some.index, cycle=names)))
    else:
        raise UsageError(f"{type(model).__name__} keeps no recordings to check an export with; give some (--golden)")
    return Golden(inputs, *answers(model, inputs))


def compare(model: Any, golden: Golden) -> Parity:
    """The model's answers of now against those that were kept."""
    scores, decisions = answers(model, golden.inputs)
    if scores.shape != golden.scores.shape:
        raise UsageError(f"the model gives {len(scores)} answers where {len(golden.scores)} were given before")
    size = np.maximum(np.abs(golden.scores), max(float(np.median(np.abs(golden.scores))), 1e-12))
    difference = np.abs(scores - golden.scores) / size
    changed = decisions != golden.decisions
    monitor = monitor_of(model)
    if monitor is not None:
        # a row that set the threshold ties with itself, and a tie is decided by the last bit
        known = monitor.calibration_scores_.value
        tied = (np.abs(known[None, :] - golden.scores[:, None]) <= TOLERANCE * size[:, None]).any(axis=1)
        changed &= ~(tied & (difference <= TOLERANCE))
    return Parity(len(scores), int(changed.sum()), float(difference.max()))


def monitor_of(model: Any) -> Monitor | None:
    """The monitor behind a detector's front door, or the model itself where it is one; None for others."""
    if isinstance(model, AnomalyDetector):
        return model.monitor_
    return model if isinstance(model, Monitor) else None


def answers(model: Any, inputs: Windows | tuple[Recording, ...]) -> tuple[np.ndarray, np.ndarray]:
    """(row,) scores and decisions; rows are cycles."""
    monitor = monitor_of(model)
    if monitor is None:
        return model.detect(inputs).value, np.asarray(model.predict(inputs)).astype(np.str_)
    door = model if isinstance(model, AnomalyDetector) else AnomalyDetector.around(model)
    verdict = monitor.judge(inputs) if isinstance(inputs, Windows) else monitor.score(inputs)
    return verdict.cycle_scores.value, door.said(verdict)


def disturbed(windows: Windows) -> Windows:
    """The windows, each with half a sine on one channel, from barely visible to large; cycles are called otherwise."""
    spread = windows.values.std(axis=(0, 2), dtype=np.float64)
    values = np.array(windows.values, np.float64)
    bump = np.sin(np.linspace(0, np.pi, values.shape[2]))
    for row in range(len(values)):
        moving = np.flatnonzero(windows.presence[row] & (spread > 0))
        if len(moving):
            channel, turn = moving[row % len(moving)], row // len(moving)
            values[row, channel] += _BUMPS[(row + turn) % len(_BUMPS)] * spread[channel] * bump
    index = replace(windows.index, cycle=np.char.add(windows.index.cycle, "/disturbed"))
    return replace(windows, values=values.astype(windows.values.dtype), index=index)
