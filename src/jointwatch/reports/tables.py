"""Result rows of a study as a markdown table: one line a method and split, one column a metric."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["figure_words", "markdown_table"]

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
    wanted = list(metrics) if metrics is not None else list(dict.fromkeys(str(row["metric"]) for row in rows))
    lines: dict[tuple[Any, ...], dict[str, Mapping[str, Any]]] = {}
    for row in rows:
        lines.setdefault(tuple(str(row[key]) for key in _KEYS), {})[str(row["metric"])] = row
    counts = {name: _range([row[name] for row in rows]) for name in ("n", "seeds")}
    varies = [i for i, key in enumerate(_KEYS) if key == "method" or len({line[i] for line in lines}) > 1]
    same = [
        f"{_TITLES[key]}: {next(iter(lines))[i] or 'none'}"
        for i, key in enumerate(_KEYS)
        if i not in varies and next(iter(lines))[i]
    ]
    header = [_TITLES[_KEYS[i]] for i in varies] + wanted
    text = ["; ".join([*same, *(f"{name}: {count}" for name, count in counts.items() if count)]), ""]
    text += [_line(header), "|" + "---|" * len(header)]
    for keys, cells in lines.items():
        text.append(_line([*(keys[i] for i in varies), *(figure_words(cells.get(metric)) for metric in wanted)]))
    return "\n".join(text)


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
