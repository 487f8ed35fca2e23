"""Learn what normal is on one or several robots."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jointwatch.cli._shared import command, console, read, writable_folder, written

__all__ = ["fit"]


@command
def fit(
    path: Annotated[Path, typer.Argument(help="Recordings of the source robots: a file or folder.")],
    model: Annotated[Path, typer.Option(help="Folder to write the model to.")],
    detector: Annotated[
        str,
        typer.Option(
            help="Detector; `jointwatch catalog detectors` lists them. auto: cnn for strategies that train a network, "
            "else mahalanobis; with --strategy auto both, or a comma-separated list."
        ),
    ] = "auto",
    strategy: Annotated[
        str,
        typer.Option(
            help="Transfer strategy; `jointwatch catalog transfer` lists them. auto: `jointwatch adapt` tries those "
            "that fit and takes what the target's own evidence favours, target-only models among them."
        ),
    ] = "normalisation",
    channels: Annotated[
        str,
        typer.Option(
            help="Channels, comma-separated, J = every joint: current/J,velocity.derived/J. Default: usual ones."
        ),
    ] = "",
    kind: Annotated[str, typer.Option(help="Windows: cycle, sliding, or auto.")] = "auto",
    length: Annotated[int | None, typer.Option(help="Samples in a window.")] = None,
    rate_hz: Annotated[float | None, typer.Option(help="Sampling rate of sliding windows, Hz.")] = None,
    step: Annotated[int | None, typer.Option(help="Samples between sliding windows.")] = None,
    decide_s: Annotated[
        float | None, typer.Option(help="Decide every so many seconds instead of once a cycle.")
    ] = None,
    domain: Annotated[
        str, typer.Option(help="What is transferred between: brand, model, unit or truth:KEY.")
    ] = "brand",
    false_alarm_rate: Annotated[float, typer.Option(help="Stated false-alarm rate per decision.")] = 0.01,
    doubt_rate: Annotated[
        float,
        typer.Option(help="Share of healthy decisions that may be called other than normal: the rest is uncertain."),
    ] = 0.1,
    persistence: Annotated[str, typer.Option(help="k/n: alarm when k of the last n decisions pass.")] = "1/1",
    exclude_odd: Annotated[bool, typer.Option(help="Leave odd healthy cycles out of the threshold.")] = False,
    one_scale: Annotated[bool, typer.Option(help="One scale for all joints of a quantity.")] = False,
    columns: Annotated[Path | None, typer.Option(help="Column map (YAML) for CSV or HDF5.")] = None,
) -> None:
    """Learn what normal is on one or several robots and store the model."""
    from jointwatch.bundle import save
    from jointwatch.diagnosis.anomaly import AnomalyDetector

    recordings = read(path, columns)
    writable_folder(model)
    settings = {"length": length, "rate_hz": rate_hz, "step": step, "decide_s": decide_s, "domain": domain}
    door = AnomalyDetector(
        strategy,
        detector,
        channels=channels,
        kind=None if kind == "auto" else kind,
        windows={name: value for name, value in settings.items() if value is not None},
        false_alarm_rate=false_alarm_rate,
        doubt_rate=max(false_alarm_rate, doubt_rate),
        persistence=persistence,
        exclude_odd=exclude_odd,
        one_scale=one_scale,
    )
    with console.status("learning"):
        door.fit(recordings)
    for line in door.summary():
        console.print(line, markup=False, highlight=False)
    written(save(door, model))
