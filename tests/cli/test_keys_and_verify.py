"""`jointwatch keys` and `jointwatch verify`: a pair, the facts of a bundle, and refusals with their exit codes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jointwatch.bundle.archive import write_archive
from jointwatch.bundle.signature import load_private_key
from jointwatch.cli import app

pytest.importorskip("cryptography")


def run(*words: object, code: int = 0, typed: str | None = None) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words], input=typed)
    assert result.exit_code == code, result.output
    return " ".join((result.stdout + result.stderr).split())


def bundle(folder: Path, key: Path | None = None, passphrase: str = "") -> Path:
    private = load_private_key(key, passphrase=passphrase) if key else None
    facts = {"false_alarm_rate": 0.01, "text": "[bold]:smile:\x1b[31m"}
    return write_archive(folder / "arm.jointwatch", {"net.onnx": bytes(9)}, kind="detector", facts=facts, key=private)


def test_keys_sign_and_verify(tmp_path: Path) -> None:
    said = run("keys", "--out", tmp_path / "k")
    private, public = tmp_path / "k" / "private.pem", tmp_path / "k" / "public.pem"
    assert f"written: {private}" in said
    assert f"written: {public}" in said
    signer = re.search(r"fingerprint: ([0-9a-f]{64})", said)
    assert signer is not None
    path = bundle(tmp_path, private)
    said = run("verify", path, "--public-key", public)
    assert f"signed by {signer[1]}: verified" in said
    for part in ("whole and unchanged", "kind: detector", "net.onnx: 9 bytes", '"false_alarm_rate": 0.01'):
        assert part in said
    assert r'"[bold]:smile:\u001b[31m"' in said
    assert "NOT checked" in run("verify", path)
    assert "exists" in run("keys", "--out", tmp_path / "k", code=2)


def test_passphrase_is_asked_for(tmp_path: Path) -> None:
    said = run("keys", "--out", tmp_path, "--passphrase", typed="secret\nsecret\n")
    assert "secret" not in said
    path = bundle(tmp_path, tmp_path / "private.pem", "secret")
    assert "verified" in run("verify", path, "--public-key", tmp_path / "public.pem")


def test_refusals(tmp_path: Path) -> None:
    run("keys", "--out", tmp_path)
    path = bundle(tmp_path)
    assert "not signed" in run("verify", path)
    assert "not signed, and the signature of key" in run(
        "verify", path, "--public-key", tmp_path / "public.pem", code=6
    )
    assert "not a public Ed25519 key" in run("verify", path, "--public-key", tmp_path / "private.pem", code=3)
    data = bytearray(path.read_bytes())
    data[-30] ^= 4
    path.write_bytes(data)
    assert "Error:" in run("verify", path, code=6)
    assert "No such file" in run("verify", tmp_path / "none", code=6)
