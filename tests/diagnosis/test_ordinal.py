"""Ordinal regression: degrees are found, probabilities and intervals are one, both hold for groups never seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom, spearmanr
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from jointwatch.bundle.store import load, save
from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.diagnosis._ordinal import OrdinalRegressor

EDGES = (1.0, 2.0, 3.0, 4.0, 5.0)
LEARNERS = ("ridge", "kernel", "discriminant")


def units(count: int, seed: int, group: float = 0.2, rows: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(rows, degrees, units): the degree moves six features, and each unit has its own offset."""
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(count), rows)
    degree = rng.uniform(0, 6, count)[unit]
    towards = np.array([1.0, -0.5, 0.3, 0.0, 0.0, 0.0])
    own = group * rng.standard_normal(count)
    X = (degree + own[unit])[:, None] * towards + 0.1 * rng.standard_normal((len(unit), 6))
    return X, degree, unit


@pytest.mark.parametrize("learner", [*LEARNERS, "auto"])
def test_the_order_of_new_units_is_found(learner: Any) -> None:
    X, y, unit = units(40, 0)
    grader = OrdinalRegressor(EDGES, learner, limits=(0, 6)).fit(X, y, unit)
    fresh, truth, _ = units(30, 1)
    assert spearmanr(grader.decision_function(fresh), truth)[0] > 0.95
    level = np.searchsorted(EDGES, truth)
    assert (abs(grader.predict_level(fresh) - level) <= 1).mean() > 0.98
    assert grader.error_ < 0.6
    assert grader.chosen_ in LEARNERS


def test_auto_takes_a_kernel_where_the_degree_is_not_linear() -> None:
    rng = np.random.default_rng(0)
    unit = np.repeat(np.arange(60), 4)
    turn = rng.uniform(0, 1, 60)[unit]
    X = np.column_stack([np.cos(5 * turn), np.sin(5 * turn)]) + 0.02 * rng.standard_normal((240, 2))
    auto = OrdinalRegressor((2.0, 4.0), "auto").fit(X, 6 * turn, unit)
    ridge = OrdinalRegressor((2.0, 4.0), "ridge").fit(X, 6 * turn, unit)
    assert auto.chosen_ == "kernel"
    assert auto.error_ < 0.3 * ridge.error_


@pytest.mark.parametrize("learner", LEARNERS)
def test_probabilities_and_intervals_are_of_one_distribution(learner: Any) -> None:
    X, y, unit = units(40, 2)
    grader = OrdinalRegressor(EDGES, learner).fit(X, y, unit)
    fresh = units(6, 3)[0]
    shares = grader.predict_proba(fresh)
    assert shares.shape == (len(fresh), 6)
    assert (shares >= 0).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    below = np.cumsum(shares, axis=1)[:, :-1]
    median = grader.predict(fresh)[:, None]
    assert ((below >= 0.5) == (median <= np.array(EDGES))).all()
    for coverage in (0.5, 0.8, 0.9):
        low, high = grader.predict_interval(fresh, coverage)
        for row in range(len(fresh)):
            own = clone(grader).set_params(edges=(low[row], high[row]))
            own.__dict__.update({k: v for k, v in vars(grader).items() if k.endswith("_")})
            assert own.predict_proba(fresh[row : row + 1])[0, 1] == pytest.approx(coverage, abs=0.03)
    narrow, wide = grader.predict_interval(fresh, 0.5), grader.predict_interval(fresh, 0.9)
    assert (wide[0] < narrow[0]).all()
    assert (wide[1] > narrow[1]).all()


@pytest.mark.parametrize("coverage", [0.8, 0.9])
@pytest.mark.parametrize("group", [0.0, 1.0])
def test_a_row_of_a_new_unit_is_covered_as_asked(coverage: float, group: float) -> None:
    """One row of a new unit for each of many draws of everything; with large group effects rows say little."""
    draws, hits = 150, 0
    for seed in range(draws):
        X, y, unit = units(20, 1000 + seed, group)
        fresh, truth, _ = units(1, 5000 + seed, group, rows=1)
        low, high = OrdinalRegressor(EDGES, "ridge", coverage).fit(X, y, unit).predict_interval(fresh)
        hits += int(low[0] <= truth[0] <= high[0])
    lowest, highest = binom.ppf([0.001, 0.999], draws, coverage)
    assert hits >= lowest
    assert hits <= highest + 0.06 * draws  # one more group of any error is reckoned with, and folds learn less


def test_rows_as_groups_promise_too_much_and_whole_units_do_not() -> None:
    """Where a unit can be told from its features, its degree is remembered: the mistake that groups are for."""
    shares: dict[str, list[float]] = {"row": [], "unit": []}
    for seed in range(12):
        X, y, unit = units(20, seed, group=1.0, rows=6)
        fresh, truth, other = units(100, 100 + seed, group=1.0, rows=1)
        rng = np.random.default_rng(seed)
        X = np.column_stack([X, rng.standard_normal((20, 30))[unit]])
        fresh = np.column_stack([fresh, rng.standard_normal((100, 30))[other]])
        for name, groups in (("row", np.arange(len(y))), ("unit", unit)):
            low, high = OrdinalRegressor(EDGES, "ridge").fit(X, y, groups).predict_interval(fresh)
            shares[name].append(float(((low <= truth) & (truth <= high)).mean()))
    assert np.mean(shares["row"]) < 0.6
    assert np.mean(shares["unit"]) > 0.87  # the mean of twelve draws varies by 0.02


def test_a_unit_of_many_rows_weighs_no_more_than_another() -> None:
    X, y, unit = units(20, 9)
    many = np.concatenate([np.arange(len(y)), np.repeat(np.flatnonzero(unit == 3), 30)])
    grader = OrdinalRegressor(EDGES, "ridge").fit(X[many], y[many], unit[many])
    steps = np.diff(grader.mass_, prepend=0.0)
    assert grader.mass_[-1] == pytest.approx(20 / 21)
    assert np.isclose(steps, 1 / (21 * 155)).sum() == 155
    assert np.isclose(steps, 1 / (21 * 5)).sum() == 19 * 5


def test_the_spread_follows_the_degree() -> None:
    rng = np.random.default_rng(0)
    unit = np.arange(200)
    degree = rng.uniform(0, 6, 200)
    X = (degree + 0.2 * degree * rng.standard_normal(200))[:, None]
    grader = OrdinalRegressor(EDGES, "ridge").fit(X, degree, unit)
    low, high = grader.predict_interval(np.array([[0.5], [5.0]]))
    assert (high - low)[1] > 1.3 * (high - low)[0]


def test_limits_cut_medians_and_intervals_but_not_the_order() -> None:
    X, y, unit = units(30, 4)
    grader = OrdinalRegressor(EDGES, "ridge", limits=(0.0, 6.0)).fit(X, y, unit)
    far = np.array([[9.0, -4.5, 2.7, 0, 0, 0], [12.0, -6.0, 3.6, 0, 0, 0], [-5.0, 2.5, -1.5, 0, 0, 0]])
    assert grader.predict(far).tolist() == [6.0, 6.0, 0.0]
    assert grader.decision_function(far)[1] > grader.decision_function(far)[0] > 6.0
    low, high = grader.predict_interval(far)
    assert ((low >= 0) & (high <= 6)).all()


def test_settings_may_be_chosen_by_smaller_parts() -> None:
    """Of nine specimens, the outermost held out, the flattest ridge errs least; by runs the true one does."""
    rng = np.random.default_rng(1)
    stage = np.repeat(np.arange(9.0), 10)
    run = np.repeat(np.arange(45), 2)
    special = rng.standard_normal((9, 40))[stage.astype(int)]
    X = np.column_stack([stage / 3, special]) + 0.05 * rng.standard_normal((90, 41))
    by_run = OrdinalRegressor(np.arange(8) + 0.5, "ridge", 0.8).fit(X, stage, stage, run)
    by_specimen = OrdinalRegressor(np.arange(8) + 0.5, "ridge", 0.8).fit(X, stage, stage)
    only_runs = OrdinalRegressor(np.arange(8) + 0.5, "ridge", 0.8).fit(X, stage, run)
    np.testing.assert_allclose(by_run.decision_function(X), only_runs.decision_function(X))
    assert np.ptp(by_run.decision_function(X)) >= np.ptp(by_specimen.decision_function(X))
    assert by_run.error_ > 2 * only_runs.error_  # a specimen never seen is harder than a run never seen


def test_more_rows_than_landmarks_still_find_the_degree() -> None:
    X, y, unit = units(130, 5)
    kernel = OrdinalRegressor(EDGES, "kernel", folds=2).fit(X, y, unit)
    assert kernel.model_.landmark_.shape == (500, 6)
    assert spearmanr(kernel.predict(units(20, 6)[0]), units(20, 6)[1])[0] > 0.95


@pytest.mark.parametrize("learner", LEARNERS)
def test_what_was_learned_can_be_kept(learner: Any, tmp_path: Path) -> None:
    X, y, unit = units(15, 6)
    grader = OrdinalRegressor(np.array(EDGES), learner).fit(X, y, unit)
    back = load(save(grader, tmp_path))
    np.testing.assert_array_equal(back.predict_proba(X), grader.predict_proba(X))
    np.testing.assert_array_equal(back.predict_interval(X), grader.predict_interval(X))
    assert back.chosen_ == learner


def test_the_same_seed_gives_the_same_grades() -> None:
    X, y, unit = units(20, 8)
    one, two = (OrdinalRegressor(EDGES, random_state=3).fit(X, y, unit).predict_proba(X) for _ in range(2))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"edges": (2.0, 1.0)}, "ascending"),
        ({"edges": ()}, "ascending"),
        ({"learner": "forest"}, "learner"),
        ({"coverage": 1.0}, "coverage"),
        ({"folds": 1}, "folds"),
        ({"limits": (6.0, 0.0)}, "limits"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, Any], words: str) -> None:
    X, y, unit = units(12, 0)
    with pytest.raises(UsageError, match=words):
        OrdinalRegressor(**{"edges": EDGES, **settings}).fit(X, y, unit)


def test_too_few_groups_and_wrong_rows_are_refused() -> None:
    X, y, unit = units(8, 0)
    with pytest.raises(NotEnoughData, match="9"):
        OrdinalRegressor(EDGES, "ridge").fit(X, y, unit)
    grader = OrdinalRegressor(EDGES, "ridge", coverage=0.8).fit(X, y, unit)
    with pytest.raises(NotEnoughData, match="19"):
        grader.predict_interval(X, 0.95)
    with pytest.raises(NotEnoughData):
        OrdinalRegressor(EDGES, "ridge", coverage=0.3).fit(X[:5], y[:5], unit[:5])
    with pytest.raises(UsageError, match="one entry"):
        grader.fit(X, y[:-1], unit)
    with pytest.raises(UsageError, match="finite"):
        grader.fit(np.where(X > 2, np.nan, X), y, unit)
    with pytest.raises(UsageError, match="row, feature"):
        grader.predict(X[0])
    with pytest.raises(NotFittedError):
        OrdinalRegressor(EDGES).predict(X)
