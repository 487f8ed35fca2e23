"""Two seconds of one servo as one row: temperature, and what position and bus voltage say without it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jointwatch.core import Label, Quantity, Recording
from jointwatch.core.errors import InputError
from jointwatch.recordings import read

__all__ = ["DECIDE_S", "ELECTRIC", "LEVEL", "RISE", "THERMAL", "ServoRows", "read_servo_rows"]

DECIDE_S = 2.0
_HISTORY_S = 30.0
_QUANTITIES = (Quantity.POSITION, Quantity.TEMPERATURE, Quantity.VOLTAGE)
_NAMES = (
    "temperature",
    "temperature above start",
    "temperature above last 30 s",
    "temperature range",
    "voltage beside others",
    "voltage beside others, against last 30 s",
    "voltage std",
    "voltage sag",
    "position std",
    "position range",
    "motion of arm",
)
LEVEL, RISE = 0, 1
"""Columns: temperature, and temperature above that of the session's first decision."""
THERMAL, ELECTRIC = tuple(range(4)), tuple(range(4, len(_NAMES)))
"""Columns of temperature, and those of position and voltage."""


@dataclass(frozen=True, eq=False)
class ServoRows:
    """values : (row, feature). servo, session, heated : (row,). normal : (row,) session without any heating.

    Rows know the past of their session only, so they could be had live.
    """

    values: np.ndarray
    servo: np.ndarray
    session: np.ndarray
    heated: np.ndarray
    normal: np.ndarray
    notes: tuple[str, ...] = ()


def read_servo_rows(folder: Path) -> ServoRows:
    """All sessions that say which servo is heated, or that none is.

    Errors: `InputError` if there is none, or no heating.
    """
    reading = read(folder)
    recordings = [
        r
        for r in reading
        if r.condition.label is not Label.UNCERTAIN and set(_QUANTITIES) <= {q for q, _ in r.quantities}
    ]
    parts = [_rows(recording) for recording in recordings]
    if not any(heated.any() for _, _, heated in parts):
        raise InputError("no servo is said to be heated", file=folder, remedy="give a folder like armpi_servo_faults")
    count = [len(servo) for _, servo, _ in parts]
    left = [r.session for r in reading if r.condition.label is Label.UNCERTAIN]
    notes = [f"state uncertain, left out: {', '.join(left)}"] if left else []
    return ServoRows(
        np.concatenate([values for values, _, _ in parts]),
        np.concatenate([servo for _, servo, _ in parts]),
        np.repeat([r.session for r in recordings], count),
        np.concatenate([heated for _, _, heated in parts]),
        np.repeat([r.condition.label is Label.NORMAL for r in recordings], count),
        (*reading.summary(), *notes),
    )


def _rows(recording: Recording) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(row, feature), servo and whether it is heated for most of the two seconds, servo by servo."""
    joints = [j.number for j in recording.robot.joints if set(_keys(j.number)) <= {c.key for c in recording.channels}]
    length = max(2, round(DECIDE_S * recording.rate_hz))
    count = len(recording.time_s) // length
    heating = np.zeros((len(joints), count * length), bool)
    time_s = recording.time_s[: count * length]
    for event in recording.events:
        if event.condition.joint in joints:
            row = joints.index(event.condition.joint)
            heating[row] |= (time_s >= event.start_s) & (time_s < event.stop_s)
    position, temperature, voltage = (
        np.stack([recording[key][: count * length] for key in keys]).reshape(len(joints), count, length)
        for keys in zip(*map(_keys, joints), strict=True)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # decisions in which the bus lost every reading
        warm = np.nanmean(temperature, axis=2)
        beside = np.nanmean(voltage, axis=2)
        beside = beside - np.stack([np.nanmedian(np.delete(beside, k, 0), axis=0) for k in range(len(joints))])
        moving = np.nanstd(position, axis=2)
        columns = [
            warm,
            warm - warm[:, :1],
            warm - _history(warm),
            np.nanmax(temperature, axis=2) - np.nanmin(temperature, axis=2),
            beside,
            beside - _history(beside),
            np.nanstd(voltage, axis=2),
            np.nanmin(voltage, axis=2) - np.nanmean(voltage, axis=2),
            moving,
            np.nanmax(position, axis=2) - np.nanmin(position, axis=2),
            np.broadcast_to(np.nanmean(moving, axis=0), moving.shape),
        ]
    values = np.nan_to_num(np.stack(columns, axis=2).reshape(-1, len(_NAMES)))
    heated = heating.reshape(len(joints), count, length).mean(axis=2) > 0.5
    return values, np.repeat(joints, count), heated.ravel()


def _keys(joint: int) -> list[str]:
    return [f"{quantity}/{joint}" for quantity in _QUANTITIES]


def _history(values: np.ndarray) -> np.ndarray:
    """(servo, decision) median of the decisions of the last 30 s before; the first has only itself."""
    reach = round(_HISTORY_S / DECIDE_S)
    before = [values[:, :1][:, 0]]
    before += [np.nanmedian(values[:, max(0, k - reach) : k], axis=1) for k in range(1, values.shape[1])]
    return np.stack(before, axis=1)
