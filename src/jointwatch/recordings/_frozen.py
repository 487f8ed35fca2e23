"""Sensors that are stuck: readings that repeat bit for bit for longer than chance allows."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from jointwatch.core import Action, Channel, QualityIssue, Quantity, Robot, Source
from jointwatch.recordings._issues import note

__all__ = ["frozen"]

_STUCK_SAMPLES = 10
_CHANCE = 1e-6
_LIVELY = 0.5  # share of steps at which a sensor's reading changes; below, it is slow by nature
_TRAVEL = {"revolute": 0.01, "prismatic": 1e-3}
_SLOW = (Quantity.TEMPERATURE, Quantity.VOLTAGE, Quantity.CONTACT, Quantity.STATUS)


def frozen(
    time_s: np.ndarray, values: np.ndarray, channels: Sequence[Channel], robot: Robot, rows: np.ndarray
) -> list[QualityIssue]:
    """Stretches in which all sensors at once, or one sensor of a moving joint, repeat their reading.

    A stretch counts if so many equal readings would come by chance less than once in a million, given how often
    the sensor's reading changes otherwise. A sensor that always holds its reading for some samples is slow, not stuck.
    """
    sensors = [i for i, c in enumerate(channels) if c.source is Source.MEASURED and c.quantity not in _SLOW]
    if len(time_s) <= _STUCK_SAMPLES or not sensors:
        return []
    issues: list[QualityIssue] = []
    same = values[sensors, 1:] == values[sensors, :-1]
    all_same = same.all(axis=0) if len(sensors) > 1 else np.zeros(same.shape[1], bool)
    liveliness = 1 - same[:, ~all_same].mean(axis=1) if not all_same.all() else np.zeros(len(sensors))
    stretches = _long_runs(all_same, float(liveliness.max()))
    if stretches:
        longest = max(time_s[stop] - time_s[start] for start, stop in stretches)
        issues.append(
            note(
                "frozen",
                sum(stop - start for start, stop in stretches),
                Action.KEPT,
                rows=(rows[start + 1] for start, _ in stretches),
                detail=f"all sensors repeat their reading, {len(stretches)} times, longest {longest:.3g} s",
                remedy="the recorder repeated old samples: check the connection to the controller",
            )
        )
        for start, stop in stretches:
            same[:, start:stop] = False
    constant: list[int] = []
    for at, i in enumerate(sensors):
        way = _way(channels[i], time_s, values, channels)
        if way is None:
            continue
        kind = robot.joint(channels[i].joint or 1).kind
        there = values[i][np.isfinite(values[i])]
        if len(there) > _STUCK_SAMPLES and np.ptp(there) == 0:
            if np.ptp(way) > 10 * _TRAVEL[kind]:
                constant.append(i)
            continue
        moving = np.diff(way) != 0
        lively = 1 - float(same[at][moving].mean()) if moving.any() else 0.0
        stuck = [(a, b) for a, b in _long_runs(same[at], lively) if np.ptp(way[a : b + 1]) > _TRAVEL[kind]]
        if stuck:
            issues.append(
                note(
                    "frozen",
                    sum(stop - start for start, stop in stuck),
                    Action.KEPT,
                    where=(channels[i].key,),
                    rows=(rows[start + 1] for start, _ in stuck),
                    detail=f"reads {values[i][stuck[0][0]]:g} without change while the joint moves",
                    remedy="check the sensor and its wiring",
                )
            )
    if constant:
        issues.append(
            note(
                "constant_channel",
                len(constant) * len(time_s),
                Action.KEPT,
                where=(channels[i].key for i in constant),
                detail="the same reading throughout while the joint moves",
                remedy="leave the channel out, or check the sensor",
            )
        )
    return issues


def _way(channel: Channel, time_s: np.ndarray, values: np.ndarray, channels: Sequence[Channel]) -> np.ndarray | None:
    """(time,) where the joint is, told by another measured channel than this one."""
    if channel.joint is None:
        return None
    position, velocity = Channel(Quantity.POSITION, channel.joint), Channel(Quantity.VELOCITY, channel.joint)
    if position in channels and channel != position:
        x = values[list(channels).index(position)]
        there = np.isfinite(x)
        return np.interp(time_s, time_s[there], x[there]) if there.any() else None
    if velocity in channels and channel != velocity:
        v = np.nan_to_num(values[list(channels).index(velocity)])
        return np.concatenate([[0.0], np.cumsum(0.5 * (v[1:] + v[:-1]) * np.diff(time_s))])
    return None


def _long_runs(same: np.ndarray, lively: float) -> list[tuple[int, int]]:
    """Runs (start, stop) of steps without change that are too long for chance."""
    if lively < _LIVELY:
        return []
    least = _STUCK_SAMPLES
    if lively < 1:
        least = max(least, math.ceil(math.log(_CHANCE) / math.log(1 - lively)))
    edges = np.flatnonzero(np.diff(np.concatenate([[False], same, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= least]
