"""Check a bundle and show what it says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jointwatch.cli._shared import command, console
from jointwatch.core.errors import ModelFileError

__all__ = ["verify"]


@command
def verify(
    bundle: Annotated[Path, typer.Argument(help="The bundle, a .jointwatch file.")],
    public_key: Annotated[Path | None, typer.Option(help="PEM file of the signer's public key.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Ask the model its golden set, and compare with what it said at the export.")
    ] = False,
) -> None:
    """Check that a bundle is whole, unchanged and, with a public key, signed by its holder; show its facts."""
    from jointwatch.bundle.archive import read_archive
    from jointwatch.bundle.signature import load_public_key

    key = load_public_key(public_key) if public_key else None
    archive = read_archive(bundle, public_key=key)
    for line in archive.summary():
        console.print(line, markup=False, emoji=False, highlight=False, soft_wrap=True)
    if check:
        from jointwatch.bundle import open_bundle

        parity = open_bundle(bundle, public_key=key).check()
        if not parity.identical and not archive.facts.get("int8"):
            raise ModelFileError(f"{bundle} does not say here what it said where it was exported: {parity}")
        console.print(f"golden set: {parity}", highlight=False, soft_wrap=True)
