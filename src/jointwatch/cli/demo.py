"""The main job on embedded defaults: learn on one robot, carry to another, score, alarm, report."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from jointwatch.cli._shared import command, console, read, written
from jointwatch.core.errors import InputError

__all__ = ["demo"]

_DATA = Path(os.environ.get("JOINTWATCH_DATA", Path("..") / "shared" / "data"))


@command
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the model, scores, alarms and report.")] = Path("out/demo"),
    data: Annotated[Path, typer.Option(help="Folder with ur10e_innopolis and ur_collisions.")] = _DATA,
) -> None:
    """Learn normal on a UR10e, carry it to another arm, score its collision runs, and write the report."""
    from jointwatch.alarms.monitor import Monitor
    from jointwatch.bundle import save
    from jointwatch.reports.verdict import write_verdict

    source, target = data / "ur10e_innopolis", data / "ur_collisions"
    if not (source.is_dir() and target.is_dir()):
        raise InputError("not found", file=data, remedy="give the folder of the measured recordings with --data DIR")
    console.rule("1  learn what normal is on the UR10e")
    learned = read(source)
    monitor = Monitor.suited_to(
        learned,
        detector="knn",
        strategy="normalisation",
        one_scale=True,
        channels="current.derived/J:innovation",
        kind="sliding",
        rate_hz=125.0,
        length=40,
        step=5,
        decide_s=0.4,
        domain="model",
        event="contact",
    ).fit(learned)
    for line in monitor.summary():
        console.print(line, markup=False, highlight=False)
    console.rule("2  carry it to the other arm with its free runs")
    free = read(target / "Calibration")
    adapted = monitor.adapt(free)
    for line in adapted.summary():
        console.print(line, markup=False, highlight=False)
    written(save(adapted, out / "model"))
    console.rule("3  score its collision runs")
    runs = [recording for recording in read(target) if recording.session.startswith("Drift")]
    verdict = adapted.score(runs)
    console.print(f"{len(verdict.alarms)} alarms in {len(verdict.cycle_scores)} decisions")
    for file in write_verdict(adapted, verdict, runs, out):
        written(file)
