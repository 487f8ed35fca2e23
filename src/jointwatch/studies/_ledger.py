"""Finished steps of a study on disk, so that it can be stopped at any moment and resumed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import joblib

__all__ = ["Ledger"]


class Ledger:
    """Results of steps by key, one JSON line each.

    Parameters
    ----------
    path : the file; made with its folder if absent.
    fingerprint : options and version; steps of another fingerprint are not taken over but kept aside.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "steps.jsonl"
    >>> Ledger(path, fingerprint="a").once("step", lambda: 41)
    41
    >>> Ledger(path, fingerprint="a").once("step", lambda: 42)  # not computed again
    41
    """

    def __init__(self, path: Path, fingerprint: str) -> None:
        self.path = path
        self._steps: dict[str, Any] = {}
        self.seconds_before = 0.0
        self.resumed = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        head = _parsed(lines[0]) if lines else None
        if head is not None and head.get("fingerprint") == fingerprint:
            for line in lines[1:]:
                step = _parsed(line)  # the last line may be cut short by a kill
                if step is not None:
                    self._steps[step["key"]] = step["value"]
                    self.seconds_before += step["seconds"]
            self.resumed = len(self._steps)
            rest = [line for line in lines if _parsed(line) is not None]
            path.write_text("\n".join(rest) + "\n", encoding="utf-8")
        else:
            if lines:
                path.replace(path.with_suffix(".old.jsonl"))
            path.write_text(json.dumps({"fingerprint": fingerprint}) + "\n", encoding="utf-8")

    def once(self, key: str, compute: Callable[[], Any]) -> Any:
        """The step's JSON-able result, computed only if it is not in the ledger yet."""
        if key not in self._steps:
            begin = time.perf_counter()
            value = compute()
            self._note(key, value, time.perf_counter() - begin)
        return self._steps[key]

    def every(
        self,
        steps: Mapping[str, Callable[[], Any]],
        progress: Callable[[int, int, str], None] = lambda done, total, what: None,
        workers: int | None = None,
    ) -> dict[str, Any]:
        """The results of many steps by key, those that are missing computed side by side in processes of their own.

        Parameters
        ----------
        steps : what can be sent to another process: functions of a module, `functools.partial` of them.
        workers : processes; None = one for each core.

        >>> import math, tempfile
        >>> from functools import partial
        >>> ledger = Ledger(Path(tempfile.mkdtemp()) / "steps.jsonl", fingerprint="a")
        >>> ledger.every({"one": partial(math.factorial, 3), "two": partial(math.factorial, 4)}, workers=1)
        {'one': 6, 'two': 24}
        """
        missing = [key for key in steps if key not in self._steps]
        done = len(steps) - len(missing)
        run = joblib.Parallel(n_jobs=workers or joblib.effective_n_jobs(-1), return_as="generator_unordered")
        for key, value, seconds in run(joblib.delayed(_timed)(key, steps[key]) for key in missing):
            self._note(key, value, seconds)
            done += 1
            progress(done, len(steps), key)
        return {key: self._steps[key] for key in steps}

    def _note(self, key: str, value: Any, seconds: float) -> None:
        value = json.loads(json.dumps(value))
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": key, "seconds": seconds, "value": value}) + "\n")
        self._steps[key] = value


def _timed(key: str, compute: Callable[[], Any]) -> tuple[str, Any, float]:
    begin = time.perf_counter()
    return key, compute(), time.perf_counter() - begin


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
