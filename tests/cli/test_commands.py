"""The command line as a user meets it: the main job end to end, and bad input in one clear line."""

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
        for s in range(6):
            healthy = arm_recording(seed=s, cycles=10, brand=brand, unit=f"{brand}-1", session=f"s{s}", noise_a=noise)
            (folder / brand).mkdir(exist_ok=True)
            Parquet.write(healthy, folder / brand / f"s{s}.parquet")
    worn = arm_recording(seed=77, cycles=10, brand="blue", unit="blue-1", session="new", noise_a=0.04, faulty=(2, 7))
    (folder / "new").mkdir()
    Parquet.write(worn, folder / "new" / "new.parquet")
    return folder


def test_main_job(fleet: Path, tmp_path: Path) -> None:
    said = run("fit", fleet / "red", "--model", tmp_path / "red", "--false-alarm-rate", 0.05, "--length", 50)
    assert "normalisation around mahalanobis: red" in said
    assert "held out by session" in said
    said = run("adapt", tmp_path / "red", fleet / "blue", "--out", tmp_path / "blue")
    assert "red -> blue" in said
    said = run("score", tmp_path / "blue", fleet / "new", "--out", tmp_path / "out")
    scores = pl.read_parquet(tmp_path / "out" / "scores.parquet")
    assert scores.height == 10
    assert scores.filter(pl.col("label") == "anomalous")["passed"].all()
    alarms = json.loads((tmp_path / "out" / "alarms.json").read_text())
    assert alarms["false_alarm_rate"] == 0.05
    assert {alarm["cycle"] for alarm in alarms["alarms"]} >= {"blue-1/new/3", "blue-1/new/8"}  # numbered from 1
    page = (tmp_path / "out" / "report.html").read_text()
    assert "needs attention" in page
    assert f"{len(alarms['alarms'])} alarms in 10 decisions" in said


def test_scoring_a_brand_the_model_does_not_know_says_adapt(fleet: Path, tmp_path: Path) -> None:
    run("fit", fleet / "red", "--model", tmp_path / "red", "--length", 50)
    assert "adapt" in run("score", tmp_path / "red", fleet / "new", "--out", tmp_path / "out", code=2)
    assert not (tmp_path / "out").exists()


def test_too_few_healthy_cycles_is_said_and_nothing_is_called_healthy(fleet: Path, tmp_path: Path) -> None:
    said = run("fit", fleet / "red", "--model", tmp_path / "red", "--false-alarm-rate", 0.001, "--length", 50)
    assert "969 more healthy cycles (have 30, need 999)" in said
    run("adapt", tmp_path / "red", fleet / "blue", "--out", tmp_path / "blue")
    run("score", tmp_path / "blue", fleet / "new", "--out", tmp_path / "out")
    assert "Not enough data for a verdict" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["fit", "nowhere", "--model", "m"], 3, "no such file or folder"),
        (["score", "nomodel", "DATA", "--out", "o"], 6, "holds no jointwatch model"),
        (["fit", "DATA", "--model", "m", "--detector", "mahalonobis"], 2, "mahalanobis"),
        (["fit", "DATA", "--model", "m", "--persistence", "3"], 2, "k/n"),
        (["fit", "DATA", "--model", "m", "--channels", "volts/J"], 2, "no channel name"),
        (["inspect", "nowhere.csv", "--suggest"], 3, "nowhere.csv"),
        (["inspect", "DATA", "--suggest"], 3, "Remedy"),
        (["fit", "DATA", "--model", "DATA/s0.parquet"], 3, "s0.parquet"),
        (["fit", "DATA", "--model", "m", "--persistence", "5/2"], 2, "1 <= k <= n"),
        (["study", "nothing"], 2, "collision"),
        (["study", "collision"], 2, "--data: field required"),
        (["study", "collision", "--dta", "x"], 2, "--data, --seeds, --quick"),
        (["study", "collision", "--data"], 2, "--data needs a value"),
        (["study", "collision", "--data="], 2, "--data needs a value"),
        (["study", "collision", "--data", "--quick"], 2, "--data needs a value"),
        (["catalog", "detector"], 2, "detectors"),
    ],
)
def test_bad_calls_end_in_one_clear_line(
    fleet: Path, words: list[str], code: int, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = run(*[word.replace("DATA", str(fleet / "red")) for word in words], code=code)
    assert "Error:" in said
    assert says in said
    assert "Traceback" not in said


def test_inspect_shows_what_is_there_and_writes_pages(fleet: Path, tmp_path: Path) -> None:
    said = run("inspect", fleet, "--html", tmp_path / "i.html", "--json", tmp_path / "i.json")
    assert "13 recordings" in said
    assert "What can be seen" in said
    assert "<html" in (tmp_path / "i.html").read_text()
    json.loads((tmp_path / "i.json").read_text())


def test_inspect_suggests_a_column_map(tmp_path: Path) -> None:
    rows = "\n".join(f"{i / 100},{i % 7 / 10},{(i * 3) % 5}" for i in range(200))
    (tmp_path / "log.csv").write_text(f"t,q_1,I_1\n{rows}\n")
    said = run("inspect", tmp_path / "log.csv", "--suggest")
    assert "current/1" in said
    assert "position/1" in said


def test_catalog_and_study_lists() -> None:
    assert "isolation_forest" in run("catalog")
    assert "collision-transfer" in run("study")
    assert "--source" in run("study", "collision-transfer", "--help")
    assert "inspect" in run("--help")
