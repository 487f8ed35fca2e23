"""Six bus servos of a small arm, one of them heated (`armpi_servo_faults`), a folder with a CSV for each servo."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from jointwatch.core import Action, Channel, Condition, Label, QualityIssue, Quantity, Recording, Robot
from jointwatch.core.errors import CorruptInput
from jointwatch.recordings._assemble import Column, Span, assemble
from jointwatch.recordings._csv import RawTable, read_csv
from jointwatch.recordings._issues import note
from jointwatch.recordings._runs import constant_runs, true_runs
from jointwatch.recordings._sniff import first_fields
from jointwatch.recordings._xlsx import read_sheet
from jointwatch.recordings.base import Reader

__all__ = ["Armpi"]

_HEADER = ["time", "position", "temperature", "voltage", "label"]
_FILE = re.compile(r"data_motor_(?P<motor>\d+)\.csv", re.IGNORECASE)
_COUNTS = 1000.0
_TRAVEL_RAD = np.radians(240.0)
_LIMITS = {"position": (0.0, float(_TRAVEL_RAD)), "temperature": (-10.0, 100.0), "voltage": (3.0, 10.0)}
_JUMP_DEGC = 10.0
_SAME_TIME_S = 1e-6
_STRAY_SHARE = 0.02
_SHEET = "Test conditions.xlsx"


class Armpi(Reader):
    """One recording for a session folder, or for a single motor file: position, temperature, voltage of each servo.

    Position counts 0 to 1000 are taken as 0 to 240 degrees, the usual travel of such servos; the files do not say.
    Readings that the servo bus garbled are blanked and counted: counts outside 0 to 1000, voltages outside 3 to 10 V,
    temperatures above 100 degC or that jump by more than 10 K for one sample.

    Rows with `label` 1 (the servo is being heated or still cools down) make anomalous cycles and an event each with the
    fault `overheating` at that joint; a session without such rows is normal, unless the sheet `Test conditions.xlsx`
    beside the folder says that a servo failed: then it is uncertain, because file and sheet disagree.

    Source: none stated with the files; facts in `docs/cards/armpi.md`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "data_motor_3.csv"
    ...     rows = [f"{0.1 * i:.1f},500,{255 if i == 2 else 30},7300,{int(i > 5)}" for i in range(9)]
    ...     _ = path.write_text("\\n".join(["time,position,temperature,voltage,label", *rows]))
    ...     recording = next(Armpi().read(path))
    >>> recording.quality.count("out_of_range"), [cycle.name for cycle in recording.cycles]
    (1, ['not heated', 'heated 3'])
    """

    specificity: ClassVar[int] = 20

    def recognises(self, source: Path) -> bool:
        if source.is_dir():
            try:
                files = [child for child in source.iterdir() if _FILE.fullmatch(child.name)]
            except OSError:
                return False
            return bool(files) and first_fields(files[0]) == _HEADER
        return _FILE.fullmatch(source.name) is not None and first_fields(source) == _HEADER

    def _read(self, source: Path) -> Iterator[Recording]:
        tables = _tables(source)
        first = next(iter(tables.values()))
        issues: list[QualityIssue] = []
        count, clock = _common_clock(tables, issues)
        columns: list[Column] = []
        for motor, table in tables.items():
            issues += table.issues
            temperature, jumped = _without_jumps(table.number("temperature")[:count])
            if len(jumped):
                key = Channel(Quantity.TEMPERATURE, motor).key
                detail = f"more than {_JUMP_DEGC:g} K up or down and back within one sample"
                issues.append(
                    note(
                        "temperature_jump",
                        len(jumped),
                        Action.BLANKED,
                        where=(key,),
                        rows=table.rows[jumped],
                        detail=detail,
                    )
                )
            position = table.number("position")[:count] * (_TRAVEL_RAD / _COUNTS)
            columns += [
                Column(Channel(Quantity.POSITION, motor), position, "rad", _LIMITS["position"]),
                Column(Channel(Quantity.TEMPERATURE, motor), temperature, "degC", _LIMITS["temperature"]),
                Column(Channel(Quantity.VOLTAGE, motor), table.number("voltage")[:count], "mV", _LIMITS["voltage"]),
            ]
        folder = source if source.is_dir() else source.parent
        heated = {motor: table.number("label")[:count] == 1 for motor, table in tables.items()}
        start_s = float(clock[np.isfinite(clock)][0])
        description, failed = _sheet(folder, tables)
        truth: dict[str, Any] = {
            "label_source": "label column of the files",
            "position_assumption": "0-1000 counts = 0-240 deg",
            "clock_start_s": start_s,
        }
        truth |= {} if description is None else {"task": description, "failed_motors_in_sheet": failed}
        anomalous = any(flags.any() for flags in heated.values())
        if anomalous:
            condition = Condition(Label.ANOMALOUS, "overheating", _only(heated))
        elif failed or "fail" in (description or "").lower():
            condition = Condition(Label.UNCERTAIN, "overheating")
        else:
            condition = Condition(Label.NORMAL)
        yield assemble(
            columns,
            Robot.of("Hiwonder", "ArmPi FPV", "armpi", max(6, *tables), name="bus servo"),
            session=folder.name if source.is_dir() else f"{folder.name} motor {next(iter(tables))}",
            source=source,
            time=clock - start_s,
            rows=first.rows[:count],
            rows_read=first.rows_read,
            issues=issues,
            cycle_spans=_cycles(heated) if anomalous else (),
            event_spans=_events(heated),
            condition=condition,
            truth=truth,
        )


def _common_clock(tables: dict[int, RawTable], issues: list[QualityIssue]) -> tuple[int, np.ndarray]:
    """(rows that all servos have, their clock); a servo whose clock is another one is refused by name."""
    lengths = {motor: len(table) for motor, table in tables.items()}
    count = min(lengths.values())
    if max(lengths.values()) > count:
        short = min(lengths, key=lambda motor: lengths[motor])
        issues.append(
            note(
                "short_file",
                max(lengths.values()) - count,
                Action.DROPPED,
                where=(f"motor {short}",),
                detail="rows that the other servos have and this one has not",
            )
        )
    clocks = np.stack([table.number("time")[:count] for table in tables.values()])
    clocks[~np.isfinite(clocks)] = np.nan
    if count == 0 or np.isnan(clocks).all():
        raise CorruptInput("no row has a time", file=next(iter(tables.values())).path, remedy="record it again")
    with np.errstate(invalid="ignore"):
        sound = np.isfinite(clocks).any(axis=0)
        clock = np.full(count, np.nan)
        clock[sound] = np.nanmedian(clocks[:, sound], axis=0)
        apart = ~(np.abs(clocks - clock) <= _SAME_TIME_S)
    for (motor, table), off in zip(tables.items(), apart, strict=True):
        if off.mean() > _STRAY_SHARE:
            raise CorruptInput(
                "its clock is not that of the other servos",
                file=table.path,
                channel="time",
                remedy="read the files of this session one by one",
            )
        if off.any():
            detail = "the time of the other servos was taken"
            rows = table.rows[:count][off]
            issues.append(
                note("stray_time", len(rows), Action.MENDED, where=(f"motor {motor}",), rows=rows, detail=detail)
            )
    return count, clock


def _tables(source: Path) -> dict[int, RawTable]:
    """Motor number -> table, in order."""
    files = [source] if source.is_file() else [child for child in source.iterdir() if _FILE.fullmatch(child.name)]
    numbered = sorted((int(match["motor"]), file) for file in files if (match := _FILE.fullmatch(file.name)))
    return {number: read_csv(file, header=True, delimiter=",") for number, file in numbered}


def _without_jumps(temperature: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(values with one-sample jumps blanked, their positions); what is beyond the limits anyway is left to these."""
    high = _LIMITS["temperature"][1]
    before, here, after = temperature[:-2], temperature[1:-1], temperature[2:]
    with np.errstate(invalid="ignore"):
        alone = (np.abs(here - before) > _JUMP_DEGC) & (np.abs(here - after) > _JUMP_DEGC)
        jumped = np.flatnonzero(alone & (np.abs(after - before) <= _JUMP_DEGC) & (here <= high)) + 1
    mended = temperature.copy()
    mended[jumped] = np.nan
    return mended, jumped


def _only(heated: dict[int, np.ndarray]) -> int | None:
    """The heated joint if there is exactly one."""
    motors = [motor for motor, flags in heated.items() if flags.any()]
    return motors[0] if len(motors) == 1 else None


def _cycles(heated: dict[int, np.ndarray]) -> list[Span]:
    """One cycle for every stretch in which the same servos are heated."""
    cycles = []
    for first, last in constant_runs(*heated.values()):
        motors = [motor for motor, flags in heated.items() if flags[first]]
        condition = Condition(Label.NORMAL)
        if motors:
            condition = Condition(Label.ANOMALOUS, "overheating", motors[0] if len(motors) == 1 else None)
        name = "heated " + " ".join(map(str, motors)) if motors else "not heated"
        cycles.append(Span(first, last, condition, name))
    return cycles


def _events(heated: dict[int, np.ndarray]) -> list[Span]:
    events = [
        Span(first, last, Condition(Label.ANOMALOUS, "overheating", motor), "heating")
        for motor, flags in heated.items()
        for first, last in true_runs(flags)
    ]
    return sorted(events, key=lambda event: event.start)


def _sheet(folder: Path, motors: dict[int, RawTable]) -> tuple[str | None, list[int]]:
    """(what the session did, servos that failed in it) from the sheet beside the folder; (None, []) without it."""
    sheet = folder.parent / _SHEET
    if not sheet.is_file():
        return None, []
    rows = read_sheet(sheet)
    header = [str(cell).strip() for cell in rows[0]]
    for row in rows[1:]:
        cells = dict(zip(header, row, strict=False))
        if str(cells.get("Test id", "")).strip() == folder.name:
            failed = [motor for motor in motors if cells.get(f"Motor_{motor}_failure") == 1]
            return str(cells.get("Description", "")), failed
    return None, []
