"""Healthy Kinova Gen3 arm with strain-wave gears at 1 kHz (`kinova_gen3_harmonic`), CSV with named columns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from jointwatch.core import Action, Channel, Condition, Label, QualityIssue, Quantity, Recording, Robot, Source
from jointwatch.recordings._assemble import Column, assemble
from jointwatch.recordings._csv import RawTable, read_csv
from jointwatch.recordings._issues import note
from jointwatch.recordings._sniff import first_fields
from jointwatch.recordings.base import Reader

__all__ = ["KinovaGen3"]

_GEAR_RATIO = 100.0  # from the literature and the ripple in the current; not in the files
_JOINTS = range(1, 8)
# column name -> (quantity, source, unit, component, whether all zeros mean "not recorded")
_COLUMNS: dict[str, tuple[Quantity, Source, str, str, bool]] = {
    "Position": (Quantity.POSITION, Source.MEASURED, "rad", "", False),
    "Velocity": (Quantity.VELOCITY, Source.MEASURED, "rad/s", "", False),
    "Cur": (Quantity.CURRENT, Source.MEASURED, "A", "", True),
    "TorqueCur": (Quantity.TORQUE, Source.MEASURED, "N m", "", True),
    "TorqueSm": (Quantity.JOINT_TORQUE, Source.MEASURED, "N m", "", True),
    "Temp": (Quantity.TEMPERATURE, Source.MEASURED, "degC", "", True),
    "Torque": (Quantity.TORQUE, Source.MODEL, "N m", "", True),
    "PositionCmptd": (Quantity.POSITION, Source.COMMANDED, "rad", "", False),
    "VelocityCmptd": (Quantity.VELOCITY, Source.COMMANDED, "rad/s", "", False),
    "AccCmptd": (Quantity.ACCELERATION, Source.COMMANDED, "rad/s^2", "", False),
    "TorqueCmptd": (Quantity.TORQUE, Source.COMMANDED, "N m", "", True),
}
_NEEDED = {"Time", "Position1", "Velocity1", "Cur1", "TorqueCur1", "TorqueSm1", "Temp1"}
_STROKE = re.compile(r"joint_(?P<joint>\d+)", re.IGNORECASE)
_NEVER_COMMANDED = (1e-100, 1e4)  # smaller than the first (but not 0) or larger than the second: stray memory


class KinovaGen3(Reader):
    """One recording a file. `Position`, `Velocity`, `Cur`, `TorqueCur` (torque from the current), `TorqueSm` (torque
    sensor) and `Temp` are measured; `Torque` comes from a model; `*Cmptd` are commanded values.

    Columns that hold nothing but zeros where a sensor or model would not be zero are left out and counted. Commanded
    values that cannot be numbers anyone commanded (the recorder read past the end of the trajectory) are blanked;
    the measured values of these rows stay. All runs are healthy.

    Source: none stated with the files; facts in `docs/cards/kinova_gen3.md`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "joint_7_trapez.csv"
    ...     rows = [f"{i},0.1,0,1.5,13.7,0,33" for i in range(5)]
    ...     _ = path.write_text("\\n".join(["Time,Position1,Velocity1,Cur1,TorqueCur1,TorqueSm1,Temp1", *rows]))
    ...     recording = next(KinovaGen3().read(path))
    >>> [channel.key for channel in recording.channels], recording.truth["moving_joint"]
    (['position/1', 'velocity/1', 'current/1', 'torque/1', 'temperature/1'], 7)
    >>> recording.quality.issues[0].kind, recording.quality.issues[0].where
    ('all_zero', ('TorqueSm1',))
    """

    specificity: ClassVar[int] = 20

    def recognises(self, source: Path) -> bool:
        return set(first_fields(source)) >= _NEEDED

    def _read(self, source: Path) -> Iterator[Recording]:
        table = read_csv(source, header=True, delimiter=",")
        issues = list(table.issues)
        stray = _stray_rows(table)
        columns: list[Column] = []
        unused: list[str] = []
        for prefix, (quantity, origin, unit, component, zero_is_absent) in _COLUMNS.items():
            for joint in _JOINTS:
                name = f"{prefix}{joint}"
                if name not in table.columns:
                    continue
                values = table.number(name)
                if zero_is_absent and not np.nan_to_num(values).any():
                    unused.append(name)
                    continue
                if prefix.endswith("Cmptd") and stray.any():
                    values = np.where(stray, np.nan, values)
                columns.append(Column(Channel(quantity, joint, origin, component), values, unit))
        issues += _notes(table, stray, unused)
        stroke = _STROKE.search(source.stem)
        truth: dict[str, Any] = {"label_source": "the whole set is healthy", "task": "trajectory"}
        if stroke:
            truth |= {"task": "joint stroke", "moving_joint": int(stroke["joint"])}
        yield assemble(
            columns,
            Robot.of("Kinova", "Gen3", "kinova-gen3", len(_JOINTS), gear_ratio=_GEAR_RATIO),
            session=source.stem,
            source=source,
            time=table.number("Time"),
            time_unit_s=1e-3,
            rows=table.rows,
            rows_read=table.rows_read,
            issues=issues,
            condition=Condition(Label.NORMAL),
            truth=truth,
        )


def _stray_rows(table: RawTable) -> np.ndarray:
    """(row,) bool: rows whose commanded values are stray memory."""
    tiny, huge = _NEVER_COMMANDED
    commanded = np.stack([table.number(name) for name in table.names if "Cmptd" in name] or [np.zeros(len(table))])
    size = np.abs(commanded)
    with np.errstate(invalid="ignore"):
        bad: np.ndarray = (np.isnan(commanded) | (size > huge) | ((size > 0) & (size < tiny))).any(axis=0)
    return bad


def _notes(table: RawTable, stray: np.ndarray, unused: list[str]) -> list[QualityIssue]:
    issues = []
    if stray.any():
        detail = "commanded values are stray memory or NaN; the measured values of these rows are kept"
        remedy = "do not use commanded values of these rows"
        rows = table.rows[stray]
        issues.append(
            note(
                "stray_command", len(rows), Action.BLANKED, where=("*Cmptd*",), rows=rows, detail=detail, remedy=remedy
            )
        )
    if unused:
        detail = f"{len(unused)} columns are zero throughout, so not recorded; left out"
        issues.append(note("all_zero", len(unused), Action.DROPPED, where=unused, detail=detail))
    return issues
