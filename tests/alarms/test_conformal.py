from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from jointwatch.alarms.conformal import ConformalThreshold, cycles_to_alarm, cycles_to_prove
from jointwatch.core import Scores
from jointwatch.core.errors import NotEnoughData, UsageError

DRAWS = 4000


def false_alarms(draw: Callable[[np.random.Generator, int], np.ndarray], count: int, rate: float) -> int:
    """Of `DRAWS` calibration sets with one fresh healthy cycle each, how many raise a false alarm."""
    rng = np.random.default_rng(0)
    return sum(int(ConformalThreshold(rate).fit(draw(rng, count)).decide(draw(rng, 1))[0]) for _ in range(DRAWS))


@pytest.mark.parametrize(("count", "rate"), [(19, 0.05), (25, 0.05), (99, 0.01), (120, 0.1)])
def test_false_alarm_rate_is_the_stated_one(count: int, rate: float) -> None:
    alarms = false_alarms(lambda rng, n: rng.lognormal(0, 1.5, n), count, rate)
    exact = np.floor((count + 1) * rate + 1e-9) / (count + 1)  # what n allows, at most the stated rate
    assert exact <= rate + 1e-12
    low, high = stats.binom.interval(0.999, DRAWS, exact)
    assert low <= alarms <= high


@pytest.mark.parametrize("values", [1, 3, 40])
def test_ties_lower_the_false_alarm_rate_and_never_raise_it(values: int) -> None:
    alarms = false_alarms(lambda rng, n: rng.integers(values, size=n).astype(float), 39, 0.05)
    assert alarms <= stats.binom.ppf(0.999, DRAWS, 0.05)


def test_realised_rate_of_one_threshold_follows_its_law() -> None:
    rng = np.random.default_rng(0)
    rates = np.array([1 - ConformalThreshold(0.05).fit(rng.random(99)).threshold_ for _ in range(2000)])
    law = ConformalThreshold(0.05).fit(rng.random(99)).realised_rate(confidence=0.9)
    assert law.expected == pytest.approx(0.05)
    assert law.low < 0.05 < law.high
    outside = (rates < law.low) | (rates > law.high)
    assert stats.binomtest(int(outside.sum()), len(rates), 0.1).pvalue > 0.001
    assert "stated 5.000% per cycle, from 99 healthy cycles; realised between" in str(law)


def test_ninety_nine_cycles_can_alarm_at_one_percent_and_ninety_eight_cannot() -> None:
    scores = np.arange(99.0)
    threshold = ConformalThreshold(0.01).fit(scores)
    assert threshold.threshold_ == 98.0
    assert threshold.calibration_cycles_ == 99
    assert threshold.p_value(np.array([98.5])).tolist() == [0.01]
    assert threshold.decide(np.array([98.0, 98.5])).tolist() == [False, True]
    with pytest.raises(NotEnoughData, match="1 more healthy cycles") as caught:
        ConformalThreshold(0.01).fit(scores[:98])
    assert (caught.value.needed, caught.value.have, caught.value.unit) == (99, 98, "healthy cycles")


@given(count=st.integers(1, 400), percent=st.integers(1, 60), seed=st.integers(0, 10**6))
@settings(max_examples=150, deadline=None)
def test_alarm_is_a_p_value_of_at_most_alpha(count: int, percent: int, seed: int) -> None:
    rate = percent / 100
    rng = np.random.default_rng(seed)
    healthy, test = rng.integers(30, size=count).astype(float), np.arange(-1.0, 32.0)
    if count < cycles_to_alarm(rate):
        with pytest.raises(NotEnoughData):
            ConformalThreshold(rate).fit(healthy)
        # honest: even a score above all others would have had too large a p-value
        assert 1 / (count + 1) > rate
        return
    threshold = ConformalThreshold(rate).fit(healthy)
    p_values = threshold.p_value(test)
    by_hand = np.array([(1 + (healthy >= score).sum()) / (count + 1) for score in test])
    np.testing.assert_allclose(p_values, by_hand)
    np.testing.assert_array_equal(threshold.decide(test), p_values <= rate + 1e-12)
    rank = int(np.ceil(round((count + 1) * (1 - rate), 9)))
    assert threshold.threshold_ == np.sort(healthy)[rank - 1]


def test_windows_are_decided_by_cycle(scored: Callable[..., Scores]) -> None:
    value = np.arange(60.0)
    cycle = np.char.add("c", (np.arange(60) // 3).astype(str))  # three windows a cycle
    threshold = ConformalThreshold(0.05).fit(scored(value, cycle=cycle))
    assert threshold.calibration_cycles_ == 20
    assert threshold.threshold_ == 59.0
    assert threshold.decide(scored(np.array([1.0, 60.0, 2.0]), cycle=np.array(["a", "a", "b"]))).tolist() == [
        True,
        False,
    ]


@pytest.mark.parametrize("label", ["anomalous", "uncertain"])
def test_cycles_that_are_not_normal_do_not_calibrate(label: str, scored: Callable[..., Scores]) -> None:
    labels = np.full(30, "normal", dtype="<U10")
    labels[7] = label
    with pytest.raises(UsageError, match=f"1 of 30 cycles are not labelled normal, the first c7 .{label}."):
        ConformalThreshold(0.05).fit(scored(np.arange(30.0), label=labels))


def test_cycles_to_prove_a_rate_alone_and_with_a_recall() -> None:
    assert cycles_to_prove(0.01) == 299
    assert cycles_to_prove(0.01, claims=2) == 368
    assert cycles_to_prove(0.10, claims=2) == 36
    for alarms in (0, 1, 5):
        needed = cycles_to_prove(0.01, alarms=alarms)
        assert stats.binom.cdf(alarms, needed, 0.01) <= 0.05 < stats.binom.cdf(alarms, needed - 1, 0.01)


def test_confirmation_on_fresh_cycles() -> None:
    threshold = ConformalThreshold(0.01).fit(np.arange(99.0))
    clean = threshold.confirm(np.zeros(299))
    assert (clean.alarms, clean.rate, clean.proven, clean.further_cycles) == (0, 0.0, True, 0)
    assert threshold.confirm(np.zeros(298)).further_cycles == 1
    assert threshold.confirm(np.zeros(299), claims=2).further_cycles == 69
    one = threshold.confirm(np.r_[np.zeros(298), 1e3])
    assert (one.alarms, one.proven) == (1, False)
    assert one.further_cycles == cycles_to_prove(0.01, alarms=1) - 299
    # the Clopper-Pearson interval by its definition
    assert stats.binom.sf(0, 299, one.low) == pytest.approx(0.025)
    assert stats.binom.cdf(1, 299, one.high) == pytest.approx(0.025)
    assert "1 false alarms in 299 healthy cycles" in str(one)
    assert "not proven" in str(one)
    with pytest.raises(NotEnoughData, match="fresh healthy cycles"):
        threshold.confirm(np.empty(0))


def test_follows_the_estimator_conventions() -> None:
    threshold = ConformalThreshold(0.05)
    assert threshold.get_params() == {"false_alarm_rate": 0.05}
    with pytest.raises(NotFittedError):
        threshold.decide(np.zeros(1))
    fitted = threshold.fit(np.arange(50.0))
    assert not hasattr(clone(fitted), "threshold_")


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, 5])
def test_refuses_a_rate_that_is_none(rate: float) -> None:
    with pytest.raises(UsageError, match="between 0 and 1"):
        ConformalThreshold(rate).fit(np.arange(200.0))


@pytest.mark.parametrize("bad", [np.array([1.0, np.nan]), np.zeros((3, 2))])
def test_refuses_scores_that_are_none(bad: np.ndarray) -> None:
    with pytest.raises(UsageError, match=r"finite|one-dimensional"):
        ConformalThreshold(0.5).fit(bad)
