"""All quality issues of many recordings, grouped by kind: how many, in which files, what was done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import PurePath
from typing import Any

from jointwatch.core import QualityIssue, QualityReport
from jointwatch.reports.words import kind_words

__all__ = ["IssueGroup", "IssueTally", "example_words", "file_name", "group_issues"]

_EXAMPLES = 5
_WORDED, _WORDED_ROWS = 2, 10  # files and rows of each that are put into words
_DONE = {
    "kept": "kept as they are",
    "blanked": "blanked, time kept",
    "dropped": "left out",
    "mended": "restored from the file",
}


@dataclass(frozen=True)
class IssueExample:
    """Where one issue is: file, first rows from 1 as in the file, detail."""

    source: str
    rows: tuple[int, ...]
    detail: str


@dataclass(frozen=True)
class IssueGroup:
    """All issues of one kind.

    Parameters
    ----------
    kind, title : name and words.
    count : samples or rows concerned, in all files together.
    files : in how many files.
    rows_read : rows that those files have.
    actions : what was done.
    where : channels or columns concerned.
    examples : the worst files first.
    remedy : for a person, empty where nothing is to be done.
    """

    kind: str
    title: str
    count: int
    files: int
    rows_read: int
    actions: tuple[str, ...]
    where: tuple[str, ...]
    examples: tuple[IssueExample, ...]
    remedy: str

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)


def file_name(source: str) -> str:
    """Last part of a path, with its folder, as a person recognises it.

    >>> file_name("/data/ur10e/logs/run 3.csv"), file_name("run.csv")
    ('logs/run 3.csv', 'run.csv')
    """
    return "/".join(PurePath(source).parts[-2:]) if source else "unnamed"


@dataclass
class _Group:
    count: int = 0
    rows_read: dict[str, int] = field(default_factory=dict)
    actions: dict[str, None] = field(default_factory=dict)
    where: dict[str, None] = field(default_factory=dict)
    worst: list[tuple[int, IssueExample]] = field(default_factory=list)
    remedy: str = ""


class IssueTally:
    """Collects reports one at a time (`add`) and groups them by kind (`result`), most samples first."""

    def __init__(self) -> None:
        self._groups: dict[str, _Group] = {}

    def add(self, source: str, report: QualityReport) -> None:
        """Take in one recording's report."""
        for issue in report.issues:
            self._add_issue(source, report.rows_read, issue)

    def _add_issue(self, source: str, rows_read: int, issue: QualityIssue) -> None:
        group = self._groups.setdefault(issue.kind, _Group())
        group.count += issue.count
        group.rows_read[source] = rows_read
        group.actions[_DONE[issue.action]] = None
        group.where.update(dict.fromkeys(issue.where))
        group.remedy = group.remedy or issue.remedy
        group.worst.append((issue.count, IssueExample(source, issue.rows, issue.detail)))
        group.worst = sorted(group.worst, key=lambda entry: -entry[0])[:_EXAMPLES]

    def result(self) -> tuple[IssueGroup, ...]:
        """The groups so far."""
        return tuple(
            IssueGroup(
                kind,
                kind_words(kind),
                group.count,
                len(group.rows_read),
                sum(group.rows_read.values()),
                tuple(group.actions),
                tuple(group.where),
                tuple(example for _, example in group.worst),
                group.remedy,
            )
            for kind, group in sorted(self._groups.items(), key=lambda item: (-item[1].count, item[0]))
        )


def group_issues(reports: Iterable[tuple[str, QualityReport]]) -> tuple[IssueGroup, ...]:
    """Issues of (source, report) pairs by kind, most samples first.

    >>> from jointwatch.core import Action
    >>> report = QualityReport(10, (QualityIssue("gap", 2, Action.KEPT, rows=(4, 7)),))
    >>> [(group.title, group.count, group.files) for group in group_issues([("a.csv", report), ("b.csv", report)])]
    [('gaps in time', 4, 2)]
    """
    tally = IssueTally()
    for source, report in reports:
        tally.add(source, report)
    return tally.result()


def example_words(group: IssueGroup) -> str:
    """The worst files of a group in one line: file, rows, detail."""
    return "; ".join(_example(example) for example in group.examples[:_WORDED])


def _example(example: IssueExample) -> str:
    rows = ""
    if example.rows:
        shown = ", ".join(str(row) for row in example.rows[:_WORDED_ROWS])
        more = " ..." if len(example.rows) > _WORDED_ROWS else ""
        rows = f", {'row' if len(example.rows) == 1 else 'rows'} {shown}{more}"
    return f"{file_name(example.source)}{rows}" + (f": {example.detail}" if example.detail else "")
