"""Carry a fitted model to another robot."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jointwatch.cli._shared import command, console, load_detector, progress, read, writable_folder, written

__all__ = ["adapt"]


@command
def adapt(
    model: Annotated[Path, typer.Argument(help="Folder of the model to carry over.")],
    path: Annotated[Path, typer.Argument(help="Recordings of the target robot, mostly healthy.")],
    out: Annotated[Path, typer.Option(help="Folder to write the adapted model to.")],
    strategy: Annotated[
        str,
        typer.Option(
            help="Another strategy than the model was fitted with, around what it learned; auto chooses on the "
            "target's own evidence."
        ),
    ] = "",
    columns: Annotated[Path | None, typer.Option(help="Column map (YAML) for CSV or HDF5.")] = None,
) -> None:
    """Carry a fitted model to another robot; the first model stays as it is."""
    from jointwatch.bundle import save

    detector = load_detector(model)
    writable_folder(out)
    recordings = read(path, columns)
    with progress("adapting") as step:
        adapted = detector.adapt(recordings, strategy, progress=step)
    for line in adapted.summary():
        console.print(line, markup=False, highlight=False)
    written(save(adapted, out))
