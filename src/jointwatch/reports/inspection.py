"""What a set of recordings holds, how good it is, and what it can tell: the result of `jointwatch inspect`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from jointwatch.core import Channel, Label, Quantity, Recording, Source
from jointwatch.recordings import Failure
from jointwatch.reports.diagnosability import AbilityTally, Diagnosability
from jointwatch.reports.issues import IssueGroup, IssueTally
from jointwatch.reports.words import channel_words

__all__ = ["ChannelSummary", "Inspection", "RecordingSummary", "RobotSummary"]


@dataclass(frozen=True)
class ChannelSummary:
    """One channel over all recordings of a robot model.

    Parameters
    ----------
    key, title, quantity, source, joint : which channel.
    unit : SI unit.
    low, high : extreme values, NaN if every sample is lost.
    samples, lost : samples in all recordings, and how many of them are missing.
    recordings : how many recordings have it.
    constant : it never changes in any of them.
    """

    key: str
    title: str
    quantity: Quantity
    source: Source
    joint: int | None
    unit: str
    low: float
    high: float
    samples: int
    lost: int
    recordings: int
    constant: bool


@dataclass(frozen=True)
class RobotSummary:
    """All recordings of one brand and model."""

    brand: str
    model: str
    units: tuple[str, ...]
    joints: tuple[dict[str, Any], ...]
    sessions: int
    recordings: int
    duration_s: float
    rates_hz: tuple[float, ...]
    cycles: int
    labels: dict[str, int]
    faults: dict[str, int]
    events: dict[str, int]
    channels: tuple[ChannelSummary, ...]

    @property
    def name(self) -> str:
        return f"{self.brand} {self.model}".strip()


@dataclass(frozen=True)
class RecordingSummary:
    """One recording in a line; `issues` counts samples or rows concerned."""

    source: str
    robot: str
    unit: str
    session: str
    rate_hz: float
    duration_s: float
    samples: int
    cycles: int
    issues: int
    kinds: tuple[str, ...]


@dataclass(frozen=True)
class Inspection:
    """What is there, its quality, and what it can tell. Frozen; holds no samples.

    Parameters
    ----------
    robots : one summary a brand and model.
    recordings : one line a recording, in the order they came.
    issues : quality issues by kind, most samples first.
    diagnosability : which faults can be seen.
    ignored, failed : (file, reason) of files that were passed over and of files that could not be read.
    """

    robots: tuple[RobotSummary, ...]
    recordings: tuple[RecordingSummary, ...]
    issues: tuple[IssueGroup, ...]
    diagnosability: tuple[Diagnosability, ...]
    ignored: tuple[tuple[str, str], ...] = ()
    failed: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(
        cls,
        recordings: Iterable[Recording],
        ignored: Iterable[Any] | None = None,
        failed: Iterable[Any] | None = None,
    ) -> Inspection:
        """Inspect recordings one at a time; no samples are kept.

        `ignored` and `failed` are (file, reason) pairs, paths or `Failure`s; by default the attributes of
        these names that `recordings` has. They are read last, so that whoever yields the recordings may fill them.

        >>> import numpy as np
        >>> from jointwatch.core import Robot
        >>> arm = Robot.of("demo", "arm", "arm-1", joints=1)
        >>> channels = (Channel(Quantity.CURRENT, 1),)
        >>> one = Recording(np.arange(100) / 25, np.ones((1, 100)), channels, arm, "monday")
        >>> found = Inspection.of(iter([one]), failed=[("broken.csv", "the file is empty")])
        >>> found.robots[0].rates_hz, found.robots[0].channels[0].constant, len(found.failed)
        ((25.0,), True, 1)
        """
        tallies: dict[tuple[str, str], _RobotTally] = {}
        ability, issues, lines = AbilityTally(), IssueTally(), []
        for recording in recordings:
            robot = recording.robot
            tallies.setdefault((robot.brand, robot.model), _RobotTally(robot.brand, robot.model)).add(recording)
            ability.add(recording)
            issues.add(recording.source, recording.quality)
            lines.append(_line(recording))
        return cls(
            tuple(tally.result() for tally in tallies.values()),
            tuple(lines),
            issues.result(),
            tuple(ability.result()),
            tuple(_named(entry) for entry in (getattr(recordings, "ignored", ()) if ignored is None else ignored)),
            tuple(_named(entry) for entry in (getattr(recordings, "failures", ()) if failed is None else failed)),
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON values; numbers that do not exist are None."""
        return _json(asdict(self))


@dataclass
class _RobotTally:
    brand: str
    model: str
    units: dict[str, None] = field(default_factory=dict)
    joints: dict[int, dict[str, Any]] = field(default_factory=dict)
    sessions: set[tuple[str, str]] = field(default_factory=set)
    recordings: int = 0
    duration_s: float = 0.0
    rates_hz: set[float] = field(default_factory=set)
    cycles: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    channels: dict[Channel, ChannelSummary] = field(default_factory=dict)

    def add(self, recording: Recording) -> None:
        self.units[recording.robot.unit] = None
        self.sessions.add((recording.robot.unit, recording.session))
        self.recordings += 1
        self.duration_s += recording.duration_s
        self.rates_hz.add(float(f"{recording.rate_hz:.3g}"))
        self.cycles += len(recording.cycles)
        for joint in recording.robot.joints:
            self.joints.setdefault(joint.number, asdict(joint))
        # a cycle that says nothing of its own has the state of the whole recording
        states = [
            c.condition if c.condition.label is not Label.UNCERTAIN else recording.condition for c in recording.cycles
        ]
        for state in states or [recording.condition]:
            self.labels[str(state.label)] += 1
            if state.fault:
                self.faults[state.fault] += 1
        self.events.update(event.name for event in recording.events)
        for channel in recording.channels:
            new = _channel(recording, channel)
            old = self.channels.get(channel)
            self.channels[channel] = new if old is None else _merged(old, new)

    def result(self) -> RobotSummary:
        return RobotSummary(
            self.brand,
            self.model,
            tuple(self.units),
            tuple(self.joints[number] for number in sorted(self.joints)),
            len(self.sessions),
            self.recordings,
            self.duration_s,
            tuple(sorted(self.rates_hz)),
            self.cycles,
            dict(self.labels),
            dict(self.faults),
            dict(self.events),
            tuple(self.channels.values()),
        )


def _channel(recording: Recording, channel: Channel) -> ChannelSummary:
    values = recording[channel]
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (float("nan"), float("nan"))
    kind = recording.robot.joint(channel.joint).kind if channel.joint else "revolute"
    return ChannelSummary(
        channel.key,
        channel_words(channel),
        channel.quantity,
        channel.source,
        channel.joint,
        channel.unit(kind),
        low,
        high,
        len(values),
        len(values) - len(finite),
        1,
        low == high,
    )


def _merged(old: ChannelSummary, new: ChannelSummary) -> ChannelSummary:
    return ChannelSummary(
        old.key, old.title, old.quantity, old.source, old.joint, old.unit,
        float(np.fmin(old.low, new.low)), float(np.fmax(old.high, new.high)),
        old.samples + new.samples, old.lost + new.lost, old.recordings + new.recordings, old.constant and new.constant,
    )  # fmt: skip


def _line(recording: Recording) -> RecordingSummary:
    return RecordingSummary(
        recording.source,
        f"{recording.robot.brand} {recording.robot.model}".strip(),
        recording.robot.unit,
        recording.session,
        recording.rate_hz,
        recording.duration_s,
        len(recording.time_s),
        len(recording.cycles),
        recording.quality.count(),
        tuple(dict.fromkeys(issue.kind for issue in recording.quality.issues)),
    )


def _named(entry: Any) -> tuple[str, str]:
    if isinstance(entry, Failure):
        return str(entry.source), str(entry.error)
    if isinstance(entry, tuple) and len(entry) == 2:
        return str(entry[0]), str(entry[1])
    return str(entry), ""


def _json(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json(item) for item in value]
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value
