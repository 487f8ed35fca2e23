"""All of a recording but its numbers as JSON, and back: what the native formats store beside the samples."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from jointwatch.core import (
    Channel,
    Condition,
    Cycle,
    Event,
    Joint,
    QualityIssue,
    QualityReport,
    Recording,
    Robot,
)
from jointwatch.core.errors import CorruptInput, JointwatchError, UnknownFormat, UsageError

__all__ = ["SCHEMA", "check_schema", "describe", "restore"]

SCHEMA = "1"
"""Version of the native layout; it is raised when an older release could misread a newer file."""


def describe(recording: Recording) -> str:
    """JSON of everything except `time_s` and `values`.

    Errors: `UsageError` if `truth` holds what JSON cannot.
    """
    about = {
        "channels": [channel.key for channel in recording.channels],
        "robot": asdict(recording.robot),
        "session": recording.session,
        "cycles": [asdict(cycle) for cycle in recording.cycles],
        "events": [asdict(event) for event in recording.events],
        "condition": asdict(recording.condition),
        "breaks": list(recording.breaks),
        "quality": asdict(recording.quality),
        "truth": dict(recording.truth),
        "source": recording.source,
    }
    try:
        return json.dumps(about, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise UsageError(f"the truth of {recording.source or recording.session} is no JSON: {error}") from None


def check_schema(version: str, source: Path) -> None:
    """`UnknownFormat` unless this release reads that version of the native layout."""
    if version != SCHEMA:
        raise UnknownFormat(
            f"has schema {version!r} of the native layout, this release reads {SCHEMA!r}",
            file=source,
            remedy="upgrade jointwatch, or write the file again with this release",
        )


def restore(text: str, time_s: np.ndarray, columns: Mapping[str, np.ndarray], source: Path) -> Recording:
    """Recording from its JSON and its samples by channel key.

    Errors: `CorruptInput` if they do not belong together.
    """
    try:
        about: dict[str, Any] = json.loads(text)
        channels = tuple(Channel.parse(key) for key in about["channels"])
        values = [columns[key] for key in about["channels"]]
        robot = about["robot"]
        return Recording(
            time_s,
            np.stack(values) if values else np.empty((0, len(time_s))),
            channels,
            Robot(robot["brand"], robot["model"], robot["unit"], tuple(Joint(**joint) for joint in robot["joints"])),
            about["session"],
            tuple(Cycle(**{**cycle, "condition": Condition(**cycle["condition"])}) for cycle in about["cycles"]),
            tuple(Event(**{**event, "condition": Condition(**event["condition"])}) for event in about["events"]),
            Condition(**about["condition"]),
            tuple(about["breaks"]),
            _quality(about["quality"]),
            about["truth"],
            about["source"],
        )
    except (KeyError, TypeError, ValueError, JointwatchError) as error:
        raise CorruptInput(
            f"the description does not fit the samples ({error})", file=source, remedy="copy the file again"
        ) from error


def _quality(stored: Mapping[str, Any]) -> QualityReport:
    issues: Sequence[Mapping[str, Any]] = stored["issues"]
    return QualityReport(stored["rows_read"], tuple(QualityIssue(**issue) for issue in issues))
