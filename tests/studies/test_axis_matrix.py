"""Every axis to every other: no ordered pair is missing, the target alone stands beside, gains are counted by pair."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from jointwatch.diagnosis._maps_view import MapsView
from jointwatch.diagnosis.axis_fault import AxisFaultClassifier
from jointwatch.reports.study import write_study
from jointwatch.studies import axis_matrix
from jointwatch.studies.axis_matrix import AxisMatrix

ORDERED = {(4, 6), (6, 4)}
OWN = {(4, 4), (6, 6)}
ALONE = {(0, 4), (0, 6)}


def test_every_ordered_pair_has_a_cell_and_the_study_resumes(
    small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = AxisMatrix.Options(**small, axes="4,6")
    results = AxisMatrix().run(options, tmp_path)
    cells: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for record in results.details["matrix"]:
        cells.setdefault((record["method"], record["split"]), []).append((record["source"], record["target"]))
        assert 0 <= record["mean"] <= 1
        assert not math.isfinite(record["low"]) or record["low"] <= record["mean"] <= record["high"]
    assert {key: set(own) for key, own in cells.items()} == {
        ("AD-CNN, transfer", "random"): ORDERED | OWN,
        ("AD-CNN, transfer", "unit"): ORDERED,
        ("AD-CNN, target alone", "random"): ALONE,
        ("AD-CNN, target alone", "unit"): ALONE,
        ("friction alone", "unit"): ALONE,
        ("friction carried, no labels", "unit"): ORDERED | OWN,
        ("friction carried", "unit"): ORDERED | OWN,
    }
    assert all(len(own) == len(set(own)) for own in cells.values())
    pairs = [row for row in results.rows if row.metric.endswith("pairs")]
    # two ordered pairs, two seeds
    assert {row.metric for row in pairs} == {f"{what} of 4 pairs" for what in ("wins", "losses", "ties")}
    for method, split in {(row.method, row.split) for row in pairs}:
        wins, losses, ties = (row.mean for row in pairs if (row.method, row.split) == (method, split))
        assert wins + losses + ties == 4
        assert min(wins, losses, ties) >= 0

    def refuse(*given: Any, **more: Any) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(MapsView, "fit", refuse)
    monkeypatch.setattr(AxisFaultClassifier, "fit", refuse)
    assert AxisMatrix().run(options, tmp_path).to_dict()["rows"] == results.to_dict()["rows"]
    stems = {path.stem for path in write_study(results, tmp_path / "report") if path.suffix == ".svg"}
    assert stems == {"matrix_network", "matrix_friction"}


def test_a_gain_is_counted_for_its_own_pair_and_seed(
    small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, wrong = [[2, 0], [0, 2]], [[0, 2], [0, 2]]

    def carried(view: int, target: Any, shares: Any, paper: Any, seed: int) -> dict[float, Any]:
        return {shares[0]: {"a": right if (view, seed) == (6, 1) else wrong}}

    def source(maps: Any, *more: Any) -> int:
        return int(maps.index.domain[0].removeprefix("axis"))

    monkeypatch.setattr(axis_matrix, "fitted", source)
    monkeypatch.setattr(axis_matrix, "judged", lambda *given: {"a": right})
    monkeypatch.setattr(axis_matrix, "carried", carried)
    monkeypatch.setattr(axis_matrix, "on_the_target_alone", lambda *given: {"a": wrong})
    results = AxisMatrix().run(AxisMatrix.Options(**small, axes="4,6", methods="network"), tmp_path)
    cells = {(r["source"], r["target"], r["split"]): r["mean"] for r in results.details["matrix"] if r["source"]}
    for split in ("random", "unit"):
        assert (cells[6, 4, split], cells[4, 6, split]) == (0.75, 0.5)
    assert cells[4, 4, "random"] == cells[6, 6, "random"] == 1.0
    counted = [(row.metric.split()[0], row.mean) for row in results.rows if row.metric.endswith("pairs")]
    assert counted == [("wins", 1), ("losses", 0), ("ties", 3)] * 2


def test_a_method_that_is_not_there_is_refused(small: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="network and friction"):
        AxisMatrix.Options(**small, methods="network,trees")


def test_amounts_are_those_of_axis_4_on_every_axis_unless_all_are_asked_for(small: dict[str, Any]) -> None:
    usual = {name: value for name, value in small.items() if name != "amounts"}
    assert AxisMatrix.Options(**usual).amounts == "few"
    assert AxisMatrix.Options(**small).amounts == "all"
    with pytest.raises(ValidationError):
        AxisMatrix.Options(**usual, amounts="published")
