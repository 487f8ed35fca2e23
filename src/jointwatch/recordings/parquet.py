"""Native storage: one recording a Parquet file, lossless."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from jointwatch.core import Recording
from jointwatch.core.errors import CorruptInput, UnknownFormat
from jointwatch.recordings._codec import SCHEMA, check_schema, describe, restore
from jointwatch.recordings.base import Reader

__all__ = ["Parquet"]

_VERSION = b"jointwatch_schema"
_ABOUT = b"jointwatch_recording"


class Parquet(Reader):
    """Column `time_s`, one column for every channel key, all in SI units; everything else is JSON in the metadata.

    Any Parquet tool opens the table; `Parquet.write` and reading back give the same recording bit for bit.
    """

    specificity = 10
    suffixes = (".parquet", ".pq")

    def recognises(self, source: Path) -> bool:
        """A Parquet file that this project wrote, or one too damaged to say who did."""
        if source.suffix.lower() not in self.suffixes or not source.is_file():
            return False
        try:
            with source.open("rb") as file:
                if file.read(4) != b"PAR1":
                    return False
            return _VERSION in (pq.read_schema(source).metadata or {})
        except (pa.ArrowException, OSError):
            return True

    def _read(self, source: Path) -> Iterator[Recording]:
        try:
            table = pq.read_table(source)
        except (pa.ArrowException, OSError) as error:
            raise CorruptInput(
                f"is damaged or cut off ({str(error).splitlines()[0]})", file=source, remedy="copy or record it again"
            ) from error
        metadata = table.schema.metadata or {}
        if _VERSION not in metadata:
            raise UnknownFormat(
                "is a Parquet file that jointwatch did not write (no jointwatch_schema in its metadata)",
                file=source,
                remedy="export it as CSV with a column map, or name the reader of its data set",
            )
        check_schema(metadata[_VERSION].decode(), source)
        if _ABOUT not in metadata or "time_s" not in table.column_names:
            raise CorruptInput("lost its description or its clock", file=source, remedy="copy or record it again")
        columns = {name: table.column(name).to_numpy() for name in table.column_names}
        yield restore(metadata[_ABOUT].decode(), columns.pop("time_s"), columns, source)

    @staticmethod
    def write(recording: Recording, path: str | Path) -> Path:
        """Store one recording; the file appears whole or not at all.

        >>> import numpy as np, tempfile
        >>> from jointwatch.core import Channel, Robot
        >>> arm = Robot.of("demo", "arm", "arm-1", joints=1)
        >>> monday = Recording(np.arange(3.0), np.zeros((1, 3)), (Channel("current", 1),), arm, "monday")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Parquet.write(monday, Path(folder) / "monday.parquet")
        ...     next(Parquet().read(path)).equals(monday)
        True
        """
        path = Path(path)
        arrays = [recording.time_s, *recording.values]
        names = ["time_s", *(channel.key for channel in recording.channels)]
        metadata = {_VERSION: SCHEMA.encode(), _ABOUT: describe(recording).encode()}
        schema = pa.schema([pa.field(name, pa.float64(), nullable=False) for name in names], metadata=metadata)
        table = pa.Table.from_arrays([pa.array(np.ascontiguousarray(array)) for array in arrays], schema=schema)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            pq.write_table(table, unfinished, compression="zstd", use_dictionary=False, use_byte_stream_split=True)
            os.replace(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)
        return path
