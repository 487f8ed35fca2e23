"""A raw table and its column map -> a recording."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np

from jointwatch.core import Channel, Condition, Label, Recording
from jointwatch.core.errors import CorruptInput, InputError, UsageError
from jointwatch.recordings._assemble import Column, Span, assemble
from jointwatch.recordings._column_map import (
    TIME_UNITS_S,
    ColumnMap,
    LabelMap,
    TimeMap,
    find_column_map,
    load_column_map,
)
from jointwatch.recordings._csv import RawTable

__all__ = ["apply_column_map", "choose_column_map"]


def choose_column_map(given: ColumnMap | str | Path | None, source: Path, *, series: Sequence[str] = ()) -> ColumnMap:
    """The map given, or the one found beside the source. `series` are the names in a file that is no text table.

    Errors: `InputError` that says how to make one, `UsageError` if it is wrong.
    """
    if isinstance(given, ColumnMap):
        return given
    path = Path(given) if given is not None else find_column_map(source)
    if path is None:
        remedy = (
            f"`jointwatch inspect {source} --suggest > {source.name}.map.yaml` proposes a column map; "
            "check it and keep it beside the file"
        )
        if series:
            remedy = f"write the column map {source.name}.map.yaml beside it; the series are {', '.join(series[:20])}"
        raise InputError("what its columns are is not known", file=source, remedy=remedy)
    return load_column_map(path)


def apply_column_map(table: RawTable, columns: ColumnMap) -> Recording:
    """Recording of the columns that the map names.

    Errors: `MissingChannel` with the nearest names, `CorruptInput`, as `RawTable.number` and `assemble` say.
    """
    channels = {name: Channel.parse(said.channel) for name, said in columns.columns.items()}
    raw = [Column(channels[name], table.number(name), said.unit) for name, said in columns.columns.items()]
    robot = columns.robot.robot(channel.joint for channel in channels.values() if channel.joint is not None)
    time = _seconds(table, columns.time) if columns.time else None
    conditions = _conditions(table, columns.label) if columns.label else [Condition()] * len(table)
    cycles, events = [], []
    if columns.cycle is not None:
        names = [_text(cell) for cell in table.columns[table.find(columns.cycle)]]
        cycles = [
            Span(start, stop, _worst(conditions[start:stop]), names[start])
            for start, stop in _runs(names)
            if names[start] not in ("", "nan")
        ]
    elif columns.label:
        events = [
            Span(start, stop, conditions[start], conditions[start].fault or str(conditions[start].label))
            for start, stop in _runs(conditions)
            if conditions[start].label is Label.ANOMALOUS
        ]
    whole = conditions[0] if len(set(conditions)) == 1 else Condition()
    return assemble(
        raw,
        robot,
        session=columns.session or table.path.stem,
        source=table.path,
        time=time,
        rate_hz=columns.rate_hz,
        rows=table.rows,
        rows_read=table.rows_read,
        issues=table.issues,
        cycle_spans=cycles,
        event_spans=[] if whole.label is not Label.UNCERTAIN else events,
        condition=whole,
    )


def _seconds(table: RawTable, clock: TimeMap) -> np.ndarray:
    if clock.unit != "datetime":
        return table.number(clock.column) * TIME_UNITS_S[clock.unit]
    cells = table.columns[table.find(clock.column)]
    seconds = np.full(len(cells), np.nan)
    for i, cell in enumerate(cells):
        try:
            moment = datetime.strptime(cell, clock.format) if clock.format else datetime.fromisoformat(cell)
        except (TypeError, ValueError):
            continue
        seconds[i] = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if len(cells) and np.isnan(seconds).all():
        raise CorruptInput(
            f"no date and time, for example {str(cells[0])!r}",
            file=table.path,
            row=1,
            channel=str(clock.column),
            remedy="give its strptime format in the column map (time: format:), or its unit if it is a number",
        )
    return seconds


def _conditions(table: RawTable, label: LabelMap) -> list[Condition]:
    cells = [_text(cell) for cell in table.columns[table.find(label.column)]]
    normal, anomalous = ({_text(value) for value in values} for values in (label.normal, label.anomalous))
    if not normal | anomalous:
        raise UsageError(f"{table.path}: the column map names no normal or anomalous value of {label.column!r}")
    known = {cell: Condition(Label.NORMAL) for cell in normal}
    known |= {cell: Condition(Label.ANOMALOUS, label.fault, label.joint) for cell in anomalous}
    return [known.get(cell, Condition()) for cell in cells]


def _text(cell: object) -> str:
    """1, 1.0 and "1" are the same label."""
    if isinstance(cell, (int, float, np.number)) and not isinstance(cell, bool):
        return f"{float(cell):.12g}"
    text = str(cell).strip()
    try:
        return f"{float(text):.12g}"
    except ValueError:
        return text


def _worst(conditions: list[Condition]) -> Condition:
    order = {Label.ANOMALOUS: 0, Label.UNCERTAIN: 1, Label.NORMAL: 2}
    return min(conditions, key=lambda condition: order[condition.label])


def _runs(items: list[str] | list[Condition]) -> list[tuple[int, int]]:
    """(start, stop) of stretches of equal items."""
    edges = [0, *(i for i in range(1, len(items)) if items[i] != items[i - 1]), len(items)]
    return [(a, b) for a, b in pairwise(edges) if b > a]
