"""`jointwatch simulate` as a user meets it: a file, a preset's list, a file of one's own, and clear refusals."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from jointwatch.cli import app
from jointwatch.recordings.parquet import Parquet
from jointwatch.simulation.spec import load_spec, presets

FLEET = """
name: tiny
seed: 1
groups:
  - name: rig
    robot: harmonic_rig
    units: 2
    healthy_sessions: 1
    faulty_sessions: 1
    cycles: 1
    task: {name: reciprocation, amplitude_deg: 20, period_s: 2.0}
    faults: [{name: backlash}]
  - name: second
    robot: harmonic_rig
    units: 1
    healthy_sessions: 1
    cycles: 1
    task: {name: reciprocation, amplitude_deg: 10, period_s: 2.0}
"""


def run(*words: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["simulate", *(str(word) for word in words)])
    assert result.exit_code == code, (result.output, result.exception)
    return " ".join((result.stdout + result.stderr).split())


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    file = tmp_path / "tiny.yaml"
    file.write_text(FLEET)
    return file


def test_a_file_becomes_recordings_and_a_second_run_finds_them(fleet: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = run(fleet, "--out", out, "--jobs", 1)
    assert "5 sessions simulated" in said
    files = sorted(out.rglob("*.parquet"))
    assert len(files) == 5
    (recording,) = Parquet().read(out / "rig" / "rig-01" / "s01.parquet")
    assert recording.truth["fleet"] == "tiny"
    assert "0 sessions simulated, 5 were there already" in run(fleet, "--out", out, "--jobs", 1)
    run(fleet, "--out", out, "--seed", 2, "--jobs", 1, code=2)


def test_groups_can_be_chosen_and_the_default_folder_is_named_after_the_fleet(
    fleet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "1 sessions simulated" in run(fleet, "--group", "second", "--jobs", 1)
    assert [file.parent.name for file in (tmp_path / "out" / "tiny").rglob("*.parquet")] == ["second-01"]
    assert "no group third" in run(fleet, "--group", "third", code=2)


def test_without_a_name_the_presets_are_listed() -> None:
    said = run()
    for name in presets():
        assert name in said
    assert "units" in said


@pytest.mark.parametrize("name", presets())
def test_what_is_shown_is_a_file_that_loads_as_the_preset(name: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["simulate", name, "--show"])
    file = tmp_path / "mine.yaml"
    file.write_text(result.stdout)
    assert load_spec(file) == load_spec(name)


def test_long_lines_are_shown_whole(tmp_path: Path) -> None:
    content = yaml.safe_load(FLEET)
    content["groups"][0]["robot"] = "/".join(["folder"] * 30) + "/robot.yaml"
    file = tmp_path / "long.yaml"
    file.write_text(yaml.safe_dump(content))
    again = tmp_path / "again.yaml"
    again.write_text(CliRunner().invoke(app, ["simulate", str(file), "--show"]).stdout)
    assert load_spec(again) == load_spec(file)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["m4"], 2, "no preset 'm4'; there are arms"),
        (["nowhere.yaml"], 3, "nowhere.yaml"),
        (["BAD"], 3, "is no fleet file"),
        (["WRONG"], 3, "groups.0.units"),
        (["TYPO"], 2, "parameter amplitude"),
        (["demo", "--seed", "-1", "--show"], 2, "--seed"),
        (["demo", "--group", "none"], 2, "no group none; there are ur5e"),
    ],
)
def test_bad_calls_end_in_one_clear_line(
    words: list[str], code: int, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in (
        ("bad", "name: [unclosed\n"),
        ("wrong", FLEET.replace("units: 2", "units: none")),
        ("typo", FLEET.replace("amplitude_deg: 20", "amplitude: 20")),
    ):
        (tmp_path / f"{name}.yaml").write_text(text)
    said = run(*[f"{word.lower()}.yaml" if word.isupper() else word for word in words], code=code)
    assert says in said
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()
