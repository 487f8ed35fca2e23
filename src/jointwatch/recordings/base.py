"""What every reader is: it recognises a source, and turns it into recordings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, final

from jointwatch.core import Recording
from jointwatch.core.errors import EmptyInput, InputError, UnknownFormat

__all__ = ["Reader"]


class Reader(ABC):
    """One file format or one public data set.

    A *source* is what one call of `_read` takes: a file, or a folder whose files belong to one recording.
    Authors write `recognises` (cheap: name, first bytes or first line, never the whole file) and `_read`.
    """

    specificity: ClassVar[int] = 0
    """Of several readers that recognise a source the one with the highest wins: 0 a general format,
    10 a general format with a known schema, 20 a public data set."""

    @abstractmethod
    def recognises(self, source: Path) -> bool:
        """Whether this file or folder is one source of this format. Never raises for readable paths."""

    @abstractmethod
    def _read(self, source: Path) -> Iterator[Recording]:
        """The recordings of one source."""

    @final
    def sources(self, path: str | Path) -> list[Path]:
        """Sources at or below `path`, in natural order of their names (run 2 before run 10)."""
        path = Path(path)
        if self.recognises(path):
            return [path]
        if not path.is_dir():
            return []
        found: list[Path] = []
        for child in sorted(path.iterdir(), key=natural_order):
            found += self.sources(child)
        return found

    @final
    def read(self, path: str | Path) -> Iterator[Recording]:
        """Recordings of all sources at or below `path`, one at a time.

        Errors: `InputError` with file, row, channel and remedy; `UnknownFormat` if nothing there is of this format.
        """
        path = Path(path)
        if not path.exists():
            raise InputError("there is no such file or folder", file=path, remedy="check the path")
        sources = self.sources(path)
        if not sources:
            raise UnknownFormat(f"holds nothing that the reader {self.name} recognises", file=path)
        for source in sources:
            yield from self.read_source(source)

    @final
    def read_source(self, source: Path) -> Iterator[Recording]:
        """Recordings of one source, at least one; I/O errors become `InputError`."""
        if source.is_file() and source.stat().st_size == 0:
            raise EmptyInput("the file is empty", file=source, remedy="record it again or remove it")
        empty = True
        try:
            for recording in self._read(source):
                empty = False
                yield recording
        except OSError as error:
            raise InputError(
                f"cannot be read ({error.strerror or error})", file=source, remedy="check the file"
            ) from error
        if empty:
            raise EmptyInput("the file holds no recording", file=source, remedy="record it again or remove it")

    @property
    def name(self) -> str:
        """Catalog name: the stem of the file the reader lives in."""
        return type(self).__module__.rpartition(".")[2]


def natural_order(path: Path) -> list[tuple[int, int, str]]:
    """Sort key under which `run_2` comes before `run_10`."""
    import re

    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", path.name) if part]
