"""Labels of windows from events on the recording's clock, such as contacts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

import numpy as np

from jointwatch.core import Index, Recording, Windows
from jointwatch.core.errors import UsageError
from jointwatch.windows._cut import as_list

__all__ = ["label_by_event"]


def label_by_event(
    windows: Windows,
    recordings: Recording | Iterable[Recording],
    event: str,
    *,
    least_s: float = 0.0,
    after: Literal["anomalous", "uncertain"] = "anomalous",
) -> Windows:
    """Windows that end before the first such event of their recording are normal, those that reach into it anomalous.

    A window counts as reaching into the event when its last sample is not earlier than the onset. Windows of
    recordings without such an event keep their labels. The order of windows stays.

    Parameters
    ----------
    recordings : those that the windows were cut from; found again by unit and session.
    event : name of the events.
    least_s : a window that holds less of the time after the onset is `uncertain`: there is too little to see.
    after : label of windows that begin when the event is over (`stop_s` passed; for an instant, after the onset):
        `anomalous`, because the robot was hit and has not been shown to be well since, or `uncertain`.

    Anomalous windows get the event's fault (or its name), joint and severity.

    Errors: `UsageError` if no recording has such an event, or two recordings of one unit and session both fit.

    >>> import numpy as np
    >>> from jointwatch.core import Channel, Event, Quantity, Robot
    >>> from jointwatch.windows.sliding import sliding
    >>> arm = Robot.of("demo", "arm", "arm-1", joints=1)
    >>> hit = (Event("contact", 2.5, 2.5),)
    >>> channels = (Channel(Quantity.CURRENT, 1),)
    >>> recording = Recording(np.arange(400) / 100, np.ones((1, 400)), channels, arm, "mon", events=hit)
    >>> label_by_event(sliding(recording, rate_hz=100.0, length=100), recording, "contact").index.label.tolist()
    ['normal', 'normal', 'anomalous', 'anomalous']
    """
    if after not in ("anomalous", "uncertain"):
        raise UsageError(f"after is 'anomalous' or 'uncertain', got {after!r}")
    found = as_list(recordings)
    index = windows.index
    columns = {name: column.copy() for name, column in index.columns().items()}
    columns["label"] = columns["label"].astype("<U9")  # the longest of the three
    faults = columns["fault"].astype(object)
    last_s = index.stop_s - (1 / windows.rate_hz if windows.rate_hz > 0 else 0.0)
    seen: dict[tuple[str, str], int] = {}
    for recording in found:
        key = recording.robot.unit, recording.session
        seen[key] = seen.get(key, 0) + 1
    if not any(each.name == event for recording in found for each in recording.events):
        names = sorted({each.name for recording in found for each in recording.events})
        raise UsageError(f"no recording has an event {event!r}; there are {', '.join(names) or 'none'}")
    for recording in found:
        hits = sorted((each for each in recording.events if each.name == event), key=lambda each: each.start_s)
        if not hits:
            continue
        unit, session = recording.robot.unit, recording.session
        if seen[unit, session] > 1:
            raise UsageError(
                f"{seen[unit, session]} recordings share unit {unit!r} and session {session!r}, so their windows "
                "cannot be told apart; give each its own session"
            )
        mine = (index.unit == unit) & (index.session == session)
        before = mine & (last_s < hits[0].start_s)
        columns["label"][before] = "normal"
        faults[before], columns["joint"][before], columns["severity"][before] = "", 0, np.nan
        rest = mine & ~before
        columns["label"][rest] = after
        glimpse = rest & (index.start_s < hits[0].start_s) & (last_s - hits[0].start_s < least_s)
        for hit in hits:
            behind = rest & (last_s >= hit.start_s)
            enough = (index.start_s >= hit.start_s) | (last_s - hit.start_s >= least_s)
            columns["label"][behind & (index.start_s <= hit.stop_s) & enough] = "anomalous"
            columns["label"][glimpse] = "uncertain"
            named = behind & (columns["label"] == "anomalous")
            faults[named] = hit.condition.fault or hit.name
            columns["joint"][named] = hit.condition.joint or 0
            columns["severity"][named] = np.nan if hit.condition.severity is None else hit.condition.severity
    columns["fault"] = faults.astype(str)
    return replace(windows, index=Index(**columns))
