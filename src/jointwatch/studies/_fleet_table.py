"""Simple statistics of a simulated fleet, one row a window or cycle, with the truth of every session beside."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from jointwatch.core import Channel, Index, Quantity, Recording, Windows
from jointwatch.core.errors import InputError
from jointwatch.features.cycle_statistics import CycleStatistics
from jointwatch.recordings.parquet import Parquet
from jointwatch.studies._ledger import Ledger
from jointwatch.windows.plan import WindowPlan

__all__ = ["Table", "gather", "joined", "json_columns", "manifest", "numbers_of", "plain_statistics", "shortened"]

_DIGITS = 6

Features = Callable[[Windows], tuple[np.ndarray, Sequence[str]]]


@dataclass(frozen=True, eq=False)
class Table:
    """Features of a fleet.

    values : (row, feature). names : of the features. index : (row,) whose they are. session_of_row : (row,) position in
    `sessions`, the truth of every session: unit, session, group, fault, joint, severity, level, static_error_rad,
    nuisances (numbers by name) and latent (numbers by name). skipped : cycles that could not be cut, by label.
    """

    values: np.ndarray
    names: tuple[str, ...]
    index: Index
    session_of_row: np.ndarray
    sessions: tuple[Mapping[str, Any], ...]
    skipped: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: np.ndarray) -> Table:
        """Rows by position or mask."""
        return replace(
            self, values=self.values[rows], index=self.index.take(rows), session_of_row=self.session_of_row[rows]
        )

    def of(self, fact: str) -> np.ndarray:
        """(row,) a fact of each row's session."""
        return np.array([session[fact] for session in self.sessions])[self.session_of_row]

    def columns(self, wanted: Callable[[str], bool]) -> np.ndarray:
        """(row, chosen feature) of the features whose names are wanted."""
        return self.values[:, [i for i, name in enumerate(self.names) if wanted(name)]]

    def by_session(self, kind: str) -> Table:
        """One row a session, with its true numbers (`latent` or `nuisances`) in place of features."""
        _, first = np.unique(self.session_of_row, return_index=True)
        rows = self.take(first)
        held = [self.sessions[i][kind] for i in rows.session_of_row]
        names = tuple(dict.fromkeys(name for numbers in held for name in numbers))
        values = np.array([[numbers.get(name, 0.0) for name in names] for numbers in held], float)
        return replace(rows, values=values.reshape(len(rows), len(names)), names=names)

    @cached_property
    def stub(self) -> Windows:
        """Windows without content that splits can read the index from."""
        return Windows(np.zeros((len(self), 1, 2)), (Channel(Quantity.POSITION, 1),), self.index, 1.0)


def manifest(folder: Path) -> dict[str, Any]:
    """What `jointwatch simulate` says of the fleet in `folder`: difficulty, revision, spec.

    Errors: `InputError` if it is damaged.
    """
    file = folder / "fleet.json"
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return {key: found[key] for key in ("difficulty", "revision", "spec")}
    except (ValueError, KeyError, TypeError, OSError):
        raise InputError("is damaged", file=file, remedy="simulate the fleet again, into an empty folder") from None


def gather(
    folder: Path,
    ledger: Ledger,
    plan: Callable[[Recording], WindowPlan],
    features: Features,
    joints: Callable[[str], Sequence[int]],
    progress: Callable[[int, int, str], None],
) -> Table:
    """The table of a fleet: every unit is a step of the ledger, recordings are read one at a time.

    Parameters
    ----------
    plan : how a recording is cut. features : windows -> (values, names). joints : group -> joints whose latent
        parameters are kept, empty = all.

    Errors: `InputError` if there is no session.
    """
    units = sorted({file.parent for file in folder.glob("*/*/*.parquet")})
    if not units:
        raise InputError("holds no sessions", file=folder, remedy=f"jointwatch simulate {folder.name} --out {folder}")
    parts = []
    for number, unit in enumerate(units):
        progress(number, len(units), f"{folder.name}: {unit.name}")
        compute = partial(_unit, unit, plan, features, joints(unit.parent.name))
        parts.append(ledger.once(f"{folder.name}/features/{unit.parent.name}/{unit.name}", compute))
    return joined(parts)


def plain_statistics(names: Sequence[str] | None = None) -> Features:
    """Statistics of every channel, by name; None = all."""

    def compute(windows: Windows) -> tuple[np.ndarray, Sequence[str]]:
        found = CycleStatistics(names=names).fit(windows)
        return found.transform(windows), found.feature_names_

    return compute


def numbers_of(tree: Any, name: str) -> dict[str, float]:
    """The numbers of nested lists and mappings, each under its path.

    >>> numbers_of({"a": [1, [2, 3]], "b": "text"}, "")
    {'a 1': 1.0, 'a 2 1': 2.0, 'a 2 2': 3.0}
    """
    if isinstance(tree, Mapping):
        pairs: Iterable[tuple[Any, Any]] = tree.items()
    elif isinstance(tree, (list, tuple)):
        pairs = enumerate(tree, start=1)
    elif isinstance(tree, (int, float)) and not isinstance(tree, bool) and math.isfinite(tree):
        return {name: _short(tree)}
    else:
        return {}
    return {key: value for part, inner in pairs for key, value in numbers_of(inner, f"{name} {part}".strip()).items()}


def _unit(
    folder: Path, plan: Callable[[Recording], WindowPlan], features: Features, joints: Sequence[int]
) -> dict[str, Any]:
    """Rows and truth of one unit, as JSON."""
    sessions: list[dict[str, Any]] = []
    rows: list[list[float]] = []
    columns: dict[str, list[Any]] = {}
    of_session: list[int] = []
    skipped: dict[str, int] = {}
    names: Sequence[str] = ()
    for file in sorted(folder.glob("*.parquet")):
        for recording in Parquet().read(file):
            windows = plan(recording).cut([recording])
            sessions.append(_facts(recording, joints))
            for label, count in _lost(recording, windows).items():
                skipped[label] = skipped.get(label, 0) + count
            if not len(windows):
                continue
            values, names = features(windows)
            rows += shortened(values)
            for name, column in json_columns(windows.index).items():
                columns.setdefault(name, []).extend(column)
            of_session += [len(sessions) - 1] * len(values)
    return {
        "names": list(names),
        "rows": rows,
        "index": columns,
        "session": of_session,
        "sessions": sessions,
        "skipped": skipped,
    }


def _lost(recording: Recording, windows: Windows) -> dict[str, int]:
    """How many cycles gave no window, by label."""
    there = Counter(str(cycle.condition.label) for cycle in recording.cycles)
    _, first = np.unique(windows.index.cycle, return_index=True)
    return dict(there - Counter(windows.index.label[first].tolist()))


def _facts(recording: Recording, joints: Sequence[int]) -> dict[str, Any]:
    truth = recording.truth
    latent = {
        f"{name}/{joint}": column[joint - 1]
        for name, column in truth["latent"].items()
        for joint in (joints or range(1, len(column) + 1))
    }
    return {
        "unit": recording.robot.unit,
        "session": recording.session,
        "group": truth["group"],
        "difficulty": str(truth["difficulty"]),
        "fault": truth["fault"]["name"],
        "joint": truth["fault"]["joint"],
        "severity": truth["fault"]["severity"],
        "level": truth["level"],
        "static_error_rad": truth["static_error_rad"],
        "nuisances": numbers_of(
            {"task": truth["task"], "ambient_c": truth["ambient_c"], "session": int(recording.session[1:])}, ""
        ),
        "latent": numbers_of(latent, ""),
    }


def json_columns(index: Index) -> dict[str, list[Any]]:
    """Columns of an index as JSON, NaN as null."""
    return {
        name: [None if isinstance(x, float) and math.isnan(x) else x for x in column.tolist()]
        for name, column in index.columns().items()
    }


def shortened(values: np.ndarray) -> list[list[float]]:
    """Rows of figures with as many digits as a ledger keeps."""
    return [[_short(x) for x in row] for row in values]


def joined(parts: Sequence[Mapping[str, Any]]) -> Table:
    """The table of units whose `names`, `rows`, `index`, `session`, `sessions` and `skipped` were steps of a ledger."""
    filled = [part for part in parts if part["rows"]]
    names = tuple(dict.fromkeys(name for part in filled for name in part["names"]))
    blocks, of_session, sessions, skipped = [], [], list[Mapping[str, Any]](), dict[str, int]()
    for part in parts:
        if part["rows"]:
            block = np.zeros((len(part["rows"]), len(names)))
            block[:, [names.index(name) for name in part["names"]]] = part["rows"]
            blocks.append(block)
            of_session.append(np.array(part["session"]) + len(sessions))
        sessions += part["sessions"]
        for label, count in part["skipped"].items():
            skipped[label] = skipped.get(label, 0) + count
    index = Index(
        **{
            name: np.concatenate(
                [np.array([np.nan if x is None else x for x in part["index"][name]]) for part in filled]
            )
            for name in filled[0]["index"]
        }
    )
    return Table(np.concatenate(blocks), names, index, np.concatenate(of_session), tuple(sessions), skipped)


def _short(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
