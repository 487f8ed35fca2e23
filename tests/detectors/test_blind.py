"""Random score and duration only: what they look at, and what not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from jointwatch.core import Windows
from jointwatch.core.errors import UsageError
from jointwatch.detectors.duration import Duration
from jointwatch.detectors.random_score import RandomScore

VALUES = np.random.default_rng(0).standard_normal((500, 2, 10))


def test_random_scores_are_uniform_and_independent_of_size() -> None:
    scores = RandomScore().fit(VALUES).score_samples(VALUES)
    assert stats.kstest(scores, "uniform").pvalue > 0.01
    assert abs(stats.spearmanr(scores, np.abs(VALUES).mean(axis=(1, 2))).statistic) < 0.15


def test_random_scores_of_two_seeds_have_nothing_in_common() -> None:
    one, two = (RandomScore(random_state=seed).fit(VALUES).score_samples(VALUES) for seed in (0, 1))
    assert abs(stats.spearmanr(one, two).statistic) < 0.15


def test_duration_sees_longer_and_shorter_cycles_only(as_cycles: Callable[..., Windows]) -> None:
    detector = Duration().fit(as_cycles(VALUES[:50]))
    assert detector.median_s_ == pytest.approx(2.0)
    test = as_cycles(1e3 * VALUES[:3], cycle_s=np.array([2.0, 2.0 * np.e, 2.0 / np.e]))
    np.testing.assert_allclose(detector.score_samples(test), [0, 1, 1], atol=1e-9)


def test_duration_counts_a_cycle_of_many_windows_once(as_cycles: Callable[..., Windows]) -> None:
    cycle = np.array(["long"] * 7 + ["a", "b", "c"])
    train = as_cycles(VALUES[:10], cycle=cycle, cycle_s=np.array([9.0] * 7 + [2.0] * 3))
    assert Duration().fit(train).median_s_ == pytest.approx(2.0)


def test_duration_refuses_a_cycle_without_one(as_cycles: Callable[..., Windows]) -> None:
    with pytest.raises(UsageError, match="cycle c1 has a duration of nan s"):
        Duration().fit(as_cycles(VALUES[:3], cycle_s=np.array([2.0, np.nan, 2.0])))
