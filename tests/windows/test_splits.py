"""Splits: nothing that belongs together is on both sides, and no raw sample either."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator
from sklearn.model_selection import cross_validate

from jointwatch.core import Recording, Windows
from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.windows.sliding import sliding
from jointwatch.windows.splits import GroupSplit, RandomSplit, check_no_leak, groups_of, holdout

_GROUPS = ["cycle", "session", "unit", "domain"]


@pytest.fixture(scope="module")
def fleet(arm_recording: Callable[..., Recording]) -> Windows:
    """Overlapping windows of three units of two brands with two sessions each; session names repeat over units."""
    recordings = [
        arm_recording(seed=seed, cycles=3, unit=f"arm-{unit}", session=f"day-{day}", brand="ab"[unit % 2])
        for seed, (unit, day) in enumerate((u, d) for u in range(3) for d in range(2))
    ]
    return sliding(recordings, rate_hz=100.0, length=80, step=20)


def _raw_samples(windows: Windows) -> set[tuple[str, str, int]]:
    """Every raw sample that a window rests on, as unit, session and number."""
    index = windows.index
    return {
        (unit, session, sample)
        for unit, session, start, stop in zip(index.unit, index.session, index.start_s, index.stop_s, strict=True)
        for sample in range(round(start * 100), round(stop * 100))
    }


@pytest.mark.parametrize("by", _GROUPS)
@settings(max_examples=15, deadline=None)
@given(folds=st.sampled_from([None, 2]), seed=st.integers(0, 999), share=st.floats(0.05, 0.95))
def test_no_group_and_no_raw_sample_is_on_both_sides(
    fleet: Windows, by: str, folds: int | None, seed: int, share: float
) -> None:
    pairs = [(fleet[a], fleet[b]) for a, b in GroupSplit(by, folds, seed).split(fleet)]
    assert sum(len(test) for _, test in pairs) == len(fleet)
    for train, test in [*pairs[:3], holdout(fleet, by, share, seed)]:
        assert len(train) > 0
        assert len(test) > 0
        assert len(train) + len(test) == len(fleet)
        assert not set(groups_of(train, by)) & set(groups_of(test, by))
        assert not _raw_samples(train) & _raw_samples(test)
        check_no_leak(train, test, by)
        check_no_leak(train, test, "sample")


def test_a_unit_split_keeps_sessions_and_cycles_together_but_not_the_other_way(fleet: Windows) -> None:
    train, test = holdout(fleet, "unit", 0.3)
    for by in ("cycle", "session", "unit"):
        check_no_leak(train, test, by)
    train, test = holdout(fleet, "session", 0.3, seed=1)
    with pytest.raises(UsageError, match="unit 'arm-"):
        check_no_leak(train, test, "unit")


def test_the_random_split_leaks_and_is_caught(fleet: Windows) -> None:
    train, test = next(RandomSplit(folds=4, seed=0).split(fleet))
    assert _raw_samples(fleet[train]) & _raw_samples(fleet[test])
    with pytest.raises(UsageError, match="share raw samples of cycle"):
        check_no_leak(fleet[train], fleet[test], "sample")
    with pytest.raises(UsageError, match="and 2 more"):
        check_no_leak(fleet[train], fleet[test], "unit")


def test_sessions_of_two_units_are_two_groups(fleet: Windows) -> None:
    assert len(set(groups_of(fleet, "session"))) == 6
    assert GroupSplit("session").get_n_splits(fleet) == 6


def test_folds_are_complete_even_and_repeatable(fleet: Windows) -> None:
    split = GroupSplit("cycle", folds=4, seed=3)
    tests = [test for _, test in split.split(fleet)]
    assert np.array_equal(np.sort(np.concatenate(tests)), np.arange(len(fleet)))
    sizes = [len(test) for test in tests]
    assert max(sizes) - min(sizes) <= len(fleet) / 18  # one cycle
    assert all(np.array_equal(a, b) for a, (_, b) in zip(tests, split.split(fleet), strict=True))
    other = [test for _, test in GroupSplit("cycle", folds=4, seed=4).split(fleet)]
    assert not all(np.array_equal(a, b) for a, b in zip(tests, other, strict=True))


class _Seen(BaseEstimator):
    """Remembers the units it was fitted on; its score is the share of units it has not seen."""

    def fit(self, X: Windows, y: np.ndarray | None = None) -> _Seen:
        self.units_ = sorted(set(X.index.unit.tolist()))
        return self

    def score(self, X: Windows, y: np.ndarray | None = None) -> float:
        return float(np.mean(~np.isin(X.index.unit, self.units_)))


@pytest.mark.parametrize(
    ("split", "unseen"), [(GroupSplit("unit"), 1.0), (GroupSplit("unit", 2), 1.0), (RandomSplit(), 0.0)]
)
def test_scikit_learn_takes_them_with_windows(fleet: Windows, split: object, unseen: float) -> None:
    scores = cross_validate(_Seen(), fleet, cv=split)["test_score"]
    assert len(scores) == split.get_n_splits(fleet)
    assert set(scores.tolist()) == {unseen}


def test_groups_can_be_given_for_arrays() -> None:
    groups = np.array([1, 1, 2, 2, 3])
    found = [test.tolist() for _, test in GroupSplit("unit").split(np.zeros((5, 2)), groups=groups)]
    assert found == [[0, 1], [2, 3], [4]]
    with pytest.raises(UsageError, match="needs Windows"):
        next(GroupSplit("unit").split(np.zeros((5, 2))))


def test_too_few_groups_is_said(fleet: Windows) -> None:
    one = fleet[fleet.index.unit == "arm-0"]
    for attempt in (
        lambda: list(GroupSplit("unit").split(one)),
        lambda: list(GroupSplit("unit", folds=4).split(fleet)),
        lambda: holdout(one, "unit"),
        lambda: list(RandomSplit(folds=5).split(one[:3])),
    ):
        with pytest.raises(NotEnoughData):
            attempt()
    for wrong in (
        lambda: holdout(fleet, "unit", 1.0),
        lambda: groups_of(fleet, "joint"),
        lambda: list(GroupSplit(folds=1).split(fleet)),
    ):
        with pytest.raises(UsageError):
            wrong()
