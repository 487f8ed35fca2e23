"""What is asked of recordings before anything is learned from them or said of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from jointwatch.core import Recording, Windows
from jointwatch.core.errors import InputError, NotEnoughData

__all__ = ["check_cycles", "check_healthy", "check_windows", "listed", "names_of"]

_MOST = 3


def listed(recordings: Recording | Iterable[Recording]) -> list[Recording]:
    """One or several recordings as a list.

    Errors: `NotEnoughData` for none.
    """
    found = [recordings] if isinstance(recordings, Recording) else list(recordings)
    if not found:
        raise NotEnoughData("diagnosing an axis", needed=1, have=0, unit="recordings")
    return found


def check_cycles(recordings: Sequence[Recording]) -> None:
    """Errors: `InputError` for a recording without marked cycles, naming it."""
    for recording in recordings:
        if not recording.cycles:
            raise InputError(
                f"{recording.robot.unit}, session {recording.session!r}, has no marked cycles, and whole cycles are "
                "what is diagnosed",
                file=recording.source or None,
                remedy="mark them, for example with jointwatch.windows.segmentation.find_cycles",
            )


def check_windows(windows: Windows, recordings: Sequence[Recording], purpose: str) -> None:
    """Errors: `NotEnoughData` if nothing could be cut, saying why."""
    if not len(windows):
        why = ", ".join(f"{count} {reason}" for reason, count in windows.skipped.items()) or "none marked"
        units = names_of(recording.robot.unit for recording in recordings)
        raise NotEnoughData(f"{purpose} ({units}; left out: {why})", needed=1, have=0, unit="whole cycles or maps")


def check_healthy(windows: Windows, purpose: str) -> None:
    """Errors: `NotEnoughData` without a healthy window, naming the units."""
    if not (windows.index.label == "normal").any():
        units = names_of(np.unique(windows.index.unit).tolist())
        raise NotEnoughData(f"{purpose} ({units})", needed=1, have=0, unit="healthy cycles, labelled normal")


def names_of(names: Iterable[str]) -> str:
    """The first few different names.

    >>> names_of(["b", "a", "b", "c", "d"])
    'b, a, c and 1 more'
    """
    unique = list(dict.fromkeys(names))
    rest = f" and {len(unique) - _MOST} more" if len(unique) > _MOST else ""
    return ", ".join(unique[:_MOST]) + rest
