"""UR3 at 1 Hz over a working day with protective stops and lost grips (`ur3_cobotops`), one spreadsheet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from jointwatch.core import Action, Channel, Condition, Cycle, Event, Label, QualityIssue, Quantity, Recording
from jointwatch.core.errors import CorruptInput, EmptyInput, MissingChannel
from jointwatch.recordings._assemble import Column, assemble
from jointwatch.recordings._issues import note
from jointwatch.recordings._runs import constant_runs, true_runs
from jointwatch.recordings._universal_robots import universal_robot
from jointwatch.recordings._xlsx import holds_texts, read_sheet
from jointwatch.recordings.base import Reader

__all__ = ["Cobotops"]

_TIME, _CYCLE, _STOP, _LOST = "timestamp", "cycle", "robot_protectivestop", "grip_lost"
_BLOCKS = (
    ("current", Quantity.CURRENT, "A"),
    ("temperature", Quantity.TEMPERATURE, "degC"),
    ("speed", Quantity.VELOCITY, "rad/s"),
)
_FLAGS = ((_STOP, "protective_stop"), (_LOST, "grip_lost"))
_GAP_STEPS = 5.0


class Cobotops(Reader):
    """One recording of the whole day: current, temperature and speed of each joint, tool current, and the two flags.

    A cycle is a stretch in which the file's cycle number does not change (the numbers run back once, and none crosses
    a gap of the clock). A cycle with a protective stop or a lost grip in any row is anomalous, all others normal; each
    stretch of a flag is an event. Column names are matched without blanks around them; `Temperature_T0` is joint 1's.

    Source: UR3 CobotOps, UCI Machine Learning Repository 963, doi 10.24432/C5J891.

    >>> Cobotops().recognises(Path("absent.xlsx"))
    False
    """

    specificity: ClassVar[int] = 20

    def recognises(self, source: Path) -> bool:
        return holds_texts(source, ("Robot_ProtectiveStop", "grip_lost"))

    def _read(self, source: Path) -> Iterator[Recording]:
        rows = read_sheet(source)
        names = [str(cell).strip().lower() for cell in rows[0]]
        body = rows[1:]
        if not body:
            raise EmptyInput("holds a header and no rows", file=source, remedy="download it again")
        cells = dict(zip(names, zip(*body, strict=False), strict=False))
        missing = [name for name in (_TIME, _CYCLE, _STOP, _LOST) if name not in cells]
        if missing:
            raise MissingChannel("is not there", file=source, channel=missing[0], remedy="download it again")
        issues: list[QualityIssue] = []
        time_s, start = _clock(source, cells[_TIME], issues)
        columns = [
            Column(Channel(quantity, joint + 1), _numbers(cells[name]), unit)
            for word, quantity, unit in _BLOCKS
            for joint in range(6)
            for name in (f"{word}_j{joint}", f"{word}_t{joint}")
            if name in cells
        ]
        columns.append(Column(Channel(Quantity.CURRENT, component="tool"), _numbers(cells["tool_current"]), "A"))
        flags = {event: _numbers(cells[name]) for name, event in _FLAGS}
        columns += [Column(Channel(Quantity.STATUS, component=event), values) for event, values in flags.items()]
        cycles, events = _marks(time_s, _numbers(cells[_CYCLE]), flags)
        yield assemble(
            columns,
            universal_robot("UR3", "cobotops-ur3"),
            session=source.stem,
            source=source,
            time=time_s,
            rows_read=len(body),
            issues=issues,
            cycles=cycles,
            events=events,
            truth={"start": start, "label_source": "flags of the file"},
        )


def _clock(source: Path, cells: Sequence[Any], issues: list[QualityIssue]) -> tuple[np.ndarray, str]:
    """(seconds since the first row, its date and time); quotes around a time stamp are taken off and counted."""
    texts = [str(cell) for cell in cells]
    quoted = [i for i, text in enumerate(texts) if '"' in text]
    if quoted:
        detail = "the time stamp is in quotes"
        issues.append(
            note(
                "quoted_time",
                len(quoted),
                Action.MENDED,
                where=("Timestamp",),
                rows=(i + 1 for i in quoted),
                detail=detail,
            )
        )
    plain = [text.strip().strip('"').removesuffix("Z") for text in texts]
    try:
        moments = np.array([text or "NaT" for text in plain], "datetime64[ms]")
    except ValueError as error:
        raise CorruptInput(
            f"a time stamp is no date and time ({error})", file=source, channel="Timestamp", remedy="download it again"
        ) from error
    known = moments[~np.isnat(moments)]
    if not len(known):
        raise CorruptInput("no row has a time", file=source, channel="Timestamp", remedy="download it again")
    seconds = (moments - known[0]) / np.timedelta64(1, "s")
    return np.where(np.isnat(moments), np.nan, seconds), f"{known[0]}Z"


def _numbers(cells: Sequence[Any]) -> np.ndarray:
    """(row,) float64; truth values as 0 and 1, empty cells NaN."""
    return np.array([np.nan if isinstance(cell, str) or cell is None else float(cell) for cell in cells])


def _marks(time_s: np.ndarray, number: np.ndarray, flags: dict[str, np.ndarray]) -> tuple[list[Cycle], list[Event]]:
    step_s = float(np.nanmedian(np.diff(time_s)))
    stretch = np.cumsum(np.concatenate([[False], np.diff(time_s) > _GAP_STEPS * step_s]))
    raised = {event: np.nan_to_num(values) > 0 for event, values in flags.items()}
    cycles = []
    for first, last in constant_runs(number, stretch):
        ends = last < len(time_s) and stretch[last] == stretch[first]
        stop_s = float(time_s[last]) if ends else float(time_s[last - 1]) + step_s
        condition = Condition(Label.NORMAL)
        begun = [(int(np.argmax(on[first:last])), event) for event, on in raised.items() if on[first:last].any()]
        if begun:
            condition = Condition(Label.ANOMALOUS, min(begun)[1])
        cycles.append(Cycle(float(time_s[first]), stop_s, condition, f"cycle {number[first]:g}"))
    events = [
        Event(event, float(time_s[first]), float(time_s[last - 1]), Condition(Label.ANOMALOUS, event))
        for event, on in raised.items()
        for first, last in true_runs(on)
    ]
    return cycles, sorted(events, key=lambda event: event.start_s)
