"""List what there is at each stage: readers, features, networks, strategies, detectors, alarms, studies."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from jointwatch.cli._shared import command, console
from jointwatch.core import catalog as entries

__all__ = ["catalog"]


@command
def catalog(stage: Annotated[str | None, typer.Argument(help="One stage only.")] = None) -> None:
    """List what there is at each stage."""
    for name in (stage,) if stage else entries.STAGES:
        table = Table(title=name, title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0))
        for entry, line in entries.describe(name).items():
            table.add_row(f"[bold]{entry}[/]", line)
        console.print(table)
        console.print()
