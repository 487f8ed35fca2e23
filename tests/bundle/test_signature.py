"""Only the holder of the private key signs, and a bundle that he did not sign is refused by who asks for his key."""

from __future__ import annotations

import hashlib
import stat
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from jointwatch.bundle._manifest import MANIFEST, SIGNATURE
from jointwatch.bundle._stored_zip import pack
from jointwatch.bundle.archive import read_archive, write_archive
from jointwatch.bundle.signature import (
    Signature,
    fingerprint,
    load_private_key,
    load_public_key,
    make_keys,
    sign,
    verify,
)
from jointwatch.core.errors import InputError, MissingExtra, ModelFileError, UsageError

ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")

MEMBERS = {"net.onnx": bytes(range(256)), "model.json": b"{}"}
ALIEN = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def signed(pair: tuple[Path, Path], tmp_path: Path) -> Path:
    key = load_private_key(pair[0])
    return write_archive(tmp_path / "b.jointwatch", MEMBERS, kind="detector", facts={"a": 1}, key=key)


def parts(path: Path) -> tuple[bytes, bytes]:
    with zipfile.ZipFile(path) as found:
        return found.read(MANIFEST), found.read(SIGNATURE)


def packed_anew(path: Path, manifest: bytes, signature: bytes | None) -> None:
    """The members around another manifest or signature, or none, in a container without a fault."""
    signatures = {} if signature is None else {SIGNATURE: signature}
    path.write_bytes(pack({MANIFEST: manifest, **signatures, **dict(sorted(MEMBERS.items()))}))


def test_vector_of_rfc_8032() -> None:
    key = ed25519.Ed25519PrivateKey.from_private_bytes(
        bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    )
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    signature = sign(b"", key)
    assert signature.value.hex() == (
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    )
    assert signature.signed_by == hashlib.sha256(public).hexdigest() == fingerprint(key.public_key())
    assert Signature.from_json(signature.to_json()) == signature


def test_signed_bundle(signed: Path, pair: tuple[Path, Path]) -> None:
    public = load_public_key(pair[1])
    found = read_archive(signed, public_key=public)
    assert (found.signed_by, found.verified) == (fingerprint(public), True)
    assert found.members == {name: MEMBERS[name] for name in sorted(MEMBERS)}
    assert "verified" in "\n".join(found.summary())
    unchecked = read_archive(signed)
    assert (unchecked.signed_by, unchecked.verified) == (fingerprint(public), False)
    assert "NOT checked" in "\n".join(unchecked.summary())
    again = write_archive(
        signed.with_name("c"), MEMBERS, kind="detector", facts={"a": 1}, key=load_private_key(pair[0])
    )
    assert again.read_bytes() == signed.read_bytes()


def test_unsigned_or_signed_by_another(signed: Path, pair: tuple[Path, Path]) -> None:
    public, alien = load_public_key(pair[1]), ALIEN.public_key()
    with pytest.raises(ModelFileError, match=f"signed by key {fingerprint(public)}, not by {fingerprint(alien)}"):
        read_archive(signed, public_key=alien)
    write_archive(signed, MEMBERS, kind="detector", facts={"a": 1})
    assert read_archive(signed).signed_by == ""
    with pytest.raises(ModelFileError, match=f"not signed, and the signature of key {fingerprint(public)}"):
        read_archive(signed, public_key=public)


def test_forgeries(signed: Path, pair: tuple[Path, Path]) -> None:
    public = load_public_key(pair[1])
    manifest, signature = parts(signed)
    true = Signature.from_json(signature)
    other = write_archive(signed.with_name("other"), MEMBERS, kind="detector", facts={"a": 2}, key=ALIEN)
    changed, by_alien = parts(other)
    wrong = Signature(true.signed_by, Signature.from_json(by_alien).value)
    for manifest_now, signature_now, said in (
        (changed, signature, "does not fit key"),  # the signature of another bundle
        (changed, by_alien, "signed by key"),
        (changed, wrong.to_json(), "does not fit key"),  # signed by another who names the trusted key
        (manifest, Signature(true.signed_by, bytes(64)).to_json(), "does not fit key"),
        (manifest, None, "not signed"),
    ):
        packed_anew(signed, manifest_now, signature_now)
        read_archive(signed)  # whole, so that only the key tells
        with pytest.raises(ModelFileError, match=said):
            read_archive(signed, public_key=public)
    packed_anew(signed, manifest, signature)
    assert read_archive(signed, public_key=public).verified


def test_signature_files_that_are_none(signed: Path, pair: tuple[Path, Path]) -> None:
    (manifest, signature), public = parts(signed), load_public_key(pair[1])
    for raw in (
        b"",
        b"null",
        b"[]",
        b"[" * 60_000,
        b"\xff",
        signature + b"\n",
        signature.replace(b"Ed25519", b"Ed448"),
        signature.replace(b'"algorithm"', b'"a": 1, "algorithm"'),
        signature.replace(b"==", b""),
        b'{"public_key_sha256": 5, "signature": ""}',
        b'{"public_key_sha256": "a", "signature": 5}',
        b'{"public_key_sha256": "a", "signature": "\\u00e9"}',
        b" " * 100_000 + signature,
    ):
        packed_anew(signed, manifest, raw)
        for key in (None, public):
            with pytest.raises(ModelFileError, match=r"signature\.json is not a signature"):
                read_archive(signed, public_key=key)


@pytest.mark.parametrize("checked", [False, True])
def test_one_bit_of_every_byte_of_a_signed_bundle(signed: Path, pair: tuple[Path, Path], checked: bool) -> None:
    key = load_public_key(pair[1]) if checked else None
    data, bits = signed.read_bytes(), np.random.default_rng(2)
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 1 << int(bits.integers(8))
        signed.unlink()  # a new file: some file systems flush one that is cut and written again
        signed.write_bytes(damaged)
        with pytest.raises(ModelFileError):
            read_archive(signed, public_key=key)
    for length in range(0, len(data), 11):
        signed.write_bytes(data[:length])
        with pytest.raises(ModelFileError):
            read_archive(signed, public_key=key)


def test_key_files(tmp_path: Path) -> None:
    private, public = make_keys(tmp_path / "new" / "pair", passphrase="pässword")
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert b"ENCRYPTED" in private.read_bytes()
    key = load_private_key(private, passphrase="pässword")
    verify(b"x", sign(b"x", key), load_public_key(public))
    for passphrase, said in (("", "is encrypted. Remedy: give its passphrase"), ("other", "does not open")):
        with pytest.raises(UsageError, match=said):
            load_private_key(private, passphrase=passphrase)
    plain, _ = make_keys(tmp_path / "plain")
    with pytest.raises(UsageError, match=r"not encrypted\. Remedy: give none"):
        load_private_key(plain, passphrase="x")
    assert load_private_key(plain).private_bytes_raw() != key.private_bytes_raw()


@pytest.mark.parametrize("lost", ["private.pem", "public.pem"])
def test_keys_are_not_overwritten(tmp_path: Path, lost: str) -> None:
    files = make_keys(tmp_path)
    (tmp_path / lost).unlink()
    before = {path: path.read_bytes() for path in files if path.exists()}
    with pytest.raises(UsageError, match="exists"):
        make_keys(tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_what_is_no_key(pair: tuple[Path, Path], tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import x25519

    foreign, path = x25519.X25519PrivateKey.generate(), tmp_path / "foreign.pem"
    pem, spki = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    path.write_bytes(
        foreign.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + foreign.public_key().public_bytes(pem, spki)
    )
    empty = tmp_path / "empty.pem"
    empty.write_bytes(b"")
    for wrong in (path, empty, tmp_path, tmp_path / "none.pem"):
        with pytest.raises(InputError, match="private"):
            load_private_key(wrong)
        with pytest.raises(InputError, match="public"):
            load_public_key(wrong)
    with pytest.raises(InputError, match=r"not a public Ed25519 key.*public\.pem"):
        load_public_key(pair[0])
    with pytest.raises(InputError, match=r"not a private Ed25519 key.*private\.pem"):
        load_private_key(pair[1])


def test_without_the_package(signed: Path, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cryptography", "cryptography.exceptions"):
        monkeypatch.setitem(sys.modules, name, None)
    assert len(read_archive(signed).signed_by) == 64
    for call in (lambda: make_keys(signed.parent), lambda: load_private_key(pair[0]), lambda: load_public_key(pair[1])):
        with pytest.raises(MissingExtra, match=r"cryptography.*jointwatch\[edge\]"):
            call()
