"""Grades: decisions, words, margins and alarms from the levels' distribution; and the last cycles they rest on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from jointwatch.core import Index
from jointwatch.core.errors import UsageError
from jointwatch.core.levels import LEVEL_RAD
from jointwatch.diagnosis._code_view import median_error
from jointwatch.diagnosis._last_cycles import last_cycles, mean_of_last
from jointwatch.diagnosis.base import Grades


def index(rows: int, sessions: int = 1, units: int = 1, order: np.ndarray | None = None) -> Index:
    number = np.arange(rows)
    start = 8.0 * (number if order is None else order)
    text = np.full(rows, "")
    return Index(
        np.array([f"u{k % units}" for k in number]), np.array([f"s{k % sessions}" for k in number]),
        np.array([f"c{k}" for k in number]), text, start, start + 8, 0 * start, 0 * start + 8,
        np.full(rows, "uncertain"), text, number * 0, np.full(rows, np.nan),
    )  # fmt: skip


def grades(share: np.ndarray, own: Index | None = None, **options: float) -> Grades:
    error = median_error(share)
    own = index(len(share)) if own is None else own
    return Grades(own, share, error, error - LEVEL_RAD, error + LEVEL_RAD, np.log(share + 1e-9), **options)


def test_decisions() -> None:
    found = grades(np.array([[0.4, 0.0, 0.3, 0.3, 0, 0], [0, 0, 0, 0, 0.5, 0.5], [1.0, 0, 0, 0, 0, 0]]))
    assert found.level.tolist() == [3, 5, 1]  # where half of the distribution lies
    assert found.likeliest.tolist() == [1, 5, 1]
    assert found.levels == ("level 1", "level 2", "level 3", "level 4", "level 5", "level 6")


def test_the_median_errs_least_on_average() -> None:
    rng = np.random.default_rng(0)
    share = rng.dirichlet(np.full(6, 0.6), size=4000)
    true = np.array([rng.choice(6, p=row) for row in share]) + 1
    found = grades(share)
    assert np.abs(found.level - true).mean() < np.abs(found.likeliest - true).mean()
    assert (found.likeliest == true).mean() > (found.level == true).mean()


def test_words_name_the_fewest_levels() -> None:
    share = np.array(
        [[0, 0, 1, 0, 0, 0], [0, 0, 0.6, 0.35, 0.05, 0], [0.3, 0.3, 0.3, 0.05, 0.05, 0], np.full(6, 1 / 6)], float
    )
    found = grades(share)
    assert [found.said(row) for row in range(4)] == ["level 3", "level 3 or 4", "levels 1 to 3", "levels 1 to 6"]
    assert grades(share, coverage=0.5).said(1) == "level 3"
    # as often right as it says
    rng = np.random.default_rng(1)
    many = rng.dirichlet(np.full(6, 0.5), size=3000)
    true = np.array([rng.choice(6, p=row) for row in many]) + 1
    found = grades(many)
    words = [found.said(row).removeprefix("levels").removeprefix("level").split() for row in range(len(many))]
    inside = [int(w[0]) <= level <= int(w[-1]) for w, level in zip(words, true, strict=True)]
    assert 0.9 <= np.mean(inside) < 0.97


def test_margins_and_alarms() -> None:
    share = np.array([[0.9, 0.1, 0, 0, 0, 0], [0.2, 0.3, 0.5, 0, 0, 0], [0, 0, 0, 0, 0, 1.0]])
    found = grades(share)
    np.testing.assert_allclose(found.margin_rad, LEVEL_RAD - found.error_rad)
    low, high = found.margin_interval_rad
    np.testing.assert_allclose(high - low, 2 * LEVEL_RAD)
    assert (low < found.margin_rad).all()
    scores = found.scores("grader")
    np.testing.assert_allclose(scores.value[:2], np.log([0.1 / 0.9, 0.8 / 0.2]))
    assert scores.value[2] > 20
    half = grades(share, limit_rad=1.5 * LEVEL_RAD).scores("grader")  # half of level 2 is below
    np.testing.assert_allclose(half.value[0], np.log(0.05 / 0.95))
    assert scores.detector == "grader"


def test_sessions_are_put_together() -> None:
    share = np.array([[0.8, 0.2, 0, 0, 0, 0], [0, 0, 0, 0, 0.1, 0.9], [0.2, 0.8, 0, 0, 0, 0]])
    found = grades(share, index(3, sessions=2))
    by = found.by("session")
    assert by.index.session.tolist() == ["s0", "s1"]
    np.testing.assert_allclose(by.probability[0, :2], 0.5)
    np.testing.assert_allclose(by.error_rad[0], found.error_rad[[0, 2]].mean())
    np.testing.assert_allclose(by.high_rad - by.low_rad, 2 * LEVEL_RAD)  # no narrower than a cycle's
    np.testing.assert_allclose(by.score[0], found.score[[0, 2]].mean(axis=0))
    assert (by.index.start_s[0], by.index.stop_s[0]) == (0.0, 24.0)
    assert len(found.by("cycle")) == 3
    nothing = replace(found, low_rad=np.full(3, np.nan), score=np.full((3, 6), -np.inf)).by("session")
    assert np.isnan(nothing.low_rad).all()
    with pytest.raises(UsageError, match="cycle or session"):
        found.by("unit")  # type: ignore[arg-type]


def test_grades_that_do_not_fit_are_refused() -> None:
    found = grades(np.eye(6))
    for name, value in (("probability", np.eye(5)), ("error_rad", np.zeros(5)), ("coverage", 1.0), ("limit_rad", 1.0)):
        with pytest.raises(UsageError):
            replace(found, **{name: value})
    assert len(grades(np.empty((0, 6)), index(0)).by("session")) == 0


def test_last_cycles_are_of_the_own_session_in_order_of_time() -> None:
    order = np.array([3, 0, 2, 1, 5, 4])
    own = index(6, sessions=2, order=order)
    last = last_cycles(own, 2)
    for row in range(6):
        assert last[row, 1] == row
        same = [k for k in range(6) if own.session[k] == own.session[row] and own.start_s[k] < own.start_s[row]]
        assert last[row, 0] == (max(same, key=lambda k: own.start_s[k]) if same else -1)
    figures = np.random.default_rng(0).standard_normal((6, 3))
    mean = mean_of_last(figures, last)
    for row in range(6):
        np.testing.assert_allclose(mean[row], figures[last[row][last[row] >= 0]].mean(axis=0))
    assert last_cycles(index(0), 3).shape == (0, 3)


def test_the_median_lies_in_the_level_of_the_median() -> None:
    share = np.random.default_rng(0).dirichlet(np.full(6, 0.5), size=500)
    found = grades(share)
    np.testing.assert_array_equal(np.ceil(found.error_rad / LEVEL_RAD - 1e-12), found.level)
    assert (found.error_rad >= 0).all()
    assert (found.error_rad <= 6 * LEVEL_RAD).all()
