"""Turn a stored model into one file for an industrial PC."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jointwatch.cli._shared import command, console, read, written

__all__ = ["export"]


@command
def export(
    model: Annotated[Path, typer.Argument(help="Folder of the model: a detector, a classifier or a grader.")],
    out: Annotated[Path, typer.Option(help="The bundle to write, a .jointwatch file.")],
    golden: Annotated[
        Path | None,
        typer.Option(
            help="Recordings that model and bundle are compared on, and that the device can check itself with; they go "
            "into the bundle. Default: windows that a detector keeps; classifiers and graders need some."
        ),
    ] = None,
    columns: Annotated[Path | None, typer.Option(help="Column map (YAML) for CSV or HDF5.")] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Network in eight bits: faster, and nearly but not exactly the same.")
    ] = False,
    private_key: Annotated[Path | None, typer.Option(help="PEM file to sign with (`jointwatch keys`).")] = None,
    passphrase: Annotated[str, typer.Option(help="Of the private key.", envvar="JOINTWATCH_PASSPHRASE")] = "",
) -> None:
    """Write a bundle that decides without torch as the model does here, and compare the two."""
    from jointwatch.bundle import export as write_bundle
    from jointwatch.bundle import load
    from jointwatch.bundle.signature import load_private_key

    fitted = load(model)
    key = load_private_key(private_key, passphrase=passphrase) if private_key else None
    recordings = read(golden, columns) if golden else []
    with console.status("exporting"):
        bundle = write_bundle(fitted, out, recordings=recordings, int8=int8, key=key)
    console.print(f"{bundle.archive.kind}, compared: {bundle.check()}", markup=False, highlight=False, soft_wrap=True)
    written(bundle.archive.path)
