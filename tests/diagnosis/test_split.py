"""What is held out for calibration is whole units, or whole sessions of one unit."""

from __future__ import annotations

import numpy as np
import pytest

from jointwatch.core import Index
from jointwatch.diagnosis._split import cluster_of, clusters, folds, held_out_units


def index_of(units: int, sessions: int, cycles: int = 3) -> tuple[Index, np.ndarray]:
    """Sessions of a unit are healthy and faulty in turn; and the classes."""
    rows = [(u, s) for u in range(units) for s in range(sessions) for _ in range(cycles)]
    unit = np.array([f"u{u}" for u, _ in rows])
    session = np.array([f"s{s}" for _, s in rows])
    code = np.array([s % 2 for _, s in rows])
    zero = np.zeros(len(rows))
    label = np.where(code == 1, "anomalous", "normal")
    cycle = np.array([f"c{i}" for i in range(len(rows))])
    return Index(unit, session, cycle, unit, zero, zero + 1, zero, zero, label, unit, zero, zero), code


@pytest.mark.parametrize("units", [1, 2, 10])
def test_clusters_stay_whole_and_classes_are_on_both_sides(units: int) -> None:
    index, code = index_of(units, 10)
    assert cluster_of(index) == ("session" if units == 1 else "unit")
    names = clusters(index, cluster_of(index))
    for seed in range(4):
        parts = folds(index, code, 5, seed)
        assert (np.sum(parts, axis=0) == 1).all()
        assert len(parts) == min(5, len(np.unique(names)))
        for held in [held_out_units(index, code, 0.2, seed), *parts]:
            assert not set(names[held]) & set(names[~held])
            assert held.any()
            assert set(code[~held]) == {0, 1}
        assert set(code[held_out_units(index, code, 0.2, seed)]) == {0, 1}
    assert held_out_units(index, code, 0.2, 0).mean() == pytest.approx(0.5 if units == 2 else 0.2)


def test_seeds_differ_and_repeat() -> None:
    index, code = index_of(10, 4)
    held = [tuple(held_out_units(index, code, 0.2, seed)) for seed in (0, 0, 1, 2, 3)]
    assert held[0] == held[1]
    assert len(set(held)) > 2


def test_units_of_one_class_each_are_dealt_evenly() -> None:
    index, _ = index_of(10, 1)
    code = np.repeat(np.arange(10) % 2, 3)
    for fold in folds(index, code, 5, 0):
        assert set(code[fold]) == {0, 1}


def test_nothing_is_held_out_where_a_class_would_be_missing() -> None:
    index, code = index_of(1, 2)
    assert not held_out_units(index, code, 0.2, 0).any()
    assert not held_out_units(index, code, 0.0, 0).any()
    one, code = index_of(1, 1)
    assert folds(one, code, 5, 0) == []
    assert not held_out_units(one.take(slice(0)), code[:0], 0.2, 0).any()
