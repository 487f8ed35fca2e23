"""The carried discriminant: ordinary without a target, moved by what is common, no more trusting than it should be."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import NotFittedError

from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.diagnosis._carried_discriminant import CarriedDiscriminant

CLASSES, FEATURES, CYCLES = 6, 12, 4


def load(means: np.ndarray, runs: int, seed: int, drift: float = 0.5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(rows, classes, runs) of an axis whose runs drift."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(means)), runs * CYCLES)
    run = np.tile(np.repeat(np.arange(runs), CYCLES), len(means))
    drifts = drift * rng.standard_normal((len(means), runs, FEATURES))
    return means[y] + drifts[y, run] + 0.5 * rng.standard_normal((len(y), FEATURES)), y, run


def means(seed: int = 0, spread: float = 1.0) -> np.ndarray:
    return spread * np.random.default_rng(seed).standard_normal((CLASSES, FEATURES))


def test_without_a_target_it_is_the_usual_shrunken_discriminant() -> None:
    X, y, run = load(means(), 5, 1)
    ours = CarriedDiscriminant().fit(X, y, run)
    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(X, y)
    fresh, *_ = load(means(), 20, 2)
    assert (ours.predict(fresh) == theirs.predict(fresh)).mean() > 0.97
    np.testing.assert_allclose(ours.predict_proba(fresh).sum(axis=1), 1.0)
    assert np.isnan(ours.weight_).all()
    assert clone(ours).get_params() == ours.get_params()


def test_a_common_shift_is_learned_from_normal_cycles_alone() -> None:
    source = CarriedDiscriminant().fit(*load(means(), 7, 1))
    X, y, run = load(means() + 3.0, 7, 2)
    normal = y == 0
    adapted = source.adapt(X[normal], y[normal], run[normal])
    assert source.score(X, y) < 0.5 < 0.8 < adapted.score(X, y)
    assert (adapted.weight_[1:] == 0).all()


def test_few_labelled_runs_gain_over_source_and_over_target_alone() -> None:
    gains = []
    for seed in range(10):
        source = CarriedDiscriminant().fit(*load(means(seed), 7, 100 + seed))
        moved = means(seed) + 2.0 + means(50 + seed, 0.3)
        X, y, run = load(moved, 1, 200 + seed)
        fresh, truth, _ = load(moved, 20, 300 + seed)
        adapted, alone = source.adapt(X, y, run), CarriedDiscriminant().fit(X, y, run)
        gains.append([adapted.score(fresh, truth) - model.score(fresh, truth) for model in (source, alone)])
    assert (np.mean(gains, axis=0) > 0.03).all()


def test_the_weight_follows_how_common_the_shift_is_and_how_many_runs_there_are() -> None:
    source = CarriedDiscriminant().fit(*load(means(), 7, 1))
    weights = {}
    for apart in (0.0, 2.0):
        for runs in (1, 4):
            weights[apart, runs] = source.adapt(*load(means() + 2.0 + means(9, apart), runs, 2)).weight_.mean()
    assert weights[0.0, 1] < 0.5
    assert weights[2.0, 1] > 0.85
    assert weights[0.0, 4] > weights[0.0, 1]


def test_adapting_leaves_the_source_as_it_is() -> None:
    X, y, run = load(means(), 3, 1)
    source = CarriedDiscriminant().fit(X, y, run)
    before = source.decision_function(X)
    source.adapt(X + 1, y, run)
    np.testing.assert_array_equal(source.decision_function(X), before)


def test_what_is_adapted_again_knows_how_many_runs_are_behind_it() -> None:
    source = CarriedDiscriminant().fit(*load(means(), 7, 1))
    normal = load(means() + 2.0, 3, 2)
    baseline = source.adapt(*(part[normal[1] == 0] for part in normal))
    np.testing.assert_allclose(baseline.runs_, [10, 7, 7, 7, 7, 7])
    apart = source.adapt(*load(means() + 2.0 + means(9, 3.0), 3, 2))
    assert ((apart.runs_ > 3) & (apart.runs_ < 4)).all()
    assert (source.runs_ == 7).all()


def test_it_is_carried_on_from_target_to_target() -> None:
    source = CarriedDiscriminant().fit(*load(means(), 7, 1))
    moved = means() + 2.0 + means(9, 1.0)
    first = source.adapt(*load(moved, 4, 2))
    X, y, run = load(moved + 3.0, 7, 3)
    normal = y == 0
    found = [model.adapt(X[normal], y[normal], run[normal]).score(X, y) for model in (source, first)]
    assert found[0] < found[1]
    assert first.score(X, y) < 0.5 < 0.8 < found[1]


def test_what_cannot_be_is_refused() -> None:
    X, y, run = load(means(), 2, 1)
    with pytest.raises(NotFittedError):
        CarriedDiscriminant().predict(X)
    with pytest.raises(NotEnoughData):
        CarriedDiscriminant().fit(X, np.zeros(len(X)))
    source = CarriedDiscriminant().fit(X, y, run)
    with pytest.raises(UsageError, match="no class 9"):
        source.adapt(X, np.full(len(X), 9))
    with pytest.raises(UsageError, match="no target rows"):
        source.adapt(X[:0], y[:0])
