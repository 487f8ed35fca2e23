"""Set a bundle's threshold anew on the device."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jointwatch.cli._shared import command, console, read, written

__all__ = ["recalibrate"]


@command
def recalibrate(
    bundle: Annotated[Path, typer.Argument(help="The bundle, a .jointwatch file.")],
    path: Annotated[
        Path, typer.Argument(help="Recent recordings of its robots; cycles without a label are taken as healthy.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for BUNDLE.NUMBER.recalibration.")],
    batch_norm: Annotated[
        bool, typer.Option("--batch-norm", help="Measure the statistics of the network's batch norms anew, too.")
    ] = False,
    columns: Annotated[Path | None, typer.Option(help="Column map (YAML) for CSV or HDF5.")] = None,
    public_key: Annotated[Path | None, typer.Option(help="PEM file of the bundle's signer.")] = None,
    private_key: Annotated[Path | None, typer.Option(help="PEM file to sign the recalibration with.")] = None,
    passphrase: Annotated[str, typer.Option(help="Of the private key.", envvar="JOINTWATCH_PASSPHRASE")] = "",
) -> None:
    """Set a bundle's threshold by recent healthy cycles; the bundle stays, each version is a file of its own."""
    from jointwatch.bundle import open_bundle
    from jointwatch.bundle.recalibration import recalibrate as write_recalibration
    from jointwatch.bundle.signature import load_private_key, load_public_key

    opened = open_bundle(bundle, public_key=load_public_key(public_key) if public_key else None)
    key = load_private_key(private_key, passphrase=passphrase) if private_key else None
    recordings = read(path, columns)
    with console.status("recalibrating"):
        found = write_recalibration(opened, recordings, out, batch_norm=batch_norm, key=key)
    console.print(f"before: {found.before}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"after:  {found.after}", markup=False, highlight=False, soft_wrap=True)
    for line in found.notes:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    written(found.path)
    console.print(f"use it: jointwatch score ... --recalibration {found.path}", markup=False, soft_wrap=True)
