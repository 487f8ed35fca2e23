"""The main job on embedded defaults: simulate a mixed fleet, learn on one brand, carry to four others, score, alarm."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from jointwatch.cli._shared import command, console, progress, read, written
from jointwatch.core import Index, Recording

__all__ = ["demo"]

_LEARNED_ON = "ur5e"
_FIRST_SESSIONS = 12  # of each robot of the other brands: what a plant has after commissioning


@command
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the fleet, model, scores, alarms and report.")] = Path(
        "out/demo"
    ),
    jobs: Annotated[int, typer.Option(help="Processes that simulate; -1 = one for each core.")] = -1,
) -> None:
    """Simulate five brands at one task, learn normal on the UR5e, carry it to the other four, score, alarm, report."""
    from jointwatch.alarms.monitor import Monitor
    from jointwatch.bundle import save
    from jointwatch.recordings.parquet import Parquet
    from jointwatch.reports.verdict import write_verdict
    from jointwatch.simulation.produce import produce
    from jointwatch.simulation.spec import load_spec

    spec = load_spec("demo")
    console.rule("1  simulate a small mixed fleet")
    with progress("simulating") as step:
        fleet = produce(spec, out / "fleet", Parquet.write, jobs=jobs, progress=step)
    console.print(f"{fleet.written + fleet.found} sessions: {fleet.folder}", markup=False, highlight=False)
    console.rule("2  learn what normal is on the UR5e")
    learned = [recording for recording in read(fleet.folder / _LEARNED_ON) if recording.condition.label == "normal"]
    monitor = Monitor.suited_to(
        learned, detector="knn", channels="effort.derived/J", kind="cycle", domain="unit", false_alarm_rate=0.03
    ).fit(learned)
    for line in monitor.summary():
        console.print(line, markup=False, highlight=False)
    brands = [group.name for group in spec.groups if group.name != _LEARNED_ON]
    for number, brand in enumerate(brands, 3):
        console.rule(f"{number}  carry it to {brand} with its first healthy sessions, score what came later")
        first, later = _first_healthy(read(fleet.folder / brand))
        adapted = monitor.adapt(first)
        for line in adapted.summary():
            console.print(line, markup=False, highlight=False)
        written(save(adapted, out / brand / "model"))
        verdict = adapted.score(later)
        console.print(_tally(verdict.cycle_scores.index, verdict.passed), highlight=False)
        for file in write_verdict(adapted, verdict, later, out / brand):
            written(file)


def _tally(index: Index, passed: np.ndarray) -> str:
    healthy = index.label == "normal"
    parts = [f"{passed[healthy].sum()} of {healthy.sum()} healthy cycles flagged"]
    for fault in sorted(set(index.fault[index.label == "anomalous"].tolist())):
        struck = index.fault == fault
        parts.append(f"{fault.replace('_', ' ')} {passed[struck].sum()} of {struck.sum()}")
    return "truth: " + ", ".join(parts)


def _first_healthy(recordings: list[Recording]) -> tuple[list[Recording], list[Recording]]:
    """The first healthy sessions of each unit, and all other recordings."""
    taken: dict[str, int] = {}
    first, later = [], []
    for recording in sorted(recordings, key=lambda recording: (recording.robot.unit, recording.session)):
        unit = recording.robot.unit
        if recording.condition.label == "normal" and taken.get(unit, 0) < _FIRST_SESSIONS:
            taken[unit] = taken.get(unit, 0) + 1
            first.append(recording)
        else:
            later.append(recording)
    return first, later
