"""What was wrong with the input and what was done about it: nothing is dropped in silence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from jointwatch.core.errors import UsageError

__all__ = ["Action", "QualityIssue", "QualityReport"]


class Action(StrEnum):
    """What happened to the samples concerned."""

    KEPT = "kept"  # as they are, but a person should look
    BLANKED = "blanked"  # replaced by NaN: the time stamp stays
    DROPPED = "dropped"  # the row is gone
    MENDED = "mended"  # the value was restored from the file itself, for example a decimal comma


@dataclass(frozen=True)
class QualityIssue:
    """One kind of defect in one place.

    Parameters
    ----------
    kind : short name, for example `corrupt_row`, `frozen`, `gap`, `time_backwards`, `suspected_degrees`.
    count : samples or rows concerned.
    action : what was done.
    where : channel keys or column names concerned; empty = whole rows.
    rows : the first few rows concerned, from 1 as in the file (data rows, header not counted).
    detail, remedy : for a person.
    """

    kind: str
    count: int
    action: Action
    where: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()
    detail: str = ""
    remedy: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "action", Action(self.action))
        object.__setattr__(self, "where", tuple(self.where))
        object.__setattr__(self, "rows", tuple(int(row) for row in self.rows))
        if self.count < 1:
            raise UsageError(f"a quality issue concerns at least one sample, got {self.count} of {self.kind}")


@dataclass(frozen=True)
class QualityReport:
    """All issues of a recording, with the number of rows its file had.

    >>> report = QualityReport(100, (QualityIssue("corrupt_row", 2, Action.DROPPED, rows=(3, 9)),))
    >>> report.count("corrupt_row"), report.clean
    (2, False)
    """

    rows_read: int = 0
    issues: tuple[QualityIssue, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "issues", tuple(self.issues))

    @property
    def clean(self) -> bool:
        return not self.issues

    def count(self, kind: str | None = None) -> int:
        """Samples or rows concerned by issues of one kind, or of all kinds."""
        return sum(issue.count for issue in self.issues if kind in (None, issue.kind))

    def plus(self, issues: Iterable[QualityIssue]) -> QualityReport:
        """The report with further issues appended."""
        return QualityReport(self.rows_read, (*self.issues, *issues))
