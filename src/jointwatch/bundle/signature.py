"""Who made a bundle: key pairs, signatures and their checking by Ed25519 (RFC 8032).

The signature covers the bytes of `manifest.json`, which names the SHA-256 of every other member, and lies beside it in
`signature.json`. A key is known by its fingerprint: the SHA-256 of the 32 bytes of its public half. Who reads a bundle
must have got the public key by a way that he trusts; what a bundle says of its own signer proves nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jointwatch.bundle._files import canonical, replace
from jointwatch.core.errors import InputError, MissingExtra, UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

__all__ = [
    "Signature",
    "fingerprint",
    "load_private_key",
    "load_public_key",
    "make_keys",
    "sign",
    "verify",
]

PRIVATE, PUBLIC = "private.pem", "public.pem"
_ALGORITHM = "Ed25519"
_FILE_LIMIT = 1 << 16


class Signature(NamedTuple):
    """A signature as `signature.json` holds it: the signer's fingerprint, hexadecimal, and the 64 bytes."""

    signed_by: str
    value: bytes

    def to_json(self) -> bytes:
        """The bytes of `signature.json`."""
        text = base64.b64encode(self.value).decode()
        return canonical({"algorithm": _ALGORITHM, "public_key_sha256": self.signed_by, "signature": text})

    @classmethod
    def from_json(cls, raw: bytes) -> Signature:
        """The signature in the bytes of `signature.json`, without checking it. Errors: `ValueError`."""
        try:
            content = json.loads(raw[:_FILE_LIMIT].decode("ascii"))
            found = cls(content["public_key_sha256"], base64.b64decode(content["signature"], validate=True))
            known = re.fullmatch(r"[0-9a-f]{64}", found.signed_by) and len(found.value) == 64
        except (ValueError, KeyError, TypeError, RecursionError):
            known = None
        if not known or found.to_json() != raw:  # says the same of the algorithm and of anything beside it
            raise ValueError("signature.json is not a signature as jointwatch writes it")
        return found


def make_keys(folder: str | Path, *, passphrase: str = "") -> tuple[Path, Path]:
    """Make a key pair: `private.pem`, readable by its owner only, and `public.pem`, to be given to those who verify.

    Parameters
    ----------
    folder : where to, made if absent.
    passphrase : what the private key is encrypted with; empty: it is not.

    Errors: `UsageError` if one of the files is there already; `MissingExtra` without the package `cryptography`.

    >>> import tempfile
    >>> private, public = make_keys(tempfile.mkdtemp(), passphrase="a long one")
    >>> key = load_private_key(private, passphrase="a long one")
    >>> signature = sign(b"what was agreed", key)
    >>> verify(b"what was agreed", signature, load_public_key(public))
    >>> verify(b"what was changed", signature, load_public_key(public))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    ValueError: the signature does not fit key ...
    """
    ed25519, serialization, _ = _cryptography()
    folder = Path(folder)
    private, public = folder / PRIVATE, folder / PUBLIC
    for path in (private, public):
        if path.exists() or path.is_symlink():
            raise UsageError(f"{path} exists, and a lost key cannot be made again. Remedy: give another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    key = ed25519.Ed25519PrivateKey.generate()
    lock = serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
    text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)
    try:
        descriptor = os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:  # made by another process meanwhile
        raise UsageError(f"{private} exists. Remedy: give another folder.") from None
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(text)
    replace(
        public,
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
    )
    return private, public


def load_private_key(path: str | Path, *, passphrase: str = "") -> Ed25519PrivateKey:
    """The private key of a PEM file.

    Errors: `InputError` if the file is none; `UsageError` if its passphrase is another one, absent or not needed;
    `MissingExtra` without the package `cryptography`.
    """
    ed25519, serialization, unsupported = _cryptography()
    raw = _read(path, "private")
    encrypted = b"ENCRYPTED" in raw
    if encrypted != bool(passphrase):
        remedy = "give its passphrase" if encrypted else "give none"
        raise UsageError(f"{path} is {'' if encrypted else 'not '}encrypted. Remedy: {remedy}.")
    try:
        key = serialization.load_pem_private_key(raw, passphrase.encode() or None)
    except (ValueError, TypeError, unsupported) as error:
        if encrypted:
            raise UsageError(f"{path} does not open with this passphrase. Remedy: give the right one.") from error
        raise _no_key(path, "private") from error
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise _no_key(path, "private")
    return key


def load_public_key(path: str | Path) -> Ed25519PublicKey:
    """The public key of a PEM file.

    Errors: `InputError` if the file is none; `MissingExtra` without the package `cryptography`.
    """
    ed25519, serialization, unsupported = _cryptography()
    raw = _read(path, "public")
    try:
        key = serialization.load_pem_public_key(raw)
    except (ValueError, TypeError, unsupported) as error:
        raise _no_key(path, "public") from error
    if not isinstance(key, ed25519.Ed25519PublicKey):
        raise _no_key(path, "public")
    return key


def fingerprint(key: Ed25519PublicKey) -> str:
    """SHA-256 of the raw public key, hexadecimal."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()


def sign(data: bytes, key: Ed25519PrivateKey) -> Signature:
    """The signature of some bytes."""
    return Signature(fingerprint(key.public_key()), key.sign(data))


def verify(data: bytes, signature: Signature, key: Ed25519PublicKey) -> None:
    """Check that the holder of the private half of `key` signed these bytes. Errors: `ValueError` with fingerprints."""
    from cryptography.exceptions import InvalidSignature

    trusted = fingerprint(key)
    if signature.signed_by != trusted:
        raise ValueError(f"it was signed by key {signature.signed_by}, not by {trusted}")
    try:
        key.verify(signature.value, data)
    except InvalidSignature:
        raise ValueError(
            f"the signature does not fit key {trusted}: it is of something else, or changed since"
        ) from None


def _cryptography() -> tuple[Any, Any, type[Exception]]:
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ModuleNotFoundError as error:
        raise MissingExtra("cryptography", extra="edge") from error
    return ed25519, serialization, UnsupportedAlgorithm


def _read(path: str | Path, half: str) -> bytes:
    try:
        with Path(path).open("rb") as stream:
            return stream.read(_FILE_LIMIT)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"cannot be read ({reason})", file=path, remedy=f"give the PEM file of a {half} key"
        ) from error


def _no_key(path: str | Path, half: str) -> InputError:
    return InputError(
        f"is not a {half} {_ALGORITHM} key",
        file=path,
        remedy=f"give the PEM file that `jointwatch keys` wrote: {half}.pem",
    )
