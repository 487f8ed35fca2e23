"""Worn reducers are found on units never seen and on other axes, and probabilities come true."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from jointwatch.core import Label, Recording
from jointwatch.core.errors import MissingChannel, UsageError
from jointwatch.diagnosis.axis_fault import AxisFaultClassifier
from jointwatch.diagnosis.base import conditions
from jointwatch.recordings import read
from jointwatch.training.options import Options
from jointwatch.training.recipes import Recipe

Make = Callable[..., Recording]
LOADS = {"baseline": "domain", "domain": "truth:load_kgf"}
OVERLAP = 0.6  # distance of worn from healthy friction in standard deviations, halved


def unit(make: Make, name: str, sessions: int, seed: int, **options: float) -> list[Recording]:
    """Sessions of one unit, healthy and worn in turn: logarithms of friction scatter by 10 % from session to session,
    wear adds 12 %, so that some worn sessions look healthier than healthy ones."""
    rng = np.random.default_rng([seed, *name.encode()])
    own = np.exp(0.4 * rng.standard_normal())
    return [
        make(name, f"s{i}", "wear" if i % 2 else "", friction=own * np.exp(0.1 * rng.standard_normal()),
             severity=np.exp(2 * OVERLAP * 0.1) - 1, cycles=1, seed=seed, **options)
        for i in range(sessions)
    ]  # fmt: skip


def calibration_error(share: np.ndarray, true: np.ndarray, bins: int = 5) -> float:
    """Mean difference of what is said and what is so, over bins of equally many."""
    parts = np.array_split(np.argsort(share), bins)
    return float(sum(len(part) * abs(share[part].mean() - true[part].mean()) for part in parts) / len(share))


@pytest.mark.parametrize(("view", "error"), [("friction", 0.06), ("profile", 0.12)])  # many features, few rows
def test_probabilities_come_true_on_units_never_seen(axis_session: Make, view: str, error: float) -> None:
    source = [r for u in range(20) for r in unit(axis_session, f"arm-{u}", 12, 1)]
    model = AxisFaultClassifier(views=(view,)).fit(source)
    target = [unit(axis_session, f"new-{u}", 36, 2) for u in range(16)]
    known = [[r for r in each[:12] if r.cycles[0].condition.label is Label.NORMAL] for each in target]
    asked = [r for each in target for r in each[12:]]
    found = model.adapt([r for each in known for r in each]).diagnose(asked)
    true = found.index.label == "anomalous"
    right = (found.probability.argmax(axis=1) == true).mean()
    assert 0.6 < right < 0.85  # they do overlap
    assert calibration_error(found.probability[:, 1], true) < error
    assert found.probability.max(axis=1).mean() < right + 0.04  # if anything, too careful
    assert np.ptp(found.probability[:, 1]) > 0.5


def test_uncalibrated_networks_are_put_right(axis_session: Make) -> None:
    """A network trained without restraint is surer than it should be; held-out units show it."""
    source = [r for u in range(15) for r in unit(axis_session, f"arm-{u}", 12, 1)]
    target = [r for u in range(10) for r in unit(axis_session, f"new-{u}", 24, 2)]
    wild = Recipe(Options(epochs=15, learning_rate=1e-2), 32, True, 0.2)
    errors = []
    for calibrate in (False, True):
        model = AxisFaultClassifier(views=("network",), network="fcn", training=wild, calibrate=calibrate).fit(source)
        found = model.adapt(target, learn=False).diagnose(target)
        errors.append(calibration_error(found.probability[:, 1], found.index.label == "anomalous"))
    assert errors[1] < max(errors[0], 0.1)


@pytest.mark.parametrize("views", [("friction",), ("profile",), ("friction", "profile")])
def test_carried_to_a_weaker_axis_with_healthy_cycles_alone(axis_session: Make, views: tuple[str, ...]) -> None:
    def fleet(axis: int, first: int, size: float) -> list[Recording]:
        return [
            axis_session(f"arm-{u}", session, fault, axis=axis, friction=size * (1 + 0.2 * (u % 3)), severity=0.6)
            for u in range(first, first + 5)
            for session, fault in (("a", ""), ("b", ""), ("w", "wear"))
        ]

    source, target = fleet(1, 0, 40.0), fleet(6, 10, 2.0 if views == ("friction",) else 30.0)
    model = AxisFaultClassifier(views=views).fit(source)
    adapted = model.adapt([r for r in target if r.session == "a"])
    asked = [r for r in target if r.session != "a"]
    assert adapted.score(asked) > 0.95
    assert set(adapted.rows(asked).domain) == {"axis6"}


def test_two_views_speak_of_the_cycles_that_both_have(axis_session: Make) -> None:
    quick = Recipe(Options(epochs=2), 32, True, 0.2, {"batch_norm": True})
    source = [axis_session(f"arm-{u}", s, f) for u in range(5) for s, f in (("a", ""), ("b", ""), ("w", "wear"))]
    model = AxisFaultClassifier(views=("friction", "network"), training=quick).fit(source)
    assert [type(view).__name__ for view in model.views_] == ["FrictionView", "MapsView"]
    assert model.fusion_.weights_.shape == (2,)
    whole = model.diagnose(source)
    assert len(whole) == 2 * len(source)
    values = source[0].values.copy()
    values[:, 20:60] = np.nan  # too long to be bridged; the rest of the cycle is shorter than a map
    found = model.diagnose([replace(source[0], values=values), *source[1:]])
    assert len(found) == len(whole) - 1
    assert found.skipped["nan"] == 1
    assert found.skipped["maps: nan"] > 0
    assert "not in every view" not in found.skipped
    short = replace(source[0], cycles=(replace(source[0].cycles[0], stop_s=4.0), source[0].cycles[1]))
    found = model.diagnose(short)  # a whole cycle, but shorter than a map
    assert found.skipped == {"maps: too_short": 1, "not in every view": 1}
    assert len(found) == 1


def test_a_cycle_that_two_views_leave_out_counts_once(axis_session: Make) -> None:
    source = [axis_session(f"arm-{u}", s, f) for u in range(4) for s, f in (("a", ""), ("b", ""), ("w", "wear"))]
    model = AxisFaultClassifier(views=("friction", "profile")).fit(source)
    values = source[0].values.copy()
    values[:, 20:60] = np.nan
    assert model.diagnose([replace(source[0], values=values), source[1]]).skipped == {"nan": 1}


def test_one_view_gives_its_own_rows(axis_session: Make) -> None:
    quick = Recipe(Options(epochs=1), 32, True, 0.2)
    source = [axis_session(f"arm-{u}", s, f) for u in range(4) for s, f in (("a", ""), ("b", ""), ("w", "wear"))]
    maps = AxisFaultClassifier(views=("network",), training=quick, domain="unit", axis=6).fit(source)
    assert len(maps.rows(source)) > 2 * len(source)
    assert set(maps.rows(source).domain) == {f"arm-{u}" for u in range(4)}
    cycles = AxisFaultClassifier(views=("friction",), domain=lambda r: r.robot.unit.upper()).fit(source)
    assert len(cycles.rows(source)) == 2 * len(source)
    assert set(cycles.rows(source).domain) == {f"ARM-{u}" for u in range(4)}


def test_published_training_is_not_calibrated(axis_session: Make) -> None:
    source = [axis_session(f"arm-{u}", s, f) for u in range(5) for s, f in (("a", ""), ("b", ""), ("w", "wear"))]
    plain = Recipe(Options(epochs=1), 32)
    model = AxisFaultClassifier(views=("friction", "network"), training=plain).fit(source)
    assert model.fusion_.weights_.tolist() == [0.5, 0.5]
    assert model.fusion_.offsets_.tolist() == [0.0, 0.0]


@pytest.fixture(scope="module")
def strokes(data_dir: Path) -> Callable[..., list[Recording]]:
    """strokes(load, runs): measured strokes of a ball screw."""
    found = list(read(data_dir / "cranfield_linear_actuator"))

    def chosen(load: float, runs: range | tuple[int, ...]) -> list[Recording]:
        return [r for r in found if r.truth["load_kgf"] == load and r.truth["run"] in runs]

    return chosen


def test_measured_states_are_told_inside_a_load(strokes: Callable[..., list[Recording]]) -> None:
    model = AxisFaultClassifier(views=("profile",), decide="state", **LOADS).fit(strokes(40.0, range(1, 6)))
    assert len(model.classes_) == 13
    found = model.diagnose(late := strokes(40.0, (6, 7)))
    true = conditions(found.index, "state")
    assert (found.condition == true).mean() > 0.85
    assert (model.predict(late) == found.condition).all()
    told = found.probability[np.arange(len(true)), [found.classes.index(name) for name in true]]
    assert -np.log(told).mean() < 0.25
    sure = found.probability.max(axis=1)
    assert abs(sure.mean() - (found.condition == true).mean()) < 0.06
    parts = model.explain(late)[0]
    assert {c.key for c in parts.channels} == {"current", "position_error"}


@pytest.mark.parametrize(("source", "target"), [(20.0, 40.0), (40.0, 20.0)])
def test_measured_kinds_are_carried_to_another_load_with_one_run(
    strokes: Callable[..., list[Recording]], source: float, target: float
) -> None:
    model = AxisFaultClassifier(views=("profile",), decide="kind", **LOADS).fit(strokes(source, range(1, 8)))
    late = strokes(target, (6, 7))
    first = strokes(target, (1,))
    found = {}
    for name, given in (("one run", first), ("healthy", [r for r in first if r.condition.label is Label.NORMAL])):
        said = model.adapt(given).diagnose(late)
        found[name] = f1_score(conditions(said.index, "kind"), said.condition, average="macro")
    assert found["one run"] > 0.8
    assert found["healthy"] > 0.6


def test_measured_faults_are_found_and_friction_says_what_it_lacks(strokes: Callable[..., list[Recording]]) -> None:
    train, late = strokes(40.0, range(1, 6)), strokes(40.0, (6, 7))
    model = AxisFaultClassifier(views=("profile",), decide="faulty", **LOADS).fit(train)
    assert model.score(late) > 0.95
    with pytest.raises(MissingChannel, match=r"\.csv, channel position: friction needs .*views=\('profile',\)"):
        AxisFaultClassifier(views=("friction",)).fit(train)


def test_the_default_needs_no_torch() -> None:
    code = (
        "import sys; from jointwatch.diagnosis.axis_fault import AxisFaultClassifier as C; "
        "import jointwatch.diagnosis._friction_view; C()._made(); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_adapting_to_a_second_unit_changes_nothing_for_the_first(axis_session: Make) -> None:
    quick = Recipe(Options(epochs=2), 32, True, 0.2, {"batch_norm": True})
    source = [axis_session(f"arm-{u}", s, f) for u in range(4) for s, f in (("a", ""), ("b", ""), ("w", "wear"))]
    model = AxisFaultClassifier(views=("friction", "network"), training=quick).fit(source)
    first, second = ([axis_session(unit, s, "") for s in ("a", "b")] for unit in ("arm-8", "arm-9"))
    asked = [axis_session("arm-8", "w", "wear")]
    one, both = model.adapt(first), model.adapt(first).adapt(second)
    np.testing.assert_array_equal(one.predict_proba(asked), both.predict_proba(asked))


def test_another_rate_is_refused(axis_session: Make) -> None:
    quick = Recipe(Options(epochs=1), 32, True, 0.2)
    source = [axis_session(f"arm-{u}", s, f) for u in range(4) for s, f in (("a", ""), ("b", ""), ("w", "wear"))]
    model = AxisFaultClassifier(views=("network",), training=quick).fit(source)
    faster = [replace(recording, time_s=recording.time_s / 2) for recording in source[:1]]
    faster = [
        replace(r, cycles=tuple(replace(c, start_s=c.start_s / 2, stop_s=c.stop_s / 2) for c in r.cycles))
        for r in faster
    ]
    with pytest.raises(UsageError, match="resample"):
        model.predict(faster)


def test_a_strategy_that_is_none_is_named(axis_session: Make) -> None:
    source = [axis_session(f"arm-{u}", s, f) for u in range(3) for s, f in (("a", ""), ("b", ""), ("w", "wear"))]
    with pytest.raises(UsageError, match="head_only"):
        AxisFaultClassifier(views=("network",), transfer="normalisation").fit(source)
    with pytest.raises(UsageError, match="one condition"):
        AxisFaultClassifier().fit(source).adapt([axis_session("arm-9", "a", "")], learn=True)
