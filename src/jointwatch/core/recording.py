"""One robot's multi-joint time series with all that is known about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from jointwatch.core.channel import Channel, Quantity, Robot, Source
from jointwatch.core.condition import Condition, Cycle, Event
from jointwatch.core.errors import MissingChannel, UsageError
from jointwatch.core.quality import QualityReport

__all__ = ["Recording"]


@dataclass(frozen=True, eq=False)
class Recording:
    """One robot's joint telemetry on one clock. Frozen and validated.

    Parameters
    ----------
    time_s : (time,) float64 seconds, strictly increasing, any origin, any spacing.
    values : (channel, time) float64 in SI units (temperature in degC); NaN = sample lost.
    channels : what each row of `values` is; no two alike.
    robot : brand, model, unit and joints.
    session : name of the run or day; together with the unit the cluster of all statistics.
    cycles : operational segments in order, not overlapping; empty = not marked.
    events : instants or spans of interest, for example contacts.
    condition : state of the whole recording where cycles do not say otherwise.
    breaks : indices i where the clock was interrupted between sample i-1 and i; windows never cross them.
    quality : what was wrong with the input.
    truth : anything else that is known (payload_kg, latent parameters), JSON values.
    source : file the recording was read from, for messages.

    Errors: `UsageError` if shapes, order or joints do not agree.

    >>> import numpy as np
    >>> arm = Robot.of("demo", "arm", "arm-1", joints=1)
    >>> recording = Recording(np.arange(3) / 100, np.zeros((1, 3)), (Channel(Quantity.CURRENT, 1),), arm, "monday")
    >>> recording.rate_hz, recording.duration_s, recording["current/1"].tolist()
    (100.0, 0.02, [0.0, 0.0, 0.0])
    """

    time_s: np.ndarray
    values: np.ndarray
    channels: tuple[Channel, ...]
    robot: Robot
    session: str
    cycles: tuple[Cycle, ...] = ()
    events: tuple[Event, ...] = ()
    condition: Condition = field(default_factory=Condition)
    breaks: tuple[int, ...] = ()
    quality: QualityReport = field(default_factory=QualityReport)
    truth: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""

    def __post_init__(self) -> None:
        time_s = _frozen(self.time_s)
        values = _frozen(self.values)
        for name, value in (
            ("time_s", time_s),
            ("values", values),
            ("channels", tuple(self.channels)),
            ("cycles", tuple(self.cycles)),
            ("events", tuple(self.events)),
            ("breaks", tuple(int(i) for i in self.breaks)),
            ("truth", MappingProxyType(dict(self.truth))),
        ):
            object.__setattr__(self, name, value)
        where = f"recording {self.source or self.session or '?'}: "
        if time_s.ndim != 1 or len(time_s) < 2:
            raise UsageError(f"{where}time_s must be one-dimensional with at least 2 samples, got shape {time_s.shape}")
        if values.shape != (len(self.channels), len(time_s)):
            raise UsageError(
                f"{where}values must be (channel, time) = {(len(self.channels), len(time_s))}, got {values.shape}"
            )
        if not np.isfinite(time_s).all() or not (np.diff(time_s) > 0).all():
            raise UsageError(f"{where}time_s must be finite and strictly increasing")
        if len(set(self.channels)) != len(self.channels):
            raise UsageError(f"{where}channels repeat: {_repeated(c.key for c in self.channels)}")
        numbers = {joint.number for joint in self.robot.joints}
        for channel in self.channels:
            if channel.joint is not None and channel.joint not in numbers:
                raise UsageError(f"{where}channel {channel.key} belongs to no joint of {self.robot.unit}")
        for before, after in zip(self.cycles, self.cycles[1:], strict=False):
            if after.start_s < before.stop_s:
                raise UsageError(f"{where}cycles overlap or are out of order at {after.start_s} s")
        if any(not 0 < i < len(time_s) for i in self.breaks) or list(self.breaks) != sorted(set(self.breaks)):
            raise UsageError(f"{where}breaks must be increasing indices inside the recording")

    def __getstate__(self) -> dict[str, Any]:  # a mapping proxy cannot travel to worker processes
        return {**self.__dict__, "truth": dict(self.truth)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.__post_init__()

    def __getitem__(self, channel: Channel | str) -> np.ndarray:
        """Values of one channel, by `Channel` or key, (time,)."""
        wanted = Channel.parse(channel) if isinstance(channel, str) else channel
        try:
            return self.values[self.channels.index(wanted)]
        except ValueError:
            raise MissingChannel(
                "not recorded",
                file=self.source or None,
                channel=wanted.key,
                remedy=f"the recording has {', '.join(c.key for c in self.channels)}",
            ) from None

    def __contains__(self, channel: Channel | str) -> bool:
        return (Channel.parse(channel) if isinstance(channel, str) else channel) in self.channels

    @property
    def rate_hz(self) -> float:
        """Nominal sampling rate: one over the median time step."""
        return round(float(1.0 / np.median(np.diff(self.time_s))), 6)

    @property
    def duration_s(self) -> float:
        return float(self.time_s[-1] - self.time_s[0])

    @property
    def quantities(self) -> tuple[tuple[Quantity, Source], ...]:
        """Distinct (quantity, source) pairs in order of first appearance."""
        return tuple(dict.fromkeys((c.quantity, c.source) for c in self.channels))

    def select(self, channels: Iterable[Channel | str]) -> Recording:
        """The same recording with these channels only, in this order."""
        wanted = tuple(Channel.parse(c) if isinstance(c, str) else c for c in channels)
        values = np.stack([self[c] for c in wanted]) if wanted else np.empty((0, len(self.time_s)))
        return replace(self, values=values, channels=wanted)

    def with_channels(self, channels: Sequence[Channel], values: np.ndarray) -> Recording:
        """The recording with further channels appended, (channel, time)."""
        return replace(self, channels=(*self.channels, *channels), values=np.concatenate([self.values, values]))

    def between(self, start_s: float, stop_s: float) -> Recording:
        """Samples with start_s <= time < stop_s, with the cycles and events that lie inside."""
        first, last = np.searchsorted(self.time_s, [start_s, stop_s])
        return replace(
            self,
            time_s=self.time_s[first:last],
            values=self.values[:, first:last],
            cycles=tuple(c for c in self.cycles if c.start_s >= start_s and c.stop_s <= stop_s),
            events=tuple(e for e in self.events if e.start_s >= start_s and e.stop_s <= stop_s),
            breaks=tuple(i - int(first) for i in self.breaks if first < i < last),
        )

    def equals(self, other: Recording) -> bool:
        """True if every field is the same, values bit for bit (NaN equals NaN)."""
        return (
            self.time_s.tobytes() == other.time_s.tobytes()
            and np.array_equal(self.values, other.values, equal_nan=True)
            and all(
                getattr(self, name) == getattr(other, name)
                for name in (
                    "channels",
                    "robot",
                    "session",
                    "cycles",
                    "events",
                    "condition",
                    "breaks",
                    "quality",
                    "source",
                )
            )
            and dict(self.truth) == dict(other.truth)
        )


def _frozen(array: np.ndarray) -> np.ndarray:
    array = np.ascontiguousarray(array, dtype=np.float64)
    if array.flags.writeable:
        array = array.copy() if array.base is not None else array
        array = array.view()
        array.flags.writeable = False
    return array


def _repeated(keys: Iterable[str]) -> str:
    seen: dict[str, int] = {}
    for key in keys:
        seen[key] = seen.get(key, 0) + 1
    return ", ".join(key for key, count in seen.items() if count > 1)
