"""What is known about the state of a robot: three-way labels, faults, cycles and events."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from jointwatch.core.errors import UsageError

__all__ = ["Condition", "Cycle", "Event", "Label"]


class Label(StrEnum):
    """Three-way label of an operational segment. `uncertain` is never trained on."""

    NORMAL = "normal"
    ANOMALOUS = "anomalous"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True)
class Condition:
    """Label with the fault's kind, joint (from 1) and severity in [0, 1] where they are known.

    `severity` is relative to the end of life of the fault's own scale; `stage` is a maker's or a
    data set's ordinal grade (0 = healthy).

    >>> Condition(Label.ANOMALOUS, fault="backlash", joint=2, severity=0.4).fault
    'backlash'
    """

    label: Label = Label.UNCERTAIN
    fault: str = ""
    joint: int | None = None
    severity: float | None = None
    stage: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", Label(self.label))
        if self.label is Label.NORMAL and self.fault:
            raise UsageError(f"a normal segment has no fault, got {self.fault!r}")
        if self.severity is not None and not 0 <= self.severity <= 1:
            raise UsageError(f"severity is in [0, 1], got {self.severity}")


@dataclass(frozen=True)
class Cycle:
    """One operational segment [start_s, stop_s) on the recording's clock: what is decided and counted."""

    start_s: float
    stop_s: float
    condition: Condition = Condition()
    name: str = ""

    def __post_init__(self) -> None:
        if not self.stop_s > self.start_s:
            raise UsageError(f"a cycle must end after it starts, got {self.start_s} .. {self.stop_s}")


@dataclass(frozen=True)
class Event:
    """Something that happened at a known time, such as a contact; `stop_s` = `start_s` for an instant."""

    name: str
    start_s: float
    stop_s: float
    condition: Condition = Condition()

    def __post_init__(self) -> None:
        if self.stop_s < self.start_s:
            raise UsageError(f"event {self.name!r} ends before it starts")
