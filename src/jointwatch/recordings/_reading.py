"""The front door to recordings: finds the sources at a path, picks a reader for each, and counts what is left over."""

from __future__ import annotations

import ast
import importlib.resources
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from jointwatch.core import Recording, catalog
from jointwatch.core.errors import InputError, JointwatchError, MissingExtra, UnknownFormat, UsageError
from jointwatch.recordings._column_map import ColumnMap
from jointwatch.recordings._identity import ROBOT_FILE
from jointwatch.recordings.base import Reader, natural_order

__all__ = ["Failure", "Reading", "read"]

Progress = Callable[[int, int, str], None]
_SHOWN = 8


@dataclass(frozen=True)
class Failure:
    """A source that could not be read, or only in part, and why."""

    source: Path
    reader: str
    error: JointwatchError


@dataclass
class Reading:
    """All recordings at a path, read one at a time while it is iterated; it can be iterated again.

    `failures` and `recordings` (how many came) are those of the last iteration; `sources` and `ignored` are known
    before. A single source that fails raises; of several the others still come, and if none does the first error
    is raised at the end.
    """

    path: Path
    sources: tuple[tuple[Path, Reader], ...]
    ignored: tuple[Path, ...] = ()
    unavailable: tuple[Failure, ...] = ()
    progress: Progress | None = None
    failures: tuple[Failure, ...] = ()
    recordings: int = field(default=0, init=False)

    def __iter__(self) -> Iterator[Recording]:
        failures = list(self.unavailable)
        self.failures, self.recordings = tuple(failures), 0
        for done, (source, reader) in enumerate(self.sources):
            if self.progress is not None:
                self.progress(done, len(self.sources), source.name)
            try:
                for recording in reader.read_source(source):
                    self.recordings += 1
                    yield recording
            except (InputError, UsageError) as error:
                if len(self.sources) == 1 and not failures:
                    raise
                failures.append(Failure(source, reader.name, error))
                self.failures = tuple(failures)
        if self.progress is not None:
            self.progress(len(self.sources), len(self.sources), "")
        if not self.recordings and failures:
            raise failures[0].error

    def summary(self) -> list[str]:
        """One line for what was read, for each failure, and for what no reader recognised."""
        lines = [f"{_count(self.recordings, 'recording')} from {_count(len(self.sources), 'source')} in {self.path}"]
        lines += [f"not read: {failure.error}" for failure in self.failures]
        if self.ignored:
            names = ", ".join(path.name for path in self.ignored[:_SHOWN])
            more = f" and {len(self.ignored) - _SHOWN} more" if len(self.ignored) > _SHOWN else ""
            lines.append(f"no reader knows {_count(len(self.ignored), 'file')}: {names}{more}")
        return lines


def read(
    path: str | Path,
    *,
    reader: Reader | str | None = None,
    columns: ColumnMap | str | Path | None = None,
    progress: Progress | None = None,
) -> Reading:
    """Recordings of a file, or of all files below a folder.

    Parameters
    ----------
    path : file or folder.
    reader : catalog name or reader; default: for each source the most specific of those that recognise it.
    columns : column map for CSV and HDF5; default: the one beside the file. Giving one makes it count for every
        text table and HDF5 file, also for those of a known data set.
    progress : called as (done, total, name of the source).

    Errors: `InputError` if the path does not exist, `UnknownFormat` if nothing there is recognised, `MissingExtra`
    if that is only because a reader's dependency is not installed.

    >>> import numpy as np, tempfile
    >>> from jointwatch.core import Channel, Robot
    >>> from jointwatch.recordings.parquet import Parquet
    >>> arm = Robot.of("demo", "arm", "arm-1", joints=1)
    >>> monday = Recording(np.arange(3.0), np.zeros((1, 3)), (Channel("current", 1),), arm, "monday")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Parquet.write(monday, Path(folder) / "monday.parquet")
    ...     _ = (Path(folder) / "notes.md").write_text("gripper changed")
    ...     reading = read(folder)
    ...     [recording.session for recording in reading], [path.name for path in reading.ignored]
    (['monday'], ['notes.md'])
    """
    path = Path(path)
    if not path.exists():
        raise InputError("there is no such file or folder", file=path, remedy="check the path")
    readers, missing = _readers(reader, columns)
    sources: list[tuple[Path, Reader]] = []
    ignored: list[Path] = []
    unavailable: list[Failure] = []
    _walk(path, readers, missing, sources, ignored, unavailable)
    if not sources and unavailable:
        raise unavailable[0].error
    if not sources:
        known = ", ".join(r.name for r in readers)
        raise UnknownFormat(
            f"holds nothing that a reader recognises (tried {known})",
            file=path,
            remedy="check the path, or export the data as CSV",
        )
    return Reading(path, tuple(sources), tuple(ignored), tuple(unavailable), progress)


def _readers(
    wanted: Reader | str | None, columns: ColumnMap | str | Path | None
) -> tuple[list[Reader], dict[str, tuple[MissingExtra, tuple[str, ...]]]]:
    """Readers with the most specific first, and those whose extra is missing with the suffixes of their files."""
    if isinstance(wanted, Reader):
        return [wanted], {}
    readers: list[Reader] = []
    missing: dict[str, tuple[MissingExtra, tuple[str, ...]]] = {}
    for name in [wanted] if wanted is not None else catalog.names("recordings"):
        try:
            readers.append(catalog.load("recordings", name)())
        except MissingExtra as error:
            if wanted is not None:
                raise
            missing[name] = (error, _suffixes(name))
    if columns is not None:
        mapped = [r for r in readers if hasattr(r, "columns")]
        if not mapped:
            raise UsageError(f"the reader {wanted} takes no column map")
        for r in mapped:
            r.columns = columns
        readers = mapped + [r for r in readers if r not in mapped]
        return readers, missing
    return sorted(readers, key=lambda r: -r.specificity), missing


def _suffixes(name: str) -> tuple[str, ...]:
    """`suffixes` of a reader that cannot be imported, from its source."""
    text = importlib.resources.files("jointwatch.recordings").joinpath(f"{name}.py").read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "suffixes" for t in node.targets):
            return tuple(ast.literal_eval(node.value))
    return ()


def _walk(
    path: Path,
    readers: list[Reader],
    missing: dict[str, tuple[MissingExtra, tuple[str, ...]]],
    sources: list[tuple[Path, Reader]],
    ignored: list[Path],
    unavailable: list[Failure],
) -> None:
    for reader in readers:
        if reader.recognises(path):
            sources.append((path, reader))
            return
    if path.is_dir():
        for child in sorted(path.iterdir(), key=natural_order):
            if not child.name.startswith("."):
                _walk(child, readers, missing, sources, ignored, unavailable)
        return
    if path.name == ROBOT_FILE or path.name == "columns.yaml" or path.name.endswith(".map.yaml"):
        return
    for name, (error, suffixes) in missing.items():
        if path.name.lower().endswith(suffixes):
            unavailable.append(Failure(path, name, error))
            return
    ignored.append(path)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
