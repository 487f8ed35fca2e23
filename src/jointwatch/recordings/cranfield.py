"""Ball-screw servo axis with backlash, lack of lubrication and spalling (`cranfield_linear_actuator`), CSV."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np

from jointwatch.core import (
    Action,
    Channel,
    Condition,
    Cycle,
    Joint,
    Label,
    QualityIssue,
    Quantity,
    Recording,
    Robot,
    Source,
)
from jointwatch.recordings._assemble import Column, assemble
from jointwatch.recordings._csv import RawTable, read_csv
from jointwatch.recordings._issues import note
from jointwatch.recordings._runs import constant_runs
from jointwatch.recordings._sniff import first_fields
from jointwatch.recordings.base import Reader

__all__ = ["Cranfield"]

_HEADER = {"set_point", "position_error", "current", "profile", "load", "run", "fault_type", "group", "time"}
_STATE = re.compile(r"(?P<fault>[A-Za-z]+?)_?(?P<stage>\d*)")
_FAULTS = {"backlash": "backlash", "lacklubrication": "lack_of_lubrication", "spalling": "spalling"}
_RATE_HZ = 25.0
_LAST_STAGE = {"backlash": 2, "lack_of_lubrication": 2, "spalling": 8}


class Cranfield(Reader):
    """One recording for every state, load and run, with one cycle for every `group`.

    The state is the file name: `normal`, `backlash1-2`, `lackLubrication1-2`, `spalling1-8`; the number is the stage
    (ordinal), and stage over the last stage the severity. Without a known name the state is uncertain.
    Loads are in kilogram-force in `truth`. The clock of the file starts again with every cycle, so cycles are set
    one after the other with a break between: how long the axis waited in between was not recorded.

    Source: Ruiz-Carcel, Starr, IEEE Trans. Instrum. Meas. 67(9), 2018; Cranfield CORD 5097649.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "spalling4.csv"
    ...     rows = [f"20,1,0.3,trap,40,9,4,{g},{0.04 * i:.2f}" for g in (1, 2) for i in range(5)]
    ...     header = "set_point,position_error,current,profile,load,run,fault_type,group,time"
    ...     _ = path.write_text("\\n".join([header, *rows]))
    ...     recording = next(Cranfield().read(path))
    >>> recording.session, recording.condition.stage, recording.condition.severity, len(recording.cycles)
    ('spalling4 +40 kgf run 9', 4, 0.5, 2)
    """

    specificity: ClassVar[int] = 20

    def recognises(self, source: Path) -> bool:
        return set(first_fields(source)) >= _HEADER

    def _read(self, source: Path) -> Iterator[Recording]:
        table = read_csv(source, header=True, delimiter=",", text=("profile",))
        condition = _state(source.stem)
        known = np.isfinite([table.number(name) for name in ("load", "run", "group", "time")]).all(axis=0)
        issues = list(table.issues)
        if not known.all():
            detail = "load, run, cycle or time is not readable, so the row belongs nowhere"
            issues.append(
                note("row_without_place", int((~known).sum()), Action.DROPPED, rows=table.rows[~known], detail=detail)
            )
        rows = np.flatnonzero(known)
        columns = [table.number(name)[rows] for name in ("load", "run")]
        for first, last in constant_runs(*columns, table.columns["profile"][rows]) if len(rows) else ():
            yield _recording(source, table, rows[first:last], condition, issues)
            issues = []  # of the file: told once, with its first recording


def _state(stem: str) -> Condition:
    """Condition that a file name such as `spalling3` stands for."""
    match = _STATE.fullmatch(stem)
    if match is None:
        return Condition()
    if match["fault"].lower() == "normal":
        return Condition(Label.NORMAL, stage=0)
    fault = _FAULTS.get(match["fault"].lower())
    if fault is None:
        return Condition()
    stage = int(match["stage"]) if match["stage"] else None
    severity = min(1.0, stage / _LAST_STAGE[fault]) if stage else None
    return Condition(Label.ANOMALOUS, fault, 1, severity, stage)


def _recording(
    source: Path, table: RawTable, part: np.ndarray, condition: Condition, issues: list[QualityIssue]
) -> Recording:
    clock, group = table.number("time")[part], table.number("group")[part]
    starts = np.concatenate([[0], np.flatnonzero(np.diff(group) != 0) + 1])
    forward = np.diff(clock)[np.diff(clock) > 0]
    step_s = float(np.median(forward)) if len(forward) else 1 / _RATE_HZ
    stops = np.append(starts[1:], len(clock))
    time_s = clock.copy()
    start_s = 0.0
    cycles = []
    for first, last in zip(starts, stops, strict=True):
        time_s[first:last] += start_s - clock[first]
        stop_s = start_s + float(clock[first:last].max() - clock[first]) + step_s
        cycles.append(Cycle(start_s, stop_s, condition, f"group {group[first]:g}"))
        start_s = stop_s
    load, run = float(table.number("load")[part[0]]), float(table.number("run")[part[0]])
    profile = str(table.columns["profile"][part[0]])
    return assemble(
        [
            Column(Channel(Quantity.POSITION, 1, Source.COMMANDED), table.number("set_point")[part], "mm"),
            Column(Channel(Quantity.POSITION_ERROR, 1), table.number("position_error")[part], "mm"),
            Column(Channel(Quantity.CURRENT, 1), table.number("current")[part], "A"),
        ],
        Robot("", "ball-screw axis", "cranfield", (Joint(1, "axis", "prismatic"),)),
        session=f"{source.stem} {load:+g} kgf run {run:g}" + ("" if profile == "trap" else f" {profile}"),
        source=source,
        time=time_s,
        rows=table.rows[part],
        rows_read=len(part),
        issues=issues,
        cycles=cycles,
        condition=condition,
        breaks=starts[1:].tolist(),
        truth={
            "load_kgf": load,
            "run": int(run),
            "profile": profile,
            "state": source.stem,
            "label_source": "file name",
        },
    )
