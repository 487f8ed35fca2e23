"""What cutting whole cycles and cutting sliding windows have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from jointwatch.core import Channel, Condition, Index, Recording, Windows
from jointwatch.core.errors import MissingChannel, UsageError
from jointwatch.signals.resample import GAP_STEPS

__all__ = [
    "SAME_RATE",
    "Collector",
    "Domain",
    "Missing",
    "Span",
    "as_list",
    "breaks_within",
    "count_windows",
    "domain_of",
    "longest_gap_s",
    "shared_rate",
    "spans",
]

Domain = str | Callable[[Recording], str]
Missing = Literal["error", "mask"]

SAME_RATE = 1.02  # rates this close count as one
_SAME_INSTANT = 1e-3  # share of a step by which a cycle mark may miss its sample


@dataclass(frozen=True)
class Span:
    """One cycle as samples: `part` of the recording, [start_s, stop_s), its condition and its name in all data."""

    part: slice
    start_s: float
    stop_s: float
    condition: Condition
    name: str

    @property
    def duration_s(self) -> float:
        return self.stop_s - self.start_s


def as_list(recordings: Recording | Iterable[Recording]) -> list[Recording]:
    """One or several recordings as a list; UsageError for none."""
    found = [recordings] if isinstance(recordings, Recording) else list(recordings)
    if not found:
        raise UsageError("there are no recordings to cut windows from")
    return found


def count_windows(samples: int, length: int, step: int) -> int:
    """How many windows of `length`, moved by `step`, fit into so many samples."""
    return max(0, (samples - length) // step + 1)


def shared_rate(recordings: list[Recording]) -> float:
    """The rate in Hz that the recordings share; UsageError if they differ by more than 2 %."""
    rates = np.array([recording.rate_hz for recording in recordings])
    if rates.max() > SAME_RATE * rates.min():
        raise UsageError(
            f"the recordings run at {rates.min():g} to {rates.max():g} Hz; say which rate_hz to bring them to"
        )
    return float(np.median(rates))


def longest_gap_s(recording: Recording, max_gap_s: float | None) -> float:
    """Longest step of the clock that is bridged; default 5 median steps of the recording."""
    return GAP_STEPS * float(np.median(np.diff(recording.time_s))) if max_gap_s is None else max_gap_s


def breaks_within(recording: Recording, part: slice) -> tuple[int, ...]:
    """The recording's breaks inside a part, counted from its start."""
    return tuple(i - part.start for i in recording.breaks if part.start < i < part.stop)


def spans(recording: Recording, names: dict[str, int], max_gap_s: float | None) -> Iterator[Span]:
    """The marked cycles; without marks each stretch between breaks and gaps of the clock counts as one cycle.

    `names` counts the cycles of each unit and session over all recordings of a call, so that names do not repeat.
    """
    time_s = recording.time_s
    step = float(np.median(np.diff(time_s)))
    group = f"{recording.robot.unit}/{recording.session}"

    def unique(name: str) -> str:
        names[group] = names.get(group, 0) + 1
        full = f"{group}/{name or names[group]}"
        names[full] = names.get(full, 0) + 1
        return full if names[full] == 1 else f"{full}#{names[full]}"

    if recording.cycles:
        for cycle in recording.cycles:
            edge = np.array([cycle.start_s, cycle.stop_s]) - _SAME_INSTANT * step
            first, last = np.searchsorted(time_s, edge)
            condition = recording.condition if cycle.condition == Condition() else cycle.condition
            yield Span(slice(int(first), int(last)), cycle.start_s, cycle.stop_s, condition, unique(cycle.name))
        return
    longest = longest_gap_s(recording, max_gap_s)
    gaps = np.flatnonzero(np.diff(time_s) > longest * (1 + 1e-9)) + 1
    edges = [0, *sorted(set(recording.breaks) | set(gaps.tolist())), len(time_s)]
    for first, last in pairwise(edges):
        stop_s = float(time_s[last - 1]) + step
        yield Span(slice(first, last), float(time_s[first]), stop_s, recording.condition, unique(""))


@dataclass
class Collector:
    """Gathers pieces of one call and puts them together once, so that nothing is copied twice."""

    channels: tuple[Channel, ...]
    length: int
    domain: Domain
    missing: Missing = "error"
    skipped: dict[str, int] = field(default_factory=dict)
    _blocks: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    _columns: list[dict[str, np.ndarray]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.channels:
            raise UsageError("there are no channels to cut windows from")
        if self.length < 2:
            raise UsageError(f"a window needs at least 2 samples, got length={self.length}")
        if self.missing not in ("error", "mask"):
            raise UsageError(f"missing is 'error' or 'mask', got {self.missing!r}")

    def skip(self, reason: str, count: int = 1) -> None:
        if count > 0:
            self.skipped[reason] = self.skipped.get(reason, 0) + count

    def select(self, recording: Recording) -> tuple[np.ndarray, np.ndarray]:
        """(present channel, time) values of the wanted channels that there are, and (channel,) which those are.

        Joints that the robot lacks are masked; a channel of a joint that it has must have been recorded.
        """
        numbers = {joint.number for joint in recording.robot.joints}
        here = {channel: i for i, channel in enumerate(recording.channels)}
        present = np.array([channel in here for channel in self.channels])
        if self.missing == "error":
            for channel in self.channels:
                if channel not in here and (channel.joint is None or channel.joint in numbers):
                    raise MissingChannel(
                        f"not recorded for {recording.robot.unit}, session {recording.session!r}",
                        file=recording.source or None,
                        channel=channel.key,
                        remedy="leave it out of channels, or pass missing='mask' to mark it as absent",
                    )
        if not present.any():
            raise MissingChannel(
                f"none of the {len(self.channels)} wanted channels was recorded for {recording.robot.unit}, "
                f"session {recording.session!r}",
                file=recording.source or None,
                remedy=f"the recording has {', '.join(c.key for c in recording.channels)}",
            )
        rows = [here[channel] for channel in self.channels if channel in here]
        return recording.values[rows], present

    def add(
        self,
        recording: Recording,
        span: Span,
        present: np.ndarray,
        values: np.ndarray,
        start_s: np.ndarray,
        window_s: float,
    ) -> None:
        """Windows (window, present channel, length) of one cycle, which start at `start_s` and last `window_s`."""
        count = len(values)
        condition = span.condition
        columns: dict[str, Any] = {
            "unit": recording.robot.unit,
            "session": recording.session,
            "cycle": span.name,
            "domain": domain_of(recording, self.domain),
            "start_s": start_s,
            "stop_s": start_s + window_s,
            "phase": np.clip((start_s + window_s / 2 - span.start_s) / span.duration_s, 0, 1),
            "cycle_s": span.duration_s,
            "label": str(condition.label),
            "fault": condition.fault,
            "joint": condition.joint or 0,
            "severity": np.nan if condition.severity is None else condition.severity,
        }
        self._blocks.append((present, values))
        self._columns.append({name: np.broadcast_to(value, (count,)) for name, value in columns.items()})

    def windows(self, rate_hz: float) -> Windows:
        """All that was added, in order."""
        counts = [len(values) for _, values in self._blocks]
        values = np.zeros((sum(counts), len(self.channels), self.length), np.float32)
        mask = np.zeros(values.shape[:2], bool)
        start = 0
        for (present, block), count in zip(self._blocks, counts, strict=True):
            values[start : start + count, present] = block
            mask[start : start + count] = present
            start += count
        return Windows(values, self.channels, self._index(), rate_hz, mask, self.skipped)

    def _index(self) -> Index:
        if not self._columns:
            empty = np.empty(0)
            return Index(*([empty] * 12))
        return Index(**{name: np.concatenate([c[name] for c in self._columns]) for name in self._columns[0]})


def domain_of(recording: Recording, domain: Domain) -> str:
    """The domain of a recording by the rule `brand`, `model`, `unit`, `session`, `truth:KEY` or a function."""
    if callable(domain):
        return str(domain(recording))
    if domain in ("brand", "model", "unit"):
        return str(getattr(recording.robot, domain))
    if domain == "session":
        return recording.session
    kind, _, key = domain.partition(":")
    if kind != "truth" or not key:
        raise UsageError(f"domain is brand, model, unit, session, truth:KEY or a function, got {domain!r}")
    if key not in recording.truth:
        raise UsageError(
            f"session {recording.session!r} of {recording.robot.unit} has no {key!r} in truth; "
            f"it has {', '.join(sorted(recording.truth)) or 'nothing'}"
        )
    return str(recording.truth[key])
