"""Units never seen: who is learned, known and judged, what the oracle looks at, and every method in every figure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jointwatch.core import Label
from jointwatch.diagnosis.axis_fault import AxisFaultClassifier
from jointwatch.reports.study import write_study
from jointwatch.studies import _axis_methods
from jointwatch.studies._axis_methods import (
    CARRIED,
    DEFAULT,
    METHODS,
    OF_NETWORKS,
    ORACLE_OWN,
    Carry,
    Place,
    Problem,
    Task,
    across,
    counts_by_unit,
    problem_of,
    within,
)
from jointwatch.studies._trees import ORACLE, TREES
from jointwatch.studies.axis_units import AxisUnits
from jointwatch.studies.base import Results
from jointwatch.training.recipes import recipe


@pytest.fixture
def place(axes_fleet: Path) -> Place:
    return Place(str(axes_fleet / "axis4"), 4)


@pytest.fixture(scope="module")
def ran(axes_fleet: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Path, Results]]:
    """Options, folder and results of the study with networks on axis 4 alone."""
    out = tmp_path_factory.mktemp("units")
    options = AxisUnits.Options(data=axes_fleet, seeds=2, epochs=1, axes="4,6", network_axes="4")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOKY_MAX_CPU_COUNT", "1")
        yield options, out, AxisUnits().run(options, out)


def test_test_units_are_never_learned_and_their_baseline_is_healthy_and_not_judged(place: Place) -> None:
    held = set()
    for seed in range(6):
        problem = problem_of(place, seed)
        train, known, asked = (
            {(r.robot.unit, r.session) for r in part} for part in (problem.train, problem.baseline, problem.test)
        )
        tested = {unit for unit, _ in asked}
        assert len(train | known | asked) == len(train) + len(known) + len(asked) == 5 * 4
        assert not {unit for unit, _ in train} & tested
        assert {unit for unit, _ in known} == tested
        assert all(r.condition.label is Label.NORMAL for r in problem.baseline)
        assert {str(r.condition.label) for r in problem.test} == {"normal", "anomalous"}
        assert [len(part.normal()) for part in problem.cut][1] == len(problem.cut[1])
        held |= tested
    assert len(held) > 1


def test_of_the_target_only_units_of_training_are_labelled(
    place: Place, axes_fleet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Task] = []

    def spied(task: Task) -> Any:
        seen.append(task)
        return task.target.judged(np.zeros(len(task.target.cut[2])), np.zeros(len(task.target.cut[2])))

    monkeypatch.setitem(CARRIED, "spied", Carry(spied, "", "spied"))
    for seed in range(8):
        across(["spied"], Place(str(axes_fleet / "axis6"), 6), place, seed)
        task = seen[-1]
        labelled, tested = ({r.robot.unit for r in part} for part in (task.labelled, task.target.test))
        assert labelled <= {r.robot.unit for r in task.target.train}
        assert not labelled & tested
        assert len(labelled) == 1
        assert {r.robot.unit[:5] for r in task.source} == {"axis6"}
        assert len(task.source) == 5 * 6
    assert len({task.labelled[0].robot.unit for task in seen}) > 1
    across(["spied"], place, place, 0)
    assert seen[-1].source is seen[-1].target.train


def test_the_oracle_looks_at_nothing_that_was_measured(place: Place) -> None:
    problem = problem_of(place, 0)
    noise = np.random.default_rng(0)

    def scrambled(part: Any) -> list[Any]:
        return [replace(r, values=noise.permuted(r.values, axis=1)) for r in part]

    blind = Problem(scrambled(problem.train), problem.baseline, scrambled(problem.test), 4, 0)
    for name, blinded in ((ORACLE, True), (ORACLE_OWN, True), (TREES, False)):
        found, other = (METHODS[name](each)[1] for each in (problem, blind))
        assert np.array_equal(found, other) == blinded
    index, score, _ = METHODS[ORACLE](problem)
    for session in np.unique(index.session):
        assert len(set(score[index.session == session].tolist())) == 1


def test_a_severity_and_epochs_reach_sessions_and_networks(place: Place) -> None:
    assert {r.condition.severity for r in problem_of(place, 0).train} == {None, 1.0}
    assert {r.condition.severity for r in problem_of(replace(place, severity=0.3), 0).train} == {None}
    model = problem_of(place, 7, epochs=3).classifier(training="paper", views=("network",))
    assert (model.training.options.epochs, model.training.batch_size, model.random_state) == (3, 256, 7)
    assert problem_of(place, 7).classifier().training == recipe("modern")


def test_counts_of_a_severity_hold_all_healthy_cycles() -> None:
    rows = {"unit": ["a", "a", "a", "b"], "worn": [0, 1, 1, 0], "said": [0, 1, 0, 1], "severity": [0, 0.3, 1.0, 0]}
    units = np.array(["a", "b"])
    assert counts_by_unit(rows, units).tolist() == [[[1, 0], [1, 1]], [[0, 1], [0, 0]]]
    assert counts_by_unit(rows, units, 0.3).tolist() == [[[1, 0], [0, 1]], [[0, 1], [0, 0]]]


def test_a_method_says_the_same_again_and_something_of_every_cycle(place: Place) -> None:
    first, again = (within([DEFAULT], place, 1)[DEFAULT] for _ in range(2))
    assert first == again
    problem = problem_of(place, 1)
    assert len(first["unit"]) == len(problem.cut[2]) > 0
    assert set(first["unit"]) == {r.robot.unit for r in problem.test}


def test_every_method_has_its_rows_and_networks_only_where_they_are_trained(
    ran: tuple[Any, Path, Results],
) -> None:
    _, _, results = ran
    units = results.details["units"]
    for name in (*METHODS, *CARRIED):
        there = {record["target"] for record in units if record["method"] == name}
        others = {"axis 4", "all axes"}  # all other axes are one
        assert there == (others if name in CARRIED else {"axis 4"} if name in OF_NETWORKS else others | {"axis 6"})
    assert {r["method"] for r in units} == {*METHODS, *CARRIED}
    assert {r["severity"] for r in units} == {0.0, 1.0}
    for record in units:
        assert math.isfinite(record["mean"])
        assert not math.isfinite(record["low"]) or record["low"] <= record["mean"] <= record["high"]
    assert any(record["low"] < record["mean"] for record in units)
    counted = {row.method: row.metric for row in results.rows if row.metric.startswith("balanced accuracy")}
    assert {method for method, metric in counted.items() if metric.endswith("of sessions")} == {ORACLE, ORACLE_OWN}
    assert {metric.rpartition(" ")[2] for metric in counted.values()} == {"sessions", "cycles"}
    assert sum(bin_["share"] for bin_ in results.details["calibration"]) == pytest.approx(1.0)


def test_gains_are_counted_pair_by_pair(ran: tuple[Any, Path, Results]) -> None:
    pairs = [row for row in ran[2].rows if row.metric.endswith("pairs")]
    against = [name for name, carry in CARRIED.items() if carry.alone != name]
    assert {row.method for row in pairs} == {f"{name}, against {CARRIED[name].alone}" for name in against}
    for method in {row.method for row in pairs}:
        own = [row for row in pairs if row.method == method]
        assert [row.metric for row in own] == [f"{what} of 2 pairs" for what in ("wins", "losses", "ties")]
        assert sum(row.mean for row in own) == 2
        assert all(row.mean >= 0 for row in own)


def test_a_finished_study_is_taken_over_and_drawn(
    ran: tuple[Any, Path, Results], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options, out, results = ran

    def refuse(*given: Any, **more: Any) -> None:
        raise AssertionError("learned again")

    monkeypatch.setattr(AxisFaultClassifier, "fit", refuse)
    monkeypatch.setattr(_axis_methods, "problem_of", refuse)
    assert AxisUnits().run(options, out).to_dict()["rows"] == results.to_dict()["rows"]
    stems = {path.stem for path in write_study(results, tmp_path) if path.suffix == ".svg"}
    assert stems == {
        "units", "units_by_axis", "units_networks", "ablation", "units_by_severity", "calibration", "carried",
    }  # fmt: skip
