"""Seconds that a training took, over all its interruptions."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Clock"]

_EVERY_S = 10.0


@dataclass(eq=False)
class Clock:
    """Adds up in a file; what runs between the last mark and a crash is lost, at most `_EVERY_S` and a step.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     clock = Clock(Path(folder) / "clock.json")
    ...     first = clock.mark(now=True)
    ...     Clock(Path(folder) / "clock.json").seconds >= first
    True
    """

    file: Path
    seconds: float = 0.0
    _since: float = field(default_factory=time.monotonic)
    _written: float = 0.0

    def __post_init__(self) -> None:
        try:
            self.seconds = float(json.loads(self.file.read_text())["seconds"])
        except (OSError, ValueError, KeyError, TypeError):
            self.seconds = 0.0  # a cost that was lost is no reason to lose the training

    def mark(self, now: bool = False) -> float:
        """Seconds up to here; written when the last time is long ago, or `now`."""
        instant = time.monotonic()
        self.seconds, self._since = self.seconds + instant - self._since, instant
        if now or instant - self._written > _EVERY_S:
            self.file.write_text(json.dumps({"seconds": self.seconds}))
            self._written = instant
        return self.seconds
