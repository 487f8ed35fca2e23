"""The short-circuit study: what is left out is never learned, and a fault carries to a phase that was never seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from jointwatch.core.errors import InputError, NotEnoughData, UsageError
from jointwatch.recordings import read
from jointwatch.studies import _short_circuit_methods as methods
from jointwatch.studies._short_circuit_evidence import doubtful, doubts, plane, symmetry
from jointwatch.studies._short_circuit_methods import (
    ACROSS,
    ACROSS_OURS,
    INSIDE,
    INSIDE_OURS,
    NAIVE,
    Method,
    say_chosen,
)
from jointwatch.studies._short_circuit_rows import (
    PHASES,
    SEQUENCES,
    STATISTICS,
    ShortCircuitRows,
    _state,
    read_short_circuits,
)
from jointwatch.studies.base import Results
from jointwatch.studies.short_circuit_grading import ShortCircuitGrading, _phase_folds

KEYS = {"method", "split", "source", "target", "labels", "metric", "mean", "low", "high", "n", "seeds"}
TURN = np.exp(2j * np.pi / 3)
SWAPPED = "ITSC_A10-Repetition02"
TWICE = "ITSC_B10-Repetition03"
SAMPLES = 600


def effect(phase: str, severity: int) -> tuple[float, complex]:
    """Growth of the positive and change of the negative sequence that a fault makes, alike for all phases."""
    return 0.25 * severity, 0.27 * severity * np.exp(1j * (1.7 - 0.2 * severity)) * TURN ** PHASES.index(phase)


def currents(faults: list[tuple[str, int]], rng: np.random.Generator) -> np.ndarray:
    """(time, 3) of a motor that is not alike in its phases even when healthy."""
    positive, negative = 2.8 + 0.01 * rng.standard_normal(), 0.15 * np.exp(2.3j)
    for phase, severity in faults:
        growth, change = effect(phase, severity)
        positive, negative = positive + growth, negative + change
    phasors = 0.1 + np.array([positive * TURN**-k + negative * TURN**k for k in range(3)])
    start = np.exp(1j * rng.uniform(0, 2 * np.pi))
    waves = (start * phasors[:, None] * np.exp(2j * np.pi * 0.06 * np.arange(SAMPLES))).real
    return (waves + 0.02 * rng.standard_normal(waves.shape)).T


def write_motor(folder: Path, phases: str = "ABC", repetitions: int = 4, healthy: int = 4) -> Path:
    """One recording shows nothing of its fault, another two faults at once."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    motor = {}
    for name in ["HLT"] * (healthy > 0) + [f"{phase}{level}0" for phase in phases for level in range(1, 5)]:
        faults = [] if name == "HLT" else [(name[0], int(name[1]))]
        motor[f"ITSC_{name}"] = {}
        for number in range(1, 1 + (min(healthy, repetitions) if name == "HLT" else repetitions)):
            session = f"ITSC_{name}-Repetition{number:02}"
            shown = {SWAPPED: [], TWICE: [*faults, ("C", 2)]}.get(session, faults)
            motor[f"ITSC_{name}"][f"Repetition{number:02}"] = currents(shown, rng)
    savemat(folder / "motor.mat", {"itsc": motor})
    return folder


@pytest.fixture(scope="module")
def motor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_motor(tmp_path_factory.mktemp("motor") / "data")


@pytest.fixture(scope="module")
def rows(motor: Path) -> ShortCircuitRows:
    return read_short_circuits(motor, 0.2)


@pytest.fixture(scope="module")
def results(motor: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Results]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(methods, "_TREES", 20)
        options = ShortCircuitGrading.Options(data=motor, seeds=1, quick=True)
        yield ShortCircuitGrading().run(options, tmp_path_factory.mktemp("out"))


def figure(results: Results, method: str, split: str, metric: str, target: str = "motor") -> float:
    (found,) = [
        row.mean
        for row in results.rows
        if (row.method, row.split, row.metric, row.target) == (method, split, metric, target)
    ]
    return found


def test_rows_are_windows_with_their_state(rows: ShortCircuitRows) -> None:
    assert len(rows.state) == 13 * 4 * SAMPLES // 200
    assert rows.states[:3] == ("healthy", "A10", "A20")
    assert len(rows.states) == 13
    named = np.array([name.partition("-")[0][5:] for name in rows.recording])
    said = np.array(rows.states)[rows.state]
    np.testing.assert_array_equal(named, np.where(said == "healthy", "HLT", said))
    assert rows.severity_of.tolist() == [0, *[1, 2, 3, 4] * 3]


def test_another_order_of_the_phases_turns_the_sequences_and_renames_the_state(rows: ShortCircuitRows) -> None:
    plain, *orders = rows.features[SEQUENCES]
    for order, values in enumerate(orders, 1):
        np.testing.assert_allclose(values[:, 0], plain[:, 0], atol=1e-5)
        turned = (values[:, 1] + 1j * values[:, 2]) / (plain[:, 1] + 1j * plain[:, 2])
        np.testing.assert_allclose(turned, TURN**-order, atol=1e-3)
        state = rows.in_order(rows.state, order)
        np.testing.assert_array_equal(rows.severity_of[state], rows.severity_of[rows.state])
        faulty = rows.state > 0
        moved = (rows.phase_of[state] - rows.phase_of[rows.state])[faulty] % 3
        assert (moved == 3 - order).all()
        assert (state[~faulty] == 0).all()
    statistics = rows.features[STATISTICS].reshape(3, len(rows.state), 3, -1)
    np.testing.assert_array_equal(statistics[1], np.roll(statistics[0], -1, axis=1))


def test_what_is_left_out_is_never_learned(rows: ShortCircuitRows) -> None:
    for phase in range(3):
        (loose,) = _phase_folds(rows, phase, "one phase out")
        strict = _phase_folds(rows, phase, "one phase and one repetition out")
        assert len(strict) == 4
        for train, test in (loose, *strict):
            assert not (rows.phase_of[rows.state[train]] == phase).any()
            assert not set(train.tolist()) & set(test.tolist())
        for train, test in strict:
            assert not set(rows.repetition[train].tolist()) & set(rows.repetition[test].tolist())
            assert set(rows.phase_of[rows.state[test]].tolist()) == {-1, phase}
        assert (rows.phase_of[rows.state[loose[1]]] == phase).all()


def test_the_test_rows_do_not_matter_to_what_is_said_of_others(rows: ShortCircuitRows) -> None:
    """Features of all held-out rows but one are spoilt: what is said of that one stays."""
    out = rows.repetition == 1
    train, test = np.flatnonzero(~out), np.flatnonzero(out)
    spoilt = {name: values.copy() for name, values in rows.features.items()}
    for values in spoilt.values():
        values[:, test[1:]] = 1e3
    other = ShortCircuitRows(spoilt, rows.state, rows.repetition, rows.recording, rows.levels, rows.harmonics)
    for chosen in (INSIDE_OURS, ACROSS_OURS):
        plain, after = (say_chosen(chosen, r, train, test, 0) for r in (rows, other))
        assert plain["window"][0] == after["window"][0]
        assert plain["learner"] == after["learner"]


def test_states_are_found_with_a_repetition_out(results: Results) -> None:
    """Two recordings of 52 do not show what they are called: no method can be right about the first."""
    assert figure(results, INSIDE_OURS.name, "one repetition out", "accuracy of recordings") >= 50 / 52 - 1e-9
    assert figure(results, "random score", "one repetition out", "accuracy of windows") < 0.2
    sure = "one repetition out, doubted labels not counted"
    assert figure(results, INSIDE_OURS.name, sure, "accuracy of recordings") == 1.0
    assert figure(results, INSIDE_OURS.name, sure, "recordings rightly said (of 50)") == 50


@pytest.mark.parametrize("split", ["one phase out", "one phase and one repetition out"])
def test_severity_carries_to_a_phase_that_was_never_seen(results: Results, split: str) -> None:
    metric = "accuracy of severity, windows"
    for phase in PHASES:
        target = f"phase {phase}"
        assert figure(results, ACROSS_OURS.name, split, metric, target) > 0.85
        assert figure(results, NAIVE.name, split, metric, target) < 0.6
        fault = "accuracy of the phase at fault, windows"
        assert figure(results, ACROSS_OURS.name, split, fault, target) > 0.85
    blind = Method("discriminant", SEQUENCES).name
    assert figure(results, blind, "one phase out", "accuracy of the phase at fault, windows", "phase A") == 0.0


def test_study_says_the_stated_rows(results: Results) -> None:
    found = results.to_dict()
    assert all(set(row) == KEYS for row in found["rows"])
    inside = {row["method"] for row in found["rows"] if row["target"] == "motor"}
    across = {row["method"] for row in found["rows"] if row["target"] == "each phase in turn"}
    assert inside == {method.name for method in (*INSIDE, INSIDE_OURS)}
    assert across == {method.name for method in (*ACROSS, ACROSS_OURS)}
    assert any("worst is phase" in note for note in found["notes"])
    assert any("worst of 13 states" in note for note in found["notes"])


def test_doubted_labels_are_named_with_what_they_look_like(rows: ShortCircuitRows) -> None:
    records = doubts(plane(rows))
    odd = {record["recording"]: record for record in records if record["doubtful"]}
    assert set(odd) == {SWAPPED, TWICE}
    assert odd[SWAPPED]["nearest"] == "healthy"
    assert odd[TWICE]["pair"] == "B10 + C20"
    assert odd[TWICE]["pair_a"] < odd[TWICE]["nearest_a"]
    head, *rest = doubtful(records)
    assert head.startswith("2 of 52 recordings")
    assert any("B10 + C20" in sentence for sentence in rest)
    assert doubtful([record for record in records if not record["doubtful"]]) == []
    far = [record["own_a"] for record in odd.values()]
    near = [record["own_a"] for record in records if not record["doubtful"]]
    assert max(near) < 0.1 < 0.2 < min(far)  # effects of 0.27 A and more, against noise


def test_phases_that_are_alike_are_found_to_be(rows: ShortCircuitRows) -> None:
    table = symmetry(plane(rows))
    assert len(table) == 12
    for record in table:
        growth, change = effect("A", record["severity"])
        assert record["positive_growth_a"] == pytest.approx(growth, abs=0.02)
        assert record["negative_change_a"] == pytest.approx(abs(change), abs=0.02)
        assert record["turned_angle_deg"] == pytest.approx(np.angle(change, deg=True), abs=4)


def test_a_repetition_of_all_phases_is_one_cluster(results: Results) -> None:
    pooled = [row for row in results.rows if row.target == "each phase in turn" and "recordings with" not in row.metric]
    assert {row.n for row in pooled} == {4}
    ours = [row for row in pooled if row.method == ACROSS_OURS.name and row.metric.startswith("rank correlation")]
    assert len(ours) == 4
    assert all(0.8 < row.low <= row.mean <= row.high <= 1 for row in ours)
    counts = {row.metric for row in results.rows if row.split == "one phase and one repetition out"}
    assert "recordings with the severity rightly said (of 60)" in counts  # 48 faults, 4 healthy ones three times


def test_study_goes_on_where_it_was_stopped(motor: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(methods, "_TREES", 3)
    options = ShortCircuitGrading.Options(data=motor, seeds=1, quick=True)
    study, whole = ShortCircuitGrading(), tmp_path / "whole"

    def stop(done: int, total: int, what: str) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study.run(options, tmp_path / "part", stop)
    part = study.run(options, tmp_path / "part")
    assert part.notes[-1].startswith("16 steps were taken over")  # four methods, four repetitions
    assert part.to_dict()["rows"] == study.run(options, whole).to_dict()["rows"]
    monkeypatch.setattr(ShortCircuitGrading, "revision", ShortCircuitGrading.revision + 1)
    again = study.run(options, whole)
    assert not any("taken over" in note for note in again.notes)


def test_folders_that_cannot_be_judged_are_refused(tmp_path: Path) -> None:
    for healthy in (0, 1, 2):
        with pytest.raises(NotEnoughData, match=f"repetitions of the healthy motor .have {healthy}, need 3"):
            read_short_circuits(write_motor(tmp_path / f"a{healthy}", healthy=healthy), 0.2)
    for phases in ("B", "AB"):
        with pytest.raises(NotEnoughData, match=f"phases with faults .have {len(phases)}, need 3"):
            read_short_circuits(write_motor(tmp_path / phases, phases=phases), 0.2)
    with pytest.raises(NotEnoughData, match="repetitions"):
        read_short_circuits(write_motor(tmp_path / "c", repetitions=2), 0.2)
    (tmp_path / "d").mkdir()
    savemat(tmp_path / "d" / "motor.mat", {"itsc": {"OTHER": {"Repetition01": np.ones((SAMPLES, 3))}}})
    with pytest.raises(InputError, match="state and repetition"):
        read_short_circuits(tmp_path / "d", 0.2)


def test_windows_that_cannot_be_are_refused(motor: Path) -> None:
    with pytest.raises(NotEnoughData, match=r"windows of 5 s: 4400 more samples of a recording .have 600, need 5000"):
        read_short_circuits(motor, 5.0)
    for window_s in (0.0001, 0.012, 0.03):
        with pytest.raises(UsageError, match=r"periods of a supply of 60.0 Hz: 2 or more .* 0.033 s"):
            read_short_circuits(motor, window_s)
    assert len(read_short_circuits(motor, 0.034).state) == 13 * 4 * (SAMPLES // 34)


def test_a_fault_without_phase_or_severity_is_refused(motor: Path) -> None:
    fault = next(r for r in read(motor) if "phase" in r.truth)
    assert _state(fault, 4) > 0
    nameless = {key: value for key, value in fault.truth.items() if key != "phase"}
    for bare in (
        replace(fault, condition=replace(fault.condition, stage=None)),
        replace(fault, truth=nameless),
        replace(fault, truth={**nameless, "phase": "D"}),
    ):
        with pytest.raises(InputError, match=r"without its phase .* or its severity"):
            _state(bare, 4)


def test_measured_motor_is_graded(data_dir: Path) -> None:
    folder = data_dir / "itsc_motor_current"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    rows = read_short_circuits(folder, 0.2)
    hits = []
    for number in range(1, 6):
        out = rows.repetition == number
        train, test = np.flatnonzero(~out), np.flatnonzero(out)
        said = say_chosen(INSIDE_OURS, rows, train, test, 0)
        hits.append([np.array(said[what]) == rows.state[test] for what in ("window", "recording")])
    windows, recordings = np.concatenate(hits, axis=1).mean(axis=1)
    assert windows > 0.92
    assert recordings > 0.92
    exact = []
    for phase in range(3):
        ((train, test),) = _phase_folds(rows, phase, "one phase out")
        said = np.array(say_chosen(ACROSS_OURS, rows, train, test, 0)["window"])
        exact.append((rows.severity_of[said] == rows.severity_of[rows.state[test]]).mean())
    assert min(exact) > 0.7
    assert np.mean(exact) > 0.85
    names = {record["recording"].replace("Repetition0", "") for record in doubts(plane(rows)) if record["doubtful"]}
    assert names == {"ITSC_A10-2", "ITSC_A10-5", "ITSC_B10-5", "ITSC_B20-2", "ITSC_B20-5"}
