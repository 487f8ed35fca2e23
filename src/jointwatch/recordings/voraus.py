"""Pick-and-place cycles of a Yu-Cobot with twelve kinds of anomaly (voraus-AD, `voraus_ad_fixture`), Parquet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from jointwatch.core import Channel, Condition, Cycle, Label, Quantity, Recording, Robot, Source
from jointwatch.core.errors import CorruptInput
from jointwatch.recordings._assemble import Column, assemble
from jointwatch.recordings._runs import constant_runs
from jointwatch.recordings.base import Reader

__all__ = ["Voraus"]

_NEEDED = {"time", "sample", "anomaly", "category", "setting", "motor_iq_1", "target_position_1"}
_CATEGORIES = (
    "axis_friction",
    "axis_weight",
    "collision_foam",
    "collision_cable",
    "collision_carton",
    "miss_can",
    "lose_can",
    "can_weight",
    "entangled",
    "invalid_position",
    "motor_commutation",
    "wobbling_station",
    "",  # normal operation
)
_FRICTION_JOINTS = (1, 1, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 6, 6)  # settings 0 .. 13
_WEIGHT_JOINTS = tuple(joint for joint in range(1, 7) for _ in range(3))  # settings 14 .. 31
_AXIS: dict[str, tuple[Quantity, Source, str, str]] = {
    "target_position": (Quantity.POSITION, Source.COMMANDED, "", "rad"),
    "target_velocity": (Quantity.VELOCITY, Source.COMMANDED, "", "rad/s"),
    "target_acceleration": (Quantity.ACCELERATION, Source.COMMANDED, "", "rad/s^2"),
    "target_torque": (Quantity.TORQUE, Source.COMMANDED, "", "N m"),
    "computed_inertia": (Quantity.STATUS, Source.MODEL, "inertia_kg_m2", ""),
    "computed_torque": (Quantity.TORQUE, Source.MODEL, "", "N m"),
    "motor_position": (Quantity.POSITION, Source.MEASURED, "motor", "rad"),
    "motor_velocity": (Quantity.VELOCITY, Source.MEASURED, "motor", "rad/s"),
    "joint_position": (Quantity.POSITION, Source.MEASURED, "", "rad"),
    "joint_velocity": (Quantity.VELOCITY, Source.MEASURED, "", "rad/s"),
    "motor_torque": (Quantity.TORQUE, Source.MEASURED, "", "N m"),
    "torque_sensor_a": (Quantity.JOINT_TORQUE, Source.MEASURED, "a", "N m"),
    "torque_sensor_b": (Quantity.JOINT_TORQUE, Source.MEASURED, "b", "N m"),
    "motor_iq": (Quantity.CURRENT, Source.MEASURED, "", "A"),
    "motor_id": (Quantity.CURRENT, Source.MEASURED, "d", "A"),
    "power_motor_el": (Quantity.POWER, Source.MODEL, "motor_electrical", "W"),
    "power_motor_mech": (Quantity.POWER, Source.MODEL, "motor_mechanical", "W"),
    "power_load_mech": (Quantity.POWER, Source.MODEL, "load_mechanical", "W"),
    "motor_voltage": (Quantity.VOLTAGE, Source.MEASURED, "motor", "V"),
    "supply_voltage": (Quantity.VOLTAGE, Source.MEASURED, "supply", "V"),
    "brake_voltage": (Quantity.VOLTAGE, Source.MEASURED, "brake", "V"),
}
_ROBOT: dict[str, tuple[Channel, str]] = {
    "robot_voltage": (Channel(Quantity.VOLTAGE, component="robot"), "V"),
    "robot_current": (Channel(Quantity.CURRENT, component="robot"), "A"),
    "io_current": (Channel(Quantity.CURRENT, component="io"), "A"),
    "system_current": (Channel(Quantity.CURRENT, component="system"), "A"),
    "action": (Channel(Quantity.STATUS, component="action"), ""),
    "active": (Channel(Quantity.STATUS, component="active"), ""),
}
_AXIS_NAME = re.compile(r"(?P<field>\w+)_(?P<joint>[1-6])")


class Voraus(Reader):
    """One recording, one session and one cycle for every `sample`. Everything is in SI units in the file.

    `position/J` and `velocity/J` are the encoders at the joint, `:motor` those of the motor divided by the gear ratio;
    `current/J` is the torque-forming motor current, `:d` the field-forming one; `torque/J` is computed from it;
    `joint_torque/J:a` and `:b` are the two torque sensors.

    Source: Brockmann, Rudolph, Rosenhahn, Wandt, The voraus-AD dataset for anomaly detection in robot applications,
    IEEE Trans. Robotics, 2023.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "cycles.parquet"
    ...     columns = {"time": [0.0, 0.01, 0.02], "sample": [7] * 3, "anomaly": [True] * 3, "category": [0] * 3}
    ...     columns |= {"setting": [4] * 3, "motor_iq_1": [0.5] * 3, "target_position_1": [0.1] * 3}
    ...     pq.write_table(pa.table(columns), path)
    ...     recording = next(Voraus().read(path))
    >>> recording.condition.fault, recording.condition.joint, recording["current/1"].tolist()
    ('axis_friction', 3, [0.5, 0.5, 0.5])
    """

    specificity: ClassVar[int] = 20

    def recognises(self, source: Path) -> bool:
        if source.suffix.lower() != ".parquet" or not source.is_file():
            return False
        try:
            return set(pq.read_schema(source).names) >= _NEEDED
        except (pa.ArrowInvalid, OSError):
            return False

    def _read(self, source: Path) -> Iterator[Recording]:
        known: dict[str, tuple[Channel, str]] = {}
        try:
            names = pq.read_schema(source).names
            for name in names:
                if (found := _channel(name)) is not None:
                    known[name] = found
            table = pq.read_table(source, columns=[*known, "time", "sample", "anomaly", "category", "setting"])
        except pa.ArrowInvalid as error:
            raise CorruptInput(f"cannot be read ({error})", file=source, remedy="download it again") from error
        meta = {name: table.column(name).to_numpy() for name in ("time", "sample", "anomaly", "category", "setting")}
        for first, last in constant_runs(meta["sample"]):
            part = table.slice(first, last - first)
            condition, truth = _state(*(meta[name][first] for name in ("anomaly", "category", "setting")))
            number = int(meta["sample"][first])
            time_s = meta["time"][first:last].astype(np.float64)
            stop_s = float(time_s[-1] + np.median(np.diff(time_s))) if last - first > 1 else float(time_s[-1]) + 0.01
            yield assemble(
                [
                    Column(channel, part.column(name).to_numpy().astype(np.float64), unit)
                    for name, (channel, unit) in known.items()
                ],
                Robot.of("Yuanda", "Yu-Cobot", "voraus-yu-cobot", 6),
                session=f"sample {number}",
                source=source,
                time=time_s,
                rows=np.arange(first + 1, last + 1),
                rows_read=last - first,
                cycles=[Cycle(float(time_s[0]), stop_s, condition, f"sample {number}")],
                condition=condition,
                truth=truth,
            )


def _channel(name: str) -> tuple[Channel, str] | None:
    if name in _ROBOT:
        return _ROBOT[name]
    match = _AXIS_NAME.fullmatch(name)
    if match is None or match["field"] not in _AXIS:
        return None
    quantity, source, component, unit = _AXIS[match["field"]]
    return Channel(quantity, int(match["joint"]), source, component), unit


def _state(anomaly: Any, category: Any, setting: Any) -> tuple[Condition, dict[str, Any]]:
    category, setting = int(category), int(setting)
    truth = {"category": category, "setting": setting, "label_source": "anomaly column of the file"}
    if not anomaly:
        return Condition(Label.NORMAL), truth
    fault = _CATEGORIES[category] if 0 <= category < len(_CATEGORIES) else ""
    joint = None
    if fault == "axis_friction" and 0 <= setting < len(_FRICTION_JOINTS):
        joint = _FRICTION_JOINTS[setting]
    elif fault == "axis_weight" and 0 <= setting - len(_FRICTION_JOINTS) < len(_WEIGHT_JOINTS):
        joint = _WEIGHT_JOINTS[setting - len(_FRICTION_JOINTS)]
    return Condition(Label.ANOMALOUS, fault, joint), truth
