"""The actuator study: no test run of the target is learned, loads are discovered, the aims hold on measured data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jointwatch.core.errors import InputError
from jointwatch.studies._actuator_methods import ALONE, CARRIED, INSIDE, TRANSFERRED, UNCHANGED, Method, Task, say
from jointwatch.studies._confusions import METRICS, confusions
from jointwatch.studies._strokes import PROFILE, Strokes, read_strokes
from jointwatch.studies.actuator_transfer import _DRAWN, _LAST, ActuatorTransfer, _Draw, _parts

KEYS = {"method", "split", "source", "target", "labels", "metric", "mean", "low", "high", "n", "seeds"}
STATES = ("normal", "backlash1", "backlash2", "lackLubrication1", "spalling1", "spalling2")
CYCLES, SAMPLES = 3, 54


def write_axis(folder: Path, loads: tuple[int, ...] = (20, 40), runs: int = 4) -> Path:
    """Files as the measured ones are: friction and ripple of a screw follow the state, runs drift."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    phase = np.arange(SAMPLES) / SAMPLES
    sign = np.where(phase < 0.5, 1.0, -1.0)
    for number, state in enumerate(STATES):
        rows = ["set_point,position_error,current,profile,load,run,fault_type,group,time"]
        for load in loads:
            for run in range(1, runs + 1):
                friction = 0.3 + 0.02 * load / 20 + 0.04 * (number % 3) + 0.01 * rng.standard_normal()
                for group in range(1, CYCLES + 1):
                    wave = 0.05 * np.sin(2 * np.pi * 6 * phase + number)
                    along = 0.06 * load / 20 * np.sin(2 * np.pi * 6 * phase + 1.0)  # the load moves what tells states
                    current = friction * sign + load / 200 + wave + along + 0.02 * rng.standard_normal(SAMPLES)
                    error = 0.1 * sign + (0.02 + 0.02 * number) * rng.standard_normal(SAMPLES)
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
def strokes(axis: Path) -> Strokes:
    return read_strokes(axis)


@pytest.fixture(scope="module")
def measured(data_dir: Path) -> Strokes:
    return read_strokes(data_dir / "cranfield_linear_actuator")


def test_cycles_carry_state_load_and_run(strokes: Strokes) -> None:
    assert strokes.states == (
        "normal", "backlash 1", "backlash 2", "lack_of_lubrication 1", "spalling 1", "spalling 2"
    )  # fmt: skip
    assert strokes.families == ("normal", "backlash", "lack_of_lubrication", "spalling")
    assert strokes.family_of.tolist() == [0, 1, 1, 2, 3, 3]
    assert strokes.loads == [20.0, 40.0]
    assert len(strokes.state) == len(STATES) * 2 * 4 * CYCLES
    assert len(np.unique(strokes.cluster())) == len(STATES) * 2 * 4
    assert strokes.features[PROFILE].shape == (len(strokes.state), SAMPLES + 2 * 27)


@pytest.mark.parametrize("split", [_LAST, _DRAWN])
@pytest.mark.parametrize("budget", [1, 2])
def test_no_run_of_the_target_is_learned_and_tested(strokes: Strokes, split: str, budget: int) -> None:
    drawn = set()
    for seed in range(6):
        draw = _Draw(strokes, 40.0, budget, split, 3)
        given, tests = draw.of(seed)
        late = draw.asked[tests]
        runs = strokes.cluster()
        assert not set(runs[given]) & set(runs[late])
        assert (strokes.load_kgf[np.append(given, late)] == 40).all()
        faulty = given[strokes.state[given] > 0]
        assert len(faulty) == (len(STATES) - 1) * budget * CYCLES
        assert set(strokes.state[late]) == set(range(len(STATES)))
        if split == _LAST:
            assert set(strokes.run[late]) == {4}
            assert set(strokes.run[given[strokes.state[given] == 0]]) == {1, 2, 3}
        drawn.add(tuple(np.unique(strokes.run[faulty])))
    assert len(drawn) > 1


def test_the_state_of_test_rows_is_not_looked_at(strokes: Strokes) -> None:
    """Every method says the same if the labels of the tests are others."""
    given, tests = (draw := _Draw(strokes, 40.0, 1, _LAST, 3)).of(0)
    source, late = np.flatnonzero(strokes.load_kgf == 20), draw.asked[tests]
    other = strokes.state.copy()
    other[late] = other[late][::-1]
    shuffled = Strokes(**{**strokes.__dict__, "state": other})
    runs = {name: part.cluster() for name, part in (("own", strokes), ("other", shuffled))}
    assert (runs["own"][late] != runs["other"][late]).any()
    for method in TRANSFERRED:
        one, two = (say(method, Task(part, source, given, late), 0)["cycle"] for part in (strokes, shuffled))
        assert one == two, method.name


def test_carried_with_one_run_is_above_the_source_as_it_is(strokes: Strokes) -> None:
    given, tests = (draw := _Draw(strokes, 40.0, 1, _LAST, 3)).of(0)
    task = Task(strokes, np.flatnonzero(strokes.load_kgf == 20), given, draw.asked[tests])
    truth = strokes.state[task.test]
    carried, unchanged = (
        np.mean(np.array(say(Method(approach, "discriminant", PROFILE), task, 0)["cycle"]) == truth)
        for approach in (CARRIED, UNCHANGED)
    )
    assert carried > 0.9 > unchanged


def test_study_finds_the_stated_rows_and_resumes(axis: Path, tmp_path: Path) -> None:
    settings = {"source_load": 20, "target_load": 40, "target_runs": "1", "train_runs": 3, "quick": True}
    options = ActuatorTransfer.Options(data=axis, **settings)
    found = ActuatorTransfer().run(options, tmp_path).to_dict()
    assert all(set(row) == KEYS for row in found["rows"])
    assert {(row["source"], row["target"]) for row in found["rows"]} == {
        ("+20 kgf", "+20 kgf"), ("+40 kgf", "+40 kgf"), ("+20 kgf", "+40 kgf")
    }  # fmt: skip
    metrics = {row["metric"] for row in found["rows"]}
    assert {"accuracy of 6 states", "accuracy of 6 states, by run", "macro F1 of 4 families"} <= metrics
    pairs = [row for row in found["rows"] if row["metric"].endswith("of 2 pairs, macro F1 of 4 families")]
    methods = {row["method"] for row in pairs}
    assert "carried: discriminant, profile, against target only" in methods
    assert sum(row["mean"] for row in pairs) == 2 * len(pairs) / 3
    assert {row["metric"].split(" of ")[0] for row in pairs} == {"wins", "losses", "ties"}
    assert any("worst of 6 states" in note for note in found["notes"])
    again = ActuatorTransfer().run(options, tmp_path).to_dict()
    assert again["rows"] == found["rows"]
    assert "steps were taken over" in again["notes"][-1]


def test_only_families_are_judged_if_only_they_are_asked_for(axis: Path, tmp_path: Path) -> None:
    options = ActuatorTransfer.Options(data=axis, seeds=1, quick=True, classes="4", target_runs="0", train_runs=3)
    rows = ActuatorTransfer().run(options, tmp_path).rows
    assert rows
    assert not any("states" in row.metric for row in rows)


def test_a_folder_without_loads_is_refused(data_dir: Path) -> None:
    with pytest.raises(InputError, match="load, run and state"):
        read_strokes(data_dir / "emps_servo")


@pytest.mark.parametrize("load", [20.0, 40.0])
def test_measured_states_are_told_inside_a_load(measured: Strokes, load: float) -> None:
    train, test = _parts(measured, load, 5)
    assert set(measured.run[train]) == {1, 2, 3, 4, 5}
    task = Task(measured, np.empty(0, int), train, test)
    truth = measured.state[test]
    right = {
        method.name: np.mean(np.array(say(method, task, 0)["cycle"]) == truth) for method in (INSIDE[0], INSIDE[-1])
    }
    assert len(measured.states) == 13
    assert right[INSIDE[-1].name] > 0.85
    assert right[INSIDE[0].name] < 0.2


@pytest.mark.parametrize(("source", "target"), [(20.0, 40.0), (40.0, 20.0)])
def test_measured_families_are_carried_with_one_run(measured: Strokes, source: float, target: float) -> None:
    def macro_f1(method: Method, seed: int) -> float:
        given, tests = (draw := _Draw(measured, target, 1, _LAST, 5)).of(seed)
        late = draw.asked[tests]
        said = say(method, Task(measured, np.flatnonzero(measured.load_kgf == source), given, late), seed)["cycle"]
        family = measured.family_of
        true = family[measured.state[late]]
        counts = confusions(np.zeros(len(late), int), np.array([0]), true, family[np.array(said)], 4)
        return float(METRICS["macro F1"](counts.astype(float))[0])

    carried = [macro_f1(Method(CARRIED, "discriminant", PROFILE), seed) for seed in range(3)]
    alone = [macro_f1(Method(ALONE, "discriminant", PROFILE), seed) for seed in range(3)]
    assert min(carried) > 0.8
    assert np.mean(carried) >= np.mean(alone)
