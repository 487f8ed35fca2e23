"""Raw columns -> one validated `Recording`: units, clock and damage, each defect counted.

Nothing is invented here. A value that cannot be right becomes NaN and is counted; a row whose time cannot be
right is dropped and counted; what merely looks odd is kept and reported with the remedy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from jointwatch.core import (
    Action,
    Channel,
    Condition,
    Cycle,
    Event,
    QualityIssue,
    QualityReport,
    Recording,
    Robot,
)
from jointwatch.core.errors import CorruptInput, EmptyInput, UsageError
from jointwatch.recordings._clock import Clock, mend_clock
from jointwatch.recordings._damage import blank_damage, wild_samples, wild_times
from jointwatch.recordings._frozen import frozen
from jointwatch.recordings._issues import note
from jointwatch.recordings._unit_checks import suspected_units
from jointwatch.recordings._units import UNIT_SCALES, units_like

__all__ = ["UNIT_SCALES", "Column", "Span", "assemble"]

_GAP_STEPS = 5.0  # a step this many times the median is a gap that windows must not cross
_RATE_TOLERANCE = 0.2


@dataclass(frozen=True)
class Column:
    """One raw column: what it is, its numbers as in the file (NaN where unreadable), the file's unit.

    `limits` are plausible values in SI where the device's own range is known; default: by quantity.
    """

    channel: Channel
    values: np.ndarray
    unit: str = ""
    limits: tuple[float, float] | None = None


@dataclass(frozen=True)
class Span:
    """Rows [start, stop) by position from 0 in the raw columns, that are one cycle or one event."""

    start: int
    stop: int
    condition: Condition = field(default_factory=Condition)
    name: str = ""


def assemble(
    columns: Sequence[Column],
    robot: Robot,
    *,
    session: str,
    source: str | Path,
    time: np.ndarray | None = None,
    time_unit_s: float = 1.0,
    rate_hz: float | None = None,
    rows: np.ndarray | None = None,
    rows_read: int | None = None,
    issues: Iterable[QualityIssue] = (),
    cycles: Iterable[Cycle] = (),
    events: Iterable[Event] = (),
    cycle_spans: Iterable[Span] = (),
    event_spans: Iterable[Span] = (),
    condition: Condition | None = None,
    breaks: Iterable[int] = (),
    truth: Mapping[str, Any] | None = None,
) -> Recording:
    """Recording from raw columns of equal length.

    Parameters
    ----------
    columns : the raw columns, each (row,).
    time : (row,) clock in units of `time_unit_s` seconds; None = no clock in the file, then `rate_hz` makes one
        from the row numbers.
    rate_hz : nominal rate; where there is a clock too the two are compared.
    rows : (row,) data-row numbers from 1 as in the file, where rows were already left out; default 1, 2, ...
    rows_read : data rows in the file, default len(time).
    issues : what the caller already found and counted.
    cycles, events : in seconds on the clock as it will be.
    cycle_spans, event_spans : the same by rows; rows that are dropped take nothing else with them.
    breaks : row positions at which the caller knows continuity is lost.

    Errors: `EmptyInput` without rows, `CorruptInput` if fewer than two usable rows remain or the clock stands still,
    `UsageError` if a unit does not fit its channel.

    >>> arm = Robot.of("demo", "arm", "arm-1", joints=1)
    >>> degrees = Column(Channel.parse("position/1"), np.array([0.0, 9.0, np.nan, 4.5, 0.0]), "deg")
    >>> recording = assemble([degrees], arm, session="monday", source="m.csv", time=np.array([0, 10, 20, 2e99, 40.0]),
    ...                      time_unit_s=1e-3)
    >>> [(issue.kind, issue.rows, str(issue.action)) for issue in recording.quality.issues]
    [('corrupt_row', (4,), 'dropped'), ('not_a_number', (3,), 'blanked')]
    >>> recording.rate_hz, recording["position/1"].round(2).tolist()
    (100.0, [0.0, 0.16, nan, 0.0])
    """
    if not columns:
        raise UsageError("assemble needs at least one column")
    count = len(columns[0].values)
    if any(len(column.values) != count for column in columns):
        raise UsageError(f"{source}: columns of different length: {sorted({len(c.values) for c in columns})}")
    if count == 0:
        raise EmptyInput("holds no rows", file=source, remedy="record it again or remove it")
    rows = np.arange(1, count + 1) if rows is None else np.asarray(rows)
    found = list(issues)
    values = np.stack([_to_si(column, robot, source) for column in columns])
    channels = tuple(column.channel for column in columns)
    wild = wild_samples(values, channels, source)
    garbled = wild_times(wild, channels)
    if time is None:
        if rate_hz is None:
            raise UsageError(f"{source}: without a clock the rate must be given")
        spacing = float(np.median(np.diff(rows))) if count > 1 else 1.0
        ticks = (rows - rows[0]) / spacing / rate_hz
    else:
        ticks = np.asarray(time, np.float64) * time_unit_s
    clock = mend_clock(ticks, garbled)
    _report_clock(clock, values, rows, found, source)
    keep, time_s = clock.keep, clock.time_s
    values, rows = values[:, keep], rows[keep]
    _report_steps(time_s, rows, rate_hz if time is not None else None, found)
    limits = [column.limits for column in columns]
    found += blank_damage(time_s, values, channels, limits, robot, rows, wild[:, keep])
    found += frozen(time_s, values, channels, robot, rows)
    found += suspected_units(time_s, values, channels, [column.unit for column in columns], robot)
    gaps = np.flatnonzero(np.diff(time_s) > _GAP_STEPS * np.median(np.diff(time_s))) + 1
    known = np.searchsorted(keep, [*breaks, *clock.restarts])
    edges = np.append(time_s, time_s[-1] + clock.step_s)

    def times(span: Span) -> tuple[float, float]:
        start, stop = np.searchsorted(keep, [span.start, span.stop])
        return float(edges[start]), float(edges[stop])

    marked = [(*times(span), span.condition, span.name) for span in cycle_spans]
    happened = [Event(span.name, *times(span), span.condition) for span in event_spans]
    empty = [name or "?" for start, stop, _, name in marked if not stop > start]
    if empty:
        detail = f"no usable row in cycle {', '.join(empty[:8])}"
        found.append(note("empty_cycle", len(empty), Action.DROPPED, detail=detail))
    return Recording(
        time_s,
        values,
        channels,
        robot,
        session,
        cycles=(*cycles, *(Cycle(*mark) for mark in marked if mark[1] > mark[0])),
        events=(*events, *happened),
        condition=condition or Condition(),
        breaks=tuple(sorted({int(i) for i in (*known, *gaps) if 0 < i < len(keep)})),
        quality=QualityReport(count if rows_read is None else rows_read, tuple(found)),
        truth=dict(truth or {}),
        source=str(source),
    )


def _to_si(column: Column, robot: Robot, source: str | Path) -> np.ndarray:
    channel = column.channel
    kind = robot.joint(channel.joint).kind if channel.joint is not None else "revolute"
    fitting = units_like(channel.unit(kind))
    if column.unit and column.unit not in fitting:
        raise UsageError(
            f"{source}: unit {column.unit!r} does not fit {channel.key} of a {kind} joint; "
            f"use one of {', '.join(fitting)}"
        )
    factor, offset = UNIT_SCALES[column.unit]
    raw = np.asarray(column.values)
    if raw.dtype.kind not in "fiub":
        raise CorruptInput(
            "the column holds text, not numbers", file=source, channel=channel.key, remedy="choose another column"
        )
    with np.errstate(over="ignore"):
        si = raw.astype(np.float64) * factor + offset
    return np.where(np.isfinite(si) | np.isnan(si), si, np.nan)


def _report_clock(
    clock: Clock, values: np.ndarray, rows: np.ndarray, found: list[QualityIssue], source: str | Path
) -> None:
    """Count what the clock lost; `CorruptInput` if it cannot be used."""
    total = values.shape[1]
    previous = np.searchsorted(clock.keep, clock.repeated) - 1
    copies = [
        i
        for i, before in zip(clock.repeated, clock.keep[previous] if len(clock.keep) else (), strict=True)
        if np.array_equal(values[:, i], values[:, before], equal_nan=True)
    ]
    differing = sorted(set(clock.repeated) - set(copies))
    if len(clock.keep) < 2 or len(differing) > total / 2:
        still = len(clock.repeated) > total / 2
        problem = (
            f"the time stands still: {len(clock.repeated)} of {total} rows repeat the time before"
            if still
            else f"only {len(clock.keep)} of {total} rows have a usable time"
        )
        remedy = "name another time column, or give the rate instead" if still else "check the time column and its unit"
        raise CorruptInput(problem, file=source, row=int(rows[min(1, total - 1)]), channel="time", remedy=remedy)
    for kind, where, action, detail in (
        ("time_unreadable", clock.unreadable, Action.DROPPED, "no time in the row"),
        ("corrupt_row", clock.corrupt, Action.DROPPED, "neither time nor values fit the rows around"),
        ("time_backwards", clock.backwards, Action.DROPPED, "the time is not after that of the row before"),
        ("duplicated_row", copies, Action.DROPPED, "the same time and values as the row before"),
        ("time_repeated", differing, Action.DROPPED, "the same time as the row before with other values"),
        (
            "clock_restart",
            clock.restarts,
            Action.MENDED,
            "the clock started again; what follows is shifted behind, windows do not cross it",
        ),
    ):
        if len(where):
            on = ("time",) if kind.startswith(("time", "clock")) else ()
            found.append(note(kind, len(where), action, where=on, rows=rows[np.asarray(where)], detail=detail))


def _report_steps(time_s: np.ndarray, rows: np.ndarray, rate_hz: float | None, found: list[QualityIssue]) -> None:
    step = np.diff(time_s)
    median = float(np.median(step))
    gaps = np.flatnonzero(step > _GAP_STEPS * median) + 1
    if len(gaps):
        detail = f"longest {step.max():.3g} s at a median step of {median:.3g} s; windows do not cross it"
        found.append(note("gap", len(gaps), Action.KEPT, where=("time",), rows=rows[gaps], detail=detail))
    if rate_hz is not None and abs(median * rate_hz - 1) > _RATE_TOLERANCE:
        found.append(
            note(
                "rate_mismatch",
                len(time_s),
                Action.KEPT,
                where=("time",),
                detail=f"the clock gives {1 / median:.4g} Hz, the stated rate is {rate_hz:g} Hz",
                remedy="check the unit of the time column or the stated rate",
            )
        )
