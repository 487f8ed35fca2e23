"""Make a key pair for signing bundles."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jointwatch.cli._shared import command, console, written

__all__ = ["keys"]


@command
def keys(
    out: Annotated[Path, typer.Option(help="Folder for private.pem, to be kept secret, and public.pem.")],
    passphrase: Annotated[bool, typer.Option("--passphrase", help="Ask for a passphrase for the private key.")] = False,
) -> None:
    """Make a key pair: the private key signs bundles, the public key verifies them on any machine."""
    from jointwatch.bundle.signature import fingerprint, load_public_key, make_keys

    secret = typer.prompt("Passphrase", hide_input=True, confirmation_prompt=True) if passphrase else ""
    private, public = make_keys(out, passphrase=secret)
    written(private)
    written(public)
    console.print(f"fingerprint: {fingerprint(load_public_key(public))}", highlight=False, soft_wrap=True)
