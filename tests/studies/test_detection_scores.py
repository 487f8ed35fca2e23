"""Figures of a detector: against hand-worked cases, brute force and what ties must not decide."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, roc_curve

from jointwatch.core.errors import UsageError
from jointwatch.studies._detection_scores import (
    f1_at,
    false_positive_rate,
    localised,
    precision_at_k,
    recall_at_rate,
)

CASES = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=30)


@given(CASES, st.integers(1, 40), st.integers(0, 2**31))
def test_precision_at_k_is_the_mean_over_all_orders_of_ties(rows: list[tuple[int, bool]], k: int, seed: int) -> None:
    score, truth = (np.array(column) for column in zip(*rows, strict=True))
    order = np.random.default_rng(seed).permutation(len(score))
    value = precision_at_k(score, truth, k)
    assert value == pytest.approx(precision_at_k(score[order], truth[order], k))
    assert 0 <= value <= 1
    if len(set(score.tolist())) == len(score):
        best = np.argsort(-score)[:k]
        assert value == pytest.approx(truth[best].mean())


def test_precision_at_k_of_ties_is_their_share() -> None:
    assert precision_at_k(np.array([5, 1, 1, 1, 1]), np.array([True, True, False, False, False]), 3) == pytest.approx(
        0.5
    )
    assert precision_at_k(np.zeros(4), np.array([True, False, False, False]), 1) == 0.25
    assert precision_at_k(np.array([2.0, 1.0]), np.array([True, False]), 10) == 0.5


@given(CASES, st.floats(0, 1))
def test_recall_at_rate_is_the_highest_point_of_the_roc_curve_at_that_rate(
    rows: list[tuple[int, bool]], rate: float
) -> None:
    score, truth = (np.array(column) for column in zip(*rows, strict=True))
    value = recall_at_rate(score, truth, rate)
    if truth.all() or not truth.any():
        assert math.isnan(value)
        return
    false, right, _ = roc_curve(truth, score, drop_intermediate=False)
    assert value == pytest.approx(right[false <= rate + 1e-9].max())


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_f1_and_false_positive_rate_agree_with_scikit_learn(rows: list[tuple[bool, bool]]) -> None:
    flag, truth = (np.array(column) for column in zip(*rows, strict=True))
    if truth.any():
        assert f1_at(flag, truth) == pytest.approx(f1_score(truth, flag, zero_division=0.0))
    else:
        assert math.isnan(f1_at(flag, truth))
    if truth.all():
        assert math.isnan(false_positive_rate(flag, truth))
    else:
        assert false_positive_rate(flag, truth) == pytest.approx((flag & ~truth).sum() / (~truth).sum())


def test_a_method_that_cannot_say_localises_as_well_as_chance() -> None:
    joint = np.array([1, 2, 3, 4, 0])
    assert localised(np.zeros((5, 4)), joint) == 0.25
    assert localised(np.eye(4)[[0, 1, 2, 3, 0]], joint) == 1.0
    assert localised(np.eye(4)[[1, 2, 3, 0, 0]], joint) == 0.0
    assert math.isnan(localised(np.zeros((1, 4)), np.array([0])))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="one value a row"):
        f1_at(np.zeros(3), np.zeros(2))
    with pytest.raises(UsageError, match="at least 1"):
        precision_at_k(np.zeros(3), np.zeros(3), 0)
    with pytest.raises(UsageError, match="joint 3"):
        localised(np.zeros((1, 2)), np.array([3]))
