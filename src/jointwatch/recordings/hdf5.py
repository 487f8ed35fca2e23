"""HDF5: the native layout, or any file of one-dimensional series with a column map."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from jointwatch.core import Action, QualityIssue, Recording
from jointwatch.core.errors import CorruptInput, EmptyInput
from jointwatch.recordings._codec import SCHEMA, check_schema, describe, restore
from jointwatch.recordings._column_map import ColumnMap
from jointwatch.recordings._csv import RawTable
from jointwatch.recordings._issues import note
from jointwatch.recordings._mapped import apply_column_map, choose_column_map
from jointwatch.recordings._sniff import starts_with
from jointwatch.recordings.base import Reader

__all__ = ["Hdf5"]

_MAGIC = b"\x89HDF\r\n\x1a\n"
_VERSION = "jointwatch_schema"
_ABOUT = "jointwatch_recording"


class Hdf5(Reader):
    """One recording a file.

    A file that `Hdf5.write` made is read as it is. Of any other the column map (`<file>.map.yaml`, `columns.yaml`, or
    given here) names the datasets by their path, `joints/q`; column j of a two-dimensional one is `joints/q[j]`,
    j from 0, and fields of a compound dataset are `table.field`.

    Parameters
    ----------
    columns : column map or the path of its YAML file.

    Errors: `InputError` without a map, `CorruptInput` for a damaged file.
    """

    specificity = 0
    suffixes = (".h5", ".hdf5", ".hdf")

    def __init__(self, columns: ColumnMap | str | Path | None = None) -> None:
        self.columns = columns

    def recognises(self, source: Path) -> bool:
        """A file that starts as HDF5 does."""
        return starts_with(source, self.suffixes, _MAGIC)

    def _read(self, source: Path) -> Iterator[Recording]:
        try:
            with h5py.File(source, "r") as file:
                native = _native(file, source) if _VERSION in file.attrs else None
                found = {} if native else _series(file)
        except (OSError, KeyError, RuntimeError, AttributeError) as error:
            raise CorruptInput(
                f"is damaged or cut off ({str(error).splitlines()[0]})", file=source, remedy="copy or record it again"
            ) from error
        if native is not None:
            yield native
        else:
            columns = choose_column_map(self.columns, source, series=tuple(found))
            yield apply_column_map(_table(source, found, columns), columns)

    @staticmethod
    def write(recording: Recording, path: str | Path) -> Path:
        """Store one recording without loss; the file appears whole or not at all.

        >>> import tempfile
        >>> from jointwatch.core import Channel, Robot
        >>> arm = Robot.of("demo", "arm", "arm-1", joints=1)
        >>> monday = Recording(np.arange(3.0), np.zeros((1, 3)), (Channel("current", 1),), arm, "monday")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Hdf5.write(monday, Path(folder) / "monday.h5")
        ...     next(Hdf5().read(path)).equals(monday)
        True
        """
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            with h5py.File(unfinished, "w") as file:
                file.attrs[_VERSION] = SCHEMA
                file[_ABOUT] = describe(recording)
                file["time_s"] = recording.time_s
                group = file.create_group("channels")
                group.attrs["keys"] = [channel.key for channel in recording.channels]
                for i, row in enumerate(recording.values):
                    group.create_dataset(str(i), data=row, compression="gzip")
            os.replace(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)
        return path


def _native(file: h5py.File, source: Path) -> Recording:
    check_schema(str(file.attrs[_VERSION]), source)
    keys = [str(key) for key in file["channels"].attrs["keys"]]
    channels = {key: file["channels"][str(i)][:] for i, key in enumerate(keys)}
    return restore(file[_ABOUT][()].decode(), file["time_s"][:], channels, source)


def _series(file: h5py.File) -> dict[str, np.ndarray]:
    """Path -> (row,) of everything in the file that is a series."""
    found: dict[str, np.ndarray] = {}

    def visit(name: str, item: object) -> None:
        if not isinstance(item, h5py.Dataset) or item.ndim not in (1, 2):
            return
        if item.dtype.names and item.ndim == 1:
            table = item[:]
            found.update({f"{name}.{field}": table[field] for field in item.dtype.names})
        elif item.dtype.kind in "fiubOS":
            data = item.asstr()[:] if item.dtype.kind in "OS" else item[:]
            parts = {name: data} if item.ndim == 1 else {f"{name}[{j}]": data[:, j] for j in range(data.shape[1])}
            found.update(parts)

    file.visititems(visit)
    return found


def _table(source: Path, found: dict[str, np.ndarray], columns: ColumnMap) -> RawTable:
    """The series as a table; those the map names are cut to the shortest, as an interrupted recorder leaves them."""
    if not found:
        raise EmptyInput("holds no series", file=source, remedy="record it again or remove it")
    wanted = [str(name) for name in columns.columns] + ([str(columns.time.column)] if columns.time else [])
    lengths = {name: len(found[name]) for name in wanted if name in found}
    rows = min(lengths.values(), default=0)
    issues: list[QualityIssue] = []
    longer = [name for name, length in lengths.items() if length > rows]
    if longer:
        lost = max(lengths.values()) - rows
        issues.append(
            note("ragged_row", lost, Action.DROPPED, where=longer, detail=f"series of other length than {rows}")
        )
    kept = {
        name: data[:rows].astype(np.float64) if data.dtype.kind in "fiub" else data[:rows].astype(np.str_)
        for name, data in found.items()
        if len(data) >= rows
    }
    numbers = np.arange(1, rows + 1)
    return RawTable(source, list(kept), kept, numbers, max(lengths.values(), default=0), issues, True, "", {})
