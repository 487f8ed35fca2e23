"""Result rows of a study as a markdown table: one line a method and split, one column a metric."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["StudyTable", "blocks_by_metrics", "figure_words", "markdown_table", "study_table"]

_KEYS = ("method", "split", "source", "target", "labels")
_TITLES = {"method": "method", "split": "split", "source": "learned on", "target": "used on", "labels": "labels"}


def markdown_table(rows: Sequence[Mapping[str, Any]], metrics: Sequence[str] | None = None) -> str:
    """Table of rows `{"method", "split", "source", "target", "labels", "metric", "mean", "low", "high", "n", "seeds"}`.

    Each cell is the mean with its 95 % interval in brackets; what could not be computed is a dash. Columns that say the
    same in every row are left out and named above the table. `metrics` chooses and orders the columns.

    >>> row = {"method": "knn", "split": "unit", "source": "a", "target": "b", "labels": "0", "metric": "auroc",
    ...        "mean": 0.91, "low": 0.85, "high": 0.95, "n": 40, "seeds": 5}
    >>> print(markdown_table([row]))
    split: unit; learned on: a; used on: b; labels: 0; n: 40; seeds: 5
    <BLANKLINE>
    | method | auroc |
    |---|---|
    | knn | 0.91 [0.85, 0.95] |
    """
    if not rows:
        return "No result."
    table = study_table(rows, metrics)
    text = [table.same, "", _line(table.header), "|" + "---|" * len(table.header)]
    return "\n".join([*text, *(_line(cells) for cells in table.lines)])


@dataclass(frozen=True)
class StudyTable:
    """One line a method, split and direction.

    same : what holds for every line, as text. header : titles; the first `keys` of them say whose a line is, the others
    are metrics. lines : the cells of each line.
    """

    same: str
    header: tuple[str, ...]
    keys: int
    lines: tuple[tuple[str, ...], ...]


def study_table(rows: Sequence[Mapping[str, Any]], metrics: Sequence[str] | None = None) -> StudyTable:
    """The cells of the table, see `markdown_table`."""
    wanted = list(metrics) if metrics is not None else list(dict.fromkeys(str(row["metric"]) for row in rows))
    lines: dict[tuple[Any, ...], dict[str, Mapping[str, Any]]] = {}
    for row in rows:
        lines.setdefault(_line_of(row), {})[str(row["metric"])] = row
    counts = {name: _range([row[name] for row in rows]) for name in ("n", "seeds")}
    varies = [i for i, key in enumerate(_KEYS) if key == "method" or len({line[i] for line in lines}) > 1]
    same = [
        f"{_TITLES[key]}: {next(iter(lines))[i] or 'none'}"
        for i, key in enumerate(_KEYS)
        if i not in varies and next(iter(lines))[i]
    ]
    return StudyTable(
        "; ".join([*same, *(f"{name}: {count}" for name, count in counts.items() if count)]),
        (*(_TITLES[_KEYS[i]] for i in varies), *wanted),
        len(varies),
        tuple(
            (*(keys[i] for i in varies), *(figure_words(cells.get(metric)) for metric in wanted))
            for keys, cells in lines.items()
        ),
    )


def blocks_by_metrics(rows: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Rows of lines with the same metrics together, so that no table is mostly dashes."""
    lines: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        lines.setdefault(_line_of(row), []).append(row)
    blocks: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for line in lines.values():
        blocks.setdefault(tuple(str(row["metric"]) for row in line), []).extend(line)
    return list(blocks.values())


def figure_words(row: Mapping[str, Any] | None) -> str:
    """Mean and interval of one row.

    >>> figure_words({"mean": 12.345, "low": None, "high": None}), figure_words(None)
    ('12.3', '-')
    """
    if row is None or not _is_number(row["mean"]):
        return "-"
    if not (_is_number(row["low"]) and _is_number(row["high"])) or row["low"] == row["high"] == row["mean"]:
        return _number(row["mean"])
    return f"{_number(row['mean'])} [{_number(row['low'])}, {_number(row['high'])}]"


def _line_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(row[key]) for key in _KEYS)


def _is_number(value: Any) -> bool:
    return value is not None and math.isfinite(value)


def _number(value: float) -> str:
    if value == 0:
        return "0"
    size = abs(value)
    return f"{value:.3g}" if size >= 1e5 or size < 1e-3 else f"{value:.0f}" if size >= 1000 else f"{value:.3g}"


def _range(values: Sequence[Any]) -> str:
    known = sorted(value for value in values if value is not None)
    return "" if not known else str(known[0]) if known[0] == known[-1] else f"{known[0]} to {known[-1]}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
