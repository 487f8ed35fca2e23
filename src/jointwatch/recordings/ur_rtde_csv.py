"""CSV as the RTDE recorder of Universal Robots writes it (record.py of its RTDE client library)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from jointwatch.core import Channel, Quantity, Recording, Source
from jointwatch.core.errors import MissingChannel
from jointwatch.recordings._assemble import Column, assemble
from jointwatch.recordings._csv import RawTable, read_csv
from jointwatch.recordings._csv_dialect import first_line
from jointwatch.recordings._identity import identify
from jointwatch.recordings.base import Reader

__all__ = ["UrRtdeCsv"]

_JOINTS = 6
_NAMES = ("base", "shoulder", "elbow", "wrist_1", "wrist_2", "wrist_3")
_AXES = ("x", "y", "z")

# RTDE output -> quantity and source, one value a joint, SI units
_PER_JOINT: dict[str, tuple[Quantity, Source]] = {
    "actual_q": (Quantity.POSITION, Source.MEASURED),
    "actual_qd": (Quantity.VELOCITY, Source.MEASURED),
    "actual_current": (Quantity.CURRENT, Source.MEASURED),
    "actual_joint_voltage": (Quantity.VOLTAGE, Source.MEASURED),
    "joint_temperatures": (Quantity.TEMPERATURE, Source.MEASURED),
    "target_q": (Quantity.POSITION, Source.COMMANDED),
    "target_qd": (Quantity.VELOCITY, Source.COMMANDED),
    "target_qdd": (Quantity.ACCELERATION, Source.COMMANDED),
    "target_current": (Quantity.CURRENT, Source.COMMANDED),
    "target_moment": (Quantity.TORQUE, Source.COMMANDED),
}
# RTDE output of six values -> quantities of the first and the last three
_TCP: dict[str, tuple[Quantity, Quantity, Source]] = {
    "actual_TCP_pose": (Quantity.TCP_POSITION, Quantity.TCP_ROTATION, Source.MEASURED),
    "actual_TCP_force": (Quantity.TCP_FORCE, Quantity.TCP_TORQUE, Source.MEASURED),
    "target_TCP_pose": (Quantity.TCP_POSITION, Quantity.TCP_ROTATION, Source.COMMANDED),
}


class UrRtdeCsv(Reader):
    """One recording a file; the columns are the recipe's outputs with `_0` to `_5` for the joints from the base.

    `timestamp` is the controller's clock in seconds. The recorder separates columns by blanks unless told otherwise;
    commas, semicolons and tabs are read too. The robot is named by `robot.yaml` in the folder.

    Parameters
    ----------
    rate_hz : nominal rate of the recipe, compared with the clock; default: not compared.

    Source: Universal Robots, RTDE guide (controller outputs) and the examples of its Python client library.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "robot_data.csv"
    ...     _ = path.write_text("timestamp actual_q_0\\n10.0 0.5\\n10.002 0.51\\n10.004 0.52\\n")
    ...     recording = next(UrRtdeCsv().read(path))
    >>> recording.rate_hz, recording["position/1"].tolist()
    (500.0, [0.5, 0.51, 0.52])
    """

    specificity = 10
    suffixes = (".csv", ".txt")

    def __init__(self, rate_hz: float | None = None) -> None:
        self.rate_hz = rate_hz

    def recognises(self, source: Path) -> bool:
        """A text file whose header has `timestamp` and at least one RTDE output of a joint."""
        if source.suffix.lower() not in self.suffixes or not source.is_file():
            return False
        names = set(re.split(r"[\s,;\"]+", first_line(source)))
        return "timestamp" in names and any(f"{name}_0" in names for name in _PER_JOINT)

    def _read(self, source: Path) -> Iterator[Recording]:
        table = read_csv(source, header=True)
        columns = _columns(table)
        robot, issues = identify(source, _JOINTS, brand="Universal Robots", names=_NAMES)
        yield assemble(
            columns,
            robot,
            session=source.stem,
            source=source,
            time=table.number("timestamp"),
            rate_hz=self.rate_hz,
            rows=table.rows,
            rows_read=table.rows_read,
            issues=[*table.issues, *issues],
            truth=_constants(table),
        )


def _columns(table: RawTable) -> list[Column]:
    columns = []
    for name, (quantity, source) in _PER_JOINT.items():
        present = [j for j in range(_JOINTS) if f"{name}_{j}" in table.columns]
        columns += [Column(Channel(quantity, j + 1, source), table.number(f"{name}_{j}")) for j in present]
    for name, (first, last, source) in _TCP.items():
        for i in range(6):
            if f"{name}_{i}" in table.columns:
                channel = Channel(first if i < 3 else last, None, source, _AXES[i % 3])
                columns.append(Column(channel, table.number(f"{name}_{i}")))
    if not columns:
        raise MissingChannel(
            "no joint outputs", file=table.path, remedy=f"put outputs such as {', '.join(_PER_JOINT)} into the recipe"
        )
    return columns


def _constants(table: RawTable) -> dict[str, float]:
    """What the controller was told and did not change: payload and speed scaling."""
    found = {}
    for name, key in (("payload", "payload_kg"), ("speed_scaling", "speed_scaling")):
        if name in table.columns and table.columns[name].dtype.kind == "f":
            values = np.unique(table.columns[name][np.isfinite(table.columns[name])])
            if len(values) == 1:
                found[key] = float(values[0])
    return found
