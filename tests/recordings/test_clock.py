"""The mended clock: strictly increasing, every row accounted for, good rows kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jointwatch.recordings._clock import mend_clock


def clean(rows: int = 100, rate: float = 100.0) -> np.ndarray:
    return 1000.0 + np.arange(rows) / rate


def mended(time_s: np.ndarray, suspect: np.ndarray | None = None):
    return mend_clock(time_s, np.zeros(len(time_s), bool) if suspect is None else suspect)


def test_good_clock_is_left_alone():
    clock = mended(clean())
    np.testing.assert_array_equal(clock.time_s, clean())
    assert clock.keep.tolist() == list(range(100))


def test_jitter_and_gaps_are_no_defect():
    rng = np.random.default_rng(0)
    steps = rng.exponential(0.01, 500)
    steps[[50, 200, 201]] += [5.0, 18720.0, 3.0]
    clock = mended(np.cumsum(steps))
    assert len(clock.keep) == 500


def test_lone_rows_between_gaps_are_kept():
    time_s = np.concatenate([np.arange(50.0), [200.0], 1000 + np.arange(50.0)])
    assert len(mended(time_s).keep) == 101


def test_short_last_stretch_after_a_long_gap_is_kept():
    time_s = np.concatenate([np.arange(50.0), 9000 + np.arange(5.0)])
    assert len(mended(time_s).keep) == 55


@pytest.mark.parametrize("value", [2.7e154, -0.12, 30.5, 0.0, 1e7])
@pytest.mark.parametrize("at", [0, 1, 40, 98, 99])
def test_one_stray_time_costs_one_row(value, at):
    time_s = clean()
    time_s[at] = value
    clock = mended(time_s)
    assert clock.corrupt == [at]
    assert clock.keep.tolist() == [i for i in range(100) if i != at]


def test_block_of_strays_costs_the_block():
    time_s = clean()
    time_s[1:10] = [-0.1231, 0.7932, 0, 2.7e154, -0.0323, 47.5563, 0, 0, 0]
    clock = mended(time_s)
    assert clock.corrupt == list(range(1, 10))
    assert clock.keep.tolist() == [0, *range(10, 100)]


def test_small_step_back_drops_only_the_overlap():
    time_s = clean()
    time_s[50:] -= 0.035
    clock = mended(time_s)
    assert clock.backwards == [50, 51, 52]
    assert not clock.restarts


def test_restart_keeps_every_row_and_the_step():
    time_s = np.concatenate([clean(60), clean(40), clean(30)])
    clock = mended(time_s)
    assert clock.restarts == [60, 100]
    assert len(clock.keep) == 130
    np.testing.assert_allclose(np.diff(clock.time_s), 0.01, rtol=1e-6)


def test_garbled_rows_have_no_say_but_stay_where_their_time_fits():
    time_s = clean()
    time_s[20] = 1e6
    suspect = np.zeros(100, bool)
    suspect[[20, 21]] = True
    clock = mended(time_s, suspect)
    assert clock.corrupt == [20]
    assert 21 in clock.keep


def test_clock_that_stands_still_keeps_one_row():
    clock = mended(np.full(50, 3.0))
    assert len(clock.keep) == 1
    assert len(clock.repeated) == 49


@given(
    damage=st.lists(
        st.tuples(st.integers(0, 79), st.one_of(st.floats(), st.floats(-10, 2000), st.just(float("nan")))), max_size=30
    ),
    suspects=st.sets(st.integers(0, 79), max_size=10),
)
@settings(max_examples=300, deadline=None)
def test_every_row_is_accounted_for_once(damage, suspects):
    time_s = clean(80)
    for at, value in damage:
        time_s[at] = value
    suspect = np.zeros(80, bool)
    suspect[list(suspects)] = True
    clock = mended(time_s, suspect)
    assert (np.diff(clock.time_s) > 0).all()
    fate = [*clock.keep, *clock.unreadable, *clock.corrupt, *clock.backwards, *clock.repeated]
    assert sorted(fate) == list(range(80))
    untouched = 80 - len({at for at, _ in damage})
    if len(damage) <= 5:
        assert len(clock.keep) >= untouched - 10
