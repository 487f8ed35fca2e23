"""What every front door of the catalog that tells faults promises; doors that grade are in tests/diagnosis."""

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
