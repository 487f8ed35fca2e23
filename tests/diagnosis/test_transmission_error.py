"""The front door of transmission error: grades of drives, on line as in one go, stored and loaded."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError

from jointwatch.bundle import load, save
from jointwatch.core import Channel, Condition, Cycle, Label, Recording, Robot
from jointwatch.core.errors import InputError, MissingChannel, NotEnoughData, UsageError
from jointwatch.core.levels import LEVEL_RAD, level_of
from jointwatch.diagnosis.transmission_error import TransmissionErrorGrader

RATE_HZ, CYCLE_S = 250, 2.0
QUICK: dict[str, Any] = {"code": "pca", "size": 4, "length": 500, "vector": {"size": 200}}


def session(unit: int, level: float, name: str, cycles: int = 3, scatter: float = 0.0) -> Recording:
    """A drive whose current has a line of 8 Hz as high as its level; `scatter` is a height of the unit's own."""
    samples = round(cycles * CYCLE_S * RATE_HZ)
    rng = np.random.default_rng([unit, round(100 * level), *name.encode()])
    own = np.random.default_rng(unit).uniform(0, 1) * scatter
    t = np.arange(samples) / RATE_HZ
    height = 0.15 * (level + own) * (1 + 0.05 * rng.standard_normal(cycles))[(t // CYCLE_S).astype(int)]
    current = np.sin(np.pi * t) + height * np.sin(2 * np.pi * 8 * t) + 0.05 * rng.standard_normal(samples)
    torque = current + 0.05 * rng.standard_normal(samples)
    condition = Condition(Label.NORMAL) if level <= 1 else Condition(Label.ANOMALOUS, "reducer_wear", 1)
    return Recording(
        t,
        np.stack([current, torque]),
        (Channel.parse("current/1"), Channel.parse("torque/1")),
        Robot.of("demo", "drive", f"drive-{unit}", 1, gear_ratio=100.0),
        name,
        tuple(Cycle(CYCLE_S * i, CYCLE_S * (i + 1), condition) for i in range(cycles)),
        truth={"static_error_rad": [level * LEVEL_RAD]},
        source=f"{name}-{unit}.csv",
    )


def fleet(units: range, scatter: float = 0.0, worn: tuple[int, ...] = (2, 3, 4, 5, 6)) -> list[Recording]:
    """Two healthy sessions of every drive, one of every level at which it is worn."""
    levels = [("a", 0.5), ("b", 0.5), *((f"w{k}", k - 0.5) for k in worn)]
    return [session(unit, level, name, scatter=scatter) for unit in units for name, level in levels]


def healthy(recordings: list[Recording]) -> list[Recording]:
    return [r for r in recordings if r.cycles[0].condition.label is Label.NORMAL]


def levels_of(recordings: list[Recording]) -> np.ndarray:
    return np.concatenate(
        [[level_of(r.truth["static_error_rad"][0])] * len(r.cycles) for r in recordings]  # type: ignore[index]
    )


def grader(**options: Any) -> TransmissionErrorGrader:
    own = options.pop("view_options", {})
    return TransmissionErrorGrader(**{"view": "code", "baseline": None, "view_options": {**QUICK, **own}, **options})


@pytest.fixture(scope="module")
def source() -> list[Recording]:
    return fleet(range(3))


@pytest.fixture(scope="module")
def new() -> list[Recording]:
    return fleet(range(20, 22), worn=(3, 6))


@pytest.fixture(
    scope="module",
    params=[
        (1, "hmm", None),
        (3, "hmm", None),
        (3, "hmm", "unit"),
        (2, "logistic", None),
        (1, "logistic", "unit"),
        (1, "k_means", None),
    ],
    ids=str,
)
def fitted(request: pytest.FixtureRequest, source: list[Recording]) -> TransmissionErrorGrader:
    cycles, classifier, baseline = request.param
    return grader(cycles=cycles, baseline=baseline, view_options={"classifier": classifier}).fit(source)


def ready(model: TransmissionErrorGrader, recordings: list[Recording]) -> TransmissionErrorGrader:
    return model.adapt(healthy(recordings)) if model.baseline else model


@pytest.mark.parametrize("classifier", ["hmm", "logistic"])
def test_levels_of_drives_never_seen_are_found(classifier: str) -> None:
    new = fleet(range(20, 22))
    model = grader(cycles=2, view_options={"classifier": classifier}).fit(fleet(range(8)))
    found = model.grade(new)
    true = levels_of(new)
    assert (found.level == true).mean() > 0.7
    assert (found.likeliest == true).mean() > 0.7
    assert (np.abs(found.level - true) <= 1).mean() > 0.95
    assert np.abs(found.error_rad - (true - 0.5) * LEVEL_RAD).mean() < 0.6 * LEVEL_RAD
    assert (found.by("session").level == [1, 1, 2, 3, 4, 5, 6] * 2).mean() > 0.7
    assert model.score(new) == (found.likeliest == true).mean()


def test_the_own_baseline_takes_the_specimen_out() -> None:
    """Drives that differ by levels from each other, and each little from itself."""
    train, test = fleet(range(5), scatter=5.0), fleet(range(30, 34), scatter=5.0, worn=(3, 6))
    off = []
    for baseline in (None, "unit"):
        model = ready(grader(baseline=baseline, view_options={"classifier": "logistic"}).fit(train), test)
        off.append(np.abs(model.predict(test) - levels_of(test)).mean())
    assert off[1] < 0.7 * off[0]


def test_rows_levels_and_probabilities_fit(fitted: TransmissionErrorGrader, new: list[Recording]) -> None:
    model = ready(fitted, new)
    new = new[2:5]  # of both drives
    found = model.grade(new)
    assert len(found) == 3 * len(new) == len(model.rows(new))
    assert model.classes_.tolist() == [1, 2, 3, 4, 5, 6]
    np.testing.assert_allclose(found.probability.sum(axis=1), 1.0)
    np.testing.assert_array_equal(found.likeliest, model.predict(new))
    np.testing.assert_array_equal(found.probability, model.predict_proba(new))
    np.testing.assert_array_equal(found.score, model.score_table(new))
    np.testing.assert_array_equal(found.likeliest, model.score_table(new).argmax(axis=1) + 1)
    other = copy.copy(model).set_params(decide="median")
    np.testing.assert_array_equal(found.level, other.predict(new))
    # the median of the levels' distribution lies in the level that is decided
    np.testing.assert_array_equal(np.ceil(found.error_rad / LEVEL_RAD - 1e-9), found.level)
    assert np.isnan(found.low_rad).all()
    scores = model.detect(new)
    above = 1 - found.probability[:, 0]
    assert (np.diff(scores.value[np.argsort(above)]) >= -1e-9).all()


def test_on_line_it_says_the_same(fitted: TransmissionErrorGrader, new: list[Recording]) -> None:
    """Cycle by cycle, sessions after each other, each cycle as a recording with a clock of its own."""
    model = ready(fitted, new)
    unit = [r for r in new if r.robot.unit == "drive-20"][:3]
    batch = model.grade(unit)
    state, row = model.init("drive-20"), 0
    for recording in unit:
        for cycle in recording.cycles:
            piece = recording.between(cycle.start_s, cycle.stop_s)
            before = state
            state, one = model.step(state, piece)
            assert before is not state
            assert len(one) == 1
            for name in ("probability", "error_rad", "score", "low_rad", "high_rad"):
                np.testing.assert_array_equal(getattr(one, name)[0], getattr(batch, name)[row], err_msg=name)
            assert one.index.cycle[0] == batch.index.cycle[row]
            again = model.step(before, piece)[1]  # the state stays as it was
            np.testing.assert_array_equal(again.score, one.score)
            row += 1
    assert row == len(batch)


def test_on_line_a_cycle_with_lost_samples_is_passed_over(source: list[Recording], new: list[Recording]) -> None:
    model = grader(cycles=2).fit(source)
    recording = session(20, 1.5, "lost", cycles=4)
    values = recording.values.copy()
    values[:, 550:800] = np.nan  # second cycle
    broken = replace(recording, values=values)
    batch = model.grade(broken)
    assert len(batch) == 3
    assert sum(batch.skipped.values()) == 1
    state, tables = model.init("drive-20"), []
    for cycle in broken.cycles:
        state, one = model.step(state, broken.between(cycle.start_s, cycle.stop_s))
        tables.append(one.score)
        assert sum(one.skipped.values()) == (len(one) == 0)
    assert [len(table) for table in tables] == [1, 0, 1, 1]
    np.testing.assert_array_equal(np.concatenate(tables), batch.score)
    with pytest.raises(UsageError, match="drive-21; init one"):
        model.step(state, new[-1])
    with pytest.raises(UsageError, match="one cycle a step, got 4"):
        model.step(state, recording)


def test_stored_and_loaded_it_says_the_same(
    fitted: TransmissionErrorGrader, new: list[Recording], tmp_path: Path
) -> None:
    model = ready(fitted, new)
    again = load(save(model, tmp_path / "model"))
    assert type(again) is TransmissionErrorGrader
    before, after = model.grade(new), again.grade(new)
    for name in ("probability", "error_rad", "score"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
    assert again.get_params(deep=False).keys() == model.get_params(deep=False).keys()
    np.testing.assert_array_equal(ready(again, new).predict(new), before.likeliest)


def test_the_auto_encoder_is_stored_too_and_on_line_the_same(
    source: list[Recording], new: list[Recording], tmp_path: Path
) -> None:
    model = grader(cycles=3, view_options={"code": "auto_encoder", "epochs": 4}).fit(source)
    again = load(save(model, tmp_path / "model"))
    whole = model.grade(new)
    np.testing.assert_array_equal(again.grade(new).score, whole.score)
    state = again.init("drive-20")
    for row, cycle in enumerate(new[0].cycles):
        state, one = again.step(state, new[0].between(cycle.start_s, cycle.stop_s))
        np.testing.assert_array_equal(one.score[0], whole.score[row])
    assert sorted(file.name for file in (tmp_path / "model").iterdir()) == ["arrays.safetensors", "model.json"]


def test_what_is_judged_has_no_influence(fitted: TransmissionErrorGrader, new: list[Recording]) -> None:
    """Neither the sessions asked beside one, nor their labels or errors."""
    model = ready(fitted, new)
    whole = model.grade(new).score
    np.testing.assert_array_equal(np.concatenate([model.grade(r).score for r in new]), whole)
    blank = [
        replace(r, truth={}, cycles=tuple(replace(c, condition=Condition(Label.NORMAL)) for c in r.cycles)) for r in new
    ]
    np.testing.assert_array_equal(model.grade(blank).score, whole)


def test_adapting_leaves_the_model_alone(source: list[Recording], new: list[Recording]) -> None:
    model = grader(baseline="unit").fit(source)
    before = model.predict_proba(source[:4])
    with pytest.raises(UsageError, match=r"drive-20, drive-21.*adapt with some healthy cycles"):
        model.grade(new)
    adapted = model.adapt(healthy(new))
    adapted.grade([source[0], *new])
    np.testing.assert_array_equal(model.predict_proba(source[:4]), before)
    with pytest.raises(UsageError, match="drive-20"):
        model.grade(new)
    with pytest.raises(NotEnoughData, match=r"drive-20.*healthy cycles"):
        model.adapt([r for r in new if r not in healthy(new)])


def test_same_seed_same_grades(source: list[Recording], new: list[Recording]) -> None:
    one, two = (grader(cycles=2, random_state=3).fit(source).score_table(new) for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_where_the_error_comes_from(source: list[Recording], new: list[Recording]) -> None:
    def known(change: Callable[[Recording], Recording], **how: Any) -> np.ndarray:
        return grader(**QUIET).fit([change(r) for r in source], **how).predict(new)

    QUIET: dict[str, Any] = {"view_options": {"classifier": "logistic"}}
    told = known(lambda r: r)
    errors = np.array([r.truth["static_error_rad"][0] for r in source])
    np.testing.assert_array_equal(known(lambda r: replace(r, truth={}), errors_rad=-errors), told)
    staged = known(lambda r: replace(r, truth={}, condition=Condition(Label.UNCERTAIN, stage=level_of(errors[0]))))
    assert set(staged) == {1}  # all of one level
    by_cycle = known(
        lambda r: replace(
            r,
            truth={},
            cycles=tuple(
                replace(c, condition=replace(c.condition, stage=level_of(r.truth["static_error_rad"][0])))
                for c in r.cycles
            ),
        )
    )
    np.testing.assert_array_equal(by_cycle, told)
    with pytest.raises(
        InputError, match=r"a-0\.csv: the static error of drive-0, session 'a', is not known.*errors_rad"
    ):
        known(lambda r: replace(r, truth={}))
    with pytest.raises(UsageError, match="one error for each of 21"):
        grader().fit(source, errors_rad=[1.0])
    with pytest.raises(UsageError, match=r"drive-0, session 'a', have several"):
        grader().fit([*source, replace(source[0], truth={"static_error_rad": [5 * LEVEL_RAD]})])


def test_bad_input_is_refused_with_a_remedy(source: list[Recording]) -> None:
    model = grader()
    assert is_classifier(model)
    for call in (model.grade, model.predict, model.adapt, model.detect, model.score_table, model.rows, model.score):
        with pytest.raises(NotFittedError):
            call(source)
    with pytest.raises(NotFittedError):
        model.init("drive-0")
    with pytest.raises(NotEnoughData, match="recordings"):
        model.fit([])
    bare = replace(source[0], cycles=(), source="bare.csv")
    with pytest.raises(InputError, match=r"bare\.csv: drive-0, session 'a', has no marked cycles"):
        model.fit([bare, *source[1:]])
    mute = [r.select(["torque/1"]) for r in source]
    with pytest.raises(MissingChannel, match=r"channel current.*drive-0"):
        model.fit(mute)
    with pytest.raises(UsageError, match="has no joint 4"):
        clone(model).set_params(joint=4).fit(source)
    with pytest.raises(NotEnoughData, match=r"drive-0.*healthy cycles"):
        clone(model).set_params(baseline="unit").fit([r for r in source if r not in healthy(source)])
    for name, value, said in (
        ("view", "colour", "profile or code"),
        ("decide", "mood", "median or likeliest"),
        ("baseline", "fleet", "unit or None"),
        ("cycles", 0, "1 or more"),
        ("coverage", 1.0, "between 0 and 1"),
        ("view_options", {**QUICK, "classifier": "oracle"}, "hmm, logistic or k_means"),
        ("view_options", {**QUICK, "code": "zip"}, "auto_encoder or pca"),
    ):
        with pytest.raises(UsageError, match=said):
            clone(model).set_params(**{name: value}).fit(source)


def test_a_drive_without_torque_is_graded(source: list[Recording], new: list[Recording]) -> None:
    mute = [[r.select(["current/1"]) for r in part] for part in (source, new)]
    model = grader(view_options={"classifier": "logistic"}).fit(mute[0])
    assert np.abs(model.predict(mute[1]) - levels_of(new)).mean() < 0.7  # 1.8 without any knowledge


def test_torch_is_not_needed_to_import() -> None:
    code = (
        "import sys, jointwatch.diagnosis.transmission_error;"
        "assert not {'torch', 'hmmlearn'} & set(sys.modules), 'heavy'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
