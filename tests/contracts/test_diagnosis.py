"""What every front door of the catalog promises: those that tell faults, those that grade, those that score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError

from jointwatch.bundle import load, save
from jointwatch.core import Label, Recording, catalog
from jointwatch.core.errors import InputError, MissingChannel, NotEnoughData, UsageError
from jointwatch.training.options import Options
from jointwatch.training.recipes import Recipe
from jointwatch.windows.feature_maps import FeatureMaps

Make = Callable[..., Recording]
QUICK = Recipe(Options(epochs=2, learning_rate=3e-3), 32, True, 0.2, {"batch_norm": True, "dropout": 0.1})
VIEWS = [("friction",), ("profile",), ("network",), ("friction", "network", "profile")]
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "axis_fault": [
        {
            "views": views,
            "decide": "kind",
            "training": QUICK,
            "transfer": catalog.load("transfer", "head_only")(epochs=2),
            "maps": FeatureMaps(step=5, length=8, stride=4, within="cycle"),
        }
        for views in VIEWS
    ]
}
CASES = [
    pytest.param((name, options), id=f"{name}-{'+'.join(options.get('views', ()))}")
    for name in catalog.names("diagnosis")
    if hasattr(catalog.load("diagnosis", name), "diagnose")
    for options in VARIANTS.get(name, [{}])
]

GRADER_VARIANTS: dict[str, list[dict[str, Any]]] = {
    "transmission_error": [
        {"view": "profile", "view_options": {"length": 1000, "learner": "ridge"}},
        {
            "view": "code",
            "view_options": {"code": "pca", "size": 4, "length": 1000, "vector": {"size": 200}, "states": 2},
        },
    ]
}
GRADERS = [
    pytest.param((name, options), id=f"{name}-{options.get('view', '')}")
    for name in catalog.names("diagnosis")
    if hasattr(catalog.load("diagnosis", name), "grade")
    for options in GRADER_VARIANTS.get(name, [{}])
]
DRIVES = (("a", 0.5), ("b", 0.5), ("w2", 1.5), ("w4", 3.5), ("w6", 5.5))
RATIO = 50.0


def test_every_door_is_of_one_kind() -> None:
    for name in catalog.names("diagnosis"):
        entry = catalog.load("diagnosis", name)
        kinds = [kind for kind in ("diagnose", "grade", "score_samples") if hasattr(entry, kind)]
        assert len(kinds) == 1, (name, kinds)
    assert CASES
    assert GRADERS


def fleet(make: Make, units: int = 5, axis: int = 6, first: int = 0, seed: int = 0) -> list[Recording]:
    """Two healthy sessions of every unit, one of each fault."""
    return [
        make(f"arm-{u}", session, fault, axis=axis, friction=1 + 0.3 * (u % 3), seed=seed, ripple=ripple)
        for u in range(first, first + units)
        for session, fault, ripple in (("a", "", 0.0), ("b", "", 0.0), ("w", "wear", 0.0), ("t", "tooth", 0.4))
    ]


def healthy(recordings: list[Recording]) -> list[Recording]:
    return [r for r in recordings if r.cycles[0].condition.label is Label.NORMAL]


def relabelled(recording: Recording, label: Label, fault: str = "") -> Recording:
    cycles = (
        replace(c, condition=replace(c.condition, label=label, fault=fault, severity=None)) for c in recording.cycles
    )
    return replace(recording, cycles=tuple(cycles))


@pytest.fixture(scope="module")
def source(axis_session: Make) -> list[Recording]:
    return fleet(axis_session)


@pytest.fixture(scope="module")
def target(axis_session: Make) -> list[Recording]:
    return fleet(axis_session, units=2, axis=4, first=20)


@pytest.fixture(scope="module", params=CASES)
def model(request: pytest.FixtureRequest) -> Any:
    name, options = request.param
    return catalog.load("diagnosis", name)(**options)


@pytest.fixture(scope="module")
def fitted(model: Any, source: list[Recording]) -> Any:
    return clone(model).fit(source)


def test_conventions(model: Any) -> None:
    parameters = model.get_params(deep=False)
    copied = clone(model)
    assert copied.get_params(deep=False).keys() == parameters.keys()
    assert not hasattr(copied, "classes_")
    assert is_classifier(model)
    assert copied.set_params(random_state=7).random_state == 7 != parameters["random_state"]
    assert catalog.describe("diagnosis")
    assert ">>>" in (type(model).__doc__ or "")


def test_before_fitting_nothing_is_said(model: Any, source: list[Recording]) -> None:
    fresh = clone(model)
    for call in (fresh.predict, fresh.predict_proba, fresh.diagnose, fresh.rows, fresh.adapt, fresh.explain):
        with pytest.raises(NotFittedError):
            call(source)


def test_rows_classes_and_probabilities_fit(fitted: Any, source: list[Recording]) -> None:
    found = fitted.diagnose(source)
    share = fitted.predict_proba(source)
    assert fitted.classes_.tolist() == ["normal", "tooth", "wear"]
    assert found.classes == ("normal", "tooth", "wear")
    assert share.shape == (len(fitted.rows(source)), 3)
    assert len(share) >= 2 * len(source)
    np.testing.assert_allclose(share.sum(axis=1), 1.0)
    assert ((share >= 0) & (share <= 1)).all()
    assert (fitted.predict(source) == fitted.classes_[share.argmax(axis=1)]).all()
    assert set(found.index.unit) == {r.robot.unit for r in source}
    assert len(found.by("session")) == len(source)
    scores = fitted.detect(source)
    assert (np.diff(scores.value[np.argsort(share[:, 0])]) <= 1e-9).all()
    assert 0 <= fitted.score(source) <= 1
    alone = fitted.diagnose(source[3])
    rows = (found.index.session == source[3].session) & (found.index.unit == source[3].robot.unit)
    np.testing.assert_allclose(alone.probability, found.probability[rows], atol=1e-5)


def test_adapting_leaves_the_source_model_alone(fitted: Any, source: list[Recording], target: list[Recording]) -> None:
    before = fitted.predict_proba(source)
    with pytest.raises(UsageError, match=r"arm-20.*adapt with some healthy cycles"):
        fitted.predict(target)
    for recordings, learn in ((healthy(target), "auto"), (target, "auto"), (target, False)):
        adapted = fitted.adapt(recordings, learn=learn)
        assert type(adapted) is type(fitted)
        assert np.isfinite(adapted.predict_proba(target)).all()
        np.testing.assert_array_equal(fitted.predict_proba(source), before)
        again = adapted.adapt(healthy(target))  # once more
        assert len(again.predict(target)) == len(adapted.predict(target))
    with pytest.raises(UsageError, match="arm-20"):
        fitted.predict(target)


def test_labels_are_learned_only_if_asked_for(fitted: Any, target: list[Recording]) -> None:
    only, blind, told = (
        fitted.adapt(recordings, learn=learn).predict_proba(target)
        for recordings, learn in ((healthy(target), "auto"), (target, False), (target, "auto"))
    )
    np.testing.assert_array_equal(only, blind)
    assert (told != blind).any()


def test_uncertain_cycles_are_not_learned_from(model: Any, source: list[Recording], target: list[Recording]) -> None:
    unsure = [relabelled(r, Label.UNCERTAIN) for r in target]
    one, other = clone(model).fit(source), clone(model).fit([*source, *unsure])
    np.testing.assert_allclose(other.predict_proba(source), one.predict_proba(source), atol=1e-6)
    nameless = [relabelled(r, Label.ANOMALOUS) for r in source if r.session == "w"]
    with_nameless = clone(model).fit([*source, *(replace(r, session="n") for r in nameless)])
    assert with_nameless.classes_.tolist() == ["normal", "tooth", "wear"]
    np.testing.assert_allclose(with_nameless.predict_proba(source), one.predict_proba(source), atol=1e-6)


def test_what_is_judged_has_no_influence(fitted: Any, source: list[Recording], target: list[Recording]) -> None:
    """Neither the rows asked beside one, nor their labels."""
    adapted = fitted.adapt(healthy(target))
    whole = adapted.predict_proba(target)
    wrong = [
        relabelled(r, Label.NORMAL) if i % 2 else relabelled(r, Label.ANOMALOUS, "wear") for i, r in enumerate(target)
    ]
    np.testing.assert_array_equal(adapted.predict_proba(wrong), whole)
    each = np.concatenate([adapted.predict_proba(r) for r in target])
    np.testing.assert_allclose(each, whole, atol=1e-5)


def test_same_seed_same_probabilities(model: Any, fitted: Any, source: list[Recording]) -> None:
    np.testing.assert_array_equal(clone(model).fit(source).predict_proba(source), fitted.predict_proba(source))


def test_explanations_fit_the_rows(fitted: Any, source: list[Recording]) -> None:
    for part in fitted.explain(source[:4]):
        assert part.contributions.shape == (len(part.index), len(part.channels))
        assert np.isfinite(part.contributions).all()
        assert {"torque", "current"} <= {c.key for c in part.channels}
        if part.maps is not None:
            assert part.maps.shape[:2] == (len(part.index), len(part.features))


def test_stored_and_loaded_it_says_the_same(
    fitted: Any, source: list[Recording], target: list[Recording], tmp_path: Path
) -> None:
    for number, each in enumerate((fitted, fitted.adapt(target))):
        asked = [*source, *target] if number else source
        again = load(save(each, tmp_path / str(number)))
        assert type(again) is type(each)
        assert again.get_params(deep=False).keys() == each.get_params(deep=False).keys()
        np.testing.assert_array_equal(again.predict_proba(asked), each.predict_proba(asked))
        np.testing.assert_array_equal(
            again.adapt(target).predict_proba(target), each.adapt(target).predict_proba(target)
        )
        assert again.classes_.tolist() == each.classes_.tolist()
    assert sorted(file.name for file in (tmp_path / "0").iterdir()) == ["arrays.safetensors", "model.json"]


def test_what_is_left_out_is_counted(fitted: Any, source: list[Recording]) -> None:
    values = source[0].values.copy()
    values[:, 60:100] = np.nan
    found = fitted.diagnose([replace(source[0], values=values), source[1]])
    assert sum(found.skipped.values()) > 0
    assert any("nan" in reason for reason in found.skipped)
    assert len(set(found.index.cycle)) <= 4
    assert not fitted.diagnose(source).skipped
    assert found.by("cycle").skipped == found.skipped


def test_bad_input_is_refused_with_a_remedy(model: Any, fitted: Any, source: list[Recording]) -> None:
    fresh = clone(model)
    for call in (fresh.fit, fitted.predict, fitted.adapt):
        with pytest.raises(NotEnoughData, match="recordings"):
            call([])
    with pytest.raises(NotEnoughData, match=r"arm-0.*all normal.*conditions"):
        fresh.fit(healthy(source))
    sick = [r for r in source if r not in healthy(source)]
    with pytest.raises(NotEnoughData, match=r"arm-0.*healthy cycles"):
        fresh.fit(sick)
    with pytest.raises(UsageError, match=r"unit arm-0; .*healthy cycles of it"):
        fresh.fit([r for r in source if r.robot.unit != "arm-0" or r in sick])
    with pytest.raises(NotEnoughData, match=r"arm-0.*healthy cycles"):
        fitted.adapt([r for r in sick if r.session == "w"])
    with pytest.raises(NotEnoughData, match="condition is known"):
        fresh.fit([relabelled(r, Label.UNCERTAIN) for r in source])
    strange = [relabelled(r, Label.ANOMALOUS, "rust") for r in source if r.session == "w"]
    with pytest.raises(UsageError, match=r"conditions rust were not learned; known are normal, tooth, wear"):
        fitted.adapt([*source[:2], *strange])
    bare = replace(source[0], cycles=(), source="bare.csv")
    for call in (fresh.fit, fitted.predict):
        with pytest.raises(InputError, match=r"bare\.csv: arm-0, session 'a', has no marked cycles.*find_cycles"):
            call([bare, *source[1:]])
    with pytest.raises(UsageError, match=r"arm-0, session 'a', has no joint 9.*axis="):
        clone(model).set_params(axis=9).fit(source)
    mute = replace(source[0], source="mute.csv").select(["position/6", "current/6"])
    with pytest.raises(MissingChannel, match=r"mute\.csv, channel torque.*arm-0"):
        fitted.predict(mute)
    with pytest.raises(UsageError, match="views are"):
        clone(model).set_params(views=("colour",)).fit(source)
    with pytest.raises(UsageError, match="faulty, kind or state"):
        clone(model).set_params(decide="mood").fit(source)


def drives(make: Make, units: range, ratio: float = RATIO) -> list[Recording]:
    return [make(f"drive-{u}", name, level, ratio=ratio) for u in units for name, level in DRIVES]


@pytest.fixture(scope="module")
def worn(drive_session: Make) -> list[Recording]:
    return drives(drive_session, range(10))


@pytest.fixture(scope="module")
def unseen(drive_session: Make) -> list[Recording]:
    return drives(drive_session, range(20, 22))


@pytest.fixture(scope="module", params=GRADERS)
def grader(request: pytest.FixtureRequest) -> Any:
    name, options = request.param
    return catalog.load("diagnosis", name)(cycles=2, **options)


@pytest.fixture(scope="module")
def graded(grader: Any, worn: list[Recording]) -> Any:
    return clone(grader).fit(worn)


def told(grades: Any) -> np.ndarray:
    return np.column_stack([grades.probability, grades.error_rad, grades.low_rad, grades.high_rad, grades.score])


def test_graders_follow_the_conventions(grader: Any, worn: list[Recording]) -> None:
    assert is_classifier(grader)
    fresh = clone(grader)
    assert fresh.get_params(deep=False).keys() == grader.get_params(deep=False).keys()
    for call in (fresh.grade, fresh.predict, fresh.predict_proba, fresh.rows, fresh.adapt, fresh.score, fresh.detect):
        with pytest.raises(NotFittedError):
            call(worn)
    with pytest.raises(NotFittedError):
        fresh.init("drive-0")
    assert ">>>" in (type(grader).__doc__ or "")


def test_grades_fit_the_rows_and_unseen_drives_are_found(graded: Any, unseen: list[Recording]) -> None:
    model = graded.adapt(healthy(unseen))
    found = model.grade(unseen)
    true = np.tile(np.repeat([int(np.ceil(level)) for _, level in DRIVES], 2), 2)
    assert len(found) == len(model.rows(unseen)) == len(true)
    assert graded.classes_.tolist() == [1, 2, 3, 4, 5, 6]
    np.testing.assert_allclose(found.probability.sum(axis=1), 1.0)
    np.testing.assert_array_equal(model.predict_proba(unseen), found.probability)
    assert np.abs(model.predict(unseen) - true).mean() < 1.2  # 1.9 by the best constant
    assert set(found.index.unit) == {"drive-20", "drive-21"}
    assert 0 <= model.score(unseen) <= 1
    np.testing.assert_array_equal(np.concatenate([told(model.grade(r)) for r in unseen]), told(found))


def test_on_line_a_grader_says_the_same_though_clocks_start_anew(
    graded: Any, worn: list[Recording], drive_session: Make
) -> None:
    again = replace(drive_session("drive-3", "later", 3.5), session="w6")  # a session in two recordings, each from 0
    unit = [*(r for r in worn if r.robot.unit == "drive-3" and r.session in ("w4", "w6")), again]
    batch = graded.grade(unit)
    state, row = graded.init("drive-3"), 0
    for recording in unit:
        for cycle in recording.cycles:
            piece = recording.between(cycle.start_s, cycle.stop_s)
            piece = replace(
                piece,
                time_s=piece.time_s - cycle.start_s,
                cycles=(replace(cycle, start_s=0.0, stop_s=cycle.stop_s - cycle.start_s),),
            )
            before = state
            state, one = graded.step(state, piece)
            np.testing.assert_array_equal(told(one)[0], told(batch)[row])
            np.testing.assert_array_equal(told(graded.step(before, piece)[1]), told(one))
            row += 1
    assert row == len(batch) == 6


def test_a_grader_refuses_what_it_was_not_made_for(
    grader: Any, graded: Any, worn: list[Recording], unseen: list[Recording], drive_session: Make
) -> None:
    mute = unseen[0].select(["position/1"])
    for call in (graded.grade, graded.adapt, clone(grader).fit):
        with pytest.raises(MissingChannel, match="drive-20"):
            call([mute])
    with pytest.raises(UsageError, match=r"drive-20, drive-21; .*healthy cycles"):
        graded.grade(unseen)
    said = clone(grader).set_params(ratio=RATIO).fit(worn)
    other = drives(drive_session, range(30, 31), ratio=80.0)
    for call in (said.adapt, said.grade, said.predict, said.score, clone(said).fit):
        with pytest.raises(UsageError, match=r"drive-30, session 'a', has ratio 80 .*ratio=50"):
            call(other)
    with pytest.raises(UsageError, match=r"has ratio 80 .*ratio=50"):
        said.step(said.init("drive-30"), other[0].between(0.0, 4.0))
    with pytest.raises(UsageError, match="drive-21, the recording of drive-20"):
        graded.step(graded.init("drive-21"), unseen[0].between(0.0, 4.0))
    for call in (graded.grade, graded.predict, graded.adapt, graded.score, clone(grader).fit):
        with pytest.raises(NotEnoughData, match="recordings"):
            call([])
    bare = replace(worn[0], cycles=(), source="bare.csv")
    for call in (graded.grade, graded.adapt, graded.score, clone(grader).fit):
        with pytest.raises(InputError, match=r"bare\.csv: drive-0, session 'a', has no marked cycles.*Remedy"):
            call([bare])
    blank = [replace(r, truth={}) for r in worn]
    for call in (graded.score, clone(grader).fit):
        with pytest.raises(InputError, match=r"static error of drive-0, session 'a', is not known.*errors_rad"):
            call(blank)
    assert len(graded.grade(blank)) == len(graded.grade(worn))
    with pytest.raises(NotEnoughData, match=r"drive-0.*healthy cycles"):
        clone(grader).fit([r for r in worn if r not in healthy(worn)])


def test_a_stored_grader_says_the_same(graded: Any, unseen: list[Recording], tmp_path: Path) -> None:
    for number, each in enumerate((graded, graded.adapt(healthy(unseen)))):
        again = load(save(each, tmp_path / str(number)))
        assert type(again) is type(each)
        ready = [one if number else one.adapt(healthy(unseen)) for one in (each, again)]
        np.testing.assert_array_equal(told(ready[1].grade(unseen)), told(ready[0].grade(unseen)))
    assert sorted(file.name for file in (tmp_path / "0").iterdir()) == ["arrays.safetensors", "model.json"]
