"""The way of a model to an industrial PC: exported here, checked, scored and recalibrated there, without torch."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from jointwatch.alarms.monitor import Monitor
from jointwatch.bundle import save
from jointwatch.bundle.archive import read_archive
from jointwatch.cli import app
from jointwatch.core import Recording
from jointwatch.detectors.cnn import Cnn
from jointwatch.detectors.cnn_lstm_auto_encoder import CnnLstmAutoEncoder
from jointwatch.diagnosis.axis_fault import AxisFaultClassifier
from jointwatch.recordings.parquet import Parquet
from jointwatch.transfer.normalisation import Normalisation
from jointwatch.windows.feature_maps import FeatureMaps
from jointwatch.windows.plan import WindowPlan

Make = Callable[..., Recording]
There = Callable[..., str]
RUNNER = CliRunner()
NETWORKS = {
    "cnn": Cnn(epochs=2, filters=(6, 8), kernels=(5, 3)),
    "auto_encoder": CnnLstmAutoEncoder(epochs=2, filters=(6, 8), kernels=(5, 3), hidden=6, code=4),
}


def here(*words: object, code: int = 0) -> str:
    result = RUNNER.invoke(app, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return " ".join((result.stdout + result.stderr).split())


@pytest.fixture(scope="module")
def there(small_command: Callable[..., subprocess.CompletedProcess[str]]) -> Callable[..., str]:
    """On an installation with numpy and onnxruntime alone."""

    def run(*words: object, code: int = 0) -> str:
        done = small_command(*words, there="onnxruntime cryptography")
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return " ".join((done.stdout + done.stderr).split())

    return run


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "scores.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def place(
    arm_recording: Make,
    axis_session: Make,
    write_csv: Callable[[Recording, Path], None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Models, and recordings as text."""
    place = tmp_path_factory.mktemp("plant")
    healthy = [arm_recording(seed=s, cycles=10, session=f"s{s}") for s in range(4)]
    plan = WindowPlan.suited_to(healthy, length=32)
    for name, detector in NETWORKS.items():
        save(Monitor(plan, Normalisation(detector), false_alarm_rate=0.05).fit(healthy), place / "models" / name)
    write_csv(arm_recording(seed=77, cycles=10, session="new", faulty=(2, 7)), place / "new")
    for s in range(6):
        write_csv(arm_recording(seed=200 + s, cycles=10, session=f"later {s}", noise_a=0.04), place / "later")
    kinds = (("a", ""), ("b", ""), ("worn", "reducer_wear"))
    axis = [axis_session(f"arm-{u}", name, fault) for u in range(4) for name, fault in kinds]
    maps = FeatureMaps(step=4, length=8, stride=1, within="cycle")
    model = AxisFaultClassifier(views=("network",), maps=maps, network_options={"filters": 4, "hidden": 8})
    save(model.fit(axis), place / "models" / "axis")
    for recording in axis[:3]:
        (place / "axis").mkdir(exist_ok=True)
        Parquet.write(recording, place / "axis" / f"{recording.session}.parquet")
        write_csv(recording, place / "axis new")
    return place


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_decide_there_as_here(name: str, there: There, place: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "arm.jointwatch"
    said = here("export", place / "models" / name, "--out", bundle)
    assert "0 decisions differ" in said
    here("score", place / "models" / name, place / "new", "--out", tmp_path / "here")
    there("score", bundle, place / "new", "--out", tmp_path / "there")
    import polars as pl

    expected, found = pl.read_parquet(tmp_path / "here" / "scores.parquet"), table(tmp_path / "there")
    assert [row["cycle"] for row in found] == expected["cycle"].to_list()
    assert [row["said"] for row in found] == expected["said"].to_list()
    scores = expected["score"].to_numpy()
    assert np.abs(np.array([float(row["score"]) for row in found]) - scores).max() <= 1e-5 * np.abs(scores).max()
    alarms = [json.loads((tmp_path / side / "alarms.json").read_text())["alarms"] for side in ("here", "there")]
    assert [a["joint"] for a in alarms[0]] == [a["joint"] for a in alarms[1]]


def test_results_name_the_bundle_they_come_from(there: There, place: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "arm.jointwatch"
    here("export", place / "models" / "cnn", "--out", bundle)
    there("score", bundle, place / "new", "--out", tmp_path / "there")
    manifest = read_archive(bundle).manifest
    known = {
        "file": "arm.jointwatch",
        "sha256": manifest["content_sha256"],
        "schema": 1,
        "version": manifest["version"],
        "recalibration": 0,
        "recalibration_sha256": "",
    }
    assert json.loads((tmp_path / "there" / "alarms.json").read_text())["bundle"] == known
    rows = table(tmp_path / "there")
    assert all(row[f"bundle {name}"] == str(fact) for row in rows for name, fact in known.items())
    here("score", bundle, place / "new", "--out", tmp_path / "here")
    assert manifest["content_sha256"] in (tmp_path / "here" / "report.html").read_text()
    here("score", place / "models" / "cnn", place / "new", "--out", tmp_path / "folder")
    assert "bundle" not in json.loads((tmp_path / "folder" / "alarms.json").read_text())


def test_a_classifier_needs_recordings_to_be_compared_on(there: There, place: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "axis.jointwatch"
    assert "--golden" in here("export", place / "models" / "axis", "--out", bundle, code=2)
    here("export", place / "models" / "axis", "--out", bundle, "--golden", place / "axis")
    said = there("score", bundle, place / "axis new", "--out", tmp_path / "out")
    assert "decisions:" in said
    rows = table(tmp_path / "out")
    assert {"condition", "probability normal", "probability faulty"} <= rows[0].keys()
    assert {row["bundle sha256"] for row in rows} == {read_archive(bundle).manifest["content_sha256"]}


def test_signed_recalibrated_and_back(there: There, place: Path, tmp_path: Path) -> None:
    here("keys", "--out", tmp_path / "keys")
    private, public = tmp_path / "keys" / "private.pem", tmp_path / "keys" / "public.pem"
    bundle = tmp_path / "arm.jointwatch"
    here("export", place / "models" / "cnn", "--out", bundle, "--private-key", private)
    assert "verified" in there("verify", bundle, "--public-key", public)
    assert "0 decisions differ" in there("verify", bundle, "--check")
    said = there("recalibrate", bundle, place / "later", "--out", tmp_path, "--batch-norm", "--public-key", public)
    assert "before:" in said
    version = tmp_path / "arm.1.recalibration"
    there("score", bundle, place / "new", "--out", tmp_path / "after", "--recalibration", version)
    there("score", bundle, place / "new", "--out", tmp_path / "before", "--public-key", public)
    before, after = (json.loads((tmp_path / when / "alarms.json").read_text()) for when in ("before", "after"))
    assert before["threshold"] != after["threshold"]
    digest = read_archive(version).manifest["content_sha256"]
    assert after["bundle"] == {**before["bundle"], "recalibration": 1, "recalibration_sha256": digest}
    # a version that nobody signed is not used where a signature of it is asked for
    words = ("score", bundle, place / "new", "--out", tmp_path / "no", "--recalibration", version)
    there(*words, "--public-key", public)
    assert "not signed" in there(*words, "--recalibration-key", public, code=6)


def test_damaged_and_foreign_files_are_refused_in_one_line(there: There, place: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.jointwatch"
    here("export", place / "models" / "cnn", "--out", damaged)
    raw = bytearray(damaged.read_bytes())
    raw[len(raw) // 3] ^= 16
    damaged.write_bytes(raw)
    (tmp_path / "foreign.jointwatch").write_bytes(b"PK\x03\x04 something else")
    for path in (damaged, tmp_path / "foreign.jointwatch"):
        assert "Remedy" in there("score", path, place / "new", "--out", tmp_path / "out", code=6)
    assert "belong to .jointwatch files" in here(
        "score", place / "models" / "cnn", place / "new", "--out", tmp_path / "out", "--recalibration", damaged, code=2
    )
    assert not (tmp_path / "out").exists()
