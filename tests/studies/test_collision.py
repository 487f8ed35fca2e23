"""The collision studies on the measured arm: any folder of that format, the stated form of results, resumable."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jointwatch.cli import app
from jointwatch.recordings import read
from jointwatch.studies._contacts import Runs, auroc
from jointwatch.studies.collision import _step

KEYS = {"method", "split", "source", "target", "labels", "metric", "mean", "low", "high", "n", "seeds"}


def run(*words: object) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.output


def test_contacts_of_the_measured_arm_are_found(data_dir: Path) -> None:
    runs = Runs.of(read(data_dir / "ur_collisions"))
    found = _step("envelope", 0, runs, quick=True)
    assert len(found["runs"]) == len(list((data_dir / "ur_collisions").glob("Drift*.csv")))
    assert sum(one["detected"] for one in found["runs"].values()) >= 0.8 * len(found["runs"])
    assert auroc([found], repeats=0)[0] > 0.97
    assert auroc([_step("random_score", 0, runs, quick=True)], repeats=0)[0] < 0.75


def test_a_folder_with_other_runs_and_names_is_taken(data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "arm" / "Calibration").mkdir(parents=True)
    given = data_dir / "ur_collisions"
    for k in (1, 2, 3):
        shutil.copy(given / "Calibration" / f"Axis_1_{k}.csv", tmp_path / "arm" / "Calibration" / f"Axis_10_{k}.csv")
        shutil.copy(given / f"Drift30_NF_{k}.csv", tmp_path / "arm" / f"Drift20_WF_{k + 6}.csv")
    runs = Runs.of(read(tmp_path / "arm"))
    assert list(runs.speed) == ["Axis_10_1", "Axis_10_2", "Axis_10_3"]
    assert set(runs.onset_s) == {"Drift20_WF_7", "Drift20_WF_8", "Drift20_WF_9"}
    assert "more healthy cycles" in _step("envelope", 0, runs, quick=True)["shortage"]  # one run aside is too short


@pytest.mark.slow
@pytest.mark.parametrize("name", ["collision", "collision-transfer"])
def test_whole_study_writes_the_stated_form_and_resumes(data_dir: Path, tmp_path: Path, name: str) -> None:
    words: list[object] = ["study", name, "--data", data_dir / "ur_collisions", "--out", tmp_path, "--quick"]
    words += ["--source", data_dir / "ur10e_innopolis"] if name == "collision-transfer" else []
    run(*words)
    results = json.loads((tmp_path / "results.json").read_text())
    assert set(results) >= {"study", "version", "seconds", "rows"}
    assert results["study"] == name
    assert all(set(row) == KEYS for row in results["rows"])
    assert {"contacts detected (share)", "false alarms per free minute", "AUROC of decisions"} <= {
        row["metric"] for row in results["rows"]
    }
    steps = (tmp_path / "steps.jsonl").read_text()
    run(*words)
    assert (tmp_path / "steps.jsonl").read_text() == steps
    assert list(tmp_path.glob("*.png"))
