"""UR10e moving freely with and without payload, and pushed by hand (`ur10e_innopolis`), headerless CSV."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from jointwatch.core import Channel, Condition, Label, Quantity, Recording, Source
from jointwatch.recordings._assemble import Column, assemble
from jointwatch.recordings._csv import read_csv
from jointwatch.recordings._sniff import all_numbers, first_fields
from jointwatch.recordings._universal_robots import universal_robot
from jointwatch.recordings.base import Reader

__all__ = ["Ur10eInnopolis"]

_NAME = re.compile(r"ur-\d{2}_\d{2}_\d{2}[-_].+", re.IGNORECASE)
_PAYLOAD = re.compile(r"(?<!un)load(?:_(?P<grams>\d+))?", re.IGNORECASE)
_TASKS = (
    ("push", re.compile(r"push", re.IGNORECASE)),
    ("joint stroke", re.compile(r"joint_(?P<joint>\d)", re.IGNORECASE)),
    ("excitation", re.compile(r"harm", re.IGNORECASE)),
    ("point to point", re.compile(r"ptp", re.IGNORECASE)),
    ("still pose", re.compile(r"-p\d+$", re.IGNORECASE)),
)
# (first column, channel without joint, unit, what the arm can do in SI)
_BLOCKS = (
    (1, Quantity.POSITION, Source.MEASURED, "rad", 6.4),
    (7, Quantity.VELOCITY, Source.MEASURED, "rad/s", 4.0),
    (13, Quantity.CURRENT, Source.MEASURED, "A", 60.0),
    (19, Quantity.CURRENT, Source.COMMANDED, "A", 60.0),
    (25, Quantity.TORQUE, Source.COMMANDED, "N m", 500.0),
)


class Ur10eInnopolis(Reader):
    """One recording a file: time, position, velocity, current of six joints, and desired current and torque in all but
    the two oldest files (19 instead of 31 columns).

    Free motion is normal. Files named `push` are uncertain with the fault `hand_push`: they hold pushes at times that
    nobody wrote down. Payload is known from the file name only; where a number follows it is taken as grams.

    Source: Mamedov, Mikhel, Practical aspects of model-based collision detection, Front. Robot. AI 7:571574, 2020.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "ur-20_01_13-load_2600.csv"
    ...     _ = path.write_text("".join(f"{0.01 * i:.2f}{',0.5' * 18}\\n" for i in range(9)))
    ...     recording = next(Ur10eInnopolis().read(path))
    >>> recording.values.shape, recording.rate_hz, recording.truth["payload_kg"]
    ((18, 9), 100.0, 2.6)
    """

    specificity: ClassVar[int] = 20

    def recognises(self, source: Path) -> bool:
        if not _NAME.fullmatch(source.stem):
            return False
        cells = first_fields(source)
        return len(cells) in (19, 31) and all_numbers(cells)

    def _read(self, source: Path) -> Iterator[Recording]:
        table = read_csv(source, header=False, delimiter=",")
        columns = [
            Column(Channel(quantity, joint, origin), table.number(first + joint - 1), unit, (-limit, limit))
            for first, quantity, origin, unit, limit in _BLOCKS
            if first < len(table.names)
            for joint in range(1, 7)
        ]
        truth = _known(source.stem)
        pushed = truth["task"] == "push"
        yield assemble(
            columns,
            universal_robot("UR10e", "ur10e-innopolis"),
            session=source.stem,
            source=source,
            time=table.number(0),
            rows=table.rows,
            rows_read=table.rows_read,
            issues=table.issues,
            condition=Condition(Label.UNCERTAIN, "hand_push") if pushed else Condition(Label.NORMAL),
            truth=truth,
        )


def _known(stem: str) -> dict[str, Any]:
    """What the file name says."""
    truth: dict[str, Any] = {"label_source": "file name", "task": "trajectory"}
    for task, pattern in _TASKS:
        found = pattern.search(stem)
        if found:
            truth["task"] = task
            if "joint" in found.groupdict():
                truth["moving_joint"] = int(found["joint"])
            break
    load = _PAYLOAD.search(stem)
    truth["payload"] = load is not None
    if load and load["grams"]:
        truth["payload_kg"] = int(load["grams"]) / 1000
    return truth
