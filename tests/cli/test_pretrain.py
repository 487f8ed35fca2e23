"""`jointwatch pretrain` as a user meets it: weights, a card, going on, and clear refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jointwatch.cli import app
from jointwatch.core import Recording
from jointwatch.models._pretrained import load_pretrained
from jointwatch.recordings.parquet import Parquet

FEW = ("--cuts", "cycle", "--epochs", 2, "--batch-size", 8)


def run(*words: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["pretrain", *(str(word) for word in words)])
    assert result.exit_code == code, (result.output, result.exception)
    return " ".join((result.stdout + result.stderr).split())


@pytest.fixture
def data(arm_recording: Callable[..., Recording], tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for brand in ("red", "blue"):
        for session in ("s1", "s2"):
            recording = arm_recording(brand=brand, unit=f"{brand}-1", session=session, rate_hz=60.0, cycle_s=2.0)
            Parquet.write(recording, folder / f"{brand}-{session}.parquet")
    return folder


def test_weights_and_card(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = run("--data", data, "--out", out, "--hold-out", "blue", *FEW)
    assert "4 recordings" in said
    encoder, told = load_pretrained(out)
    assert encoder.config()["width"] == 128
    assert [row["robot"] for row in told["data"]] == ["red arm"]
    assert list(told["figures_held_out"]) == ["blue arm, cycle"]
    assert told["held_out"] == ["blue"]
    assert len(told["train_loss"]) == 2
    card = (out / "card.md").read_text()
    for part in ("red arm", "blue arm", told["sha256"], "interpolation", "seed 0"):
        assert part in card
    before = (out / "encoder.safetensors").read_bytes()
    seconds = told["seconds"]
    run("--data", data, "--out", out, "--hold-out", "blue", *FEW)  # it is done: nothing is trained again
    assert (out / "encoder.safetensors").read_bytes() == before
    assert json.loads((out / "encoder.json").read_text())["seconds"] >= seconds


def test_refusals(data: Path, tmp_path: Path, arm_recording: Callable[..., Recording]) -> None:
    out = tmp_path / "out"
    assert "blue, demo" not in run("--data", data, "--out", out, "--hold-out", "green", *FEW, code=2)
    said = run("--data", data, "--out", out, "--hold-out", "green", *FEW, code=2)
    assert "no recording is of green" in said
    assert "blue" in said
    assert "small, paper" in run("--data", data, "--out", out, "--size", "huge", *FEW, code=2)
    assert "healthy windows" in run("--data", data, "--out", out, "--hold-out", "red,blue", *FEW, code=4)
    worn = tmp_path / "worn"
    worn.mkdir()
    Parquet.write(arm_recording(rate_hz=60.0, faulty=tuple(range(6))), worn / "worn.parquet")
    assert "normal or unlabelled" in run("--data", worn, "--out", out, *FEW, code=4)
    assert "check the path" in run("--data", tmp_path / "nowhere", "--out", out, *FEW, code=3)
    assert not (out / "encoder.safetensors").exists()
