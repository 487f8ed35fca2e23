"""Sphere centres as a coordinate measuring machine writes them: CSV in, arrays by run, state and sphere out."""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from jointwatch.core.errors import CorruptInput, EmptyInput, InputError, MissingChannel, UsageError
from jointwatch.recordings._csv_dialect import read_text, sniff, split_line

__all__ = ["SphereCentres", "read_centres", "write_centres"]

_RUN = ("run", "repeat", "repetition", "trial", "measurement")
_SPHERE = ("sphere", "ball", "marker", "point")
_STATE = ("state", "when", "position", "pose")
_BEFORE = ("before", "start", "first", "0")
_AFTER = ("after", "end", "last", "1")
_UNIT = re.compile(r"[\s_]*[\[(]?(mm|cm|m|um|µm|inch|in)[\])]?$")
_LARGEST_MM = 20_000.0  # a rod of that length is none; its centres are in micrometres
_SMALLEST_MM = 2.0
_FARTHEST = 1e9  # no machine reaches as far from its origin, in whatever unit
_LAYOUT = (
    "give a row for every centre with the columns run, state, sphere, x, y, z, or one for every sphere with run, "
    "sphere, x_before, y_before, z_before, x_after, y_after, z_after; centres in mm, said as x, x_mm or x [mm]"
)


@dataclass(frozen=True, eq=False)
class SphereCentres:
    """Centres of the same spheres before and after each of several runs.

    Parameters
    ----------
    runs : (run,) names, in the file's order.
    spheres : (sphere,) names, sorted.
    before_mm, after_mm : (run, sphere, 3).
    source : the file, for messages; "" if there is none.
    """

    runs: tuple[str, ...]
    spheres: tuple[str, ...]
    before_mm: np.ndarray
    after_mm: np.ndarray
    source: str = ""

    def __post_init__(self) -> None:
        shape = (len(self.runs), len(self.spheres), 3)
        if self.before_mm.shape != shape or self.after_mm.shape != shape:
            raise UsageError(f"centres of {shape[0]} runs and {shape[1]} spheres are {shape} before and after")


@dataclass(frozen=True)
class _Place:
    """Data row from 1, and line of the file."""

    path: Path
    row: int
    line: int

    def error(self, problem: str, remedy: str, column: str | None = None) -> InputError:
        return InputError(
            f"{problem} (line {self.line} of the file)", file=self.path, row=self.row, channel=column, remedy=remedy
        )


@dataclass(frozen=True)
class _Cells:
    """One centre as found in the file."""

    place: _Place
    run: str
    state: str
    sphere: str
    centre: tuple[float, float, float]


def read_centres(path: str | Path) -> SphereCentres:
    """Read centres from a text table; column order, case, delimiter and decimal sign are free.

    One row a centre: `run, state, sphere, x, y, z`, state before or after (or start / end, first / last, 0 / 1). Or
    one row a sphere: `run, sphere, x_before, y_before, z_before, x_after, y_after, z_after`. Units may stand in the
    header (`x_mm`, `x [mm]`), and must be mm. Without a column `run` the file holds one run. Lines that begin with #
    are comments; a name that does stands in quotes.

    Errors: `InputError` that names file, row (and line of the file), column and remedy: a missing, repeated or
    unreadable cell, a state or unit that is unknown, a run without one of its states, spheres that differ between
    states or runs, fewer than three spheres, coordinates that are not millimetres.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "centres.csv"
    ...     _ = path.write_text(
    ...         "run;sphere;x_before;y_before;z_before;x_after;y_after;z_after\\n"
    ...         "1;A;100;0;0;0;100;0\\n1;B;0;80;0;-80;0;0\\n1;C;0;0;60,5;0;0;60,5\\n")
    ...     centres = read_centres(path)
    >>> centres.spheres, centres.after_mm[0].tolist()
    (('A', 'B', 'C'), [[0.0, 100.0, 0.0], [-80.0, 0.0, 0.0], [0.0, 0.0, 60.5]])
    """
    path = Path(path)
    content, _ = read_text(path)
    numbered = [
        (number, line)
        for number, line in enumerate(content.split("\n"), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not numbered:
        raise EmptyInput("holds comments and no centres", file=path, remedy=_LAYOUT)
    lines = [line for _, line in numbered]
    dialect = sniff(lines, header=True, delimiter=None)
    units = dialect.units or ("",) * len(dialect.names or ())
    names = [_plain(path, name, unit) for name, unit in zip(dialect.names or (), units, strict=False)]
    rows = [(number, split_line(line, dialect.delimiter)) for number, line in numbered[dialect.first_data_line :]]
    if not rows:
        raise EmptyInput(
            "holds a header and no centres; lines that begin with # are comments", file=path, remedy=_LAYOUT
        )
    twice = [name for name, count in Counter(names).items() if count > 1 and name]
    if twice:
        raise CorruptInput(f"two columns are named {twice[0]!r}", file=path, channel=twice[0], remedy="rename one")
    columns = _columns(path, names)
    found: list[_Cells] = []
    for row, (line_number, cells) in enumerate(rows, 1):
        place = _Place(path, row, line_number)
        while len(cells) > len(names) and not cells[-1]:
            cells = cells[:-1]
        if len(cells) != len(names):
            raise place.error(
                f"{len(cells)} values where the header names {len(names)} columns",
                "complete the row; decimal commas need ; between columns",
            )
        found += _centres(place, dict(zip(names, cells, strict=True)), columns, dialect.delimiter)
    return _arranged(path, found)


def write_centres(path: str | Path, centres: SphereCentres, *, comment: str = "") -> None:
    """Write centres as `read_centres` reads them, one row a centre, to a tenth of a micrometre."""
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        if comment:
            file.writelines(f"# {line}\n" for line in comment.splitlines())
        hashes = any(run.lstrip().startswith("#") for run in centres.runs)
        table = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL if hashes else csv.QUOTE_MINIMAL)
        table.writerow(["run", "state", "sphere", "x_mm", "y_mm", "z_mm"])
        for r, run in enumerate(centres.runs):
            for state, centre in (("before", centres.before_mm[r]), ("after", centres.after_mm[r])):
                for sphere, place in zip(centres.spheres, centre, strict=True):
                    table.writerow([run, state, sphere, *(f"{value:.4f}" for value in place)])


def _plain(path: Path, name: str, unit: str) -> str:
    """A column's name as the reader knows it, without its unit; a unit that is not mm is refused."""
    text = name.strip().lower()
    coordinate = re.match(r"[xyz]([\s_\[(]|$)", text) is not None
    match = _UNIT.search(text) if coordinate else None
    said = match[1] if match else unit.strip().lower() if coordinate else ""
    if said not in ("", "mm"):
        raise InputError(
            f"the coordinates are said to be in {said}", file=path, channel=name, remedy="convert them to mm"
        )
    text = text[: match.start()] if match else text
    return re.sub(r"[\s_]+", "_", text.strip(" _"))


def _columns(path: Path, names: list[str]) -> dict[str, str]:
    """Role -> column: run, sphere and, in the long layout, state; long files have x, y, z."""
    columns = {}
    for role, known in (("run", _RUN), ("sphere", _SPHERE), ("state", _STATE)):
        hit = next((name for name in known if name in names), None)
        if hit is not None:
            columns[role] = hit
    wide = [f"{axis}_{state}" for state in ("before", "after") for axis in "xyz"]
    needed = wide if any(name in names for name in wide) else ["state", "x", "y", "z"]
    for name in ["sphere", *needed]:
        if name not in names and name not in columns:
            raise MissingChannel(f"there is no column {name!r} among {', '.join(names)}", file=path, remedy=_LAYOUT)
    if needed is wide:
        columns.pop("state", None)
    return columns


def _centres(place: _Place, cells: dict[str, str], columns: dict[str, str], delimiter: str) -> list[_Cells]:
    """The one or two centres of a row."""
    run = _label(place, cells, columns["run"]) if "run" in columns else "1"
    sphere = _label(place, cells, columns["sphere"])

    def centre(end: str) -> tuple[float, float, float]:
        x, y, z = (_number(place, f"{axis}{end}", cells[f"{axis}{end}"], delimiter) for axis in "xyz")
        return x, y, z

    if "state" not in columns:
        return [_Cells(place, run, state, sphere, centre(f"_{state}")) for state in ("before", "after")]
    said = _label(place, cells, columns["state"])
    state = "before" if said.lower() in _BEFORE else "after" if said.lower() in _AFTER else ""
    if not state:
        raise place.error(f"unknown state {said!r}", "write before or after", columns["state"])
    return [_Cells(place, run, state, sphere, centre(""))]


def _label(place: _Place, cells: dict[str, str], name: str) -> str:
    if not cells[name]:
        raise place.error("the cell is empty", "fill it in", name)
    return cells[name]


def _number(place: _Place, name: str, cell: str, delimiter: str) -> float:
    text = cell if delimiter == "," else cell.replace(",", ".")
    try:
        value = float(text)
    except ValueError:
        what = "the cell is empty" if not cell else f"{cell[:40]!r} is no number"
        raise place.error(what, "write the coordinate in mm", name) from None
    if not abs(value) <= _FARTHEST:
        raise place.error(f"{cell!r} is no coordinate", "measure it again", name)
    return value


def _arranged(path: Path, found: list[_Cells]) -> SphereCentres:
    """Centres by run, state and sphere; every run has every sphere once before and once after."""
    places: dict[tuple[str, str, str], _Cells] = {}
    for cells in found:
        key = (cells.run, cells.state, cells.sphere)
        if key in places:
            other = places[key].place
            raise cells.place.error(
                f"sphere {cells.sphere} {cells.state} run {cells.run} stands in row {other.row} already, line "
                f"{other.line}; again",
                "keep one of them, or number the runs",
            )
        places[key] = cells
    runs = tuple(dict.fromkeys(cells.run for cells in found))
    spheres = tuple(sorted({cells.sphere for cells in found}))
    for run in runs:
        for state in ("before", "after"):
            missing = [sphere for sphere in spheres if (run, state, sphere) not in places]
            if len(missing) == len(spheres):
                raise InputError(
                    f"run {run} has no centres {state} its turn", file=path, remedy=f"add rows {state}, or drop the run"
                )
            if missing:
                raise InputError(
                    f"run {run} lacks sphere {', '.join(missing)} {state} its turn",
                    file=path,
                    remedy="measure the same spheres before and after every run, under the same names",
                )
    if len(spheres) < 3:
        raise InputError(f"there are {len(spheres)} spheres", file=path, remedy="at least three show a rotation")
    before, after = (
        np.array([[places[run, state, sphere].centre for sphere in spheres] for run in runs])
        for state in ("before", "after")
    )
    _require_mm(path, runs, spheres, before, after)
    return SphereCentres(runs, spheres, before, after, str(path))


def _require_mm(
    path: Path, runs: tuple[str, ...], spheres: tuple[str, ...], before: np.ndarray, after: np.ndarray
) -> None:
    """Refuse a set of spheres whose size says metres or micrometres."""
    for r, run in enumerate(runs):
        for state, centres in (("before", before[r]), ("after", after[r])):
            size = max(np.linalg.norm(a - b) for a, b in combinations(centres, 2))
            if not _SMALLEST_MM <= size <= _LARGEST_MM:
                unit = "metres" if size < _SMALLEST_MM else "micrometres"
                raise InputError(
                    f"spheres {', '.join(spheres)} of run {run} {state} its turn are at most {size:.3g} mm apart, "
                    f"as if the centres were in {unit}",
                    file=path,
                    remedy="convert all centres to mm",
                )
