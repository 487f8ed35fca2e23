"""`jointwatch advise`, and strategies chosen by `fit`, `adapt` and `score`, as a user meets them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from jointwatch.cli import app
from jointwatch.core import Recording
from jointwatch.recordings.parquet import Parquet

Make = Callable[..., Recording]
runner = CliRunner()


def run(*words: object, code: int = 0) -> str:
    result = runner.invoke(app, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return " ".join((result.stdout + result.stderr).split())


@pytest.fixture(scope="module")
def fleet(arm_recording: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fleet")
    for brand, noise in (("red", 0.02), ("blue", 0.04)):
        (folder / brand).mkdir()
        for s in range(6):
            healthy = arm_recording(seed=s, cycles=8, brand=brand, unit=f"{brand}-1", session=f"s{s}", noise_a=noise)
            Parquet.write(healthy, folder / brand / f"s{s}.parquet")
    worn = arm_recording(seed=77, cycles=8, brand="blue", unit="blue-1", session="new", noise_a=0.04, faulty=(2, 6))
    (folder / "new").mkdir()
    Parquet.write(worn, folder / "new" / "new.parquet")
    return folder


def test_advice_in_words_and_files(fleet: Path, tmp_path: Path) -> None:
    said = run(
        "advise", fleet / "red", fleet / "blue", "--length", 50, "--detector", "mahalanobis", "--out", tmp_path / "a"
    )
    assert "red -> blue: use" in said
    assert "target only" in said
    content = json.loads((tmp_path / "a" / "advice.json").read_text())
    assert {row["candidate"] for row in content["candidates"]} >= {
        "normalisation: mahalanobis",
        "target only: envelope",
    }
    assert (tmp_path / "a" / "advice.html").is_file()
    assert "no transfer entry" in run("advise", fleet / "red", fleet / "blue", "--strategy", "magic", code=2)


def test_the_strategy_is_chosen_when_the_target_is_known(fleet: Path, tmp_path: Path) -> None:
    said = run(
        "fit", fleet / "red", "--model", tmp_path / "red", "--strategy", "auto", "--detector", "mahalanobis",
        "--length", 50, "--false-alarm-rate", 0.05, "--doubt-rate", 0.2,
    )  # fmt: skip
    assert "chosen when a target is known" in said
    said = run("adapt", tmp_path / "red", fleet / "blue", "--out", tmp_path / "blue")
    assert "used: " in said
    said = run("score", tmp_path / "blue", fleet / "new", "--out", tmp_path / "out")
    assert "uncertain" in said
    scores = pl.read_parquet(tmp_path / "out" / "scores.parquet")
    assert set(scores.filter(pl.col("label") == "anomalous")["said"]) == {"anomalous"}


def test_a_strategy_that_trains_a_network_gets_one_and_others_are_refused(fleet: Path, tmp_path: Path) -> None:
    run("fit", fleet / "red", "--model", tmp_path / "red", "--length", 50)
    assert "a network such as cnn" in run(
        "adapt", tmp_path / "red", fleet / "blue", "--out", tmp_path / "b", "--strategy", "dann", code=2
    )
    said = run("adapt", tmp_path / "red", fleet / "blue", "--out", tmp_path / "b", "--strategy", "auto")
    assert "target only" in said
