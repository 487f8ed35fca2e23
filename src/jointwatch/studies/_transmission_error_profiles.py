"""Profiles of drives and plain statistics of their cycles, one row a cycle, with the truth of every session beside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from jointwatch.core import Index, Quantity
from jointwatch.core.errors import InputError
from jointwatch.diagnosis._profile_grades import ABSOLUTE, RELATIVE, ProfileGrades
from jointwatch.recordings.parquet import Parquet
from jointwatch.signals.joint_profile import figure_names
from jointwatch.studies._difficulty_drives import level_features
from jointwatch.studies._fleet_table import Table, joined, json_columns, numbers_of, shortened
from jointwatch.studies._ledger import Ledger
from jointwatch.studies.base import Progress

__all__ = ["figures_for", "profile_table", "statistics_of"]

_FAMILIES = tuple(dict.fromkeys((*RELATIVE, *ABSOLUTE)))
_PLAIN = "statistics"


def profile_table(
    folder: Path, groups: Sequence[str], joint: int, ledger: Ledger, progress: Progress, *, limit: int | None = None
) -> Table:
    """Every cycle of the units in these groups of a fleet, a unit a step of the ledger.

    Features are called `FAMILY: FIGURE`, profiles averaged over torque and current, and `statistics: ...`. A row is
    labelled normal only in the sessions before any wear, which are the unit's baseline: the simulation also calls a
    worn drive normal whose error stays in the first level.

    Parameters
    ----------
    joint : number of the one that moves and is graded. limit : at most so many units of a group.

    Errors: `InputError` if there are no sessions.
    """
    units = [unit for group in groups for unit in sorted((folder / group).glob("*/"))[:limit]]
    if not units:
        raise InputError(
            f"holds no sessions of {', '.join(groups)}", file=folder, remedy="simulate the fleet, into an empty folder"
        )
    steps = {f"{folder.name}/profiles/{unit.parent.name}/{unit.name}": partial(_unit, unit, joint) for unit in units}
    table = joined(list(ledger.every(steps, progress).values()))
    columns = {**table.index.columns(), "label": np.where(table.of("fault") == "", "normal", "anomalous")}
    return replace(table, index=Index(**columns))


def figures_for(table: Table, baseline: Literal["unit"] | None) -> np.ndarray:
    """(row, figure) as `ProfileGrades` measures them with such a baseline."""
    wanted = [f"{family}: {name}" for family in (RELATIVE if baseline else ABSOLUTE) for name in figure_names(family)]
    return table.values[:, [table.names.index(name) for name in wanted]]


def statistics_of(table: Table) -> Table:
    """The plain statistics alone."""
    names = tuple(name for name in table.names if name.startswith(_PLAIN))
    return replace(table, values=table.columns(lambda name: name in names), names=names)


def _unit(folder: Path, joint: int) -> dict[str, Any]:
    """Rows and truth of one unit, as JSON."""
    names = [f"{family}: {name}" for family in _FAMILIES for name in figure_names(family)]
    rows: list[list[float]] = []
    columns: dict[str, list[Any]] = {}
    of_session: list[int] = []
    sessions: list[dict[str, Any]] = []
    for file in sorted(folder.glob("*.parquet")):
        for recording in Parquet().read(file):
            view = ProfileGrades(joint, float(recording.robot.joint(joint).gear_ratio or 100.0), groups=_FAMILIES)
            windows = view.cut([recording])
            plain, titles = level_features(windows)
            chosen = [i for i, title in enumerate(titles) if not title.startswith(Quantity.POSITION)]
            values = np.concatenate([view.measure(windows), plain[:, chosen]], axis=1)
            names = [*names[: values.shape[1] - len(chosen)], *(f"{_PLAIN}: {titles[i]}" for i in chosen)]
            rows += shortened(values)
            for name, column in json_columns(windows.index).items():
                columns.setdefault(name, []).extend(column)
            of_session += [len(sessions)] * len(values)
            truth = recording.truth
            sessions.append(
                {
                    "unit": recording.robot.unit,
                    "session": recording.session,
                    "group": truth["group"],
                    "fault": truth["fault"]["name"],
                    "severity": truth["fault"]["severity"],
                    "level": truth["level"][joint - 1],
                    "error_rad": abs(truth["static_error_rad"][joint - 1]),
                    "latent": numbers_of({k: column[joint - 1] for k, column in truth["latent"].items()}, ""),
                }
            )
    return {"names": names, "rows": rows, "index": columns, "session": of_session, "sessions": sessions, "skipped": {}}
