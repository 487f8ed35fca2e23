"""Position errors of Franka and UR10 arms around contacts (`cobot_contact_zhaw`), npz of overlapping windows."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np

from jointwatch.core import Action, Channel, Condition, Cycle, Event, Label, Quantity, Recording, Robot
from jointwatch.core.errors import CorruptInput
from jointwatch.recordings._assemble import Column, assemble
from jointwatch.recordings._issues import note
from jointwatch.recordings._universal_robots import universal_robot
from jointwatch.recordings.base import Reader

__all__ = ["Zhaw"]

_RATE_HZ = 200.0
_STRIDE = 5  # samples from one window of an event to the next
_NEEDED = {"pos_error", "y_link", "event"}


class Zhaw(Reader):
    """One recording for every event: its overlapping windows put together again to one continuous stretch.

    The windows of an event start 5 samples apart; where they overlap they must agree. The label of a window is the
    link that was touched (0 = no contact), so contact starts in the last 5 samples of the first labelled window:
    the event `contact` starts there. Two cycles of equal length, `before` (normal) and `contact` (anomalous).
    Every recording is its own session, so a split by session is a split by event.

    Position error is desired minus actual. Seven joints = Franka, six = UR10.
    """

    specificity: ClassVar[int] = 20

    def recognises(self, source: Path) -> bool:
        if source.suffix.lower() != ".npz" or not source.is_file():
            return False
        try:
            with zipfile.ZipFile(source) as archive:
                return {name.removesuffix(".npy") for name in archive.namelist()} >= _NEEDED
        except (zipfile.BadZipFile, OSError):
            return False

    def _read(self, source: Path) -> Iterator[Recording]:
        try:
            with np.load(source, allow_pickle=False) as archive:
                windows, links, events = (archive[key] for key in ("pos_error", "y_link", "event"))
                step = archive["step"] if "step" in archive else np.arange(len(events))
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise CorruptInput(f"cannot be read ({error})", file=source, remedy="download it again") from error
        if windows.ndim != 3 or not len(windows) == len(links) == len(events) == len(step):
            raise CorruptInput(
                f"pos_error must be (window, time, joint) with a label and an event for each, is {windows.shape}",
                file=source,
                remedy="download it again",
            )
        order = np.lexsort((step, events))
        edges = np.flatnonzero(np.diff(events[order])) + 1
        for rows in np.split(order, edges):
            yield _recording(source, int(events[rows[0]]), windows[rows], links[rows].astype(int), rows)


def _recording(source: Path, event: int, windows: np.ndarray, links: np.ndarray, rows: np.ndarray) -> Recording:
    length, joints = windows.shape[1:]
    issues = []
    lead = np.array_equal(windows[:-1, _STRIDE:], windows[1:, :-_STRIDE], equal_nan=True)
    if not lead:
        detail = "overlapping windows of the event disagree; the later one was kept where they do"
        issues.append(note("windows_disagree", len(rows), Action.KEPT, rows=rows + 1, detail=detail))
    stretch = np.empty((length + _STRIDE * (len(windows) - 1), joints))
    for i, window in enumerate(windows):
        stretch[i * _STRIDE : i * _STRIDE + length] = window
    touched = np.flatnonzero(links)
    link = int(links[touched[0]]) if len(touched) else 0
    contact = Condition(Label.ANOMALOUS, "contact")
    free = length + _STRIDE * (int(touched[0]) - 1) if len(touched) else len(stretch)
    cycles, events = [], []
    if len(touched) and free > 0:
        span = min(free, len(stretch) - free)
        cycles = [
            Cycle(0.0, span / _RATE_HZ, Condition(Label.NORMAL), "before"),
            Cycle(free / _RATE_HZ, (free + span) / _RATE_HZ, contact, "contact"),
        ]
        events = [Event("contact", free / _RATE_HZ, (len(stretch) - 1) / _RATE_HZ, contact)]
    elif not len(touched):
        cycles = [Cycle(0.0, len(stretch) / _RATE_HZ, Condition(Label.NORMAL), "free")]
    return assemble(
        [Column(Channel(Quantity.POSITION_ERROR, j + 1), stretch[:, j], "rad") for j in range(joints)],
        _robot(joints),
        session=f"{source.stem} event {event}",
        source=source,
        rate_hz=_RATE_HZ,
        issues=issues,
        cycles=cycles,
        events=events,
        condition=contact if len(touched) else Condition(Label.NORMAL),
        truth={
            "event": event,
            "link": link,
            "task": source.stem,
            "contact_uncertainty_s": _STRIDE / _RATE_HZ,
            "label_source": "y_link of the file",
        },
    )


def _robot(joints: int) -> Robot:
    if joints == 6:
        return universal_robot("UR10", "zhaw-ur10")
    return Robot.of("Franka", "Panda", "zhaw-franka", joints)
