"""Any CSV or text table, with a small YAML column map beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from jointwatch.core import Recording
from jointwatch.recordings._column_map import ColumnMap, find_column_map
from jointwatch.recordings._csv import read_csv
from jointwatch.recordings._csv_dialect import looks_like_table
from jointwatch.recordings._mapped import apply_column_map, choose_column_map
from jointwatch.recordings.base import Reader

__all__ = ["CsvTable"]


class CsvTable(Reader):
    """One recording a file. The map is `<file>.map.yaml`, or `columns.yaml` in the folder, or given here.

    Parameters
    ----------
    columns : the map, or the path of its YAML file; default: the one beside the table.

    Errors: `InputError` without a map (it says how to have one proposed), `UsageError` for a wrong map.

    >>> import tempfile
    >>> columns = ColumnMap.parse('''
    ... robot: {brand: demo, model: arm, unit: arm-1, gear_ratio: 100}
    ... time: {column: t, unit: ms}
    ... columns:
    ...   q1: {channel: position/1, unit: deg}
    ...   i1: current/1
    ... ''')
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "monday.csv"
    ...     _ = path.write_text("t;q1;i1\\n0;0,0;0,5\\n10;90,0;0,6\\n20;180,0;0,4\\n")
    ...     recording = next(CsvTable(columns).read(path))
    >>> recording["position/1"].round(3).tolist(), recording.rate_hz, recording.quality.count("decimal_comma")
    ([0.0, 1.571, 3.142], 100.0, 6)
    """

    specificity = 0
    suffixes = (".csv", ".txt", ".tsv", ".dat", ".log")

    def __init__(self, columns: ColumnMap | str | Path | None = None) -> None:
        self.columns = columns

    def recognises(self, source: Path) -> bool:
        """A text file with a map, or whose first lines look like a table of numbers."""
        if source.suffix.lower() not in self.suffixes or not source.is_file():
            return False
        return source.suffix.lower() == ".csv" or find_column_map(source) is not None or looks_like_table(source)

    def _read(self, source: Path) -> Iterator[Recording]:
        columns = choose_column_map(self.columns, source)
        said = [columns.time.column] if columns.time and columns.time.unit == "datetime" else []
        said += [columns.label.column] if columns.label else []
        said += [columns.cycle] if columns.cycle is not None else []
        table = read_csv(source, header=columns.header, delimiter=columns.delimiter, decimal=columns.decimal, text=said)
        yield apply_column_map(table, columns)
