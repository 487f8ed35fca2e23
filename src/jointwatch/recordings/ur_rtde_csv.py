"""CSV as the RTDE recorder of Universal Robots writes it (record.py of its RTDE client library)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from jointwatch.core import Recording
from jointwatch.recordings._assemble import Column, assemble
from jointwatch.recordings._csv import RawTable, read_csv
from jointwatch.recordings._csv_dialect import first_line
from jointwatch.recordings._identity import identify
from jointwatch.recordings._rtde_fields import rtde_channel
from jointwatch.recordings._universal_robots import GEAR_RATIO, JOINT_NAMES
from jointwatch.recordings.base import Reader

__all__ = ["UrRtdeCsv"]

_MARKS = ("actual_q_0", "actual_qd_0", "actual_current_0", "target_q_0", "joint_temperatures_0")


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
        return "timestamp" in names and any(mark in names for mark in _MARKS)

    def _read(self, source: Path) -> Iterator[Recording]:
        table = read_csv(source, header=True)
        columns = []
        for name in table.names:
            known = rtde_channel(name)
            if known is not None and table.columns[name].dtype.kind == "f":
                columns.append(Column(known[0], table.number(name), known[1]))
        robot, issues = identify(
            source, len(JOINT_NAMES), brand="Universal Robots", names=JOINT_NAMES, gear_ratio=GEAR_RATIO
        )
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
            truth=_payload(table),
        )


def _payload(table: RawTable) -> dict[str, float]:
    """What the controller was told to carry, if that did not change."""
    if "payload" not in table.columns or table.columns["payload"].dtype.kind != "f":
        return {}
    told = np.unique(table.columns["payload"][np.isfinite(table.columns["payload"])])
    return {"payload_kg": float(told[0])} if len(told) == 1 else {}
