"""The grading study: no stage of the target is learned, scores are what they are called, the aims hold as measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.studies._grading_methods import ACROSS, INSIDE, STAGE_OUT, Grades, Method, Task, graded, say
from jointwatch.studies._grading_scores import RANK, SCORES, rank_correlation, run_means, spread
from jointwatch.studies._strokes import PROFILE, read_strokes
from jointwatch.studies.actuator_grading import (
    _ACROSS,
    _BY_RUN,
    _LAST,
    _STAGE,
    ActuatorGrading,
    _across,
    _closing,
    _inside,
)

STATES = ("normal", "backlash1", *(f"spalling{stage}" for stage in range(1, 9)))
CYCLES, SAMPLES, RUNS = 2, 54, 3


def write_axis(folder: Path, loads: tuple[int, ...] = (20, 40)) -> Path:
    """Files as the measured ones are: the stage moves friction and a ripple, runs drift, the load moves everything."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    phase = np.arange(SAMPLES) / SAMPLES
    sign = np.where(phase < 0.5, 1.0, -1.0)
    for number, state in enumerate(STATES):
        stage = int(state.removeprefix("spalling")) if state.startswith("spalling") else 0
        rows = ["set_point,position_error,current,profile,load,run,fault_type,group,time"]
        for load in loads:
            for run in range(1, RUNS + 1):
                friction = 0.8 - 0.02 * stage + 0.1 * load / 20 + 0.005 * rng.standard_normal()
                for group in range(1, CYCLES + 1):
                    wave = (0.03 + 0.01 * stage) * np.sin(2 * np.pi * 6 * phase)
                    current = friction * sign + load / 200 + wave + 0.01 * rng.standard_normal(SAMPLES)
                    error = 0.1 * sign + (0.02 + 0.002 * stage) * rng.standard_normal(SAMPLES)
                    rows += [
                        f"{100 * p:.2f},{e:.5f},{c:.5f},trap,{load},{run},{number},{group},{0.04 * k:.2f}"
                        for k, (p, e, c) in enumerate(zip(1 - abs(2 * phase - 1), error, current, strict=True))
                    ]
        (folder / f"{state}.csv").write_text("\n".join(rows))
    return folder


@pytest.fixture(scope="module")
def axis(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_axis(tmp_path_factory.mktemp("axis") / "data")


@pytest.fixture(scope="module")
def grades(axis: Path) -> Grades:
    return graded(read_strokes(axis), "spalling")


@pytest.fixture(scope="module")
def measured(data_dir: Path) -> Grades:
    return graded(read_strokes(data_dir / "cranfield_linear_actuator"), "spalling")


def test_only_normal_runs_and_stages_of_the_fault_are_graded(grades: Grades) -> None:
    assert np.unique(grades.stage).tolist() == list(range(9))
    assert len(grades.stage) == 9 * 2 * RUNS * CYCLES
    assert grades.loads == [20.0, 40.0]
    assert not any("backlash" in name for name in grades.runs)


def test_nothing_is_learned_that_tests(grades: Grades) -> None:
    for job in (*_inside(grades, 20.0, 2, False), *_across(grades, (20.0, 40.0), 2, False)):
        split, source, target, _, tasks = job
        for task in tasks:
            given = np.concatenate([task.learned, task.normal])
            assert not set(grades.runs[given]) & set(grades.runs[task.test]), split
            assert set(grades.load_kgf[task.learned]) == {source}
            assert set(grades.load_kgf[task.test]) == {target}
            assert (grades.stage[task.normal] == 0).all()
        if split == "stage out":
            assert all(not set(grades.stage[t.learned]) & set(grades.stage[t.test]) for t in tasks)
        if split == _ACROSS:
            assert set(grades.run[tasks[0].normal]) == {1, 2}
            assert np.unique(grades.stage[tasks[0].test]).tolist() == list(range(9))


def test_the_stage_of_test_rows_is_not_looked_at(grades: Grades) -> None:
    other = grades.stage.copy()
    at_target = grades.load_kgf == 40
    shuffled = at_target & (grades.stage > 0)
    other[shuffled] = other[shuffled][::-1]
    swapped = Grades(**{**grades.__dict__, "stage": other})
    for method in ACROSS:
        if method.learner == "kernel":
            continue
        said = []
        for own in (grades, swapped):
            rows = [np.flatnonzero(grades.load_kgf == 20), at_target & (grades.stage == 0) & (grades.run < 3)]
            task = Task(own, rows[0], np.flatnonzero(rows[1]), np.flatnonzero(shuffled))
            said.append(say(method, task, 0))
        assert said[0] == said[1], method.name


def test_what_the_load_does_is_taken_out(grades: Grades) -> None:
    """Here friction grows with the load as it falls with the stage: without the normal runs every stage is wrong."""
    tasks = {job[3]: job[4][0] for job in _across(grades, (20.0, 40.0), 2, False)}
    stage = grades.stage[next(iter(tasks.values())).test]
    off = {
        method.baseline: np.abs(np.array(say(method, task, 0)["degree"]) - stage).mean()
        for method, task in tasks.items()
        if method.learner == "ridge"
    }
    assert off["none"] > 3
    assert off["own"] < 1
    assert off["shift"] < 1


def test_ranks_are_spearmans_also_of_drawn_runs() -> None:
    rng = np.random.default_rng(0)
    stage = np.repeat(np.arange(5), 6)
    degree = np.round(stage + rng.standard_normal(30), 1)
    weights = rng.integers(0, 3, (4, 30))
    expected = [spearmanr(np.repeat(degree, w), np.repeat(stage, w))[0] for w in weights]
    np.testing.assert_allclose(rank_correlation(degree, stage, weights), expected)
    assert np.isnan(rank_correlation(np.ones(30), stage, weights)).all()


def test_scores_and_their_intervals() -> None:
    stage, runs = np.repeat(np.arange(4), 4), np.repeat(np.arange(8), 2)
    degree = np.clip(stage + np.where(runs % 2, 0.0, 1.4), 0, 3)
    found = {name: spread(degree[None], stage, runs, score) for name, score in SCORES.items()}
    assert found["mean absolute stage error"][0] == pytest.approx((1.4 + 1.4 + 1.0) / 8)
    assert found["exact stage"][0] == pytest.approx(5 / 8)
    assert found["within one stage"][0] == 1
    low, high = found["exact stage"][1:]
    assert low < 5 / 8 < high
    np.testing.assert_allclose(run_means(degree, runs)[:2], [1.4, 0.0])


def test_study_finds_the_stated_rows_and_resumes(axis: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    options = ActuatorGrading.Options(data=axis, source_load=20, train_runs=2, quick=True)
    found = ActuatorGrading().run(options, tmp_path)
    places = {(row.split, row.source, row.target) for row in found.rows}
    assert places == {
        (_LAST, "+20 kgf", "+20 kgf"), (_LAST, "+40 kgf", "+40 kgf"), (_ACROSS, "+20 kgf", "+40 kgf")
    }  # fmt: skip
    rank = {(row.split, row.target, row.method): row.mean for row in found.rows if row.metric == RANK}
    assert rank[_ACROSS, "+40 kgf", ACROSS[-1].name] > 0.9
    assert abs(rank[_ACROSS, "+40 kgf", "random stage"]) < 0.4
    metrics = {row.metric for row in found.rows if row.split == _ACROSS and row.method == ACROSS[-1].name}
    for kind in ("runs", "widened", "specimens"):
        assert {f"coverage, 90 % intervals by {kind}", f"width in stages, 80 % intervals by {kind}"} <= metrics
    assert {"exact stage, by run", "mean absolute stage error"} <= metrics
    counted = {(row.metric, row.n) for row in found.rows if row.split == _ACROSS and row.method == ACROSS[-1].name}
    assert {(RANK, 9), ("exact stage, by run", 9), (_BY_RUN, 8 * RUNS + 1)} <= counted  # a stage is a session
    assert "ridge, profile, own baseline, shift out, settings by stages" in {row.method for row in found.rows}
    said = [record for record in found.details["predictions"] if record["split"] == _ACROSS]
    assert len(said) == 8 * RUNS + 1
    assert all(record["low"] <= record["high"] for record in said)
    again = ActuatorGrading().run(options, tmp_path)
    assert again.rows == found.rows
    assert "steps were taken over" in again.notes[-1]


def test_intervals_reach_a_last_stage_that_was_not_learned(grades: Grades) -> None:
    (tasks,) = [job[4] for job in _inside(grades, 20.0, 2, False) if job[0] == _STAGE and job[3] == STAGE_OUT[-1]]
    task = tasks[-1]
    assert set(grades.stage[task.test]) == {8}
    assert grades.stage[task.learned].max() == 7
    low, high = np.array(say(STAGE_OUT[-1], task, 0)["intervals"]["specimens"]["0.8"])
    assert (high > 7).all()
    assert (high <= 8).all()
    assert (low <= high).all()


def test_settings_by_stages_are_not_those_by_runs(measured: Grades) -> None:
    """With runs held out the specimens are known, so that little shrinkage looks best; with stages out, much."""
    tasks = {job[3].name: (job[3], job[4][0]) for job in _across(measured, (40.0, 20.0), 5, False)}
    plain = "ridge, profile, own baseline, shift out"
    reach, rank = {}, {}
    for name in (plain, f"{plain}, settings by stages"):
        degree = np.array(say(*tasks[name], 0)["degree"])
        reach[name], rank[name] = np.ptp(degree), spearmanr(degree, measured.stage[tasks[name][1].test])[0]
    assert reach[f"{plain}, settings by stages"] < reach[plain]
    assert rank[f"{plain}, settings by stages"] < 0.8 < rank[plain]


def _kept(grades: Grades, rows: np.ndarray) -> Grades:
    at = np.flatnonzero(rows)
    features = {name: values[at] for name, values in grades.features.items()}
    rest = (getattr(grades, name)[at] for name in ("stage", "load_kgf", "run", "runs"))
    return Grades(features, *rest, grades.index.take(at))


def test_what_cannot_be_judged_is_refused_before_anything_is_learned(grades: Grades, axis: Path) -> None:
    with pytest.raises(UsageError, match="no stage of a fault 'rust'; the faults there are: backlash, spalling"):
        graded(read_strokes(axis), "rust")
    late = _kept(grades, (grades.load_kgf == 20) | (grades.stage > 0) | (grades.run == RUNS))
    with pytest.raises(NotEnoughData, match=r"baseline at \+40 kgf"):
        _across(late, (20.0, 40.0), 2, True)
    with pytest.raises(NotEnoughData, match=r"baseline at \+40 kgf"):
        _inside(late, 40.0, 2, True)
    few = _kept(grades, (grades.load_kgf == 20) | (grades.stage < 4))
    assert few.loads == [20.0]


def test_closing_notes_count_the_stages_there_are(grades: Grades) -> None:
    assert "8 are left, too few for 90% intervals" in " ".join(_closing(grades, [20.0]))
    few = _kept(grades, grades.stage < 6)
    assert "5 are left, too few for 90% intervals" in " ".join(_closing(few, [20.0]))


@pytest.mark.parametrize(("load", "method"), [(20.0, INSIDE[-1]), (40.0, Method("discriminant"))])
def test_measured_stages_are_ranked_inside_a_load(measured: Grades, load: float, method: Method) -> None:
    """By the headline, which chooses its family by the training runs, and by the family that it chooses."""
    task = next(job[4][0] for job in _inside(measured, load, 5, True))
    assert set(measured.run[task.test]) == {6, 7}
    said = say(method, task, 0)
    assert said["chosen"] == "discriminant"
    assert spearmanr(said["degree"], measured.stage[task.test])[0] > 0.93


@pytest.mark.parametrize(("source", "target"), [(20.0, 40.0), (40.0, 20.0)])
def test_measured_stages_are_ranked_at_a_load_without_a_stage(measured: Grades, source: float, target: float) -> None:
    task = _across(measured, (source, target), 5, True)[0][4][0]
    stage = measured.stage[task.test]
    said = say(Method("ridge", PROFILE, "shift"), task, 0)
    assert spearmanr(said["degree"], stage)[0] > 0.8
    low, high = np.array(said["intervals"]["runs"]["0.9"])
    assert ((low <= stage) & (stage <= high)).mean() < 0.85  # by runs they promise too much: known, and told
