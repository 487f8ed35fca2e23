"""Score recordings, raise alarms, and write the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from jointwatch.cli._shared import command, console, load_model, read, written
from jointwatch.core import Recording
from jointwatch.core.errors import UsageError

__all__ = ["score"]


@command
def score(
    model: Annotated[Path, typer.Argument(help="The model: a folder, or a bundle (.jointwatch file).")],
    path: Annotated[Path, typer.Argument(help="Recordings to score: a file or folder.")],
    out: Annotated[Path, typer.Option(help="Folder for the scores, alarms.json and report.html.")],
    columns: Annotated[Path | None, typer.Option(help="Column map (YAML) for CSV or HDF5.")] = None,
    public_key: Annotated[
        Path | None, typer.Option(help="PEM file: refuse a bundle that its holder did not sign.")
    ] = None,
    recalibration: Annotated[
        Path | None, typer.Option(help="A recalibration of the bundle (`jointwatch recalibrate`).")
    ] = None,
    recalibration_key: Annotated[
        Path | None, typer.Option(help="PEM file: refuse a recalibration that its holder, the device, did not sign.")
    ] = None,
) -> None:
    """Score recordings, raise alarms, and write scores.parquet, alarms.json and report.html.

    Of a classifier or a grader the scores are conditions or grades with their probabilities. Without the extra `fit`,
    scores.csv takes the place of scores.parquet, and there is no report. Results of a bundle name its file, digest
    and version, and the recalibration in use.
    """
    from jointwatch.diagnosis.anomaly import AnomalyDetector

    found, origin = load_model(model, public_key, recalibration, recalibration_key)
    recordings = read(path, columns)
    if not isinstance(found, AnomalyDetector):
        _diagnose(found, recordings, out, origin)
        return
    from jointwatch.reports.verdict import write_verdict

    with console.status("scoring"):
        verdict = found.detect(recordings)
        said = found.said(verdict)
    monitor, cycles = found.monitor_, len(said)
    counts = ", ".join(f"{(said == name).sum()} {name}" for name in ("normal", "uncertain", "anomalous"))
    console.print(
        monitor.shortage_ or f"{len(verdict.alarms)} alarms in {cycles} decisions: {counts}",
        markup=False,
        highlight=False,
    )
    files = write_verdict(monitor, verdict, recordings, out, said, origin)
    for file in files:
        written(file)
    if files[-1].name != "report.html":
        console.print("no report.html: that needs pip install 'jointwatch\\[fit]'", soft_wrap=True)


def _diagnose(model: Any, recordings: Sequence[Recording], out: Path, origin: Mapping[str, str | int]) -> None:
    from jointwatch.reports.diagnosed import in_words, write_diagnosis

    if not (hasattr(model, "diagnose") or hasattr(model, "grade")):
        raise UsageError(f"a {type(model).__name__} does not judge recordings; give a detector, classifier or grader")
    with console.status("scoring"):
        found = model.diagnose(recordings) if hasattr(model, "diagnose") else model.grade(recordings)
    console.print(in_words(found), markup=False, highlight=False, soft_wrap=True)
    written(write_diagnosis(found, out, origin))
