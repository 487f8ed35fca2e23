"""How a text table is written: encoding, line ends, delimiter, decimal sign, header; found from its first lines."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jointwatch.core.errors import CorruptInput, EmptyInput

__all__ = ["MISSING", "Dialect", "first_line", "is_number", "looks_like_table", "read_text", "sniff", "split_line"]

MISSING = ("", "-", "na", "n/a", "nan", "#n/a", "null", "none", "nil")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_COMMA_NUMBER = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?")
_NOT_FINITE = ("nan", "inf", "+inf", "-inf", "infinity", "-infinity", "-nan", "-nan(ind)")
_DELIMITERS = ("\t", ";", ",", "|", " ")
_SAMPLE_LINES = 60
_RUBBISH_SHARE = 0.05


@dataclass(frozen=True)
class Dialect:
    """`delimiter` ("" = one column), whether there is a header, and at which line the data start."""

    delimiter: str
    names: tuple[str, ...] | None
    units: tuple[str, ...] | None
    first_data_line: int


def read_text(path: Path) -> tuple[str, int]:
    """(text with `\\n` line ends, NUL characters removed); UTF-8, UTF-16 with a byte order mark, else Windows-1252.

    Errors: `EmptyInput`, `CorruptInput` if it is no text.
    """
    raw = path.read_bytes()
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = raw.decode("utf-16", errors="replace")
    else:
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = raw.decode("cp1252", errors="replace")
    nulls = text.count("\0")
    text = text.replace("\0", "")
    head = text[:65536]
    rubbish = sum(1 for c in head if (c < " " and c not in "\t\n\r\x0c") or c == "\ufffd")
    mostly_nulls = nulls > len(text)
    if not text.strip():
        if nulls:
            raise CorruptInput(
                f"holds {nulls} zero bytes and no text", file=path, remedy="copy it from its source again"
            )
        raise EmptyInput("holds no rows", file=path, remedy="record it again or remove it")
    if mostly_nulls or rubbish > _RUBBISH_SHARE * len(head):
        raise CorruptInput(
            "is no text table (binary content)",
            file=path,
            remedy="export it as CSV, or name the reader of its format; `jointwatch catalog recordings` lists them",
        )
    return text.replace("\r\n", "\n").replace("\r", "\n"), nulls


def first_line(path: Path, limit: int = 65536) -> str:
    """First line of a text file, "" if it is not readable or binary; never more than `limit` bytes are read."""
    try:
        with path.open("rb") as file:
            head = file.read(limit)
    except OSError:
        return ""
    if b"\0" in head:
        return ""
    lines = head.decode("utf-8-sig", errors="replace").replace("\r", "\n").lstrip("\n").split("\n", 1)
    return lines[0]


def looks_like_table(path: Path) -> bool:
    """Whether the first lines hold at least two columns, half of the cells numbers; False for unreadable files."""
    try:
        with path.open("rb") as file:
            head = file.read(8192)
    except OSError:
        return False
    if b"\0" in head:
        return False
    lines = [line for line in head.decode("utf-8", errors="replace").splitlines() if line.strip()]
    lines = lines[:-1] if len(head) == 8192 else lines
    if len(lines) < 2:
        return False
    delimiter = _best_delimiter(lines[:_SAMPLE_LINES])
    cells = [cell for line in lines[1:_SAMPLE_LINES] for cell in split_line(line, delimiter)]
    return bool(delimiter) and sum(_numeric(cell) for cell in cells) >= len(cells) / 2


def is_number(cell: str) -> bool:
    """Whether a cell is a number with decimal point."""
    return _NUMBER.fullmatch(cell) is not None or cell.lower() in _NOT_FINITE


def split_line(line: str, delimiter: str) -> list[str]:
    """Cells of one line, stripped; quotes hold delimiters, an unclosed quote never reaches the next line."""
    if delimiter == " ":
        return line.split()
    if not delimiter:
        return [line.strip()]
    if '"' in line:
        try:
            return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))]
        except (csv.Error, StopIteration):
            line = line.replace('"', "")
    return [cell.strip() for cell in line.split(delimiter)]


def sniff(lines: Sequence[str], *, header: bool | None, delimiter: str | None) -> Dialect:
    """Dialect from the lines of a table, blank lines removed; at least one line."""
    first = 0
    while first < len(lines) - 1 and lines[first].lstrip()[:1] in "#%":
        first += 1
    sample = lines[first : first + _SAMPLE_LINES]
    if delimiter is None:
        delimiter = _best_delimiter(sample)
    cells = split_line(sample[0], delimiter)
    if header is None:
        header = _looks_like_header(cells, [split_line(line, delimiter) for line in sample[1:]])
    names: tuple[str, ...] | None = None
    units: tuple[str, ...] | None = None
    if header:
        names = tuple(cells)
        first += 1
        if len(sample) > 2:
            second, third = split_line(sample[1], delimiter), split_line(sample[2], delimiter)
            texts = not any(_numeric(cell) for cell in second) and any(second) and len(second) == len(names)
            if texts and any(_numeric(cell) for cell in third):
                units = tuple(cell.strip("[]()") for cell in second)
                first += 1
    elif first:  # numpy.savetxt writes its header as a comment
        above = split_line(lines[first - 1].lstrip().lstrip("#%").strip(), delimiter)
        if len(above) == len(cells) and not any(_numeric(cell) for cell in above):
            names = tuple(above)
    return Dialect(delimiter, names, units, first)


def _numeric(cell: str) -> bool:
    return is_number(cell) or _COMMA_NUMBER.fullmatch(cell) is not None


def _looks_like_header(cells: list[str], below: list[list[str]]) -> bool:
    named = sum(1 for cell in cells if cell and not _numeric(cell) and cell.lower() not in MISSING)
    if not below:
        return named > len(cells) / 2
    ordinary = sorted(sum(1 for c in row if c and not _numeric(c) and c.lower() not in MISSING) for row in below)
    return named > ordinary[len(ordinary) // 2] and named >= len(cells) / 2


def _best_delimiter(sample: Sequence[str]) -> str:
    best, best_merit = "", 0.0
    for delimiter in _DELIMITERS:
        rows = [split_line(line, delimiter) for line in sample]
        width, agreeing = Counter(len(row) for row in rows[1:] or rows).most_common(1)[0]
        if width < 2:
            continue
        body = [cell for row in rows[1:] or rows if len(row) == width for cell in row]
        good = sum(1 for cell in body if _numeric(cell) or cell.lower() in MISSING) / len(body)
        merit = (agreeing / max(len(rows) - 1, 1)) * (0.1 + good)
        if merit > best_merit * 1.001:
            best, best_merit = delimiter, merit
    return best
