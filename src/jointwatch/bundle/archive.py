"""A bundle: one file with a manifest that vouches for every byte, and refused as soon as one byte differs.

The file is an uncompressed ZIP of which there is exactly one for given members (`_stored_zip`), so that any tool can
look inside, but a bundle that any tool changed or packed again is refused. Members, in this order: `manifest.json`,
`signature.json` if it is signed, the others sorted by name. The manifest has the format, the schema, the version of
jointwatch that wrote it, the kind of content, free facts, the size and SHA-256 of every member but the signature, and
the SHA-256 of itself.

Versions: a release reads bundles of its own major version that no newer minor release wrote; patch releases do not
count. A newer one is told by "update", an older major by "export it again".
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from jointwatch.bundle._files import replace
from jointwatch.bundle._manifest import MANIFEST, MANIFEST_LIMIT, SIGNATURE, check_names, parse, write
from jointwatch.bundle._stored_zip import SIZE_LIMIT, frame, header_size, pack, packed_size, read_first
from jointwatch.bundle.signature import Signature, fingerprint, sign, verify
from jointwatch.core.errors import ModelFileError, UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

__all__ = ["Archive", "read_archive", "write_archive"]


@dataclass(frozen=True)
class Archive:
    """A bundle as it was read: whole, and unchanged since it was written.

    `members` are all but the manifest and the signature. `signed_by` is the fingerprint that the signature names, empty
    without one; only `verified` says that it was checked against a key that the reader trusts.
    """

    path: Path
    manifest: dict[str, Any]
    members: dict[str, bytes] = field(repr=False)
    signed_by: str = ""
    verified: bool = False

    @property
    def kind(self) -> str:
        """What the bundle holds, in the words of its writer."""
        return str(self.manifest["kind"])

    @property
    def facts(self) -> dict[str, Any]:
        """What its writer noted."""
        return dict(self.manifest["facts"])

    def read(self, name: str) -> bytes:
        """Content of a member. Errors: `ModelFileError` if there is none of that name."""
        try:
            return self.members[name]
        except KeyError as error:
            raise ModelFileError(f"{self.path} has no {name}; make it again") from error

    def summary(self) -> list[str]:
        """What it is, in lines of text that are safe to print."""
        if not self.signed_by:
            signer = "not signed"
        elif self.verified:
            signer = f"signed by {self.signed_by}: verified with the public key given"
        else:
            signer = f"signed, it says, by {self.signed_by}: NOT checked, no public key was given"
        return [
            f"{self.path}: whole and unchanged",
            f"kind: {self.kind}",
            f"version: written by jointwatch {self.manifest['version']}, bundle schema {self.manifest['schema']}",
            f"signature: {signer}",
            f"members: {len(self.members)}, {sum(map(len, self.members.values()))} bytes",
            *(f"  {name}: {len(content)} bytes" for name, content in self.members.items()),
            f"facts: {json.dumps(self.facts, indent=2)}",
        ]


def write_archive(
    path: str | Path,
    members: Mapping[str, bytes],
    *,
    kind: str,
    facts: Mapping[str, Any],
    key: Ed25519PrivateKey | None = None,
) -> Path:
    """Write a bundle; a file that is there is replaced in one step. The same members give the same bytes.

    Parameters
    ----------
    path : the file; its folder is made if absent.
    members : content by name; names are relative, of letters, digits, '_', '-', '.' and '/'.
    kind : what the bundle holds, a few words in lower case.
    facts : whatever JSON can hold, for readers and people; no NaN.
    key : signs the bundle; see `signature.load_private_key`.

    Errors: `UsageError` naming what cannot be stored.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "arm.jointwatch"
    >>> bundle = read_archive(write_archive(file, {"net.onnx": bytes(9)}, kind="detector", facts={"joints": 6}))
    >>> bundle.members, bundle.facts
    ({'net.onnx': b'\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00'}, {'joints': 6})
    >>> raw = bytearray(file.read_bytes())
    >>> raw[-1] ^= 1
    >>> _ = file.write_bytes(raw)
    >>> read_archive(file)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    jointwatch.core.errors.ModelFileError: ...: its headers are damaged, or another tool packed it. Remedy: ...
    """
    path = Path(path)
    try:
        check_names(members)
        for name, content in members.items():
            if not isinstance(content, bytes):
                raise ValueError(f"member {name} is a {type(content).__name__}, not bytes")
        ordered = {name: members[name] for name in sorted(members)}
        manifest = write(kind, facts, {name: _listed(content) for name, content in ordered.items()})
    except ValueError as error:
        raise UsageError(f"{path} cannot be written: {error}") from error
    signature = {SIGNATURE: sign(manifest, key).to_json()} if key is not None else {}
    whole = {MANIFEST: manifest, **signature, **ordered}
    size = packed_size({name: len(content) for name, content in whole.items()})
    if size > SIZE_LIMIT:
        raise UsageError(f"{path} cannot be written: it would have {size} bytes, a bundle has {SIZE_LIMIT} at most")
    path.parent.mkdir(parents=True, exist_ok=True)
    replace(path, pack(whole))
    return path


def read_archive(path: str | Path, *, public_key: Ed25519PublicKey | None = None) -> Archive:
    """Read a bundle, or refuse it.

    Parameters
    ----------
    path : the file.
    public_key : of the signer who is trusted; see `signature.load_public_key`. It is checked before anything of the
        content is looked at. Without one a signature is reported, not believed.

    Errors: `ModelFileError`, and nothing else, if the file is absent, not a bundle, damaged, truncated, packed again,
    of a version that this release does not read, not signed by the key or signed as something else.
    """
    path = Path(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # before it is opened: a pipe would wait
            raise ValueError("it is not a file")
        with path.open("rb") as stream:
            return _read(path, stream, public_key)
    except LookupError as error:
        raise ModelFileError(f"{path}: {error.args[0]}") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ModelFileError(
            f"{path}: {reason}. Remedy: copy the bundle again from where it was exported, or export it again."
        ) from error


def _read(path: Path, stream: BinaryIO, public_key: Ed25519PublicKey | None) -> Archive:
    """Content is read after the sizes that are declared make up the file's own, and once."""
    size = os.fstat(stream.fileno()).st_size
    if size > SIZE_LIMIT:
        raise ValueError(f"it has {size} bytes, a bundle has {SIZE_LIMIT} at most")
    raw = read_first(stream, MANIFEST, MANIFEST_LIMIT)
    whole, signature = {MANIFEST: raw}, None
    if _stands_next(stream, SIGNATURE):
        whole[SIGNATURE] = read_first(stream, SIGNATURE, MANIFEST_LIMIT)
        signature = Signature.from_json(whole[SIGNATURE])
    if public_key is not None:
        _check_signer(raw, signature, public_key)
    manifest = parse(raw)
    listed = manifest["members"]
    first = len(whole)
    sizes = {name: len(content) for name, content in whole.items()}
    expected = packed_size(sizes | {name: member["size"] for name, member in listed.items()})
    if size != expected:
        how = "it is truncated" if size < expected else "it has bytes that its manifest does not list"
        raise ValueError(f"{how} ({size} bytes instead of {expected})")
    headers = []
    for name, member in listed.items():
        headers.append(stream.read(header_size(name)))
        whole[name] = stream.read(member["size"])
        if _listed(whole[name]) != member:
            raise ValueError(f"{name} is damaged or not the one that its manifest lists")
    known, end = frame(whole)
    if headers != known[first:] or stream.read(len(end) + 1) != end:
        raise ValueError("its headers are damaged, or another tool packed it")
    members = {name: whole[name] for name in listed}
    return Archive(path, manifest, members, signature.signed_by if signature else "", public_key is not None)


def _stands_next(stream: BinaryIO, name: str) -> bool:
    """Whether a record of this name begins where the stream stands, and stays."""
    here = stream.tell()
    found = stream.read(header_size(name)).endswith(name.encode("ascii"))
    stream.seek(here)
    return found


def _check_signer(manifest: bytes, signature: Signature | None, key: Ed25519PublicKey) -> None:
    if signature is None:
        raise ValueError(f"it is not signed, and the signature of key {fingerprint(key)} is asked for")
    verify(manifest, signature, key)


def _listed(content: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
