"""A whole fleet into a folder: parallel over units, with progress, and resumable."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import joblib

from jointwatch.core import Recording
from jointwatch.core.errors import InputError, UsageError
from jointwatch.simulation.difficulty import difficulty
from jointwatch.simulation.fleet import SessionPlan, plan_fleet
from jointwatch.simulation.robot import load_robot, robot_digest
from jointwatch.simulation.session import simulate_session
from jointwatch.simulation.spec import FleetSpec

__all__ = ["REVISION", "Production", "produce", "simulate_fleet"]

REVISION = "1"
"""Raised when the same specification and seed no longer give the same bytes."""

_MANIFEST = "fleet.json"

Write = Callable[[Recording, Path], Any]
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Production:
    """What a run made: sessions written now, sessions that were already there, where."""

    written: int
    found: int
    folder: Path


def simulate_fleet(spec: FleetSpec) -> Iterator[Recording]:
    """Recordings of all sessions, one after the other, nothing written."""
    return (simulate_session(plan) for plan in plan_fleet(spec))


def produce(
    spec: FleetSpec,
    folder: Path,
    write: Write,
    *,
    groups: Sequence[str] = (),
    jobs: int = -1,
    progress: Progress | None = None,
) -> Production:
    """Simulate a fleet into `folder`/GROUP/UNIT/SESSION.parquet, with `fleet.json` that says what it is.

    Sessions that are there already are kept, so that a run that was stopped goes on where it was. Files appear whole
    or not at all, as `write` sees to.

    Parameters
    ----------
    write : stores one recording at a path; must be importable by name for worker processes.
    groups : only these for now; none = all. What they draw does not depend on it.
    jobs : processes, -1 = one for each core.
    progress : called with (sessions done, in all, what).

    Errors: `UsageError` if the folder holds another fleet, seed or version; `InputError` if its manifest is damaged.
    """
    unknown = [name for name in groups if name not in {group.name for group in spec.groups}]
    if unknown:
        there = ", ".join(group.name for group in spec.groups)
        raise UsageError(f"{spec.name} has no group {', '.join(unknown)}; there are {there}")
    plans = [plan for plan in plan_fleet(spec) if not groups or plan.group in groups]
    _claim(folder, spec)
    todo = [plan for plan in plans if not _path(folder, plan).exists()]
    done = found = len(plans) - len(todo)
    if progress:
        progress(done, len(plans), "")
    units = [list(sessions) for _, sessions in groupby(todo, key=lambda plan: plan.unit)]
    workers = min(joblib.effective_n_jobs(jobs), max(len(units), 1))
    if units and workers > 1:  # compiled once here, workers load it from the cache
        _one_unit(units[0][:1], folder, write)
        units[0] = units[0][1:]
        done += 1
    tasks = (joblib.delayed(_one_unit)(sessions, folder, write) for sessions in units if sessions)
    for made, unit in joblib.Parallel(n_jobs=workers, return_as="generator_unordered")(tasks):
        done += made
        if progress:
            progress(done, len(plans), unit)
    return Production(len(todo), found, folder)


def _one_unit(sessions: list[SessionPlan], folder: Path, write: Write) -> tuple[int, str]:
    for plan in sessions:
        write(simulate_session(plan), _path(folder, plan))
    return len(sessions), sessions[0].unit


def _path(folder: Path, plan: SessionPlan) -> Path:
    return folder / plan.group / plan.unit / f"{plan.session}.parquet"


def _claim(folder: Path, spec: FleetSpec) -> None:
    """The folder is this fleet's: new, or begun with the same specification and versions."""
    content = spec.model_dump(mode="json")
    versions = {"revision": REVISION, "difficulty": difficulty().version}
    robots = {group.robot: robot_digest(load_robot(group.robot)) for group in spec.groups}
    everything = [content, versions, robots, difficulty().model_dump(mode="json")]
    digest = hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()
    manifest = folder / _MANIFEST
    if manifest.exists():
        try:
            known = json.loads(manifest.read_text(encoding="utf-8"))["sha256"]
        except (ValueError, KeyError, TypeError):
            raise InputError("is damaged", file=manifest, remedy="give an empty folder") from None
        if known != digest:
            raise UsageError(f"{folder} holds another fleet, seed or simulator version; give an empty folder")
        return
    unfinished = manifest.with_suffix(".tmp")
    if folder.exists() and any(file != unfinished for file in folder.iterdir()):
        raise UsageError(f"{folder} is not empty and holds no fleet; give an empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    unfinished.write_text(json.dumps({"sha256": digest, **versions, "spec": content}, indent=1), encoding="utf-8")
    os.replace(unfinished, manifest)
