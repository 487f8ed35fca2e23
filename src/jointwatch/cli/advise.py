"""Which strategy fits a source and a target, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from jointwatch.cli._shared import command, console, progress, read, writable_folder, written

__all__ = ["advise"]


@command
def advise(
    source: Annotated[Path, typer.Argument(help="Recordings of the source robots: a file or folder.")],
    target: Annotated[Path, typer.Argument(help="Recordings of the target robot, mostly healthy.")],
    out: Annotated[Path | None, typer.Option(help="Folder for advice.json, pictures and advice.html.")] = None,
    channels: Annotated[
        str, typer.Option(help="Channels, comma-separated, J = every joint. Default: usual ones that both have.")
    ] = "",
    kind: Annotated[str, typer.Option(help="Windows: cycle, sliding, or auto.")] = "auto",
    length: Annotated[int | None, typer.Option(help="Samples in a window.")] = None,
    domain: Annotated[
        str, typer.Option(help="What is transferred between: brand, model, unit or truth:KEY.")
    ] = "brand",
    detector: Annotated[
        list[str] | None, typer.Option(help="Detector to try; repeat for several. Default: mahalanobis and cnn.")
    ] = None,
    strategy: Annotated[
        list[str] | None,
        typer.Option(help="Strategy to try; repeat for several. Default: by the decision table, one of each row."),
    ] = None,
    labels: Annotated[bool, typer.Option(help="Use those cycles of the target that carry a label.")] = True,
    folds: Annotated[
        int, typer.Option(help="Parts of the target held out in turn, 3 or more; each trains every candidate anew.")
    ] = 4,
    seed: Annotated[int, typer.Option(help="Of folds, made anomalies and bootstrap.")] = 0,
    columns: Annotated[Path | None, typer.Option(help="Column map (YAML) for CSV or HDF5.")] = None,
) -> None:
    """Which strategy to use for a target, why, what it is expected to bring, and which labels would change that."""
    from jointwatch.reports.advice import write_advice
    from jointwatch.selection.advise import advise_on
    from jointwatch.selection.gate import TransferGate

    here, there = read(source, columns), read(target, columns)
    if out is not None:
        writable_folder(out)
    settings: dict[str, Any] = {"length": length, "domain": domain}
    with progress("comparing strategies:") as step:
        advice = advise_on(
            here,
            there,
            use_labels=labels,
            channels=channels,
            kind=None if kind == "auto" else kind,
            detectors=detector or (),
            strategies=strategy or (),
            gate=TransferGate(folds=folds, seed=seed),
            seed=seed,
            progress=step,
            **{name: value for name, value in settings.items() if value is not None},
        )
    for line in [*advice.summary(), "", *advice.gate.summary()]:
        console.print(line, markup=False, highlight=False)
    for path in write_advice(advice, out) if out is not None else []:
        written(path)
