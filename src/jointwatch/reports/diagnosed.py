"""What `jointwatch score` leaves behind of a classifier or a grader: one table, and what is said in a line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from jointwatch.diagnosis.base import Diagnosis, Grades
from jointwatch.reports._scores_file import write_scores

__all__ = ["in_words", "write_diagnosis"]


def in_words(found: Diagnosis | Grades) -> str:
    """How many of the decisions say what, and how many pieces could not be judged."""
    said = found.condition if isinstance(found, Diagnosis) else [f"level {level}" for level in found.level]
    counts = ", ".join(f"{count} {name}" for name, count in sorted(Counter(map(str, said)).items()))
    skipped = ", ".join(f"{count} {why}" for why, count in found.skipped.items())
    return f"{len(found)} decisions: {counts}" + (f"; not judged: {skipped}" if skipped else "")


def write_diagnosis(found: Diagnosis | Grades, out: Path, origin: Mapping[str, str | int] | None = None) -> Path:
    """Write the table into `out` (made if absent) and return its path. `origin`: see `write_scores`."""
    return write_scores(found.columns(), out, origin)
