"""Whether a fault owns a circumstance, or a session shows when it was: both must be chance."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from jointwatch.studies._confusions import confusions
from jointwatch.studies._fleet_table import Table
from jointwatch.studies._folds import SPLITS, folds
from jointwatch.studies._ledger import Ledger
from jointwatch.studies._part import Part
from jointwatch.studies._trees import Forest, held_out, repeat

__all__ = ["probe"]

_CIRCUMSTANCES = "probe: fault or not, from ambient temperature, task and session number"
_SESSION = "probe: early or late session, from the features of healthy rows"
_MOST_ROWS = 2000  # a group, drawn by chance
_CHANCE = 0.5


def probe(preset: str, table: Table, seeds: int, trees: int, ledger: Ledger) -> Part:
    """Balanced accuracy of both probes, whole units held out, and a note where the interval leaves chance out.

    Each group is probed by itself: groups differ in task and in the share of their faulty sessions by design.
    """
    part = Part()
    for method, truth in ((_CIRCUMSTANCES, True), (_SESSION, False)):
        found = []
        for group in dict.fromkeys(table.of("group").tolist()):
            own = table.take(table.of("group") == group)
            rows, y = _circumstances(own) if truth else _sessions(own)
            if len(np.unique(y)) < 2 or len(np.unique(rows.index.unit)) < 2:
                continue
            compute = partial(repeat, partial(_one, rows, y), seeds, trees)
            found.append([np.array(step) for step in ledger.once(f"{preset}/{method}/{group}", compute)])
        if not found:
            continue
        part.add(
            [np.concatenate([steps[seed] for steps in found]) for seed in range(seeds)],
            ["balanced accuracy"],
            method=method,
            split=SPLITS["unit"],
            source=f"each group of {preset}",
            target=f"each group of {preset}",
            suffix=" of sessions" if truth else " of rows",
        )
        row = part.rows[-1]
        verdict = "LEAK, above chance" if row.low > _CHANCE else "not above chance"
        part.notes.append(f"{preset}, {method}: {row.mean:.3f} [{row.low:.3f}, {row.high:.3f}]: {verdict}")
    return part


def _circumstances(table: Table) -> tuple[Table, np.ndarray]:
    """Sessions by what surrounds them, and whether they are faulty."""
    sessions = table.by_session("nuisances")
    return sessions, (sessions.of("fault") != "").astype(int)


def _sessions(table: Table) -> tuple[Table, np.ndarray]:
    """Healthy rows, and whether their session is of the later half of the sessions of its unit, faulty ones too."""
    number = np.array([session["nuisances"]["session"] for session in table.sessions])[table.session_of_row]
    late = number > number.max() / 2
    healthy = table.of("fault") == ""
    rows = np.flatnonzero(healthy)
    rows = np.sort(np.random.default_rng(0).permutation(rows)[:_MOST_ROWS])
    return table.take(rows), late[rows].astype(int)


def _one(table: Table, y: np.ndarray, forest: Forest) -> list[Any]:
    """(unit, true, said) counts."""
    said = held_out(table.values, y, folds(table.stub, "unit", forest.seed), forest).argmax(axis=1)
    counts: list[Any] = confusions(table.index.unit, np.unique(table.index.unit), y, said, 2).tolist()
    return counts
