"""What every study is: one command with a seed that answers one question and writes its evidence."""

from __future__ import annotations

import hashlib
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, final

from pydantic import BaseModel, ConfigDict, Field

import jointwatch
from jointwatch.studies._ledger import Ledger

__all__ = ["Progress", "Results", "Row", "Study", "StudyOptions"]

Progress = Callable[[int, int, str], None]
"""Called with (steps done, steps in all, what is being done)."""


@dataclass(frozen=True)
class Row:
    """One figure with its spread.

    `mean` with its 95 % interval `low` .. `high`; `n` what was counted (runs, windows, cycles); `labels` how many
    labelled or healthy target pieces the method was given, as text; `seeds` how many repetitions. A figure that
    could not be computed is NaN and written as null; counts such as wins and losses have no interval.
    """

    method: str
    split: str
    source: str
    target: str
    labels: str
    metric: str
    mean: float
    low: float
    high: float
    n: int
    seeds: int


@dataclass(frozen=True)
class Results:
    """What a study found. `notes` are sentences a reader must know; `details` tables beside the headline."""

    study: str
    version: str
    seconds: float
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    details: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form of `results.json`: study, version, seconds, rows, and notes; NaN becomes null."""
        rows = [
            {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in asdict(row).items()}
            for row in self.rows
        ]
        return {
            "study": self.study,
            "version": self.version,
            "seconds": round(self.seconds, 3),
            "rows": rows,
            "notes": list(self.notes),
        }


class StudyOptions(BaseModel):
    """Options that every study has; a study adds its own fields and they become options of its command."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: Path = Field(description="Folder with the recordings that the study is about.")
    seeds: int = Field(5, ge=1, description="How many repetitions with different seeds.")
    quick: bool = Field(False, description="A few minutes at most: fewer seeds, methods and epochs. Not for quoting.")

    @classmethod
    def rests_on(cls) -> str:
        """What the steps of every study with such options depend on beside options and data."""
        return ""


class Study(ABC):
    """One question, one command.

    Authors set `Options` and write `_run`, which takes its long steps through `ledger.once(key, compute)`, so that a
    study that was stopped goes on where it was.
    """

    Options: ClassVar[type[StudyOptions]] = StudyOptions
    revision: ClassVar[int] = 1
    """Raised when the study's rules change, so that steps under the old ones are not taken over."""

    @abstractmethod
    def _run(self, options: Any, ledger: Ledger, progress: Progress) -> Results:
        """The study itself; `seconds` of what it returns is overwritten."""

    @final
    def run(self, options: StudyOptions, out: Path, progress: Progress | None = None) -> Results:
        """Run or resume; `out` holds the ledger of finished steps."""
        begin = time.perf_counter()
        ledger = Ledger(out / "steps.jsonl", fingerprint=self._fingerprint(options))
        found = self._run(options, ledger, progress or (lambda done, total, what: None))
        seconds = ledger.seconds_before + time.perf_counter() - begin
        notes = found.notes
        if ledger.resumed:
            notes = (*notes, f"{ledger.resumed} steps were taken over from an earlier run of the same study and data")
        return Results(found.study, jointwatch.__version__, seconds, found.rows, notes, found.details)

    def _fingerprint(self, options: StudyOptions) -> str:
        """Steps are taken over only if version, rules, options and every byte of the data are the same."""
        rules = f"{jointwatch.__version__} {self.revision} {options.model_dump_json()} {self._rests_on()}"
        digest = hashlib.sha256(rules.encode())
        for folder in (value for value in dict(options).values() if isinstance(value, Path)):
            for file in sorted(path for path in folder.rglob("*") if path.is_file()):
                digest.update(str(file.relative_to(folder)).encode())
                digest.update(file.read_bytes())
        return digest.hexdigest()

    def _rests_on(self) -> str:
        """What else the steps depend on, where a study has more than options and data."""
        return self.Options.rests_on()

    @property
    def name(self) -> str:
        """Catalog name with dashes, as it is typed."""
        return type(self).__module__.rpartition(".")[2].replace("_", "-")
