"""Raw columns -> one validated `Recording`: units, clock and damage, each defect counted.

Nothing is invented here. A value that cannot be right becomes NaN and is counted; a row whose time cannot be
right is dropped and counted; what merely looks odd is kept and reported with the remedy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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
    Quantity,
    Recording,
    Robot,
)
from jointwatch.core.errors import CorruptInput, EmptyInput, UsageError

__all__ = ["UNIT_SCALES", "Column", "assemble"]

# file unit -> (factor, offset) to the project's unit of the same dimension
UNIT_SCALES: dict[str, tuple[float, float]] = {
    "": (1, 0), "1": (1, 0),
    "rad": (1, 0), "deg": (np.pi / 180, 0), "rev": (2 * np.pi, 0),
    "m": (1, 0), "mm": (1e-3, 0), "cm": (1e-2, 0),
    "rad/s": (1, 0), "deg/s": (np.pi / 180, 0), "rpm": (2 * np.pi / 60, 0), "m/s": (1, 0), "mm/s": (1e-3, 0),
    "rad/s^2": (1, 0), "deg/s^2": (np.pi / 180, 0), "m/s^2": (1, 0), "mm/s^2": (1e-3, 0),
    "A": (1, 0), "mA": (1e-3, 0),
    "N m": (1, 0), "Nm": (1, 0), "N": (1, 0), "kN": (1e3, 0),
    "degC": (1, 0), "K": (1, -273.15), "degF": (5 / 9, -160 / 9),
    "V": (1, 0), "mV": (1e-3, 0), "W": (1, 0),
}  # fmt: skip

# Beyond these no robot joint gets; 1e4 times beyond, the whole row is garbage rather than one sensor.
_PLAUSIBLE: dict[Quantity, float] = {
    Quantity.POSITION: 1e3,
    Quantity.VELOCITY: 1e3,
    Quantity.ACCELERATION: 1e5,
    Quantity.CURRENT: 1e3,
    Quantity.TORQUE: 1e5,
    Quantity.JOINT_TORQUE: 1e5,
    Quantity.TEMPERATURE: 200,
    Quantity.VOLTAGE: 1e4,
    Quantity.POSITION_ERROR: 1e3,
    Quantity.POWER: 1e6,
    Quantity.TCP_POSITION: 1e3,
    Quantity.TCP_ROTATION: 1e3,
    Quantity.TCP_FORCE: 1e5,
    Quantity.TCP_TORQUE: 1e5,
}
_CORRUPT_FACTOR = 1e4
_GAP_STEPS = 5.0  # a step this many times the median is a gap that windows must not cross
_SHOWN_ROWS = 8


@dataclass(frozen=True)
class Column:
    """One raw column: what it is, its numbers as in the file (NaN where unreadable), the file's unit.

    `limits` are plausible values in SI where the device's own range is known; default: by quantity.
    """

    channel: Channel
    values: np.ndarray
    unit: str = ""
    limits: tuple[float, float] | None = None


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
    condition: Condition | None = None,
    breaks: Iterable[int] = (),
    truth: Mapping[str, Any] | None = None,
) -> Recording:
    """Recording from raw columns of equal length.

    Parameters
    ----------
    columns : the raw columns, each (row,).
    time : (row,) clock in units of `time_unit_s` seconds; None = no clock in the file, then `rate_hz` makes one.
    rows : (row,) data-row numbers from 1 as in the file, where rows were already left out; default 1, 2, ...
    rows_read : data rows in the file, default len(time).
    issues : what the caller already found and counted.
    breaks : row positions at which the caller knows continuity is lost.

    Errors: `EmptyInput` without rows, `CorruptInput` if fewer than two usable rows remain.
    """
    if not columns:
        raise UsageError("assemble needs at least one column")
    count = len(columns[0].values)
    if count == 0:
        raise EmptyInput("holds no rows", file=source, remedy="record it again or remove it")
    rows = np.arange(1, count + 1) if rows is None else np.asarray(rows)
    found = list(issues)
    values = np.stack([_to_si(column, source) for column in columns])
    channels = tuple(column.channel for column in columns)
    values = _blank_damage(values, columns, rows, found)

    if time is None:
        if rate_hz is None:
            raise UsageError("without a clock the rate must be given")
        time_s = np.arange(count) / rate_hz
    else:
        time_s = np.asarray(time, np.float64) * time_unit_s
    keep, time_s, restarts = _mend_clock(time_s, rows, found)
    if len(keep) < 2:
        raise CorruptInput(
            f"only {len(keep)} of {count} rows have a usable time",
            file=source,
            remedy="check which column is the time and its unit",
        )
    position = {int(row): i for i, row in enumerate(keep)}
    known = {position[int(i)] for i in breaks if int(i) in position} | set(restarts)
    values = values[:, keep]
    rows = rows[keep]
    step = np.diff(time_s)
    gaps = np.flatnonzero(step > _GAP_STEPS * np.median(step)) + 1
    if len(gaps):
        found.append(
            QualityIssue(
                "gap",
                len(gaps),
                Action.KEPT,
                rows=rows[gaps][:_SHOWN_ROWS],
                detail=f"longest {step.max():.3g} s at a median step of {np.median(step):.3g} s; windows do not cross it",
            )
        )
    return Recording(
        time_s,
        values,
        channels,
        robot,
        session,
        cycles=tuple(cycles),
        events=tuple(events),
        condition=condition or Condition(),
        breaks=tuple(sorted((known | set(gaps.tolist())) - {0})),
        quality=QualityReport(count if rows_read is None else rows_read, tuple(found)),
        truth=dict(truth or {}),
        source=str(source),
    )


def _to_si(column: Column, source: str | Path) -> np.ndarray:
    try:
        factor, offset = UNIT_SCALES[column.unit]
    except KeyError:
        raise UsageError(
            f"{source}: unit {column.unit!r} of {column.channel.key} is not known; use one of "
            f"{', '.join(repr(u) for u in UNIT_SCALES if u)}"
        ) from None
    return np.asarray(column.values, np.float64) * factor + offset


def _blank_damage(
    values: np.ndarray, columns: Sequence[Column], rows: np.ndarray, found: list[QualityIssue]
) -> np.ndarray:
    values = values.copy()
    lost = ~np.isfinite(values)
    with np.errstate(invalid="ignore"):
        wild = np.stack(
            [
                np.abs(row) > _PLAUSIBLE.get(column.channel.quantity, np.inf) * _CORRUPT_FACTOR
                for row, column in zip(values, columns, strict=True)
            ]
        ).any(axis=0)
    if lost.any():
        where = np.flatnonzero(lost.any(axis=0))
        found.append(
            QualityIssue(
                "not_a_number",
                int(lost.sum()),
                Action.BLANKED,
                tuple(columns[i].channel.key for i in np.flatnonzero(lost.any(axis=1))),
                rows[where][:_SHOWN_ROWS],
                f"in {len(where)} rows",
            )
        )
    if wild.any():
        found.append(
            QualityIssue(
                "corrupt_row",
                int(wild.sum()),
                Action.BLANKED,
                (),
                rows[wild][:_SHOWN_ROWS],
                f"values up to {np.nanmax(np.abs(values[:, wild])):.2g}; the whole row is blanked",
            )
        )
        values[:, wild] = np.nan
    for i, column in enumerate(columns):
        bound = _PLAUSIBLE.get(column.channel.quantity, np.inf)
        low, high = column.limits or (-bound, bound)
        with np.errstate(invalid="ignore"):
            bad = (values[i] < low) | (values[i] > high)
        if bad.any():
            found.append(
                QualityIssue(
                    "out_of_range",
                    int(bad.sum()),
                    Action.BLANKED,
                    (column.channel.key,),
                    rows[bad][:_SHOWN_ROWS],
                    f"outside {low:g} .. {high:g}, for example {values[i][bad][0]:g}",
                )
            )
            values[i, bad] = np.nan
    return np.where(np.isfinite(values), values, np.nan)


def _mend_clock(
    time_s: np.ndarray, rows: np.ndarray, found: list[QualityIssue]
) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """(positions kept, their strictly increasing time, positions after which a restarted clock was shifted)."""
    keep = np.flatnonzero(np.isfinite(time_s))
    if len(keep) < len(time_s):
        bad = np.setdiff1d(np.arange(len(time_s)), keep)
        found.append(QualityIssue("time_unreadable", len(bad), Action.DROPPED, (), rows[bad][:_SHOWN_ROWS]))
    clock = time_s[keep].copy()
    if len(clock) < 2:
        return keep, clock, []
    forward = np.diff(clock)
    nominal = float(np.median(forward[forward > 0])) if (forward > 0).any() else 0.0
    # A long run after a step back is a restarted clock: kept, shifted behind what came before.
    restarts = []
    for i in np.flatnonzero(forward < 0) + 1:
        tail = clock[i : i + 10]
        if len(tail) == 10 and (np.diff(tail) > 0).all() and clock[i:].max() < clock[:i].max():
            clock[i:] += clock[:i].max() - clock[i] + max(nominal, 1e-9)
            restarts.append(int(i))
    if restarts:
        found.append(
            QualityIssue(
                "clock_restart",
                len(restarts),
                Action.MENDED,
                ("time",),
                rows[keep[restarts]][:_SHOWN_ROWS],
                "the clock started again; what follows is shifted behind, windows do not cross it",
            )
        )
    highest = np.maximum.accumulate(clock)
    late = np.concatenate([[False], clock[1:] <= highest[:-1]])
    backwards = np.concatenate([[False], clock[1:] < highest[:-1]])
    repeated = late & ~backwards
    for kind, flags in (("time_backwards", backwards), ("time_repeated", repeated)):
        if flags.any():
            found.append(
                QualityIssue(kind, int(flags.sum()), Action.DROPPED, ("time",), rows[keep[flags]][:_SHOWN_ROWS])
            )
    stays = np.flatnonzero(~late)
    kept_restarts = [int(np.searchsorted(stays, i)) for i in restarts]
    return keep[stays], clock[stays], kept_restarts
