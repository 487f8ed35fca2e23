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
_CONTACT = Condition(Label.ANOMALOUS, "contact")
_NEEDED = {"pos_error", "y_link", "event"}


class Zhaw(Reader):
    """One recording for every event: its overlapping windows put together again to one continuous stretch.

    The windows of an event start 5 samples apart; where they overlap they must agree. The label of a window is the
    link that was touched (0 = no contact), so contact starts in the last 5 samples of the first labelled window:
    the event `contact` starts there. Two cycles of equal length, `before` (normal) and `contact` (anomalous).
    Every recording is its own session, so a split by session is a split by event.

    Position error is desired minus actual. Seven joints = Franka, six = UR10.

    Source: Rezayati et al., contact data of ZHAW, 2024 (MIT licence).

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "arm.npz"
    ...     stretch = np.arange(38.0)[:, None] * np.ones(6)
    ...     windows = np.stack([stretch[5 * k : 5 * k + 28] for k in range(3)])
    ...     np.savez(path, pos_error=windows, y_link=np.array([0, 4, 4]), event=np.zeros(3, int))
    ...     recording = next(Zhaw().read(path))
    >>> recording.values.shape, recording.robot.model, [cycle.name for cycle in recording.cycles]
    ((6, 38), 'UR10', ['before', 'contact'])
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
            # opened here: np.load leaks its own handle when the archive is cut short
            with source.open("rb") as file, np.load(file, allow_pickle=False) as archive:
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
            offsets = _STRIDE * (step[rows].astype(int) - int(step[rows[0]]))
            yield _recording(source, int(events[rows[0]]), windows[rows], links[rows].astype(int), rows, offsets)


def _recording(
    source: Path, event: int, windows: np.ndarray, links: np.ndarray, rows: np.ndarray, offsets: np.ndarray
) -> Recording:
    length, joints = windows.shape[1:]
    stretch = np.full((int(offsets[-1]) + length, joints), np.nan)
    disagree = []
    for row, offset, window in zip(rows, offsets, windows, strict=True):
        place = stretch[offset : offset + length]
        if (np.isfinite(place) & (place != window)).any():
            disagree.append(int(row) + 1)
        place[:] = window
    issues = []
    if disagree:
        detail = "windows of the event differ from the one before where they overlap; the later one was kept"
        issues.append(note("windows_disagree", len(disagree), Action.KEPT, rows=disagree, detail=detail))
    touched = np.flatnonzero(links)
    link = int(links[touched[0]]) if len(touched) else 0
    cycles, events = _marks(links, offsets, length)
    return assemble(
        [Column(Channel(Quantity.POSITION_ERROR, j + 1), stretch[:, j], "rad") for j in range(joints)],
        _robot(joints),
        session=f"{source.stem} event {event}",
        source=source,
        rate_hz=_RATE_HZ,
        issues=issues,
        cycles=cycles,
        events=events,
        condition=_CONTACT if len(touched) else Condition(Label.NORMAL),
        truth={
            "event": event,
            "link": link,
            "task": source.stem,
            "contact_uncertainty_s": _STRIDE / _RATE_HZ,
            "label_source": "y_link of the file",
        },
    )


def _marks(links: np.ndarray, offsets: np.ndarray, length: int) -> tuple[list[Cycle], list[Event]]:
    """Cycles and event of one event's windows; two cycles are equally long, so that their length tells nothing."""
    touched, total = np.flatnonzero(links), int(offsets[-1]) + length
    if not len(touched):
        return [Cycle(0.0, total / _RATE_HZ, Condition(Label.NORMAL), "free")], []
    if touched[0] == 0:  # when it began is not in the file
        return [Cycle(0.0, total / _RATE_HZ, _CONTACT, "contact")], []
    free = length + int(offsets[touched[0] - 1])
    span = min(free, total - free) / _RATE_HZ
    start_s = free / _RATE_HZ
    cycles = [Cycle(0.0, span, Condition(Label.NORMAL), "before"), Cycle(start_s, start_s + span, _CONTACT, "contact")]
    return cycles, [Event("contact", start_s, (total - 1) / _RATE_HZ, _CONTACT)]


def _robot(joints: int) -> Robot:
    if joints == 6:
        return universal_robot("UR10", "zhaw-ur10")
    return Robot.of("Franka", "Panda", "zhaw-franka", joints)
