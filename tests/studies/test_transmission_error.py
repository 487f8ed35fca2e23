"""Transmission error: who is learned, known and judged, that the study asks what the grader asks, that it resumes."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jointwatch.core.levels import LEVEL_RAD, LEVELS
from jointwatch.diagnosis._code_view import CodeView
from jointwatch.recordings.parquet import Parquet
from jointwatch.simulation.produce import produce
from jointwatch.simulation.spec import FleetSpec
from jointwatch.studies import _transmission_error_methods as methods
from jointwatch.studies import transmission_error as study
from jointwatch.studies._confusions import CHANCE
from jointwatch.studies._transmission_error_drives import DRIVE_FOLDS, problem_of
from jointwatch.studies._transmission_error_methods import (
    AE_HMM,
    AE_KMEANS,
    AE_LOGISTIC,
    ORACLES,
    OWN,
    PCA_HMM,
    PROFILE,
    TREES,
    TREES_BANDS,
    TREES_ERROR,
    TREES_PROFILE,
    CodeGrades,
    Said,
)
from jointwatch.studies._transmission_error_protocol import (
    BLOCK,
    PROTOCOL_FOLDS,
    PROTOCOLS,
    iterations_needed,
    protocol_problem,
)
from jointwatch.studies._transmission_error_rows import noise_part
from jointwatch.studies._transmission_error_table import NOISE, Cycles, measure, noisy
from jointwatch.studies.base import Results
from jointwatch.studies.transmission_error import TransmissionError

COUNTS = "1,3"
SIZE = 3.0


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve drives, two of a level, young and worn; six of the published kind, one of a level."""

    def group(name: str, levels: list[int], units: int, healthy: int, worn: int, cycles: int) -> dict[str, Any]:
        return {
            "name": name,
            "robot": "harmonic_rig",
            "units": units,
            "healthy_sessions": healthy,
            "faulty_sessions": worn,
            "cycles": cycles,
            "task": {"name": "reciprocation", "amplitude_deg": 45, "period_s": 2.5},
            "faults": [{"name": "reducer_wear", "joints": [1], "severity": [0.05, 1.0], "levels": levels}],
            "rate_hz": 1000,
        }

    folder = tmp_path_factory.mktemp("fleets") / "m2-drives"
    groups = [group("fleet", [1, 2, 3, 4, 5, 6], 12, 1, 1, 3), group("paper", [1, 2, 3, 4, 5, 6], 6, 0, 3, 6)]
    produce(FleetSpec.model_validate({"name": "m2-drives", "seed": 3, "groups": groups}), folder, Parquet.write, jobs=1)
    return folder


@pytest.fixture(scope="module")
def ran(fleet: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Path, Results]]:
    """Options, folder and results of the whole study, with one size of noise."""
    out = tmp_path_factory.mktemp("transmission")
    options = TransmissionError.Options(data=fleet, seeds=1, epochs=1, cycles=COUNTS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOKY_MAX_CPU_COUNT", "1")
        patch.setattr(study, "_LEVELS", (SIZE,))
        patch.setattr(study, "_DEEP_LEVELS", ())
        patch.setattr(methods, "_FOREST", 10)
        yield options, out, TransmissionError().run(options, out)


@pytest.fixture
def cycles(ran: tuple[Any, Path, Results], fleet: Path) -> Cycles:
    _, out, _ = ran
    return measure(fleet, out, TransmissionError()._rests_on(), (), lambda done, total, what: None).cycles()


def test_no_drive_is_on_both_sides_and_only_worn_sessions_are_judged(cycles: Cycles) -> None:
    assert (cycles.young.sum(), (~cycles.published).sum(), cycles.published.sum()) == (36, 72, 108)
    judged = np.zeros(len(cycles), int)
    for fold in range(DRIVE_FOLDS):
        problem = problem_of(cycles, 0, fold)
        learned, known, asked = (set(cycles.index.unit[r]) for r in (problem.train, problem.known, problem.asked))
        assert not learned & (known | asked)
        assert known == asked
        assert cycles.young[problem.known].all()
        assert not cycles.young[problem.asked].any()
        assert cycles.young[problem.train].any()
        assert not cycles.published[np.concatenate([problem.train, problem.asked])].any()
        judged[problem.asked] += 1
    np.testing.assert_array_equal(judged, ~cycles.published & ~cycles.young)


@pytest.mark.parametrize("split", PROTOCOLS)
def test_blocks_or_sessions_are_on_one_side_and_no_sequence_crosses(cycles: Cycles, split: str) -> None:
    judged = np.zeros(108, int)
    for fold in range(PROTOCOL_FOLDS):
        problem = protocol_problem(cycles, split, 0, fold)
        session = problem.cycles.index.unit_session
        assert not set(session[problem.train]) & set(session[problem.asked])
        assert set(problem.cycles.level[problem.train]) == set(range(LEVELS))
        judged[problem.asked] += 1
        if split == "random":
            assert max(np.unique(session, return_counts=True)[1]) <= BLOCK
    assert (judged == 1).all()


def test_a_drive_that_wears_in_tolerance_is_not_its_own_baseline(cycles: Cycles) -> None:
    worn = ~cycles.published & ~cycles.young & (cycles.level == 0)
    assert worn.any()
    assert (cycles.index.label[worn] == "anomalous").all()


@pytest.mark.parametrize("own", [False, True])
def test_a_code_that_is_shared_grades_as_the_view_does(cycles: Cycles, own: bool) -> None:
    problem = problem_of(cycles, 1, 0)
    rows, known, asked = problem.train, problem.known, problem.asked
    view = CodeView(baseline="unit" if own else None, code="pca", cycles=2, random_state=1)
    view.fit(cycles.vector[rows], cycles.index.take(rows), cycles.error_rad[rows], problem.groups[rows])
    if own:
        view = view.adapt(cycles.vector[known], cycles.index.take(known))
    table = view.table(cycles.vector[asked], cycles.index.take(asked))
    code = methods.code_learned("pca", problem, 0)
    grades = CodeGrades.of(code, PCA_HMM, problem, own=own, cycles=2)
    said, (score, probability) = grades.ask(cycles), grades.scores(cycles)
    np.testing.assert_allclose(score, table.score)
    np.testing.assert_allclose(probability, table.probability)
    np.testing.assert_allclose(said.degree * LEVEL_RAD, table.error_rad)
    np.testing.assert_array_equal(said.level, table.score.argmax(axis=1))


def test_every_method_is_in_the_table_for_its_numbers_of_cycles(ran: tuple[Any, Path, Results]) -> None:
    _, _, results = ran
    rows = [row for row in results.rows if row.target == "drives held out" and row.metric == "accuracy"]
    found = {(row.method, row.labels) for row in rows}
    once = (PCA_HMM, AE_LOGISTIC, AE_KMEANS, TREES_ERROR, TREES_PROFILE, *ORACLES)
    for name in ("", OWN):
        assert {(method + name, "T = 1") for method in once} <= found
        for method in (AE_HMM, PROFILE, TREES, TREES_BANDS):
            assert {(method + name, "T = 1"), (method + name, "T = 3")} <= found
    assert (CHANCE, "T = 1") in found
    assert all(0 <= row.mean <= 1 for row in rows)
    assert any(0 < row.mean < 1 for row in rows)
    for method in (AE_HMM, AE_LOGISTIC, AE_KMEANS, TREES, PROFILE):
        mine = [row for row in results.rows if row.method == method and row.target == "published drives"]
        assert {row.split for row in mine} == set(PROTOCOLS.values())
        accuracy, loss = (
            {(row.split, row.labels): row.mean for row in mine if row.metric == metric}
            for metric in ("accuracy", "Hamming loss")
        )
        assert loss == pytest.approx({key: 1 - value for key, value in accuracy.items()})
    assert any("short of 0.80" in note or "reaches 0.80" in note for note in results.notes)


def test_the_profile_says_how_sure_it_is_and_the_best_fold_is_named_a_leak(ran: tuple[Any, Path, Results]) -> None:
    _, _, results = ran
    of = {(row.method, row.metric, row.labels): row for row in results.rows if row.target == "drives held out"}
    inside = of[PROFILE + OWN, "share inside the 90% interval", "T = 1"]
    assert inside.low <= inside.mean <= inside.high
    degree, levels = (of[PROFILE + OWN, f"mean absolute error, {unit}", "T = 1"].mean for unit in ("degree", "levels"))
    assert degree == pytest.approx(0.025 * levels)
    leak = [row for row in results.rows if "leak" in row.metric and row.method == AE_KMEANS]
    honest = {(row.split, row.labels): row.mean for row in results.rows if _is_kmeans_accuracy(row)}
    assert leak
    assert all(row.mean >= honest[row.split, row.labels] - 0.05 for row in leak)
    assert any(row.metric.startswith("wins of 5 pairs") for row in results.rows)


def _is_kmeans_accuracy(row: Any) -> bool:
    return bool(row.method == AE_KMEANS and row.metric == "accuracy" and row.target == "published drives")


def test_noise_is_judged_in_use_and_in_training(ran: tuple[Any, Path, Results]) -> None:
    _, _, results = ran
    places = {(record["where"], record["noise"]) for record in results.details["noise"]}
    assert places == {(where, size) for where in ("judged cycles", "all cycles") for size in (0.0, SIZE)}


def test_noise_is_learned_anew_for_one_seed_however_many_networks(
    ran: tuple[Any, Path, Results], cycles: Cycles
) -> None:
    steps = [json.loads(line) for line in (ran[1] / "steps.jsonl").read_text().splitlines()[1:]]
    found = {step["key"]: step["value"] for step in steps}
    drives = {f"{seed}/{fold}": found[f"drives/0/{fold}"] for seed in range(2) for fold in range(DRIVE_FOLDS)}
    learned = {key.partition("/")[2]: step for key, step in found.items() if key.startswith("noise/")}
    part = noise_part(cycles, drives, learned, 2, (SIZE,))
    assert {record["where"] for record in part.details["noise"]} == {"judged cycles", "all cycles"}


def test_noise_is_of_the_size_asked_for_the_same_again_and_leaves_the_angle(fleet: Path) -> None:
    recording = next(iter(Parquet().read(next(fleet.glob("fleet/*/*.parquet")))))
    again, twice = noisy(recording, 5.0), noisy(recording, 5.0)
    np.testing.assert_array_equal(again.values, twice.values)
    for place, channel in enumerate(recording.channels):
        added = (again.values[place] - recording.values[place]).std()
        assert added == pytest.approx(5 * NOISE.get(channel.quantity, 0.0), rel=0.1)
    assert noisy(recording, 0.0) is recording


def test_a_second_run_computes_nothing(ran: tuple[Any, Path, Results], monkeypatch: pytest.MonkeyPatch) -> None:
    options, out, first = ran

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("computed again")

    for name in ("drives_step", "noise_step", "protocol_step", "protocol_pictures", "simple_pictures"):
        monkeypatch.setattr(study, name, refuse)
    monkeypatch.setattr("jointwatch.studies._transmission_error_table._unit", refuse)
    second = TransmissionError().run(options, out)
    for one, other in zip(first.rows, second.rows, strict=True):
        assert (one.method, one.metric) == (other.method, other.metric)
        assert one.mean == other.mean or math.isnan(one.mean)


def test_what_was_said_is_kept_as_text_and_numbers() -> None:
    said = Said(np.array([0, 5]), np.array([0.25, 6.5]), above=np.array([0.125, 1.0]))
    kept = Said.of_json(said.to_json())
    np.testing.assert_array_equal(kept.level, said.level)
    np.testing.assert_array_equal(kept.degree, said.degree)
    np.testing.assert_array_equal(kept.above, said.above)
    assert not len(kept.low)


def test_iterations_are_counted_to_99_per_cent_of_the_gain() -> None:
    assert iterations_needed(np.array([-50.0, -10.0, -0.4, 0.0])) == 2


@pytest.mark.parametrize(("option", "value"), [("parts", "drives,rings"), ("cycles", "1,0")])
def test_unknown_parts_and_numbers_are_refused(fleet: Path, option: str, value: str) -> None:
    with pytest.raises(ValueError, match=r"no part rings|whole numbers"):
        TransmissionError.Options(data=fleet, **{option: value})
