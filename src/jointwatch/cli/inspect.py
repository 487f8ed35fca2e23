"""What is in a file or folder, how good it is, and which faults can be seen from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from jointwatch.cli._shared import command, console, progress, writable_folder, written

__all__ = ["inspect"]


@command
def inspect(
    path: Annotated[Path, typer.Argument(help="A recording or a folder of them.")],
    suggest: Annotated[bool, typer.Option("--suggest", help="Propose a column map for an unknown CSV.")] = False,
    columns: Annotated[Path | None, typer.Option(help="Column map (YAML) for CSV or HDF5.")] = None,
    html: Annotated[Path | None, typer.Option(help="Also write a page.")] = None,
    as_json: Annotated[Path | None, typer.Option("--json", help="Also write JSON.")] = None,
) -> None:
    """What is there, its quality, and a table of the faults that can and cannot be seen from it."""
    from jointwatch.recordings import read, suggest_columns
    from jointwatch.reports.console import print_inspection
    from jointwatch.reports.html import render_inspection
    from jointwatch.reports.inspection import Inspection

    if suggest:
        console.print(suggest_columns(path).to_yaml(), markup=False, highlight=False, soft_wrap=True)
        return
    with progress("reading") as step:
        reading = read(path, columns=columns, progress=step)
        inspection = Inspection.of(reading)
    print_inspection(inspection, console)
    if html:
        writable_folder(html.parent)
        html.write_text(render_inspection(inspection), encoding="utf-8")
        written(html)
    if as_json:
        writable_folder(as_json.parent)
        as_json.write_text(json.dumps(inspection.to_dict(), indent=1, allow_nan=False), encoding="utf-8")
        written(as_json)
