"""The difficulty study on tiny simulated fleets: no unit on both sides, the truth is told apart, it resumes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from jointwatch.cli import app
from jointwatch.core import Channel, Quantity, Recording
from jointwatch.core.errors import InputError
from jointwatch.recordings.parquet import Parquet
from jointwatch.simulation.produce import produce
from jointwatch.simulation.spec import FleetSpec
from jointwatch.studies._confusions import confusions, spread
from jointwatch.studies._difficulty_axes import table_of_axes
from jointwatch.studies._difficulty_drives import BANDS_HZ, level_features, table_of_drives
from jointwatch.studies._difficulty_fleet import joints_pooled, table_of_fleet
from jointwatch.studies._fleet_table import Table
from jointwatch.studies._folds import folds
from jointwatch.studies._ledger import Ledger
from jointwatch.studies._own_baseline import against, healthy_half
from jointwatch.studies._trees import ORACLE, TREES, Forest, held_out
from jointwatch.studies.difficulty import Difficulty
from jointwatch.windows.by_cycle import by_cycle
from jointwatch.windows.splits import check_no_leak

KEYS = {"method", "split", "source", "target", "labels", "metric", "mean", "low", "high", "n", "seeds"}
AXES = {"axis1": 1, "axis6": 6}


def _group(**settings: Any) -> dict[str, Any]:
    common = {"units": 3, "healthy_sessions": 2, "faulty_sessions": 2, "cycles": 1, "rate_hz": 2000}
    return common | settings


def _axis(joint: int) -> dict[str, Any]:
    return _group(
        name=f"axis{joint}",
        robot="industrial6",
        units=4,
        task={"name": "reciprocation", "joint": joint, "period_s": 6.0},
        faults=[{"name": "reducer_wear", "joints": [joint], "severity": [1.0]}],
    )


def _arm(robot: str) -> dict[str, Any]:
    faults = [{"name": "over_temperature", "joints": [2], "severity": [0.9, 1.0]}, {"name": "unit_change"}]
    return _group(name=robot, robot=robot, task={"name": "pick_and_place", "speed": 0.6}, faults=faults)


def _drives(name: str) -> dict[str, Any]:
    return _group(
        name=name,
        robot="harmonic_rig",
        units=6,
        cycles=2,
        faulty_sessions=1,
        task={"name": "reciprocation", "amplitude_deg": 45, "period_s": 4.0},
        faults=[{"name": "reducer_wear", "joints": [1], "levels": [1, 2, 3, 4, 5, 6]}],
    )


FLEETS = {
    "m1-axes": [_axis(1), _axis(6)],
    "m2-drives": [_drives("fleet"), _drives("paper-1")],
    "m3-fleet": [_arm("ur5e"), _arm("iiwa7")],
}


@pytest.fixture(scope="module")
def fleets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two axes, twelve drives and two brands, with grave wear."""
    folder = tmp_path_factory.mktemp("fleets")
    for name, groups in FLEETS.items():
        spec = FleetSpec.model_validate({"name": name, "seed": 3, "groups": groups})
        produce(spec, folder / name, Parquet.write, jobs=1)
    return folder


@pytest.fixture(scope="module")
def tables(fleets: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Table]:
    ledger = Ledger(tmp_path_factory.mktemp("ledger") / "steps.jsonl", "features")

    def quiet(done: int, total: int, what: str) -> None: ...

    return {
        "m1-axes": table_of_axes(fleets / "m1-axes", AXES, ledger, quiet),
        "m2-drives": table_of_drives(fleets / "m2-drives", ledger, quiet),
        "m3-fleet": table_of_fleet(fleets / "m3-fleet", ledger, quiet),
    }


def test_rows_know_their_session_and_its_truth(tables: dict[str, Table], fleets: Path) -> None:
    drives = tables["m2-drives"]
    assert len(drives) == 12 * 3 * 2
    assert len(drives.names) == 2 * (4 + len(BANDS_HZ))
    for row in (0, len(drives) // 2, len(drives) - 1):
        unit, session = drives.index.unit[row], drives.index.session[row]
        group = drives.of("group")[row]
        recording = next(Parquet().read(fleets / "m2-drives" / group / unit / f"{session}.parquet"))
        cycle = recording.cycles[int(drives.index.cycle[row].rpartition("/")[2]) % 2 - 1]
        inside = (recording.time_s >= cycle.start_s) & (recording.time_s < cycle.stop_s)
        rms = float(np.sqrt(np.mean(recording["current/1"][inside] ** 2)))
        assert drives.values[row, drives.names.index("current/1 rms")] == pytest.approx(rms, rel=0.02)
        assert drives.of("level")[row, 0] == recording.truth["level"][0]
    latent = drives.by_session("latent")
    assert len(latent) == 36
    assert "coulomb/1" in latent.names


def test_energy_of_a_band_is_that_of_the_signal(arm_recording: Callable[..., Recording]) -> None:
    recording = arm_recording(joints=1, cycles=2, rate_hz=500.0)
    sine = 3.0 + 2.0 * np.sin(2 * np.pi * 15.0 * recording.time_s)
    recording = replace(recording, values=sine[None], channels=(Channel(Quantity.CURRENT, 1),))
    values, names = level_features(by_cycle(recording, length=1000))
    energy = {name: np.exp(column) for name, column in zip(names, values.T, strict=True) if "energy" in name}
    assert energy.pop("current/1 log energy 10-20 Hz") == pytest.approx(2.0**2 / 2, rel=0.02)
    assert len(energy) == len(BANDS_HZ) - 1
    assert all((column < 0.02).all() for column in energy.values())


@pytest.mark.parametrize("split", ["session", "unit", "domain"])
def test_no_session_unit_or_domain_is_on_both_sides(tables: dict[str, Table], split: Any) -> None:
    table = tables["m1-axes"]
    parts = folds(table.stub, split, seed=1)
    tested = np.concatenate([test for _, test in parts])
    assert sorted(tested) == list(range(len(table)))
    for train, test in parts:
        check_no_leak(table.stub[train], table.stub[test], by=split)
        assert len(np.intersect1d(train, test)) == 0


def test_healthy_rows_are_not_compared_with_themselves(tables: dict[str, Table]) -> None:
    table = tables["m1-axes"]
    baseline = healthy_half(table, seed=0)
    assert set(table.of("fault")[baseline]) == {""}
    judged = against(table, baseline)
    assert not set(judged.session_of_row) & set(table.session_of_row[baseline])
    assert {"", "reducer_wear"} == set(judged.of("fault"))
    unit = judged.index.unit[0]
    column = table.names.index("torque/1 std")
    mean = table.values[baseline & (table.index.unit == unit), column].mean()
    first = np.flatnonzero(~baseline & (table.index.unit == unit))[0]
    assert judged.values[0, column] == pytest.approx(table.values[first, column] / mean)


def test_trees_on_the_truth_beat_chance_and_trees_on_noise_do_not(tables: dict[str, Table]) -> None:
    latent = tables["m1-axes"].take(tables["m1-axes"].of("group") == "axis1").by_session("latent")
    y = (latent.index.label == "anomalous").astype(int)
    units = np.unique(latent.index.unit)

    def accuracy(X: np.ndarray) -> float:
        said = held_out(X, y, folds(latent.stub, "unit", 0), Forest(0)).argmax(axis=1)
        return spread([confusions(latent.index.unit, units, y, said, 2)], "balanced accuracy")[0]

    assert accuracy(latent.values) > 0.8
    assert accuracy(np.random.default_rng(0).standard_normal((len(y), 5))) < 0.8


def test_arms_with_six_and_seven_joints_meet(tables: dict[str, Table]) -> None:
    table = tables["m3-fleet"]
    pooled = [joints_pooled(table.values[table.index.domain == brand], table.names) for brand in ("ur5e", "iiwa7")]
    assert pooled[0][1] == pooled[1][1]
    effort = table.columns(lambda name: name == "effort.derived/7 std")[table.index.domain == "ur5e"]
    assert not effort.any()


def test_whole_study_resumes_and_says_what_is_missing(fleets: Path, tmp_path: Path) -> None:
    words = ["study", "difficulty", "--data", str(fleets), "--out", str(tmp_path / "out"), "--quick", "--seeds", "1"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "out" / "results.json").read_text())
    assert found["study"] == "difficulty"
    assert all(set(row) == KEYS for row in found["rows"])
    assert any(note.startswith("difficulty ") for note in found["notes"])
    assert sum("probe" in note for note in found["notes"]) == 6
    splits = {row["split"] for row in found["rows"]}
    assert {"random (optimistic)", "session out", "unit out", "axis out", "brand out"} <= splits
    methods = {row["method"] for row in found["rows"]}
    assert {TREES, ORACLE, "random score", "duration of the cycle only"} <= methods
    assert any("unit_change" in row["target"] for row in found["rows"])
    assert {"axes.png", "levels.png", "brands.png", "faults.png", "table.md"} <= {
        path.name for path in (tmp_path / "out").iterdir()
    }
    steps = (tmp_path / "out" / "steps.jsonl").read_text()
    assert CliRunner().invoke(app, words).exit_code == 0
    assert (tmp_path / "out" / "steps.jsonl").read_text() == steps
    again = json.loads((tmp_path / "out" / "results.json").read_text())
    assert again["rows"] == found["rows"]


def test_a_missing_fleet_is_named_with_the_command_that_makes_it(fleets: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    shutil.copytree(fleets / "m2-drives", tmp_path / "data" / "m2-drives")
    options = Difficulty.Options(data=tmp_path / "data", quick=True, seeds=1)
    results = Difficulty().run(options, tmp_path / "out")
    assert sum("jointwatch simulate m1-axes --out" in note for note in results.notes) == 1
    empty = Difficulty.Options(data=tmp_path / "out", quick=True, seeds=1)
    with pytest.raises(InputError, match="none of"):
        Difficulty().run(empty, tmp_path / "other")


def test_fleets_of_different_difficulty_are_refused(fleets: Path, tmp_path: Path) -> None:
    for name in ("m1-axes", "m2-drives"):
        shutil.copytree(fleets / name, tmp_path / "data" / name)
    file = tmp_path / "data" / "m1-axes" / "fleet.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "difficulty": "0"}))
    options = Difficulty.Options(data=tmp_path / "data", quick=True, seeds=1)
    with pytest.raises(InputError, match="different versions"):
        Difficulty().run(options, tmp_path / "out")
