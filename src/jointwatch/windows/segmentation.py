"""Cycle marks found from the movement itself: where the arm takes the same path again."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from jointwatch.core import Channel, Cycle, Quantity, Recording, Source
from jointwatch.core.errors import MissingChannel, NotEnoughData, UsageError
from jointwatch.signals.differentiate import differentiate
from jointwatch.signals.numerics import find_peaks, oaconvolve
from jointwatch.signals.periodicity import period
from jointwatch.signals.resample import Segment, low_pass, resample

__all__ = ["find_cycles"]

_RATE_HZ = 100.0  # paths of robots need no more
_PATH_HZ = 20.0  # what is faster is noise of the measured position, which would add to the path
_STILL = 0.03  # below this share of the usual top speed the arm stands
_MOST_POINTS = 20_000  # points of the path
_NEAR = 0.1  # a start this share of the path away from where it is expected still follows on
_SAME_PAUSE = 0.1  # pauses that differ by less than this share of a cycle are the same


@dataclass(frozen=True, eq=False)
class _Path:
    """Positions at equal steps of travelled path: neither speed nor pauses show in it."""

    time_s: np.ndarray
    travelled: np.ndarray  # (time,), stands still where the arm does
    points: np.ndarray  # (channel, point)
    step: float


def find_cycles(
    recording: Recording,
    *,
    channel: Channel | str | None = None,
    min_period_s: float | None = None,
    max_period_s: float | None = None,
    min_confidence: float = 0.7,
) -> Recording:
    """The recording with its cycles marked, each from the same point of the path to where it comes again.

    The positions of all joints are taken at equal steps of travelled path, which removes speed and pauses. The path's
    period is that of its autocorrelation; one period of it, preferably from the end of the longest pause on, is looked
    for along the whole recording. Incomplete cycles at the ends, and whatever differs, stay unmarked. A pause that is
    the same after every cycle (within 10 % of a cycle) belongs to the cycle, pauses that differ belong to none. Cycles
    never cross a break or gap.

    Parameters
    ----------
    channel : what to follow; default the commanded positions of all joints, else the measured ones.
    min_period_s, max_period_s : limits of a cycle's duration, without pauses; at least two cycles must be seen.
    min_confidence : likeness of the cycles (1 = equal, 0 = unrelated) below which none are marked.

    Errors: `UsageError` if nothing moves or nothing repeats, with the confidence reached; `NotEnoughData` with fewer
    than two whole cycles; `MissingChannel` if there is no position.

    >>> import numpy as np
    >>> from jointwatch.core import Robot
    >>> time_s = np.arange(1000) / 100
    >>> arm = Robot.of("demo", "arm", "arm-1", joints=1)
    >>> recording = Recording(time_s, np.sin(np.pi * time_s)[None], (Channel(Quantity.POSITION, 1),), arm, "monday")
    >>> [round(cycle.stop_s - cycle.start_s, 1) for cycle in find_cycles(recording).cycles]
    [2.0, 2.0, 2.0, 2.0, 2.0]
    """
    followed = _followed(recording, channel)
    where = f"session {recording.session!r} of {recording.robot.unit}: "
    values = np.stack([recording[each] for each in followed])
    segments = resample(recording.time_s, values, min(recording.rate_hz, _RATE_HZ), breaks=recording.breaks)
    paths = _paths([(segment.time_s, _smooth(segment)) for segment in segments])
    if not paths:
        raise UsageError(f"{where}nothing moves in {', '.join(c.key for c in followed)}; there are no cycles to find")
    longest = max(paths, key=lambda path: path.travelled[-1])
    speed = longest.travelled[-1] / _moving_s(longest)
    steps, confidence = _path_period(longest, min_period_s, max_period_s, speed)
    if confidence < min_confidence:
        raise UsageError(
            f"{where}no movement repeats (confidence {confidence:.2f}, {min_confidence:g} is needed); "
            "mark the cycles in the recording, or use sliding windows"
        )
    template = longest.points[:, _anchor(longest, steps) :][:, :steps]
    found = _with_pauses([each for path in paths for each in _cycles(path, template, min_confidence)])
    if len(found) < 2:
        raise NotEnoughData(
            f"finding cycles in {where[:-2]} (confidence {confidence:.2f})",
            needed=2,
            have=len(found),
            unit="whole cycles",
        )
    return replace(recording, cycles=tuple(found))


@dataclass(frozen=True)
class _Found:
    """A cycle's movement, where the next begins if it follows at once, and where the segment ends."""

    start_s: float
    stop_s: float
    next_s: float | None
    last_s: float


def _followed(recording: Recording, channel: Channel | str | None) -> tuple[Channel, ...]:
    if channel is not None:
        return (Channel.parse(channel) if isinstance(channel, str) else channel,)
    for source in (Source.COMMANDED, Source.MEASURED):
        found = tuple(
            c for c in recording.channels
            if c.quantity is Quantity.POSITION and c.source is source and np.isfinite(recording[c]).mean() > 0.5
        )  # fmt: skip
        if found:
            return found
    raise MissingChannel(
        "no position to find cycles by",
        file=recording.source or None,
        channel="position",
        remedy="name another channel to follow, or mark the cycles in the recording",
    )


def _smooth(segment: Segment) -> np.ndarray:
    rate_hz = 1 / float(np.median(np.diff(segment.time_s))) if len(segment.time_s) > 1 else 0.0
    return low_pass(segment.values, rate_hz, _PATH_HZ) if rate_hz > 2 * _PATH_HZ else segment.values


def _paths(segments: list[tuple[np.ndarray, np.ndarray]]) -> list[_Path]:
    speeds = [np.sqrt((np.nan_to_num(differentiate(x, t)) ** 2).sum(axis=0)) for t, x in segments]
    if not speeds:
        return []
    top = float(np.quantile(np.concatenate(speeds), 0.95))
    size = max(float(np.abs(x).max()) for _, x in segments)
    walked = []
    for (t, _), speed in zip(segments, speeds, strict=True):
        moved = np.where(speed > _STILL * top, speed, 0.0)
        walked.append(np.concatenate([[0.0], np.cumsum((moved[1:] + moved[:-1]) / 2 * np.diff(t))]))
    total = max(float(s[-1]) for s in walked)
    if total <= 1e-9 * size:
        return []
    step = total / min(_MOST_POINTS, max(len(t) for t, _ in segments))
    paths = []
    for (t, x), travelled in zip(segments, walked, strict=True):
        onward = np.concatenate([[True], np.diff(travelled) > 0])
        at = np.arange(0.0, travelled[-1], step)
        if len(at) > 8:
            points = np.stack([np.interp(at, travelled[onward], row[onward]) for row in x])
            paths.append(_Path(t, travelled, points, step))
    return paths


def _moving_s(path: _Path) -> float:
    return float(np.diff(path.time_s)[np.diff(path.travelled) > 0].sum())


def _path_period(path: _Path, shortest_s: float | None, longest_s: float | None, speed: float) -> tuple[int, float]:
    """(points of the path in a period, confidence)."""
    points = path.points.shape[1]
    low = max(8.0, 0.0 if shortest_s is None else shortest_s * speed / path.step)
    high = min(points / 2, np.inf if longest_s is None else longest_s * speed / path.step)
    if high <= low + 1:
        return 0, 0.0
    found = period(path.points, 1.0, min_period_s=low, max_period_s=high)
    return (0, 0.0) if found.confidence == 0 else (round(found.period_s), found.confidence)


def _anchor(path: _Path, steps: int) -> int:
    """Where the template begins: behind the longest pause that a repetition follows, else the first repetition."""
    jump = ((path.points[:, steps:] - path.points[:, :-steps]) ** 2).sum(axis=0)
    total = np.concatenate([[0.0], np.cumsum(jump)])
    unlike = total[steps:] - total[:-steps] if len(jump) >= steps else total[-1:]
    spread = float(path.points.var(axis=1).sum()) * 2 * steps
    fits = np.flatnonzero(unlike <= unlike.min() + 0.05 * spread)
    pauses = [(stop - start, place) for start, stop, place in _pauses(path)]
    for pause_s, place in sorted(pauses, reverse=True):
        point = round(place / path.step)
        near = fits[np.argmin(np.abs(fits - point))]
        if abs(near - point) <= 1 and pause_s > 0:
            return int(near)
    return int(fits[0])


def _pauses(path: _Path) -> list[tuple[float, float, float]]:
    """(start_s, stop_s, travelled path) of each stretch in which the arm stands."""
    still = np.concatenate([[False], np.diff(path.travelled) <= 0, [False]])
    edges = np.flatnonzero(np.diff(still.astype(np.int8))).reshape(-1, 2)
    return [(float(path.time_s[a]), float(path.time_s[b]), float(path.travelled[a])) for a, b in edges]


def _cycles(path: _Path, template: np.ndarray, min_confidence: float) -> list[_Found]:
    steps = template.shape[1]
    if path.points.shape[1] < steps:
        return []
    likeness = np.concatenate([[-1.0], _likeness(path.points, template), [-1.0]])
    starts = find_peaks(likeness, height=min_confidence, distance=max(1, 0.7 * steps))[0] - 1
    pauses = _pauses(path)
    begins = [_time_at(path, pauses, start, steps)[1] for start in starts]
    found = []
    for i, start in enumerate(starts):
        follows = i + 1 < len(starts) and abs(starts[i + 1] - start - steps) <= _NEAR * steps
        stop = starts[i + 1] if follows else start + steps
        stop_s = _time_at(path, pauses, stop, steps)[0]
        if stop_s > begins[i]:
            found.append(_Found(begins[i], stop_s, begins[i + 1] if follows else None, float(path.time_s[-1])))
    return found


def _with_pauses(found: list[_Found]) -> list[Cycle]:
    """A pause that is the same after every cycle is part of the work and of the cycle; pauses that differ are not."""
    if not found:
        return []
    typical = float(np.median([each.stop_s - each.start_s for each in found]))
    pauses = [each.next_s - each.stop_s for each in found if each.next_s is not None]
    if not pauses or np.ptp(pauses) > _SAME_PAUSE * typical:
        return [Cycle(each.start_s, each.stop_s) for each in found]
    pause = float(np.median(pauses))
    cycles = []
    for each in found:
        stop_s = each.stop_s + pause if each.next_s is None else each.next_s
        if stop_s <= each.last_s + _SAME_PAUSE * typical:
            cycles.append(Cycle(each.start_s, min(stop_s, each.last_s) if each.next_s is None else stop_s))
    return cycles


def _likeness(points: np.ndarray, template: np.ndarray) -> np.ndarray:
    """1 - squared distance / twice the template's variance, at every point that has a whole template ahead."""
    steps = template.shape[1]
    centre = template.mean(axis=1, keepdims=True)
    x, pattern = points - centre, template - centre
    total = np.concatenate([[0.0], np.cumsum((x**2).sum(axis=0))])
    energy = float((pattern**2).sum())
    product = oaconvolve(x, pattern[:, ::-1], mode="valid", axes=1).sum(axis=0)
    distance = total[steps:] - total[:-steps] - 2 * product + energy
    return 1 - distance / (2 * energy)


def _time_at(path: _Path, pauses: list[tuple[float, float, float]], point: int, steps: int) -> tuple[float, float]:
    """(first, last) time at a point of the path: two times where the arm pauses there, or within 1 % of a cycle."""
    place = point * path.step
    near = [pause for pause in pauses if abs(pause[2] - place) <= max(0.01 * steps, 1) * path.step]
    if near:
        start_s, stop_s, _ = max(near, key=lambda pause: pause[1] - pause[0])
        return start_s, stop_s
    onward = np.concatenate([[True], np.diff(path.travelled) > 0])
    time_s = float(np.interp(place, path.travelled[onward], path.time_s[onward]))
    return time_s, time_s
