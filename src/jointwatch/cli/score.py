"""Score recordings, raise alarms, and write the report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jointwatch.cli._shared import command, console, load_detector, read, written

__all__ = ["score"]


@command
def score(
    model: Annotated[Path, typer.Argument(help="Folder of the model.")],
    path: Annotated[Path, typer.Argument(help="Recordings to score: a file or folder.")],
    out: Annotated[Path, typer.Option(help="Folder for scores.parquet, alarms.json and report.html.")],
    columns: Annotated[Path | None, typer.Option(help="Column map (YAML) for CSV or HDF5.")] = None,
) -> None:
    """Score recordings, raise alarms, and write scores.parquet, alarms.json and report.html."""
    from jointwatch.reports.verdict import write_verdict

    detector = load_detector(model)
    recordings = read(path, columns)
    with console.status("scoring"):
        verdict = detector.detect(recordings)
        said = detector.said(verdict)
    monitor, cycles = detector.monitor_, len(said)
    counts = ", ".join(f"{(said == name).sum()} {name}" for name in ("normal", "uncertain", "anomalous"))
    console.print(
        monitor.shortage_ or f"{len(verdict.alarms)} alarms in {cycles} decisions: {counts}",
        markup=False,
        highlight=False,
    )
    for file in write_verdict(monitor, verdict, recordings, out, said):
        written(file)
