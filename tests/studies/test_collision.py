"""The collision studies on the measured arm: any folder of that format, the stated form of results, resumable."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from jointwatch.cli import app
from jointwatch.core import Channel
from jointwatch.core.errors import UsageError
from jointwatch.recordings import read
from jointwatch.reports.by_study.collision_transfer import wins_figure
from jointwatch.studies._contacts import Runs, auroc
from jointwatch.studies.collision import _step
from jointwatch.studies.collision_transfer import CollisionTransfer, _Healthy, _jobs, _Sources, _strategies

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
    words += ["--source", data_dir / "ur10e_innopolis", "--strategies", "dann"] if name == "collision-transfer" else []
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


@pytest.mark.parametrize(
    ("name", "words"),
    [("ur3e_rad_power", "too slow for quick events"), ("kinova_gen3_harmonic", "joint 7 is not at the")],
)
def test_slow_sources_and_joints_without_a_counterpart_are_told(data_dir: Path, name: str, words: str) -> None:
    channels = tuple(Channel.parse(f"current.derived/{joint}:innovation") for joint in range(1, 7))
    healthy = _Healthy.of(data_dir / name, channels)
    assert len(healthy.windows) > 500
    assert healthy.windows.shape[1:] == (6, 40)
    assert any(words in note for note in healthy.notes)


def test_every_strategy_of_the_catalog_can_be_asked_for() -> None:
    assert {"dann", "multi_source", "adabn", "full"} <= set(_strategies(""))
    assert _strategies("deep-coral, lora") == ["deep_coral", "lora"]
    assert _strategies("none") == []
    assert "foundation" not in _strategies("")  # its network is its own
    with pytest.raises(UsageError, match="nonsense not among"):
        _strategies("nonsense")
    jobs = _jobs(6, ["dann"], quick=False)
    assert {budget for approach, _, budget in jobs if approach == "strategy dann"} == {1, 2, 4, 6}
    assert {b for approach, _, b in _jobs(6, ["dann"], quick=True) if approach == "strategy dann"} == {1, 6}


def test_sources_are_folders_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    options = CollisionTransfer.Options(data=tmp_path, source=f"{tmp_path / 'a'}, {tmp_path / 'b'}")
    assert [folder.name for folder in options.source] == ["a", "b"]
    with pytest.raises(ValidationError, match="there is no"):
        CollisionTransfer.Options(data=tmp_path, source=str(tmp_path / "missing"))


def test_several_sources_adapt_a_network_to_the_arm(data_dir: Path) -> None:
    runs = Runs.of(read(data_dir / "ur_collisions"))
    channels = runs.plan.channels
    windows = [
        _Healthy.of(data_dir / name, channels).windows[:60] for name in ("ur3e_rad_power", "kinova_gen3_harmonic")
    ]
    sources = _Sources(windows, seed=0, quick=True)
    assert len(np.unique(sources.windows.index.domain)) == 2
    adapted = sources.strategy("strategy multi_source", "cnn").adapt(runs.free[:40])
    scores = adapted.score_samples(runs.contact[:50])
    assert np.isfinite(scores).all()
    plain = sources.strategy("normalisation", "cnn").adapt(runs.free[:40]).score_samples(runs.contact[:50])
    assert not np.allclose(scores, plain)


def test_wins_and_losses_are_drawn_with_their_counts() -> None:
    suffix = "against target only (AUROC)"
    rows = [
        {"method": method, "metric": f"{what} {suffix}", "mean": count}
        for method, counts in (("a", (1.0, 0.0, 4.0)), ("b", (3.0, 2.0, 0.0)))
        for what, count in zip(("wins", "ties", "losses"), counts, strict=True)
    ]
    axis = wins_figure(rows).axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["a", "b"]  # the better above
    assert sorted(text.get_text() for text in axis.texts) == ["1", "2", "3", "4"]


def test_steps_under_other_code_are_not_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    options = CollisionTransfer.Options(data=tmp_path / "a", source=str(tmp_path / "a"))
    before = CollisionTransfer()._fingerprint(options)
    monkeypatch.setattr("jointwatch.studies.collision_transfer.sources_digest", lambda: "other")
    assert CollisionTransfer()._fingerprint(options) != before
