"""The share of worn maps in training: it is what it says at one number of maps, and the test stays as it is."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jointwatch.core.errors import UsageError
from jointwatch.diagnosis._maps_view import MapsView
from jointwatch.reports.by_study.axis_imbalance import CAPTIONS
from jointwatch.reports.study import write_study
from jointwatch.studies import axis_imbalance
from jointwatch.studies._axes import Fleet, codes_of
from jointwatch.studies.axis_imbalance import AxisImbalance

COUNTS = {"a": [[3, 1], [0, 4]], "b": [[2, 2], [1, 3]]}


def test_training_has_the_share_and_always_the_same_number_of_maps(
    small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[Any, ...]] = []

    def learned(*given: Any) -> dict[str, Any]:
        seen.append(given)
        return {"source": COUNTS, "target": COUNTS}

    monkeypatch.setattr(axis_imbalance, "_learned", learned)
    shares = (0.5, 0.809, 0.95)
    results = AxisImbalance().run(AxisImbalance.Options(**small | {"seeds": 1}, worn="95,50,80.9"), tmp_path)
    assert len(seen) == 2 * 2 * len(shares)
    for split in (0, 1):
        own = seen[split * 6 : split * 6 + 6]
        (count,) = {len(train) for train, *_ in own}
        found = [codes_of(train).mean() for train, *_ in own]
        np.testing.assert_allclose(found, np.repeat(shares, 2), atol=0.51 / count)
        assert [training.balanced for *_, training, _ in own] == [False, True] * 3
        tests = [test.values for _, test, *_ in own]
        assert all(np.array_equal(tests[0], test) for test in tests)
        kept = {map_.tobytes() for map_ in tests[0]}
        assert not any(map_.tobytes() in kept for train, *_ in own for map_ in train.values)
        target = own[0][2]
        assert set(target.train.index.domain) == {"axis4"}
        if split == 1:
            assert not set(own[0][0].index.unit) & set(own[0][1].index.unit)
            assert not set(target.train.index.unit) & set(target.test.index.unit)
    assert {row.source for row in results.rows} == {f"axis 6, {s} % worn" for s in ("50", "80.9", "95")} | {"-"}


def test_as_many_maps_as_the_scarcer_label_allows() -> None:
    code = np.repeat([0, 1], [100, 400])
    assert axis_imbalance._common_size(code, (50.0, 95.0)) == 200
    assert axis_imbalance._common_size(code, (90.0, 95.0)) == 421
    few, many = (set(axis_imbalance._rows_with(code, share, 200, 0)[::1]) for share in (0.5, 0.95))
    assert len(few) == len(many) == 200
    assert sum(code[list(many)]) == 190
    assert {row for row in few if code[row]} < many


def test_what_accuracy_hides_is_said_and_the_study_resumes(
    small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = AxisImbalance.Options(**small, worn="50,90", target_share=50)
    results = AxisImbalance().run(options, tmp_path)
    figures = {row.metric for row in results.rows}
    assert {"accuracy", "balanced accuracy", "MCC", "false-alarm share"} < figures
    for split in ("random (optimistic)", "unit out"):
        for target in ("axis 6", "axis 4"):
            rows = [r for r in results.rows if (r.split, r.target) == (split, target) and r.method.startswith("AD-CNN")]
            assert len(rows) == 2 * 2 * len(figures)
            assert all(math.isfinite(row.low) and row.low <= row.mean <= row.high for row in rows)
        blind = {r.metric: r.mean for r in results.rows if (r.split, r.method) == (split, "every map called worn")}
        assert blind["accuracy"] > 0.6
        own = [r for r in results.details["figures"] if (r["split"], r["method"]) == (split, "every map called worn")]
        train = Fleet(options.data, options).halves(6, split.partition(" ")[0], 0).train
        assert own[0]["worn"] == pytest.approx(codes_of(train).mean(), abs=0.02)
        assert own[0]["worn"] < 0.75  # not the published 0.809
        assert (blind["balanced accuracy"], blind["MCC"], blind["false-alarm share"]) == (0.5, 0.0, 1.0)
        assert any(note.startswith(f"{split}, 50 -> 90 % worn") for note in results.notes)

    def refuse(*given: Any, **more: Any) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(MapsView, "fit", refuse)
    assert AxisImbalance().run(options, tmp_path).rows == results.rows
    stems = {path.stem for path in write_study(results, tmp_path / "report") if path.suffix == ".svg"}
    assert stems == set(CAPTIONS)
    with pytest.raises(UsageError, match="between 0 and 100"):
        AxisImbalance().run(AxisImbalance.Options(**small, worn="50,100"), tmp_path / "other")
