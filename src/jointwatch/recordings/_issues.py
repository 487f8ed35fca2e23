"""One way to note a defect, so that every report lists rows alike."""

from __future__ import annotations

from collections.abc import Iterable

from jointwatch.core import Action, QualityIssue

__all__ = ["note"]

_SHOWN_ROWS = 24


def note(
    kind: str,
    count: int,
    action: Action,
    *,
    where: Iterable[str] = (),
    rows: Iterable[int] = (),
    detail: str = "",
    remedy: str = "",
) -> QualityIssue:
    """Issue that lists the first rows only; `rows` from 1 as in the file."""
    first = tuple(int(row) for _, row in zip(range(_SHOWN_ROWS), rows, strict=False))
    return QualityIssue(kind, int(count), action, tuple(str(key) for key in where), first, detail, remedy)
