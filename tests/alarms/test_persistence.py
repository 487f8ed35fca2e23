from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.base import clone

from jointwatch.alarms.persistence import Persistence
from jointwatch.core import Scores
from jointwatch.core.errors import NotEnoughData, UsageError


def by_definition(flags: list[bool], k: int, n: int) -> list[bool]:
    return [flags[i] and sum(flags[max(0, i - n + 1) : i + 1]) >= k for i in range(len(flags))]


@given(flags=st.lists(st.booleans(), max_size=40), k=st.integers(1, 5), more=st.integers(0, 5))
@settings(max_examples=150, deadline=None)
def test_batch_is_step_after_step_is_the_definition(flags: list[bool], k: int, more: int) -> None:
    persistence = Persistence(k, k + more)
    state, raised = persistence.init(), []
    for flag in flags:
        state, alarm = persistence.step(state, flag)
        raised.append(alarm)
    assert raised == by_definition(flags, k, k + more)
    assert persistence.apply(np.array(flags, bool)).tolist() == raised


def test_one_of_one_lets_every_flag_through() -> None:
    flags = np.random.default_rng(0).random(50) < 0.3
    np.testing.assert_array_equal(Persistence().apply(flags), flags)


def test_state_is_a_value() -> None:
    persistence = Persistence(2, 3)
    before = persistence.init()
    after, _ = persistence.step(before, True, "arm-1")
    assert persistence.step(before, True, "arm-1") == persistence.step(before, True, "arm-1")
    assert persistence.step(before, True, "arm-1")[1] is False
    assert persistence.step(after, True, "arm-1")[1] is True
    assert before == persistence.init()


def test_units_are_counted_apart(scored: Callable[..., Scores]) -> None:
    unit = np.array(["a", "b", "a", "b", "b"])
    flags = np.array([True, True, False, True, True])
    index = scored(np.zeros(5), unit=unit).index
    assert Persistence(2, 2).apply(flags, index).tolist() == [False, False, False, True, True]


def test_a_new_session_starts_afresh_unless_told_otherwise(scored: Callable[..., Scores]) -> None:
    index = scored(np.zeros(4), session=np.array(["s1", "s1", "s2", "s2"])).index
    flags = np.array([False, True, True, True])
    assert Persistence(2, 2).apply(flags, index).tolist() == [False, False, False, True]
    assert Persistence(2, 2, reset_on_session=False).apply(flags, index).tolist() == [False, False, True, True]


def chain(rng: np.random.Generator, count: int, rate: float, lag1: float) -> np.ndarray:
    """Stationary two-state chain with that rate and correlation of neighbours."""
    flags = np.zeros(count, bool)
    flags[0] = rng.random() < rate
    for i, u in enumerate(rng.random(count - 1)):
        flags[i + 1] = u < rate + lag1 * (flags[i] - rate)
    return flags


@pytest.mark.parametrize("lag1", [0.0, 0.5])
@pytest.mark.parametrize(("k", "n"), [(1, 1), (2, 3), (3, 5)])
def test_expected_rate_is_what_a_long_healthy_run_shows(k: int, n: int, lag1: float) -> None:
    rate, count, runs = 0.1, 2000, 30
    rng = np.random.default_rng(0)
    measured = [Persistence(k, n).apply(chain(rng, count, rate, lag1))[n:].mean() for _ in range(runs)]
    expected = Persistence(k, n).false_alarm_rate(rate, lag1)
    assert abs(np.mean(measured) - expected) < 4 * np.std(measured) / np.sqrt(runs)


def test_persistence_pays_and_correlation_takes_it_back() -> None:
    rates = [Persistence(2, 3).false_alarm_rate(0.01, lag1) for lag1 in (0.0, 0.2, 0.6, 0.99)]
    assert rates == sorted(rates)
    assert rates[0] < 0.0003
    assert 0.009 < rates[-1] < 0.01


def test_correlated_healthy_scores_are_warned_of(scored: Callable[..., Scores]) -> None:
    rng = np.random.default_rng(0)
    white = rng.normal(size=400)
    slow = np.convolve(rng.normal(size=409), np.ones(10), "valid")
    calm = Persistence(2, 3).expected_rate(scored(white), 0.01)
    assert calm.warning == ""
    assert calm.correlated == calm.independent == Persistence(2, 3).false_alarm_rate(0.01)
    warned = Persistence(2, 3).expected_rate(scored(slow), 0.01)
    assert 0.8 < warned.lag1 < 1
    assert warned.correlated > 20 * warned.independent
    assert "correlated" in warned.warning
    assert Persistence(1, 1).expected_rate(scored(slow), 0.01).warning == ""


def test_correlation_errs_on_the_safe_side_for_gaussian_scores() -> None:
    rng = np.random.default_rng(0)
    lag1, rate = 0.6, 0.02
    white = rng.normal(size=200_000)
    score = np.empty_like(white)
    score[0] = white[0]
    for i in range(1, len(white)):
        score[i] = lag1 * score[i - 1] + np.sqrt(1 - lag1**2) * white[i]
    flags = score > stats.norm.isf(rate)
    measured = Persistence(2, 2).apply(flags).mean()
    assert Persistence(2, 2).false_alarm_rate(rate) < measured < Persistence(2, 2).false_alarm_rate(rate, lag1)


def test_neighbours_are_of_one_unit_and_session(scored: Callable[..., Scores]) -> None:
    # neighbours in the table alternate between units, within each unit the scores rise
    unit = np.array(["a", "b"] * 30)
    value = np.where(unit == "a", np.arange(60.0), -np.arange(60.0))
    found = Persistence(2, 3).expected_rate(scored(value, unit=unit), 0.01)
    assert found.pairs == 58
    short = np.repeat(np.char.add("s", np.arange(15).astype(str)), 2)
    with pytest.raises(NotEnoughData, match="pairs of healthy cycles"):
        Persistence(2, 3).expected_rate(scored(np.arange(30.0), session=short), 0.01)


def test_follows_the_estimator_conventions() -> None:
    persistence = clone(Persistence(2, 3, reset_on_session=False))
    assert persistence.get_params() == {"k": 2, "n": 3, "reset_on_session": False}


@pytest.mark.parametrize(
    "call",
    [
        lambda: Persistence(0, 1).init(),
        lambda: Persistence(3, 2).apply(np.zeros(3, bool)),
        lambda: Persistence(2, 3).apply(np.zeros(3)),
        lambda: Persistence(2, 3).false_alarm_rate(1.5),
        lambda: Persistence(2, 3).false_alarm_rate(0.1, lag1=1.0),
    ],
)
def test_refuses_what_makes_no_sense(call: Callable[[], object]) -> None:
    with pytest.raises(UsageError):
        call()
