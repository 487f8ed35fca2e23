"""Check a bundle and show what it says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jointwatch.cli._shared import command, console

__all__ = ["verify"]


@command
def verify(
    bundle: Annotated[Path, typer.Argument(help="The bundle, a .jointwatch file.")],
    public_key: Annotated[Path | None, typer.Option(help="PEM file of the signer's public key.")] = None,
) -> None:
    """Check that a bundle is whole, unchanged and, with a public key, signed by its holder; show its facts."""
    from jointwatch.bundle.archive import read_archive
    from jointwatch.bundle.signature import load_public_key

    archive = read_archive(bundle, public_key=load_public_key(public_key) if public_key else None)
    for line in archive.summary():
        console.print(line, markup=False, emoji=False, highlight=False, soft_wrap=True)
