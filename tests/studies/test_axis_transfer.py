"""The grid of transfer: nested shares of a target whose test units stay unseen, every cell with an interval."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jointwatch.diagnosis._maps_view import MapsView
from jointwatch.reports.study import write_study
from jointwatch.studies import axis_transfer
from jointwatch.studies._axes import FIGURES, Fleet
from jointwatch.studies._axis_carry import ALONE, FAMILY, share_of
from jointwatch.studies._folds import SPLITS
from jointwatch.studies.axis_transfer import AxisTransfer

SHARES = (0.25, 0.5, 1.0)


def test_shares_of_the_target_are_nested_and_of_what_they_say(small: dict[str, Any]) -> None:
    fleet = Fleet(small["data"], AxisTransfer.Options(**small))
    for split, seed in product(SPLITS.keys() - {"session"}, range(3)):
        halves = fleet.halves(4, split, seed)
        rows = [set(share_of(halves, share, seed).tolist()) for share in SHARES]
        assert rows[0] < rows[1] < rows[2] == set(range(len(halves.train)))
        for share, own in zip(SHARES, rows, strict=True):
            index = halves.train.index.take(np.array(sorted(own)))
            assert set(index.label) == {"normal", "anomalous"}
            if split == "unit":
                units = np.unique(index.unit)
                assert len(units) == round(share * 4)
                assert len(own) == np.isin(halves.train.index.unit, units).sum()
            else:
                for label in ("normal", "anomalous"):
                    there = (halves.train.index.label == label).sum()
                    assert (index.label == label).sum() == pytest.approx(share * there, abs=0.51)


def test_no_test_unit_of_the_target_is_learned_from(
    small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned: list[set[str]] = []
    tested: list[tuple[str, set[str]]] = []
    true_fit, true_adapt = MapsView.fit, MapsView.adapt

    def fit(view: MapsView, maps: Any, *more: Any) -> MapsView:
        learned.append(set(maps.index.unit.tolist()))
        return true_fit(view, maps, *more)

    def adapt(view: MapsView, maps: Any, *more: Any) -> MapsView:
        learned.append(set(maps.index.unit.tolist()))
        return true_adapt(view, maps, *more)

    def scores(of: str) -> Any:
        true = getattr(axis_transfer, of)

        def spied(view: Any, target: Any, *more: Any) -> Any:
            learned.clear()
            found = true(view, target, *more)
            tested.append((target.split, set(target.test.index.unit.tolist())))
            assert learned
            if target.split == "unit":
                assert all(not units & tested[-1][1] for units in learned)
            else:
                assert any(units & tested[-1][1] for units in learned)
            return found

        return spied

    monkeypatch.setattr(MapsView, "fit", fit)
    monkeypatch.setattr(MapsView, "adapt", adapt)
    for name in ("carried", "family"):
        monkeypatch.setattr(axis_transfer, name, scores(name))
    options = AxisTransfer.Options(**small | {"seeds": 1, "epochs": 1}, shares="100")
    AxisTransfer().run(options, tmp_path)
    assert [split for split, _ in tested] == ["random", "unit"] * 2
    assert all(unit.startswith("axis4") for _, units in tested for unit in units)


def test_the_grid_and_the_family_are_complete_and_the_study_resumes(
    small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = AxisTransfer.Options(**small, shares="50,100")
    results = AxisTransfer().run(options, tmp_path)
    grid = results.details["grid"]
    cells = [(r["method"], r["split"], r["source share"], r["target share"], r["metric"]) for r in grid]
    carried = set(product(["AD-CNN, transfer"], ["random", "unit"], [0.5, 1.0], [0.5, 1.0], FIGURES))
    alone = set(product([ALONE, "trees, target alone"], ["random", "unit"], [0.0], [0.5, 1.0], FIGURES))
    assert set(cells) == carried | alone
    assert len(cells) == len(carried | alone)
    family = results.details["family"]
    names = {"none", *(name.replace("_", " ") for name in FAMILY)}
    assert len(names) == 9
    assert {(r["method"], r["split"], r["metric"]) for r in family} == set(product(names, ["random", "unit"], FIGURES))
    for record in [*grid, *family]:
        assert math.isfinite(record["mean"])
        assert record["low"] <= record["mean"] <= record["high"]
    assert any(record["low"] < record["high"] for record in grid)

    pairs = [row for row in results.rows if row.metric.endswith("pairs")]
    assert {row.metric for row in pairs} == {f"{what} of 2 pairs" for what in ("wins", "losses", "ties")}
    for split, labels in product(("random", "unit"), ("50%", "100%")):
        own = [row for row in pairs if (row.split, row.labels) == (SPLITS[split], labels)]
        assert len(own) == 3
        assert sum(row.mean for row in own) == 2
        assert all(row.mean >= 0 for row in own)

    def refuse(*given: Any, **more: Any) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(MapsView, "fit", refuse)
    assert AxisTransfer().run(options, tmp_path).to_dict()["rows"] == results.to_dict()["rows"]
    stems = {path.stem for path in write_study(results, tmp_path / "report") if path.suffix == ".svg"}
    assert stems == {"transfer_random", "grid_random", "transfer_unit", "grid_unit", "fine_tuning"}


def test_a_quick_run_takes_the_least_the_middle_and_the_largest_share(
    small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = {"a": [[1, 0], [0, 1]], "b": [[1, 0], [1, 0]]}
    monkeypatch.setattr(axis_transfer, "fitted", lambda *given: None)
    monkeypatch.setattr(axis_transfer, "carried", lambda view, target, shares, *more: dict.fromkeys(shares, counts))
    monkeypatch.setattr(axis_transfer, "family", lambda *given: {"none": counts})
    monkeypatch.setattr(axis_transfer, "on_the_target_alone", lambda *given: counts)
    monkeypatch.setattr(axis_transfer, "trees_alone", lambda *given: counts)
    results = AxisTransfer().run(AxisTransfer.Options(**small, quick=True), tmp_path)
    grid = results.details["grid"]
    assert {r["source share"] for r in grid} == {0.0, 0.1, 0.5, 1.0}
    assert {r["target share"] for r in grid} == {0.1, 0.5, 1.0}
    assert {r["mean"] for r in grid if r["metric"] == "accuracy"} == {0.75}
    pairs = {(r.metric, r.mean) for r in results.rows if r.metric.endswith("pairs")}
    assert pairs == {("wins of 2 pairs", 0), ("losses of 2 pairs", 0), ("ties of 2 pairs", 2)}
