"""UR3e joint currents at several speeds and payloads, and RTDE recordings (`ur3e_rad_power`), CSV and spreadsheet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from jointwatch.core import Action, Channel, Condition, Cycle, Label, QualityIssue, Quantity, Recording, Source
from jointwatch.core.errors import CorruptInput, EmptyInput
from jointwatch.recordings._assemble import Column, assemble
from jointwatch.recordings._csv import RawTable, read_csv
from jointwatch.recordings._issues import note
from jointwatch.recordings._rtde_fields import rtde_channel
from jointwatch.recordings._sniff import first_fields
from jointwatch.recordings._universal_robots import universal_robot
from jointwatch.recordings._xlsx import holds_texts, read_sheet
from jointwatch.recordings.base import Reader

__all__ = ["Ur3eRad"]

_RATE_HZ = 25.0
_RTDE = ("_id", "timestamp", "actual_q_0", "actual_current_0", "target_current_0")
_SERIES = re.compile(r"(?P<series>(?P<kind>itr|V|W)(?P<setting>\d+))_(?P<joint>[0-5])")
_COPY = re.compile(r"W0(?P<series>\d+)")
_MOVE = re.compile(r"L(?P<start>\d)L(?P<end>\d)")


@dataclass(frozen=True)
class _Kind:
    """What the tables behind the set's figures vary: `setting` names it, `source` says whose currents they are."""

    setting: str
    source: Source
    same_motion: bool


_KINDS = {
    "itr": _Kind("iteration", Source.MEASURED, True),
    "V": _Kind("speed_setting", Source.COMMANDED, False),
    "W": _Kind("payload_setting", Source.MEASURED, True),
}


class Ur3eRad(Reader):
    """Two kinds of source, all healthy.

    - RTDE recordings (`L0L1.csv` .. `L4L5.csv`, `fig9.xlsx`): one recording a file. The five CSV files are pieces of
      the spreadsheet, one move from location to location each; all have one session, so that no split parts them.
    - Tables of the figures (`ITERATION-`, `VELOCITY-`, `WEIGHTS-PLOT.csv`): one recording for every series of six joint
      currents. They have sample numbers but no clock: 25 Hz is taken from the RTDE recordings. Iterations and payloads
      are measured currents; the speeds are so smooth that they can only be the controller's target currents. What the
      numbers of speeds (10 to 250) and payloads (1 to 3) mean in units is not in the files.

    Source: Robotic Arm Dataset (RAD), artifact of the DSN 2022 paper, University of British Columbia.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "WEIGHTS-PLOT.csv"
    ...     names = ",".join(f"W2_{j}" for j in range(6))
    ...     _ = path.write_text("\\n".join([f"TimeStamp,{names}", *(f"{i},1,2,3,4,5,6" for i in range(1, 6))]))
    ...     recording = next(Ur3eRad().read(path))
    >>> recording["current/6"].tolist(), recording.rate_hz, recording.truth["payload_setting"]
    ([6.0, 6.0, 6.0, 6.0, 6.0], 25.0, 2)
    """

    specificity: ClassVar[int] = 20

    def recognises(self, source: Path) -> bool:
        if source.suffix.lower() == ".xlsx":
            return holds_texts(source, _RTDE)
        names = first_fields(source)
        return set(names) >= set(_RTDE) or _is_figure(names)

    def _read(self, source: Path) -> Iterator[Recording]:
        if source.suffix.lower() == ".xlsx":
            yield _rtde(source, *_sheet_columns(source), issues=[])
            return
        table = read_csv(source, header=True, delimiter=",", text=("_id",))
        if _is_figure(table.names):
            yield from _figure(source, table)
        else:
            yield _rtde(source, table.columns, table.rows, rows_read=table.rows_read, issues=list(table.issues))


def _is_figure(names: list[str]) -> bool:
    return (
        len(names) > 6
        and names[0] == "TimeStamp"
        and all(_SERIES.fullmatch(name) or _COPY.fullmatch(name) for name in names[1:])
    )


def _sheet_columns(source: Path) -> tuple[dict[str, np.ndarray], np.ndarray]:
    rows = read_sheet(source)
    body = rows[1:]
    if not body:
        raise EmptyInput("holds a header and no rows", file=source, remedy="download it again")
    columns = {}
    for name, cells in zip(rows[0], zip(*body, strict=False), strict=False):
        if name == "_id":
            columns[str(name)] = np.array([str(cell) for cell in cells])
        else:
            columns[str(name)] = np.array([np.nan if isinstance(cell, str) else float(cell) for cell in cells])
    return columns, np.arange(1, len(body) + 1)


def _rtde(
    source: Path,
    columns: dict[str, np.ndarray],
    rows: np.ndarray,
    *,
    issues: list[QualityIssue],
    rows_read: int | None = None,
) -> Recording:
    known = {name: found for name in columns if (found := rtde_channel(name)) is not None}
    read = set(known) | {"timestamp", "_id", "payload"}
    ignored = [name for name in columns if name not in read]
    if ignored:
        detail = f"{len(ignored)} fields are no quantity of a joint (registers, TCP speed, counters) and are not read"
        issues.append(note("column_not_read", len(ignored), Action.DROPPED, where=ignored, detail=detail))
    clock = columns["timestamp"]
    if clock.dtype.kind != "f" or not np.isfinite(clock).any():
        raise CorruptInput("is no clock", file=source, channel="timestamp", remedy="download it again")
    begin = float(clock[np.isfinite(clock)][0])
    move = _MOVE.fullmatch(source.stem)
    normal = Condition(Label.NORMAL)
    truth: dict[str, Any] = {"label_source": "the whole set is healthy", "controller_time_s": begin}
    if "payload" in columns and np.isfinite(columns["payload"]).any():
        truth["payload_kg"] = float(np.nanmedian(columns["payload"]))
    cycles = []
    if move:
        stop_s = float(np.nanmax(clock)) - begin + 1 / _RATE_HZ
        cycles = [Cycle(0.0, stop_s, normal, f"L{move['start']} to L{move['end']}")]
        truth["slice_of"] = "fig9.xlsx"
    day = "-".join(str(columns["_id"][0]).split(":")[:3])
    return assemble(
        [Column(channel, columns[name], unit) for name, (channel, unit) in known.items()],
        universal_robot("UR3e", "rad-ur3e"),
        session=f"RTDE {day}",
        source=source,
        time=clock - begin,
        rate_hz=_RATE_HZ,
        rows=rows,
        rows_read=rows_read,
        issues=issues,
        cycles=cycles,
        condition=normal,
        truth=truth,
    )


def _figure(source: Path, table: RawTable) -> Iterator[Recording]:
    matches = [match for name in table.names if (match := _SERIES.fullmatch(name))]
    copies = [name for name in table.names if _COPY.fullmatch(name)]
    normal = Condition(Label.NORMAL)
    for series in dict.fromkeys(match["series"] for match in matches):
        members = [match for match in matches if match["series"] == series]
        kind = _KINDS[members[0]["kind"]]
        values = np.stack([table.number(match[0]) for match in members])
        filled = np.flatnonzero(np.isfinite(values).any(axis=0))
        length = int(filled[-1]) + 1 if len(filled) else 0
        issues = list(table.issues)
        if copies:
            detail = "copies of the first joint's columns"
            issues.append(note("repeated_column", len(copies), Action.DROPPED, where=copies, detail=detail))
        yield assemble(
            [
                Column(Channel(Quantity.CURRENT, int(match["joint"]) + 1, kind.source), values[i, :length], "A")
                for i, match in enumerate(members)
            ],
            universal_robot("UR3e", "rad-ur3e"),
            session=f"{source.stem} {series}",
            source=source,
            rate_hz=_RATE_HZ,
            rows=table.rows[:length],
            rows_read=length,
            issues=issues,
            cycles=[Cycle(0.0, length / _RATE_HZ, normal, series)] if kind.same_motion and length else (),
            condition=normal,
            truth={
                kind.setting: int(members[0]["setting"]),
                "label_source": "the whole set is healthy",
                "rate_source": "assumed, as in the RTDE recordings of the set",
            },
        )
