"""Loads as domains: pairs are those that are there and asked for, training runs are the first ones of a load."""

from __future__ import annotations

import numpy as np
import pytest

from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.studies._loads import first_runs, load_pairs, loads_judged

LOADS = [-40.0, 20.0, 40.0]


def test_pairs_are_ordered_and_those_asked_for() -> None:
    assert len(load_pairs(LOADS, None, None, "runs")) == 6
    assert load_pairs(LOADS, 40.0, None, "runs") == [(40.0, -40.0), (40.0, 20.0)]
    assert load_pairs(LOADS, None, 20.0, "runs") == [(-40.0, 20.0), (40.0, 20.0)]
    assert load_pairs(LOADS, 20.0, 20.0, "runs") == []
    with pytest.raises(UsageError, match=r"no load \+60 kgf with runs; there are -40 kgf, \+20 kgf, \+40 kgf"):
        load_pairs(LOADS, 60.0, 20.0, "runs")


def test_loads_judged_are_those_of_pairs_else_the_source_else_all() -> None:
    assert loads_judged(LOADS, [(40.0, 20.0)], None, "runs") == [20.0, 40.0]
    assert loads_judged(LOADS, [], 20.0, "runs") == [20.0]
    assert loads_judged(LOADS, [], None, "runs") == LOADS
    with pytest.raises(NotEnoughData, match="loads with runs"):
        loads_judged([], [], None, "runs")


def test_first_runs_are_by_number_at_that_load_and_leave_one() -> None:
    load = np.repeat([20.0, 40.0], 4)
    run = np.array([7, 3, 5, 3, 1, 2, 3, 4])
    assert first_runs(load, run, 20.0, 2).tolist() == [False, True, True, True, False, False, False, False]
    assert first_runs(load, run, 20.0, 9).tolist() == [False, True, True, True, False, False, False, False]
    with pytest.raises(NotEnoughData, match=r"at \+40 kgf: 1 more runs .have 2, need 3"):
        first_runs(load[:6], run[:6], 40.0, 2)
