"""The static transmission error of a drive from sphere centres that a measuring machine wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from jointwatch.cli._shared import command, console, writable_folder, written

__all__ = ["transmission_error"]


@command
def transmission_error(
    path: Annotated[Path, typer.Argument(metavar="CENTRES.csv", help="Columns run, state, sphere, x, y, z in mm.")],
    ratio: Annotated[float, typer.Option(help="Turns of the input for one of the output.")] = 100.0,
    turns: Annotated[float, typer.Option(help="Turns of the input in a run.")] = 20.0,
    noise_mm: Annotated[
        float | None,
        typer.Option(help="Standard deviation of one coordinate of a centre; else estimated from the spheres."),
    ] = None,
    axis: Annotated[
        tuple[float, float, float] | None, typer.Option(help="Rough direction of the output's axis: three numbers.")
    ] = None,
    as_json: Annotated[Path | None, typer.Option("--json", help="Also write JSON.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Also draw runs, mean and levels (PNG).")] = None,
) -> None:
    """Static transmission error of a drive, with its interval and level, from sphere centres before and after."""
    from jointwatch.metrology.sphere_centres import read_centres
    from jointwatch.metrology.static_error import measure_static_error
    from jointwatch.reports.static_error import print_static_error

    centres = read_centres(path)
    measured = measure_static_error(centres, ratio=ratio, turns=turns, noise_mm=noise_mm, direction=axis)
    print_static_error(measured, console)
    if as_json:
        writable_folder(as_json.parent)
        as_json.write_text(json.dumps(measured.to_dict(), indent=1, allow_nan=False), encoding="utf-8")
        written(as_json)
    if picture:
        from jointwatch.reports.static_error_figure import static_error_figure

        writable_folder(picture.parent)
        static_error_figure(measured).savefig(picture, dpi=150)
        written(picture)
