"""The column map: a small YAML file that says what the columns of a table are."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from jointwatch.core import Channel, Joint, Robot
from jointwatch.core.errors import UsageError
from jointwatch.recordings._units import UNIT_SCALES, units_like

__all__ = ["TIME_UNITS_S", "ColumnMap", "find_column_map", "load_column_map"]

TIME_UNITS_S = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0}
_FOLDER_MAP = "columns.yaml"
_FILE_MAP = ".map.yaml"

Kind = Literal["revolute", "prismatic"]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class JointMap(_Strict):
    """What is known of one joint; what is left out comes from the robot."""

    name: str = ""
    kind: Kind | None = None
    gear_ratio: float | None = Field(default=None, gt=0)


class RobotMap(_Strict):
    """Which machine; `kind` and `gear_ratio` hold for all joints that `joints` does not list."""

    brand: str = ""
    model: str = ""
    unit: str = Field(min_length=1)
    kind: Kind = "revolute"
    gear_ratio: float | None = Field(default=None, gt=0)
    joints: dict[int, JointMap] = Field(default_factory=dict)

    def robot(self, numbers: Iterable[int]) -> Robot:
        """The robot with these joints and those listed."""
        joints = []
        for number in sorted({*numbers, *self.joints}):
            own = self.joints.get(number, JointMap())
            joints.append(Joint(number, own.name, own.kind or self.kind, own.gear_ratio or self.gear_ratio))
        return Robot(self.brand, self.model, self.unit, tuple(joints))


class TimeMap(_Strict):
    """The clock: a column and its unit, `datetime` for text (ISO 8601, or the strptime `format` given)."""

    column: str | int
    unit: Literal["s", "ms", "us", "ns", "min", "h", "datetime"] = "s"
    format: str | None = None


class ChannelMap(_Strict):
    """What one column is: the channel, as `quantity[.source][/joint][:component]`, and the file's unit, "" = SI."""

    channel: str
    unit: str = ""

    @field_validator("channel")
    @classmethod
    def _known_channel(cls, key: str) -> str:
        try:
            return Channel.parse(key).key
        except UsageError as error:
            raise ValueError(str(error)) from None

    @model_validator(mode="after")
    def _fitting_unit(self) -> ChannelMap:
        channel = Channel.parse(self.channel)
        fitting = {*units_like(channel.unit("revolute")), *units_like(channel.unit("prismatic"))}
        if self.unit and self.unit not in fitting:
            near = difflib.get_close_matches(self.unit, sorted(fitting), n=1, cutoff=0.3)
            known = "does not fit" if self.unit in UNIT_SCALES else "is not known for"
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(
                f"unit {self.unit!r} {known} {self.channel}, use one of {', '.join(sorted(fitting))}{hint}"
            )
        return self


class LabelMap(_Strict):
    """A column of labels and which of its values mean normal or anomalous; all others are uncertain."""

    column: str | int
    normal: list[str | int | float] = Field(default_factory=list)
    anomalous: list[str | int | float] = Field(default_factory=list)
    fault: str = ""
    joint: int | None = Field(default=None, ge=1)


class ColumnMap(_Strict):
    """What the columns of a table are.

    Parameters
    ----------
    robot : brand, model, unit, gear ratio, kind of joints.
    columns : column name, or number from 0, -> channel and unit; columns not listed are not read.
    session : name of the run; default the file's name.
    time, rate_hz : the clock's column, or the rate where there is none; with both the two are compared.
    label, cycle : columns with labels and with the number or name of the cycle, where there are.
    delimiter, decimal, header : how the table is written, where it is not to be found out.

    >>> columns = ColumnMap.parse('''
    ... robot:
    ...   brand: demo
    ...   model: six-axis
    ...   unit: arm-1                    # this very robot
    ...   gear_ratio: 100
    ...   joints: {6: {gear_ratio: 50}}
    ... session: monday
    ... time: {column: time, unit: ms}
    ... columns:
    ...   q1: {channel: position/1, unit: deg}
    ...   q1_set: {channel: position.commanded/1, unit: deg}
    ...   7: {channel: current/1, unit: mA}
    ...   temp1: temperature/1           # already in the project's unit
    ... cycle: cycle_number
    ... label: {column: state, normal: [0], anomalous: [1], fault: backlash, joint: 1}
    ... ''')
    >>> columns.columns[7].channel, columns.robot.robot([1]).joint(6).gear_ratio
    ('current/1', 50.0)
    """

    robot: RobotMap
    columns: dict[str | int, ChannelMap] = Field(min_length=1)
    session: str = ""
    time: TimeMap | None = None
    rate_hz: float | None = Field(default=None, gt=0)
    label: LabelMap | None = None
    cycle: str | int | None = None
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    decimal: Literal[".", ","] | None = None
    header: bool | None = None

    @field_validator("columns", mode="before")
    @classmethod
    def _short_form(cls, columns: Any) -> Any:
        """`current1: current/1` stands for `current1: {channel: current/1}`."""
        if not isinstance(columns, dict):
            return columns
        return {name: {"channel": said} if isinstance(said, str) else said for name, said in columns.items()}

    @model_validator(mode="after")
    def _consistent(self) -> ColumnMap:
        if self.time is None and self.rate_hz is None:
            raise ValueError("give a time column or rate_hz")
        seen: dict[str, str | int] = {}
        for name, said in self.columns.items():
            if said.channel in seen:
                raise ValueError(f"columns {seen[said.channel]!r} and {name!r} are both {said.channel}")
            seen[said.channel] = name
        return self

    @classmethod
    def parse(cls, text: str, source: str = "column map") -> ColumnMap:
        """Map from YAML.

        Errors: `UsageError` with the place, and the nearest key for one that is not known.
        """
        try:
            said = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise UsageError(f"{source}: no valid YAML ({' '.join(str(error).split())})") from None
        if not isinstance(said, dict):
            raise UsageError(f"{source}: a column map starts with keys such as robot, time, columns")
        try:
            return cls.model_validate(said)
        except ValidationError as error:
            raise UsageError(f"{source}: {'; '.join(_explain(item) for item in error.errors())}") from None


_KEYS: dict[str, type[_Strict]] = {"robot": RobotMap, "time": TimeMap, "label": LabelMap, "": ColumnMap}


def _explain(item: Any) -> str:
    place = [str(part) for part in item["loc"] if part not in ("str", "int")]
    if item["type"] == "extra_forbidden":
        parent = place[0] if len(place) > 1 else ""
        model = (
            ChannelMap if parent == "columns" else JointMap if "joints" in place[:-1] else _KEYS.get(parent, ColumnMap)
        )
        near = difflib.get_close_matches(place[-1], list(model.model_fields), n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"the keys are {', '.join(model.model_fields)}"
        return f"unknown key {'.'.join(place)!r}, {hint}"
    message = item["msg"].removeprefix("Value error, ")
    return f"{'.'.join(place)}: {message}" if place else message


def load_column_map(path: str | Path) -> ColumnMap:
    """Map from a YAML file; `UsageError` if it is not there or not right."""
    path = Path(path)
    try:
        return ColumnMap.parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: the column map cannot be read ({error})") from None


def find_column_map(table: Path) -> Path | None:
    """`<file>.map.yaml` beside the table, or else `columns.yaml` in its folder."""
    own, shared = table.with_name(table.name + _FILE_MAP), table.with_name(_FOLDER_MAP)
    return own if own.is_file() else shared if shared.is_file() else None
