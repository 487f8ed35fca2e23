"""Joints of an arm: whole arms held out inside a joint, and a joint carried to without any label of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from jointwatch.core import Index
from jointwatch.core.levels import LEVEL_RAD
from jointwatch.diagnosis._profile_grades import ABSOLUTE, RELATIVE, ProfileGrades
from jointwatch.recordings.parquet import Parquet
from jointwatch.signals.joint_profile import figure_names
from jointwatch.simulation.produce import produce
from jointwatch.simulation.spec import FleetSpec
from jointwatch.studies import _transmission_error_arm as arm
from jointwatch.studies._confusions import CHANCE
from jointwatch.studies._fleet_table import Table
from jointwatch.studies._ledger import Ledger
from jointwatch.studies._part import Part
from jointwatch.studies._transmission_error_methods import OWN, PROFILE
from jointwatch.studies._transmission_error_profiles import figures_for, profile_table, statistics_of

UNITS, CYCLES = 12, 2


def nothing(done: int, total: int, what: str) -> None:
    """No progress to show."""


def made(joint: int, growth: float, seed: int) -> Table:
    """Arms whose figures grow with the error from wherever the arm began; a session of youth, two of wear."""
    rng = np.random.default_rng([seed, joint])
    families = dict.fromkeys((*RELATIVE, *ABSOLUTE))
    names = [f"{family}: {name}" for family in families for name in figure_names(family)]
    names += ["statistics: current rms", "statistics: current log energy"]
    rows, columns, of_session = [], [], []
    sessions: list[dict[str, object]] = []
    for unit in range(UNITS):
        began = rng.standard_normal(len(names))
        degree = (unit % 6 + 0.2 + 0.6 * rng.random()) * LEVEL_RAD
        for session, error in (("s01", 0.3 * LEVEL_RAD), ("s02", degree), ("s03", degree)):
            worn = session != "s01"
            for cycle in range(CYCLES):
                change = growth * error / LEVEL_RAD + 0.1 * rng.standard_normal(len(names))
                rows.append(10 + began + change)
                columns.append((f"joint{joint}-{unit:02d}", session, f"{unit} {session} {cycle}", 8.0 * cycle, worn))
                of_session.append(len(sessions))
            sessions.append(
                {
                    "group": f"joint{joint}",
                    "fault": "reducer_wear" if worn else "",
                    "error_rad": error,
                    "latent": {"play": error},
                }
            )
    unit_names, session_names, cycles, start, worn_rows = (np.array(column) for column in zip(*columns, strict=True))
    label, zero = np.where(worn_rows, "anomalous", "normal"), np.zeros(len(rows))
    fault = np.where(worn_rows, "reducer_wear", "")
    index = Index(
        unit_names, session_names, cycles, unit_names, start, start + 8, zero + 8, zero, label, fault, zero, zero
    )
    return Table(np.array(rows), tuple(names), index, np.array(of_session), tuple(sessions), {})


def studied(monkeypatch: pytest.MonkeyPatch, folder: Path, growth: dict[int, float]) -> Part:
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    tables = {joint: made(joint, each, 1) for joint, each in growth.items()}
    for joint in tables:
        (folder / "m2-arm" / f"joint{joint}").mkdir(parents=True)

    def table(_: Path, groups: Sequence[str], joint: int, *rest: object) -> Table:
        assert groups == [f"joint{joint}"]
        return tables[joint]

    monkeypatch.setattr(arm, "profile_table", table)
    return arm.arm_part(folder / "m2-arm", 1, Ledger(folder / "steps.jsonl", "a"), nothing)


def of(part: Part, joint: int, way: str, method: str, metric: str) -> float:
    (found,) = [
        float(record["mean"])
        for record in part.details["arm"]
        if (record["joint"], record["way"], record["method"], record["metric"]) == (joint, way, method, metric)
    ]
    return found


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Part:
    """Joint 3 shows half of what the others do."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        return studied(monkeypatch, tmp_path_factory.mktemp("arm"), {1: 1.0, 2: 1.0, 3: 0.5})


def test_a_joint_like_the_others_is_graded_without_its_labels(part: Part) -> None:
    for joint in (1, 2):
        assert of(part, joint, arm.INSIDE, PROFILE + OWN, "within one level") == 1
        assert of(part, joint, arm.INSIDE, CHANCE, "within one level") < 0.8
    others = [made(2, 1.0, 1)]
    told = arm._carried_profile(others, made(1, 1.0, 1), "unit", False, 0)
    true = arm._degree(made(1, 1.0, 1))[arm._asked(made(1, 1.0, 1).index)]
    assert np.abs(np.array(told["degree"]) - true).mean() < 0.3


def test_a_joint_that_shows_wear_by_half_is_graded_so_when_carried(part: Part) -> None:
    """Inside the joint its own labels tell; carried there are none, so that errors are said too small."""
    assert of(part, 3, arm.INSIDE, PROFILE + OWN, "within one level") == 1
    assert of(part, 3, arm.CARRIED, PROFILE + OWN, "accuracy") < 0.6
    said = [r for r in part.details["arm_sessions"] if (r["joint"], r["way"]) == (3, arm.CARRIED)]
    grave = [r["degree"] - r["true"] for r in said if r["method"] == PROFILE + OWN and r["true"] > 3]
    assert len(grave) >= 10
    assert max(grave) < -1
    inside = of(part, 3, arm.CARRIED, PROFILE + OWN, "share inside the 90% interval")
    assert inside < of(part, 3, arm.INSIDE, PROFILE + OWN, "share inside the 90% interval")
    assert any(note == "carried worst: joint 3" or note.startswith("carried worst: joint 3,") for note in part.notes)


def test_only_worn_sessions_are_asked_once_each(part: Part) -> None:
    table = made(1, 1.0, 1)
    asked = arm._asked(table.index)
    assert len(asked) == 2 * UNITS == len(np.unique(table.index.unit_session[asked]))
    assert set(table.index.label[asked]) == {"anomalous"}
    assert set(table.index.start_s[asked]) == {8.0 * (CYCLES - 1)}
    for joint in (1, 2, 3):
        said = [r for r in part.details["arm_sessions"] if (r["joint"], r["method"]) == (joint, PROFILE + OWN)]
        assert len(said) == 2 * 2 * UNITS


def test_figures_of_wear_are_noted_with_their_growth(part: Part) -> None:
    growth = {(r["joint"], r["figure"]): r["growth a level"] for r in part.details["arm_figures"]}
    assert growth[1, "Coulomb friction"] == pytest.approx(1.0, abs=0.1)
    assert growth[3, "Coulomb friction"] == pytest.approx(0.5, abs=0.1)


def test_profiles_of_a_fleet_are_those_of_the_view(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worn drive that is still in the first level is not its own baseline."""
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    group = {
        "name": "fleet",
        "robot": "harmonic_rig",
        "units": 2,
        "healthy_sessions": 1,
        "faulty_sessions": 1,
        "cycles": 2,
        "task": {"name": "reciprocation", "amplitude_deg": 45, "period_s": 6.0},
        "faults": [{"name": "reducer_wear", "joints": [1], "levels": [1]}],
    }
    spec = FleetSpec.model_validate({"name": "tiny", "seed": 2, "groups": [group]})
    folder = tmp_path / "tiny"
    produce(spec, folder, Parquet.write, jobs=1)
    table = profile_table(folder, ["fleet"], 1, Ledger(tmp_path / "steps.jsonl", "a"), nothing)
    assert len(table) == 2 * 2 * 2
    worn = table.of("fault") != ""
    assert worn.sum() == 4
    assert set(table.index.label[worn]) == {"anomalous"}
    assert set(table.index.label[~worn]) == {"normal"}
    assert set(table.of("level")) == {1}
    unit, session = table.index.unit[0], table.index.session[0]
    (recording,) = Parquet().read(folder / "fleet" / unit / f"{session}.parquet")
    for baseline in ("unit", None):
        view = ProfileGrades(1, float(recording.robot.joint(1).gear_ratio or 100), baseline)
        expected = view.measure(view.cut([recording]))
        found = figures_for(table, baseline)[table.index.unit_session == table.index.unit_session[0]]
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert {name.split()[1].split("/")[0] for name in statistics_of(table).names} == {"current", "torque"}
