"""A new brand arrives: nothing that is judged has a part in what judges it, and every row is counted once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from jointwatch.core import catalog
from jointwatch.core.errors import InputError, UsageError
from jointwatch.reports.study import write_study
from jointwatch.studies._cross_brand_networks import kinds
from jointwatch.studies._cross_brand_rows import Fleet
from jointwatch.studies._cross_brand_task import Tables, Task
from jointwatch.studies._cross_brand_told import Judged, _area, _ranked, _threshold
from jointwatch.studies.cross_brand import CrossBrand


@pytest.fixture(scope="module")
def study(brands: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    out = tmp_path_factory.mktemp("out")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOKY_MAX_CPU_COUNT", "1")
        options = CrossBrand.Options(data=brands, quick=True, source="ur5e", budgets="0,6", strategies="dann,head_only")
        return CrossBrand().run(options, out), out


@pytest.fixture(scope="module")
def fleet(study: tuple[Any, Path]) -> Fleet:
    return Fleet.load(study[1] / "fleet.npz")


def test_all_ways_are_told_with_their_budgets(study: tuple[Any, Path]) -> None:
    rows = study[0].rows
    areas = {(row.method, row.labels): row.mean for row in rows if row.metric == "AUROC" and row.target == "gofa5"}
    nothing, few = "0 labelled cycles", "6 labelled cycles"
    assert {("target only: joint deviations", nothing), ("carried: joint deviations", few)} <= set(areas)
    assert {("carried: dann", nothing), ("carried: dann", few), ("carried: head_only", few)} <= set(areas)
    assert ("carried: head_only", nothing) not in areas
    assert all(0 <= area <= 1 for area in areas.values())
    pairs = [row for row in rows if "pairs against target only: joint deviations" in row.metric]
    assert {row.method for row in pairs} >= {"carried: joint deviations", "gated: joint deviations", "carried: dann"}


def test_it_is_resumed_and_the_same_again(study: tuple[Any, Path], brands: Path, tmp_path: Path) -> None:
    results, out = study
    steps = (out / "steps.jsonl").read_text()
    options = CrossBrand.Options(data=brands, quick=True, source="ur5e", budgets="0,6", strategies="dann,head_only")
    again = CrossBrand().run(options, out)
    assert (out / "steps.jsonl").read_text() == steps
    seconds = "adaptation seconds"
    told = [[row for row in one.rows if row.metric != seconds] for one in (results, again)]
    assert json.dumps([vars(row) for row in told[0]]) == json.dumps([vars(row) for row in told[1]])
    write_study(again, tmp_path)
    stems = {path.stem for path in tmp_path.rglob("*.png")}
    assert {"methods_0", "methods_most", "faults", "gains", "embeddings"} <= stems


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_what_is_judged_is_apart_from_what_is_known(fleet: Fleet, seed: int) -> None:
    task = Task(fleet, ("ur5e",), "gofa5", 500, seed)
    judged = fleet.index.unit[task.judged]
    assert set(judged) == set(task.judged_units)
    assert not set(fleet.index.unit[task.labelled]) & set(judged)
    assert not (task.judged & task.baseline).any()
    assert fleet.sure[task.labelled].all()
    assert (fleet.index.label[task.baseline] == "normal").all()
    for unit in np.unique(fleet.index.unit[task.of_target]):
        assert len(np.unique(fleet.index.session[task.baseline & (fleet.index.unit == unit)])) == 2


def test_three_seeds_judge_every_unit_of_a_target_once(fleet: Fleet) -> None:
    units = np.concatenate([Task(fleet, (), "gofa5", 0, seed).judged_units for seed in range(3)])
    assert sorted(units) == sorted(np.unique(fleet.index.unit[fleet.index.domain == "gofa5"]))


def test_labels_of_what_is_judged_change_no_score(fleet: Fleet) -> None:
    from dataclasses import replace

    from jointwatch.studies._cross_brand_gate import gated
    from jointwatch.studies._cross_brand_methods import deviations, healthy_only, trees
    from jointwatch.studies._cross_brand_networks import network_step

    task = Task(fleet, ("ur5e",), "gofa5", 4, 0)
    rng, label, joint = np.random.default_rng(0), fleet.index.label.copy(), fleet.index.joint.copy()
    rows = np.flatnonzero(task.judged & fleet.sure)
    label[rows], joint[rows] = rng.permutation(label[rows]), rng.permutation(joint[rows])
    label[rows[0]] = "normal" if label[rows[0]] == "anomalous" else "anomalous"
    scrambled = replace(fleet, index=replace(fleet.index, label=label, joint=joint))
    other = Task(scrambled, task.sources, task.target, task.budget, task.seed)

    def all_scores(one: Task) -> list[list[float]]:
        tables = Tables(one.fleet)
        found = [deviations(one, tables), trees(one, tables), gated(one, tables), healthy_only("knn", one, tables)]
        found.append(network_step("dann", "align", one, tables))
        return [step["score"] for step in found]

    assert all_scores(task) == all_scores(other)


def test_every_strategy_is_taken_in_or_left_out_with_a_reason() -> None:
    used, left_out = kinds("")
    assert set(used) | set(left_out) == set(catalog.names("transfer"))
    assert {"dann", "multi_source", "batch_norm", "supervised_contrastive"} <= set(used)
    assert all(left_out.values())


def test_a_threshold_of_healthy_cycles_is_conformal() -> None:
    assert _threshold(np.arange(199.0)) == 197.0
    assert _threshold(np.arange(20.0)) == 19.0
    assert _area(np.array([1.0, 2.0, 2.0, 3.0]), np.array([False, False, True, True])) == 0.875


def test_sessions_are_judged_by_the_mean_of_their_certain_cycles() -> None:
    unit = np.array(["a", "a", "a", "b", "b", "b"])
    session = np.array(["a/1", "a/1", "a/2", "b/1", "b/1", "b/2"])
    faulty = np.array([False, False, True, True, False, False])
    sure = np.array([True, True, True, True, True, False])
    score = np.array([1.0, 4.0, 2.0, 5.0, 3.0, 9.0])
    blank, none = np.array([""] * 6), np.zeros(6)
    one = Judged(unit, session, faulty, sure, blank, none, none, score, faulty, none, 1.0)
    units, odd, mean = one.sessions
    assert units.tolist() == ["a", "a", "b"]
    assert odd.tolist() == [False, True, True]
    assert mean.tolist() == [2.5, 2.0, 4.0]
    drawn = _ranked(one, np.array(["a", "b"]), np.array([[1.0, 1.0], [2.0, 0.0]]), "AUROC of sessions")
    assert drawn.tolist() == [0.5, 0.0]


def test_wrong_orders_are_refused(brands: Path, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="whole numbers"):
        CrossBrand.Options(data=brands, budgets="many")
    with pytest.raises(UsageError, match="no brand nobody"):
        CrossBrand().run(CrossBrand.Options(data=brands, quick=True, target="nobody"), tmp_path / "a")
    with pytest.raises(InputError, match="no sessions"):
        CrossBrand().run(CrossBrand.Options(data=tmp_path / "empty", quick=True), tmp_path / "b")
