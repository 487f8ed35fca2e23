"""Simulate a fleet with known truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jointwatch.cli._shared import command, console, progress

__all__ = ["simulate"]


@command
def simulate(
    spec: Annotated[str, typer.Argument(help="Preset or fleet file (YAML); without one the presets are listed.")] = "",
    out: Annotated[Path | None, typer.Option(help="Folder for the recordings; default out/NAME.")] = None,
    group: Annotated[str, typer.Option(help="Only these groups, comma-separated.")] = "",
    seed: Annotated[int | None, typer.Option(min=0, help="Another seed than the fleet's own.")] = None,
    jobs: Annotated[int, typer.Option(help="Processes; -1 = one for each core.")] = -1,
    show: Annotated[
        bool, typer.Option("--show", help="Only print the fleet as YAML, to start a file of your own.")
    ] = False,
) -> None:
    """Simulate a fleet of robots with known faults: brands, units, sessions, cycles. Goes on where it was stopped."""
    import yaml

    from jointwatch.recordings.parquet import Parquet
    from jointwatch.simulation.fleet import plan_fleet
    from jointwatch.simulation.produce import produce
    from jointwatch.simulation.spec import load_spec, presets

    if not spec:
        for name in presets():
            fleet = load_spec(name)
            units = sum(one.units for one in fleet.groups)
            line = f"{units} units, {len(plan_fleet(fleet))} sessions: {', '.join(one.name for one in fleet.groups)}"
            console.print(f"[bold]{name}[/]  {line}", highlight=False)
        return
    fleet = load_spec(spec)
    if seed is not None:
        fleet = type(fleet)(**{**fleet.model_dump(), "seed": seed})
    if show:
        text = yaml.safe_dump(fleet.model_dump(mode="json"), sort_keys=False)
        console.print(text, markup=False, highlight=False, soft_wrap=True)
        return
    groups = [name.strip() for name in group.split(",") if name.strip()]
    with progress("simulating") as step:
        made = produce(fleet, out or Path("out") / fleet.name, Parquet.write, groups=groups, jobs=jobs, progress=step)
    kept = f", {made.found} were there already" if made.found else ""
    console.print(f"{made.written} sessions simulated{kept}: {made.folder}", markup=False, highlight=False)
