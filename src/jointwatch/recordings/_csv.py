"""Text tables as they really are: one pass for clean files, a cell-by-cell pass that counts damage for the others."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jointwatch.core import Action, QualityIssue
from jointwatch.core.errors import CorruptInput, EmptyInput, MissingChannel
from jointwatch.recordings._csv_dialect import MISSING, is_number, read_text, sniff, split_line
from jointwatch.recordings._issues import note

try:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv
except ModuleNotFoundError:  # numpy's parser takes its place
    pa = None

__all__ = ["RawTable", "read_csv"]

_COMMA_NUMBER = re.compile(r"([+-]?\d+),(\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True)
class RawTable:
    """Columns of one text table, as written.

    Parameters
    ----------
    path : the file.
    names : column names in order; of a file without header "0", "1", ...; a repeated name gets `#2`, `#3`.
    columns : name -> (row,) float64, NaN where empty or unreadable; text columns hold str.
    rows : (row,) numbers of the rows kept, data rows from 1, header and blank lines not counted.
    rows_read : data rows in the file.
    issues : what was found and counted. Cells lost here are NaN, so `assemble` counts them once more as lost samples.
    header : whether the file has one.
    units : units from a second header line, where there is one.
    """

    path: Path
    names: list[str]
    columns: dict[str, np.ndarray]
    rows: np.ndarray
    rows_read: int
    issues: list[QualityIssue]
    header: bool
    delimiter: str
    units: dict[str, str]

    def __len__(self) -> int:
        return len(self.rows)

    def number(self, name: str | int) -> np.ndarray:
        """(row,) float64 of a column by name or position from 0.

        Errors: `MissingChannel` with the nearest names, `CorruptInput` if the column holds text or its name repeats.
        """
        column = self.columns[self.find(name)]
        if column.dtype.kind != "f":
            sample = next((cell for cell in column if cell), "")
            raise CorruptInput(
                f"column {name!r} holds text such as {sample[:40]!r}, not numbers",
                file=self.path,
                channel=str(name),
                remedy="choose another column, or export it as numbers",
            )
        return column

    def find(self, name: str | int) -> str:
        """The column's name; same errors as `number`."""
        if isinstance(name, int):
            if 0 <= name < len(self.names):
                return self.names[name]
            raise MissingChannel(
                f"there is no column number {name}; the file has {len(self.names)}, counted from 0",
                file=self.path,
                channel=str(name),
                remedy="correct the column number",
            )
        if f"{name}#2" in self.columns:
            raise CorruptInput(
                f"two columns are named {name!r} and differ",
                file=self.path,
                channel=name,
                remedy=f"rename one in the header, or use its number from 0 (the first is {self.names.index(name)})",
            )
        if name in self.columns:
            return name
        near = difflib.get_close_matches(name, self.names, n=3, cutoff=0.5)
        shown = ", ".join(self.names[:20]) + (" ..." if len(self.names) > 20 else "")
        raise MissingChannel(
            f"there is no column {name!r}",
            file=self.path,
            channel=name,
            remedy=f"the nearest are {', '.join(map(repr, near))}" if near else f"the file has {shown}",
        )


def read_csv(
    path: str | Path,
    *,
    header: bool | None = None,
    delimiter: str | None = None,
    decimal: str | None = None,
    text: Sequence[str | int] = (),
) -> RawTable:
    """Text table with any usual delimiter, decimal sign, encoding and line end.

    Parameters
    ----------
    header : whether the first line names the columns; None = found out.
    delimiter : one character, " " for any run of blanks; None = found out.
    decimal : "," if 1,234 is a little over one and not a thousand; None = only what is unambiguous is mended.
    text : columns, by name or position from 0, that hold text. Others with mostly text are found by themselves.

    Errors: `EmptyInput` without data rows, `CorruptInput` if it is no table.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "arm.csv"
    ...     _ = path.write_text("t;q;mode\\n0,00;1,5;auto\\n0,01\\n0,02;oops;auto\\n0,03;1,7;stop\\n")
    ...     table = read_csv(path)
    >>> table.columns["q"].tolist(), table.columns["mode"].tolist(), table.rows.tolist()
    ([1.5, nan, 1.7], ['auto', 'auto', 'stop'], [1, 3, 4])
    >>> [(issue.kind, issue.count) for issue in table.issues]
    [('ragged_row', 1), ('unreadable_cell', 1), ('decimal_comma', 5)]
    """
    path = Path(path)
    content, nulls = read_text(path)
    lines = [line for line in content.split("\n") if line.strip()]
    dialect = sniff(lines, header=header, delimiter=delimiter)
    body = lines[dialect.first_data_line :]
    if not body:
        raise EmptyInput("holds a header and no rows", file=path, remedy="record it again or remove it")
    sample = [split_line(line, dialect.delimiter) for line in body[:200]]
    width = _width(path, dialect.names, sample)
    issues: list[QualityIssue] = []
    if nulls:
        detail = f"{nulls} zero bytes, as a power cut leaves them, were passed over"
        issues.append(note("zero_bytes", nulls, Action.DROPPED, detail=detail))
    names = _unique([str(i) for i in range(width)] if dialect.names is None else list(dialect.names[:width]))
    as_text = [
        name in text or i in text or _is_text([row[i] for row in sample if len(row) > i])
        for i, name in enumerate(names)
    ]
    rows = np.arange(1, len(body) + 1)
    columns = _fast(body, dialect.delimiter, names, as_text)
    if columns is None:
        cut = not content.endswith("\n")
        commas = None if decimal is None else decimal == ","
        columns, rows = _careful(path, body, dialect.delimiter, names, as_text, issues, cut=cut, commas=commas)
    names = _drop_copies(names, columns, issues)
    units = dict(zip(names, dialect.units or (), strict=False))
    return RawTable(path, names, columns, rows, len(body), issues, dialect.names is not None, dialect.delimiter, units)


def _width(path: Path, names: tuple[str, ...] | None, sample: list[list[str]]) -> int:
    width = Counter(len(row) for row in sample).most_common(1)[0][0]
    if names is None or width == len(names):
        return width
    if width > len(names) and all(not any(row[len(names) :]) for row in sample):
        return len(names)  # a delimiter at the end of every row
    if width == len(names) - 1 and not names[-1]:
        return width  # a delimiter at the end of the header
    hint = "decimal commas need another delimiter; " if width == 2 * len(names) else ""
    raise CorruptInput(
        f"the header names {len(names)} columns, the rows have {width}",
        file=path,
        row=1,
        remedy=f"{hint}repair the header or export the file again",
    )


def _unique(names: list[str]) -> list[str]:
    seen: Counter[str] = Counter()
    unique = []
    for i, name in enumerate(names):
        name = name or f"unnamed {i}"
        seen[name] += 1
        unique.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return unique


def _is_text(cells: list[str]) -> bool:
    filled = [cell for cell in cells if cell.lower() not in MISSING]
    wordy = sum(1 for cell in filled if not is_number(cell) and not _COMMA_NUMBER.fullmatch(cell))
    return wordy > len(filled) / 2


def _fast(body: list[str], delimiter: str, names: list[str], as_text: list[bool]) -> dict[str, np.ndarray] | None:
    """All columns by a quick parser, or None if any cell or row is not as it should be."""
    if delimiter == " ":
        body = [" ".join(line.split()) for line in body]
    return (_fast_by_numpy if pa is None else _fast_by_arrow)(body, delimiter, names, as_text)


def _fast_by_numpy(
    body: list[str], delimiter: str, names: list[str], as_text: list[bool]
) -> dict[str, np.ndarray] | None:
    if not delimiter or any(line.count(delimiter) != len(names) - 1 or '"' in line for line in body):
        return None
    numeric = [i for i, text in enumerate(as_text) if not text]
    if not numeric:
        return None
    try:
        numbers = np.loadtxt(body, np.float64, comments=None, delimiter=delimiter, usecols=numeric, ndmin=2)
    except ValueError:
        return None
    cells = [line.split(delimiter) for line in body] if any(as_text) else []
    columns: dict[str, np.ndarray] = {}
    for i, (name, text) in enumerate(zip(names, as_text, strict=True)):
        if text:
            columns[name] = np.array([row[i].strip() for row in cells], dtype=np.str_)
        else:
            columns[name] = np.ascontiguousarray(numbers[:, numeric.index(i)])
    return columns


def _fast_by_arrow(
    body: list[str], delimiter: str, names: list[str], as_text: list[bool]
) -> dict[str, np.ndarray] | None:
    keys = [str(i) for i in range(len(names))]
    kinds = {key: pa.string() if t else pa.float64() for key, t in zip(keys, as_text, strict=True)}
    nulls = [*MISSING, *(word.upper() for word in MISSING), "NaN", "None", "Null"]
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader("\n".join(body).encode()),
            read_options=arrow_csv.ReadOptions(column_names=keys),
            parse_options=arrow_csv.ParseOptions(delimiter=delimiter or "\x1f"),
            convert_options=arrow_csv.ConvertOptions(column_types=kinds, null_values=nulls, strings_can_be_null=False),
        )
    except (pa.ArrowInvalid, UnicodeEncodeError):
        return None
    if table.num_rows != len(body):
        return None
    columns = {}
    for key, name, t in zip(keys, names, as_text, strict=True):
        column = table.column(key)
        if t:
            columns[name] = np.array([cell.strip() for cell in column.to_pylist()], dtype=np.str_)
        else:
            columns[name] = column.to_numpy(zero_copy_only=False).astype(np.float64, copy=True)
    return columns


def _careful(
    path: Path,
    body: list[str],
    delimiter: str,
    names: list[str],
    as_text: list[bool],
    issues: list[QualityIssue],
    *,
    cut: bool,
    commas: bool | None,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Columns cell by cell; rows of another width are dropped, unreadable cells are NaN, all counted."""
    width = len(names)
    kept: list[list[str]] = []
    rows: list[int] = []
    ragged: list[int] = []
    for number, line in enumerate(body, 1):
        cells = split_line(line, delimiter)
        if len(cells) > width and not any(cells[width:]):
            cells = cells[:width]
        if len(cells) == width:
            kept.append(cells)
            rows.append(number)
        elif number == len(body) and 1 < len(cells) < width:
            whole = cells[:-1] if cut else cells  # what follows the last delimiter may be half a number
            detail = f"the file ends in the middle of a row: {len(whole)} of {width} values are there"
            issues.append(note("truncated_row", 1, Action.BLANKED, rows=(number,), detail=detail))
            kept.append(whole + [""] * (width - len(whole)))
            rows.append(number)
        else:
            ragged.append(number)
    if ragged:
        detail = f"not {width} values in the row, so which is which cannot be told"
        issues.append(note("ragged_row", len(ragged), Action.DROPPED, rows=ragged, detail=detail))
    if not kept:
        raise CorruptInput(
            f"none of {len(body)} rows has {width} values",
            file=path,
            row=1,
            remedy="check the delimiter, or export the file again",
        )
    numbers = np.array(rows)
    columns: dict[str, np.ndarray] = {}
    unreadable: dict[str, list[int]] = {}
    mended: dict[str, list[int]] = {}
    if commas is None:
        commas = not any("." in cell for cells in kept for cell, t in zip(cells, as_text, strict=True) if not t)
    for i, name in enumerate(names):
        cells = [row[i] for row in kept]
        if as_text[i]:
            columns[name] = np.array(cells, dtype=np.str_)
            continue
        if (quick := _numbers(cells)) is not None:
            columns[name] = quick
            continue
        values = np.empty(len(cells))
        for j, cell in enumerate(cells):
            value, restored = _number(cell, thousands_possible=not commas)
            if value is None:
                unreadable.setdefault(name, []).append(rows[j])
            elif restored:
                mended.setdefault(name, []).append(rows[j])
            values[j] = np.nan if value is None else value
        columns[name] = values
    for kind, action, cells_of, detail in (
        ("unreadable_cell", Action.BLANKED, unreadable, "text where a number should be"),
        ("decimal_comma", Action.MENDED, mended, "decimal commas were read as decimal points"),
    ):
        if cells_of:
            where = sorted({row for found in cells_of.values() for row in found})
            count = sum(len(found) for found in cells_of.values())
            issues.append(note(kind, count, action, where=cells_of, rows=where, detail=detail))
    return columns, numbers


def _numbers(cells: list[str]) -> np.ndarray | None:
    """(row,) of cells that are all numbers, by Arrow's quick conversion; None where it fails or is not installed."""
    if pa is None:
        return None
    try:
        return np.asarray(pa.array(cells, pa.string()).cast(pa.float64()).to_numpy(zero_copy_only=False))
    except pa.ArrowInvalid:
        return None


def _number(cell: str, *, thousands_possible: bool) -> tuple[float | None, bool]:
    """(value, whether a decimal comma was mended); None if unreadable, NaN if empty."""
    if is_number(cell):
        try:
            return float(cell.replace("(ind)", "")), False
        except (ValueError, OverflowError):
            return None, False
    if cell.lower() in MISSING:
        return np.nan, False
    comma = _COMMA_NUMBER.fullmatch(cell)
    if comma is None or (thousands_possible and len(comma[2]) == 3):  # 1,234 may mean one thousand
        return None, False
    return float(f"{comma[1]}.{comma[2]}{comma[3] or ''}"), True


def _drop_copies(names: list[str], columns: dict[str, np.ndarray], issues: list[QualityIssue]) -> list[str]:
    """Repeated names: the same numbers twice are read once, different numbers stay under `name#2`."""
    repeated = [name for name in names if "#" in name and name.partition("#")[0] in columns]
    for name in repeated:
        first = columns[name.rpartition("#")[0]]
        other = columns[name]
        same = np.array_equal(first, other, equal_nan=first.dtype.kind == "f" == other.dtype.kind)
        if same:
            del columns[name]
        issues.append(
            note(
                "repeated_column",
                len(other),
                Action.DROPPED if same else Action.KEPT,
                where=(name.rpartition("#")[0],),
                detail="the same numbers twice" if same else f"different numbers; the second is {name!r}",
                remedy="" if same else "rename one in the header",
            )
        )
    return [name for name in names if name in columns]
