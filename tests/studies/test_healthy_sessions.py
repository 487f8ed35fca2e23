"""How many healthy sessions: every number judges the same cycles, few are among the many, and too few are refused."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from jointwatch.core.errors import InputError
from jointwatch.reports.study import write_study
from jointwatch.studies._cross_brand_rows import Fleet
from jointwatch.studies._cross_brand_steps import known, step
from jointwatch.studies._cross_brand_task import Task
from jointwatch.studies.healthy_sessions import HealthySessions


@pytest.fixture(scope="module")
def sessions(two_brands: Callable[[int, Sequence[str]], Path]) -> Path:
    """Two brands with five healthy sessions a unit and two with grave faults."""
    return two_brands(5, ("friction_rise", "lost_grip"))


@pytest.fixture(scope="module")
def study(sessions: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    out = tmp_path_factory.mktemp("out")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOKY_MAX_CPU_COUNT", "1")
        return HealthySessions().run(HealthySessions.Options(data=sessions, quick=True, known="2,3,4"), out), out


@pytest.fixture(scope="module")
def fleet(study: tuple[Any, Path]) -> Fleet:
    return Fleet.load(study[1] / "fleet.npz")


def test_every_number_is_told_for_every_method(study: tuple[Any, Path], tmp_path: Path) -> None:
    results = study[0]
    rows = [row for row in results.rows if row.target == "all targets"]
    areas = {(row.method, row.labels): row for row in rows if row.metric == "AUROC"}
    ours = "target only: joint deviations"
    assert {(ours, "2 healthy sessions"), (ours, "4 healthy sessions")} <= set(areas)
    assert ("target only: mahalanobis", "4 healthy sessions") in areas
    assert ("carried: joint deviations", "4 healthy sessions") in areas
    assert all(0 <= row.mean <= 1 for row in areas.values())
    gains = {row.metric for row in results.rows if row.method == ours and row.labels == "4 healthy sessions"}
    assert {f"{what} of 2 pairs against 2 healthy sessions (AUROC)" for what in ("wins", "losses", "ties")} <= gains
    assert {row["fault"] for row in results.details["faults"]} == {"friction_rise", "lost_grip"}
    write_study(results, tmp_path)
    assert {"sessions", "faults"} <= {path.stem for path in tmp_path.glob("*.png")}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_few_sessions_are_among_the_many_and_the_same_cycles_are_judged(fleet: Fleet, seed: int) -> None:
    tasks = [Task(fleet, (), "ur5e", 0, seed, baselines=number, spared=4) for number in (2, 3, 4)]
    for fewer, more in itertools.pairwise(tasks):
        assert fewer.baseline.sum() < more.baseline.sum()
        assert not (fewer.baseline & ~more.baseline).any()
        np.testing.assert_array_equal(fewer.judged, more.judged)
    judged, most = tasks[0].judged, tasks[-1].baseline
    assert judged.any()
    assert not (judged & most).any()
    assert (fleet.index.label[judged] == "normal").any()


@pytest.mark.parametrize("method", ["joint deviations", "mahalanobis"])
def test_sessions_that_are_not_known_change_nothing(fleet: Fleet, tmp_path: Path, method: str) -> None:
    """Two sessions known of four spared: what happened in the other two is nobody's business."""
    task = Task(fleet, (), "ur5e", 0, 0, baselines=2, spared=4)
    hidden = Task(fleet, (), "ur5e", 0, 0, baselines=4).baseline & ~task.baseline
    vectors = fleet.vectors.copy()
    vectors[hidden] += 100.0
    found: list[dict[str, Any]] = []
    for number, one in enumerate((fleet, replace(fleet, vectors=vectors))):
        file = tmp_path / f"{number}.npz"
        one.save(file)
        known.cache_clear()
        key = (0, "", "ur5e", 0, "target only", method)
        found.append({**step(str(file), key, {}, baselines=2, spared=4), "seconds": 0})
    known.cache_clear()
    assert found[0]["calibration"]
    assert found[0] == found[1]


def test_wrong_numbers_and_short_fleets_are_refused(sessions: Path, tmp_path: Path) -> None:
    for wrong in ("1,2", "", "many", "²"):
        with pytest.raises(ValidationError, match="whole numbers from 2"):
            HealthySessions.Options(data=sessions, known=wrong)
    with pytest.raises(InputError, match="has 5 healthy sessions; with 5 known none is left"):
        HealthySessions().run(HealthySessions.Options(data=sessions, quick=True, known="2,5"), tmp_path / "b")
