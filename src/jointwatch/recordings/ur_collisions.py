"""Collisions of a UR10-class arm with a measuring device (`ur_collisions`), headerless CSV of 34, 39 or 40 columns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from jointwatch.core import Action, Channel, Condition, Cycle, Event, Label, Quantity, Recording, Source
from jointwatch.recordings._assemble import Column, assemble
from jointwatch.recordings._contact_onset import contact_onset
from jointwatch.recordings._csv import RawTable, read_csv
from jointwatch.recordings._issues import note
from jointwatch.recordings._sniff import all_numbers, first_fields
from jointwatch.recordings._universal_robots import universal_robot
from jointwatch.recordings.base import Reader

__all__ = ["UrCollisions"]

_FREE, _DEMO, _CONTACT = 34, 39, 40  # columns
_BITS = re.compile(r"[01]{8,}")
_FREE_NAME = re.compile(r"Axis_(?P<speed>\d+)(?:_(?P<run>\d+))?", re.IGNORECASE)
_CONTACT_NAME = re.compile(r"Drift(?P<drift>\d+)_(?P<feedback>NF|WF)(?:_(?P<run>\d+))?", re.IGNORECASE)
_UNUSED = range(25, 31)
_SENSOR = 37
_CLEAR_DEG = 1.0  # the free strokes end in the contact as well; the last degree is left out of the normal cycle
_MOVING_SHARE = 0.25
_SPEED_SPAN_S = 0.1
_LEAST_ROWS = 20
_FULL_TURNS_DEG = 1000.0
_STEADY_SHARE = 0.9  # of the stroke's speed; before that the joint breaks loose and accelerates


class UrCollisions(Reader):
    """One recording a file; joint 1 moves at a constant speed towards a measuring device.

    - `Axis_N_k`: a free stroke at N deg/s, normal. Its cycle ends one degree before the stroke does: position and
      current show that these strokes end at the same device, although no sensor was recorded.
    - Cycles begin when joint 1 has reached its speed; breaking loose and accelerating come before.
    - `DriftDD_NF_k`, `DriftDD_WF_k`: a stroke at 4 deg/s into the device, without (NF) or with (WF) feedback.
      Anomalous, with the events `contact` (from the sensor alone, see `_contact_onset`), `controller_reaction` (the
      controller's own detector freezes its values) and `standstill`. "Drift" is an offset (DD mA a second) that
      software adds to the controller's detector: not a fault of the robot.
    - other names: uncertain.

    Channels in SI. `current.derived/1:adjusted` is current 1 less the drift, `:median` its running median over 40
    rows (both computed by the controller's detector), `velocity.model/1:feedback` the speed that the feedback asks
    for (followed in WF runs only), `contact` the sensor's counts.

    Source: none stated with the files; facts in `docs/cards/ur_collisions.md`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "Axis_5_1.csv"
    ...     rows = [f"{8 * i},{0.04 * i - 120:.2f}{',0' * 30},00000000,00000000" for i in range(250)]
    ...     _ = path.write_text("\\n".join(rows) + "\\n")
    ...     recording = next(UrCollisions().read(path))
    >>> recording.rate_hz, recording.truth["measured_speed_deg_s"], [event.name for event in recording.events]
    (125.0, 5.0, ['stroke_end'])
    """

    specificity: ClassVar[int] = 20

    def recognises(self, source: Path) -> bool:
        cells = first_fields(source)
        return (
            len(cells) in (_FREE, _DEMO, _CONTACT)
            and all(_BITS.fullmatch(cell) for cell in cells[-2:])
            and all_numbers(cells)
            and all(float(cells[i]) == 0 for i in _UNUSED)
        )

    def _read(self, source: Path) -> Iterator[Recording]:
        table = read_csv(source, header=False, delimiter=",")
        time_s = table.number(0) / 1e3
        joint = _moving_joint(table)
        free, contact = _FREE_NAME.fullmatch(source.stem), _CONTACT_NAME.fullmatch(source.stem)
        truth: dict[str, Any] = {"label_source": "file name", "moving_joint": joint}
        sound = _sound_rows(time_s, table, joint)
        clock, position = time_s[sound], table.number(joint)[sound]
        if len(clock) > _LEAST_ROWS:
            truth["measured_speed_deg_s"] = round(_usual_speed(_speed(clock, position)), 2)
        condition = Condition()
        cycles: list[Cycle] = []
        events: list[Event] = []
        if free:
            condition = Condition(Label.NORMAL)
            truth |= {"speed_deg_s": float(free["speed"]), "run": _number(free["run"])}
            cycles, events = _free_stroke(clock, position)
            truth["cycle_rule"] = f"from {_STEADY_SHARE:.0%} of the speed to {_CLEAR_DEG:g} deg before the end"
        elif contact:
            truth |= {
                "speed_deg_s": 4.0,
                "drift": int(contact["drift"]),
                "feedback": contact["feedback"].upper() == "WF",
                "run": _number(contact["run"]),
            }
            events = _contact_events(clock, position, table, joint, sound, truth)
            if any(event.name == "contact" for event in events):
                condition = Condition(Label.ANOMALOUS, "contact", joint)
                stop_s = float(clock[-1] + np.median(np.diff(clock)))
                cycles = [Cycle(float(clock[_steady_row(clock, position)]), stop_s, condition, source.stem)]
        elif re.fullmatch(r".*no_?feedback", source.stem, re.IGNORECASE):
            truth["feedback"] = False
        elif re.fullmatch(r".*feedback", source.stem, re.IGNORECASE):
            truth["feedback"] = True
        issues = list(table.issues)
        idle = [str(i) for i in _UNUSED if not table.number(i).any()]
        if idle:
            detail = f"{len(idle)} columns are zero throughout and not read"
            issues.append(note("all_zero", len(idle), Action.DROPPED, where=idle, detail=detail))
        yield assemble(
            _columns(table, joint),
            universal_robot("UR10 class", "ur-collisions"),
            session=source.stem,
            source=source,
            time=time_s,
            rows=table.rows,
            rows_read=table.rows_read,
            issues=issues,
            cycles=cycles,
            events=events,
            condition=condition,
            truth=truth,
        )


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)


def _columns(table: RawTable, joint: int) -> list[Column]:
    columns = [Column(Channel(Quantity.POSITION, j), table.number(j), "deg") for j in range(1, 7)]
    columns += [Column(Channel(Quantity.CURRENT, j), table.number(12 + j), "A") for j in range(1, 7)]
    for i, axis in enumerate("xyz"):
        columns += [
            Column(Channel(Quantity.TCP_POSITION, component=axis), table.number(7 + i), "mm"),
            Column(Channel(Quantity.TCP_ROTATION, component=axis), table.number(10 + i), "deg"),
            Column(Channel(Quantity.TCP_FORCE, component=axis), table.number(19 + i), "N"),
            Column(Channel(Quantity.TCP_TORQUE, component=axis), table.number(22 + i), "N m"),
        ]
    columns.append(Column(Channel(Quantity.CURRENT, joint, Source.DERIVED, "median"), table.number(31), "A"))
    width = len(table.names)
    if width == _FREE:
        return columns
    columns += [
        Column(Channel(Quantity.CURRENT, joint, Source.DERIVED, "adjusted"), table.number(32), "A"),
        Column(Channel(Quantity.VELOCITY, joint, Source.MODEL, "feedback"), table.number(33), "deg/s"),
        Column(Channel(Quantity.CURRENT, joint, Source.MODEL, "drift"), table.number(34), "A"),
        Column(Channel(Quantity.STATUS, source=Source.MODEL, component="controller_35"), table.number(35)),
        Column(Channel(Quantity.STATUS, source=Source.MODEL, component="controller_36"), table.number(36)),
    ]
    if width == _CONTACT:
        columns.append(Column(Channel(Quantity.CONTACT), table.number(_SENSOR)))
    return columns


def _moving_joint(table: RawTable) -> int:
    """Number of the joint that travels furthest, apart from the odd garbled row."""
    positions = np.stack([table.number(j) for j in range(1, 7)])
    low, high = np.nanquantile(positions, [0.02, 0.98], axis=1)
    return int(np.nanargmax(high - low)) + 1


def _sound_rows(time_s: np.ndarray, table: RawTable, joint: int) -> np.ndarray:
    """Positions of the rows that marks can rest on: all values there and the clock ahead of every row before."""
    needed = [joint, *(i for i in (32, _SENSOR) if i < len(table.names) - 2)]
    there = np.isfinite(time_s) & np.isfinite([table.number(i) for i in needed]).all(axis=0)
    there &= np.abs(table.number(joint)) < _FULL_TURNS_DEG
    rows = np.flatnonzero(there)
    ahead = np.diff(np.maximum.accumulate(time_s[rows]), prepend=-np.inf) > 0
    return rows[ahead]


def _speed(time_s: np.ndarray, position: np.ndarray) -> np.ndarray:
    """(row,) magnitude of the speed over 0.1 s."""
    half = max(1, round(_SPEED_SPAN_S / float(np.median(np.diff(time_s))) / 2))
    ahead = np.minimum(np.arange(len(time_s)) + half, len(time_s) - 1)
    behind = np.maximum(np.arange(len(time_s)) - half, 0)
    return np.abs(position[ahead] - position[behind]) / (time_s[ahead] - time_s[behind])


def _usual_speed(speed: np.ndarray) -> float:
    return float(np.median(speed[speed >= _MOVING_SHARE * speed.max()]))


def _steady_row(time_s: np.ndarray, position: np.ndarray) -> int:
    """First row at which the joint has its speed, all of the span that speed is taken over lying behind."""
    speed = _speed(time_s, position)
    reached = float(time_s[np.argmax(speed >= _STEADY_SHARE * _usual_speed(speed))])
    return int(np.searchsorted(time_s, reached + _SPEED_SPAN_S))


def _free_stroke(time_s: np.ndarray, position: np.ndarray) -> tuple[list[Cycle], list[Event]]:
    if len(time_s) <= _LEAST_ROWS:
        return [], []
    near_end = np.flatnonzero(np.abs(position - position[-1]) <= _CLEAR_DEG)
    clear, steady = int(near_end[0]), _steady_row(time_s, position)
    if clear < steady + 2:
        return [], []
    cycle = Cycle(float(time_s[steady]), float(time_s[clear]), Condition(Label.NORMAL), "stroke")
    end = Event("stroke_end", float(time_s[clear]), float(time_s[-1]), Condition(Label.UNCERTAIN, "contact"))
    return [cycle], [end]


def _contact_events(
    time_s: np.ndarray, position: np.ndarray, table: RawTable, joint: int, sound: np.ndarray, truth: dict[str, Any]
) -> list[Event]:
    """Events of a run into the device; what the sensor's rule found goes into `truth` as well."""
    truth["contact_onset_s"] = None
    if len(time_s) <= _LEAST_ROWS:
        return []
    events = []
    end_s = float(time_s[-1])
    onset = contact_onset(time_s, table.number(_SENSOR)[sound]) if len(table.names) == _CONTACT else None
    if onset is not None:
        events.append(Event("contact", onset.time_s, end_s, Condition(Label.ANOMALOUS, "contact", joint)))
        truth |= {
            "contact_onset_s": onset.time_s,
            "contact_earliest_s": round(onset.earliest_s, 4),
            "contact_latest_s": round(onset.latest_s, 4),
            "contact_sensor_hold_s": round(onset.hold_s, 4),
            "contact_sensor_noise_counts": round(onset.noise),
            "contact_sensor_fall_counts": round(onset.fall),
        }
    if len(table.names) > _FREE:
        live = np.flatnonzero(np.diff(table.number(32)[sound]))
        if len(live) and live[-1] + 2 < len(time_s):
            frozen_s = float(time_s[live[-1] + 1])
            events.append(Event("controller_reaction", frozen_s, frozen_s))
    speed = _speed(time_s, position)
    still = int(np.flatnonzero(speed >= _MOVING_SHARE * speed.max())[-1]) + 1
    if still < len(time_s):
        events.append(Event("standstill", float(time_s[still]), end_s))
    return sorted(events, key=lambda event: event.start_s)
