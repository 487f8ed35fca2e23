"""Scores against the share of the training data: shares are what they say, nested, and of whole units where due."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jointwatch.diagnosis._maps_view import MapsView
from jointwatch.reports.study import write_study
from jointwatch.studies import axis_alone
from jointwatch.studies._axes import FIGURES
from jointwatch.studies.axis_alone import AxisAlone

SHARES = (25, 50, 100)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Any]]:
    """(training maps, test maps) of every training of a study, in order; what is said is all worn."""
    seen: list[tuple[Any, Any]] = []

    def learned(train: Any, test: Any, training: Any, seed: int) -> dict[str, list[list[int]]]:
        seen.append((train, test))
        return {str(unit): [[0, 1], [0, 2]] for unit in np.unique(test.index.unit)}

    monkeypatch.setattr(axis_alone, "_learned", learned)
    return seen


def test_shares_are_respected_and_a_larger_one_holds_the_smaller(
    small: dict[str, Any], tmp_path: Path, trained: list[tuple[Any, Any]]
) -> None:
    results = AxisAlone().run(AxisAlone.Options(**small, shares="25,50,100"), tmp_path)
    assert len(trained) == 2 * 2 * len(SHARES)
    runs = [trained[first : first + len(SHARES)] for first in range(0, len(trained), len(SHARES))]
    for number, run in enumerate(runs):
        whole, test = run[-1]
        rows = [{map_.tobytes() for map_ in train.values} for train, _ in run]
        assert rows[0] < rows[1] < rows[2]
        assert all(other is test or np.array_equal(other.values, test.values) for _, other in run)
        for share, (train, _) in zip(SHARES, run, strict=True):
            if number < 2:  # random: maps, as many of each label as there are
                for label in ("normal", "anomalous"):
                    there = (whole.index.label == label).sum()
                    assert (train.index.label == label).sum() == pytest.approx(share / 100 * there, abs=0.51)
            else:
                units = np.unique(train.index.unit)
                assert len(units) == round(share / 100 * 4)
                assert len(train) == np.isin(whole.index.unit, units).sum()
                assert not np.isin(test.index.unit, units).any()
    labels = {(row.split, row.labels) for row in results.rows if row.split == "unit out"}
    assert labels == {("unit out", f"{units} units") for units in (1, 2, 4)}


def test_both_splits_have_all_figures_with_intervals_and_the_study_resumes(
    small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = AxisAlone.Options(**small, shares="50,100")
    results = AxisAlone().run(options, tmp_path)
    assert {row.metric for row in results.rows} == set(FIGURES)
    assert {row.split for row in results.rows} == {"random (optimistic)", "unit out"}
    assert len(results.rows) == 2 * 2 * len(FIGURES)
    assert all(math.isfinite(row.low) and row.low <= row.mean <= row.high for row in results.rows)
    assert all((row.source, row.target) == ("axis 4", "axis 4") for row in results.rows)

    def refuse(*given: Any, **more: Any) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(MapsView, "fit", refuse)
    assert AxisAlone().run(options, tmp_path).rows == results.rows
    stems = {path.stem for path in write_study(results, tmp_path / "report") if path.suffix == ".svg"}
    assert stems == {"alone"}
