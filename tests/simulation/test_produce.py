"""A fleet in a folder: whole, resumable, the same however it was made, and never mixed with another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jointwatch.core import Recording
from jointwatch.core.errors import InputError, UsageError
from jointwatch.recordings.parquet import Parquet
from jointwatch.simulation.fleet import plan_fleet
from jointwatch.simulation.produce import Production, produce, simulate_fleet
from jointwatch.simulation.spec import FleetSpec


def _spec(**changes: Any) -> FleetSpec:
    rigs = {
        "name": "rigs", "robot": "harmonic_rig", "units": 2, "healthy_sessions": 1, "faulty_sessions": 1, "cycles": 1,
        "task": {"name": "reciprocation", "amplitude_deg": 20.0, "period_s": 2.0}, "faults": [{"name": "backlash"}],
    }  # fmt: skip
    groups = (rigs, rigs | {"name": "others", "units": 1})
    return FleetSpec(**({"name": "small", "seed": 3, "groups": groups} | changes))


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("produce") / "fleet"
    assert produce(_spec(), folder, Parquet.write, jobs=1) == Production(6, 0, folder)
    return folder


def test_every_session_is_a_file_of_its_unit_and_the_manifest_says_which_fleet(made: Path) -> None:
    sessions = {f"{plan.group}/{plan.unit}/{plan.session}.parquet" for plan in plan_fleet(_spec())}
    assert set(_bytes(made)) == sessions | {"fleet.json"}
    manifest = json.loads((made / "fleet.json").read_text())
    assert FleetSpec(**manifest["spec"]) == _spec()
    assert manifest["difficulty"]


def test_files_hold_what_the_simulator_makes(made: Path) -> None:
    simulated = {(r.robot.unit, r.session): r for r in simulate_fleet(_spec())}
    assert len(simulated) == 6
    for file in made.rglob("*.parquet"):
        (stored,) = Parquet().read(file)
        recording = simulated[(stored.robot.unit, stored.session)]
        assert stored.values.tobytes() == recording.values.tobytes()
        assert stored.truth == recording.truth
        assert stored.cycles == recording.cycles
        assert stored.condition == recording.condition


def test_a_stopped_run_goes_on_where_it_was(made: Path) -> None:
    before = _bytes(made)
    lost = made / "rigs" / "rigs-02" / "s01.parquet"
    lost.unlink()
    kept = {file: file.stat().st_mtime_ns for file in made.rglob("*.parquet")}
    seen: list[tuple[int, int, str]] = []
    run = produce(_spec(), made, Parquet.write, jobs=1, progress=lambda *step: seen.append(step))
    assert (run.written, run.found) == (1, 5)
    assert _bytes(made) == before
    assert {file: file.stat().st_mtime_ns for file in kept} == kept
    assert seen[0] == (5, 6, "")
    assert seen[-1] == (6, 6, "rigs-02")
    assert produce(_spec(), made, Parquet.write, jobs=1).written == 0


def test_a_run_that_breaks_leaves_only_whole_files(made: Path, tmp_path: Path) -> None:
    written: list[Path] = []

    def fails(recording: Recording, path: Path) -> None:
        if len(written) == 3:
            raise OSError("disk full")
        Parquet.write(recording, path)
        written.append(path)

    folder = tmp_path / "fleet"
    with pytest.raises(OSError, match="disk full"):
        produce(_spec(), folder, fails, jobs=1)
    whole = _bytes(made)
    assert {name: whole[name] for name in _bytes(folder)} == _bytes(folder)
    assert produce(_spec(), folder, Parquet.write, jobs=1) == Production(3, 3, folder)
    assert _bytes(folder) == whole


def test_two_processes_make_the_same_bytes_as_one(made: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int, str]] = []
    produce(_spec(), tmp_path / "fleet", Parquet.write, jobs=2, progress=lambda *step: seen.append(step))
    assert _bytes(tmp_path / "fleet") == _bytes(made)
    assert [done for done, _, _ in seen] == sorted(done for done, _, _ in seen)
    assert seen[-1][:2] == (6, 6)


def test_a_part_is_that_part_of_the_whole_and_the_rest_can_follow(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "fleet"
    assert produce(_spec(), folder, Parquet.write, groups=["others"], jobs=1).written == 2
    part, whole = _bytes(folder), _bytes(made)
    assert part.items() <= whole.items()
    assert all(name.startswith("others/") for name in set(part) - {"fleet.json"})
    assert produce(_spec(), folder, Parquet.write, jobs=1) == Production(4, 2, folder)
    assert _bytes(folder) == whole
    with pytest.raises(UsageError, match="no group none; there are rigs, others"):
        produce(_spec(), tmp_path / "new", Parquet.write, groups=["others", "none"], jobs=1)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("change", [{"seed": 4}, {"name": "large"}])
def test_another_fleet_is_not_mixed_in(change: dict[str, Any], made: Path) -> None:
    before = _bytes(made)
    with pytest.raises(UsageError, match="another fleet, seed or simulator version; give an empty folder"):
        produce(_spec(**change), made, Parquet.write, jobs=1)
    assert _bytes(made) == before


def test_a_folder_of_something_else_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="is not empty and holds no fleet"):
        produce(_spec(), tmp_path, Parquet.write, jobs=1)
    assert _bytes(tmp_path) == {"thesis.txt": b"years of work"}


@pytest.mark.parametrize("text", ["", "{", "[1]", "{}", "null"])
def test_a_damaged_manifest_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "fleet.json").write_text(text)
    with pytest.raises(InputError, match=r"fleet\.json.*damaged"):
        produce(_spec(), tmp_path, Parquet.write, jobs=1)
    assert _bytes(tmp_path) == {"fleet.json": text.encode()}


def test_an_empty_folder_will_do(tmp_path: Path) -> None:
    assert produce(_spec(), tmp_path, Parquet.write, groups=["others"], jobs=1).written == 2
