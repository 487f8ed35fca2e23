"""Ball-screw servo axis with backlash, lack of lubrication and spalling (`cranfield_linear_actuator`), CSV."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np

from jointwatch.core import Channel, Condition, Cycle, Joint, Label, Quantity, Recording, Robot, Source
from jointwatch.recordings._assemble import Column, assemble
from jointwatch.recordings._csv import RawTable, read_csv
from jointwatch.recordings._runs import constant_runs
from jointwatch.recordings._sniff import first_fields
from jointwatch.recordings.base import Reader

__all__ = ["Cranfield"]

_HEADER = {"set_point", "position_error", "current", "profile", "load", "run", "fault_type", "group", "time"}
_STATE = re.compile(r"(?P<fault>[A-Za-z]+?)_?(?P<stage>\d*)")
_FAULTS = {"backlash": "backlash", "lacklubrication": "lack_of_lubrication", "spalling": "spalling"}
_LAST_STAGE = {"backlash": 2, "lack_of_lubrication": 2, "spalling": 8}


class Cranfield(Reader):
    """One recording for every state, load and run, with one cycle for every `group`.

    The state is the file name: `normal`, `backlash1-2`, `lackLubrication1-2`, `spalling1-8`; the number is the stage
    (ordinal), and stage over the last stage the severity. Without a known name the state is uncertain.
    Loads are in kilogram-force in `truth`. The clock of the file starts again with every cycle, so cycles are set
    one after the other with a break between: how long the axis waited in between was not recorded.
    """

    specificity: ClassVar[int] = 20

    def recognises(self, source: Path) -> bool:
        return set(first_fields(source)) >= _HEADER

    def _read(self, source: Path) -> Iterator[Recording]:
        table = read_csv(source, header=True, delimiter=",", text=("profile",))
        condition = _state(source.stem)
        load, run = table.number("load"), table.number("run")
        parts = constant_runs(load, run, table.columns["profile"])
        for first, last in parts:
            yield _recording(source, table, slice(first, last), condition, whole=len(parts) == 1)


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


def _recording(source: Path, table: RawTable, part: slice, condition: Condition, *, whole: bool) -> Recording:
    clock, group = table.number("time")[part], table.number("group")[part]
    starts = np.concatenate([[0], np.flatnonzero(np.diff(group) != 0) + 1])
    step_s = float(np.median(np.diff(clock)[np.diff(clock) > 0])) if len(clock) > 1 else 0.04
    stops = np.append(starts[1:], len(clock))
    time_s = clock.copy()
    start_s = 0.0
    cycles = []
    for first, last in zip(starts, stops, strict=True):
        time_s[first:last] += start_s - clock[first]
        stop_s = start_s + float(np.nanmax(clock[first:last]) - clock[first]) + step_s
        cycles.append(Cycle(start_s, stop_s, condition, f"group {group[first]:g}"))
        start_s = stop_s
    load, run = float(table.number("load")[part.start]), float(table.number("run")[part.start])
    profile = str(table.columns["profile"][part.start])
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
        rows_read=table.rows_read if whole else part.stop - part.start,
        issues=table.issues if part.start == 0 else (),
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
