"""Known rows are rejected at the stated rate or less, in every class; what is unknown is rejected far more often."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from jointwatch.alarms.rejection import Rejection
from jointwatch.bundle import load, save
from jointwatch.core.errors import NotEnoughData, UsageError

CENTRES = np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 6.0]])
SPREAD = np.array([0.5, 1.0, 2.0])
DRAWS = 3000


def rows(rng: np.random.Generator, label: np.ndarray) -> np.ndarray:
    """Evidence of rows of three clouds of unlike width: minus the distance to each centre."""
    points = CENTRES[label] + SPREAD[label, None] * rng.standard_normal((len(label), 2))
    return evidence(points)


def evidence(points: np.ndarray) -> np.ndarray:
    return -np.linalg.norm(points[:, None] - CENTRES, axis=2)


@pytest.mark.parametrize(("count", "rate"), [(19, 0.05), (30, 0.05), (60, 0.1)])
def test_known_rows_are_rejected_at_most_at_the_stated_rate_in_each_class(count: int, rate: float) -> None:
    rng, calibration = np.random.default_rng(0), np.repeat([0, 1, 2], count)
    rejected = np.zeros(3)
    for _ in range(DRAWS):
        rejection = Rejection(rate).fit(rows(rng, calibration), calibration)
        rejected += rejection.decide(rows(rng, np.arange(3)))  # one fresh row of each class
    assert (rejected <= stats.binom.ppf(0.999, DRAWS, rate)).all()
    # The widest cloud is nearest to no other, so it gets all that its n allows: the bound is reached.
    allowed = np.floor((count + 1) * rate + 1e-9) / (count + 1)
    assert rejected.max() >= 0.5 * stats.binom.ppf(0.001, DRAWS, allowed)


def test_the_rate_of_the_single_class_is_exact() -> None:
    rng = np.random.default_rng(0)
    draws = [Rejection(0.1).fit(rng.lognormal(size=(29, 1)), np.zeros(29, int)) for _ in range(DRAWS)]
    rejected = sum(int(each.decide(rng.lognormal(size=(1, 1)))[0]) for each in draws)
    assert stats.binom.ppf(0.0005, DRAWS, 0.1) <= rejected <= stats.binom.ppf(0.9995, DRAWS, 0.1)


@pytest.mark.parametrize("values", [1, 3])
def test_ties_count_against_the_rejection(values: int) -> None:
    rng = np.random.default_rng(0)
    draws = [Rejection(0.1).fit(rng.integers(values, size=(19, 1)), np.zeros(19, int)) for _ in range(DRAWS)]
    rejected = sum(int(each.decide(rng.integers(values, size=(1, 1)))[0]) for each in draws)
    assert rejected <= stats.binom.ppf(0.999, DRAWS, 0.1)


def test_an_unknown_class_is_rejected_far_more_often() -> None:
    rng, label = np.random.default_rng(0), np.repeat([0, 1, 2], 60)
    rejection = Rejection(0.05).fit(rows(rng, label), label)
    unknown = evidence(np.array([9.0, 9.0]) + rng.standard_normal((300, 2)))
    assert rejection.decide(unknown).mean() > 0.9
    known = rows(rng, np.repeat([0, 1, 2], 200))
    assert rejection.decide(known).mean() < 0.12
    found = rejection.classify(known)
    assert (found[found >= 0] == np.repeat([0, 1, 2], 200)[found >= 0]).mean() > 0.95


@given(count=st.integers(4, 60), percent=st.integers(2, 50), seed=st.integers(0, 10**6))
@settings(max_examples=80, deadline=None)
def test_p_values_by_hand(count: int, percent: int, seed: int) -> None:
    rate, rng = percent / 100, np.random.default_rng(seed)
    label = np.repeat([0, 1], count)
    known, fresh = (rng.integers(12, size=(n, 2)).astype(float) for n in (2 * count, 9))
    if 1 / (count + 1) > rate:  # the smallest p-value there is
        with pytest.raises(NotEnoughData):
            Rejection(rate).fit(known, label)
        return
    rejection = Rejection(rate).fit(known, label)
    expected = [
        [(1 + (known[label == c, c] <= row[c]).sum()) / (count + 1) for c in (0, 1)] for row in fresh
    ]  # fmt: skip
    np.testing.assert_allclose(rejection.p_value(fresh), expected)
    assert (rejection.decide(fresh) == (np.array(expected) <= rate + 1e-12).all(axis=1)).all()
    assert ((rejection.classify(fresh) == -1) == rejection.decide(fresh)).all()


def test_among_equal_p_values_the_evidence_decides() -> None:
    label = np.repeat([0, 1], 20)
    rejection = Rejection(0.05).fit(np.stack([np.arange(40.0), np.arange(40.0)[::-1]], axis=1), label)
    assert rejection.p_value(np.array([[90.0, 91.0]])).tolist() == [[1.0, 1.0]]
    assert rejection.classify(np.array([[90.0, 91.0], [91.0, 90.0]])).tolist() == [1, 0]


def test_too_few_rows_are_told_by_class() -> None:
    label = np.repeat([0, 1, 2], [19, 12, 30])
    with pytest.raises(NotEnoughData, match=r"at 5 %.*7 more held-out rows of class 1 .19 of each.*have 12") as caught:
        Rejection(0.05).fit(np.zeros((61, 3)), label)
    assert (caught.value.needed, caught.value.have) == (19, 12)
    with pytest.raises(NotEnoughData, match="class 1, 3") as caught:
        Rejection(0.05).fit(np.zeros((61, 4)), label)
    assert (caught.value.needed, caught.value.have) == (38, 12)
    Rejection(0.1).fit(np.zeros((61, 3)), label)


def test_refusals() -> None:
    label = np.repeat([0, 1], 20)
    for rate in (0.0, 1.0, -0.1, 3):
        with pytest.raises(UsageError, match="between 0 and 1"):
            Rejection(rate).fit(np.zeros((40, 2)), label)
    with pytest.raises(UsageError, match=r"\(row, class\)"):
        Rejection().fit(np.zeros(40), label)
    with pytest.raises(UsageError, match="row 3 is not finite"):
        Rejection().fit(np.where(np.arange(40)[:, None] == 3, np.nan, np.zeros((40, 2))), label)
    for wrong in (label[:5], label + 1, label - 1):
        with pytest.raises(UsageError, match="label from 0 to 1"):
            Rejection().fit(np.zeros((40, 2)), wrong)
    fitted = Rejection(0.05).fit(np.zeros((40, 2)), label)
    with pytest.raises(UsageError, match="2 classes, got 3"):
        fitted.decide(np.zeros((4, 3)))
    with pytest.raises(NotFittedError):
        clone(fitted).p_value(np.zeros((1, 2)))
    assert fitted.get_params() == {"rate": 0.05}
    assert fitted.classify(np.empty((0, 2))).shape == (0,)


def test_stored_and_loaded(tmp_path: object) -> None:
    rng, label = np.random.default_rng(0), np.repeat([0, 1, 2], 30)
    rejection, fresh = Rejection(0.05).fit(rows(rng, label), label), rows(rng, label)
    again = load(save(rejection, tmp_path))  # type: ignore[arg-type]
    assert np.array_equal(again.p_value(fresh), rejection.p_value(fresh))
    assert np.array_equal(again.classify(fresh), rejection.classify(fresh))
