"""Samples a block and blocks a map: alike in the number of maps, what is too long is left out and counted."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jointwatch.diagnosis._maps_view import MapsView
from jointwatch.reports.by_study.axis_settings import CAPTIONS, settings_figure
from jointwatch.reports.study import write_study
from jointwatch.studies import axis_settings
from jointwatch.studies._axes import FIGURES, Fleet
from jointwatch.studies.axis_settings import AxisSettings

SESSIONS = 20


def test_settings_have_about_as_many_maps_each(
    small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def learned(halves: Any, training: Any, seed: int) -> dict[str, list[list[int]]]:
        seen.append(halves)
        return {"a": [[3, 1], [0, 4]], "b": [[2, 2], [1, 3]]}

    monkeypatch.setattr(axis_settings, "_learned", learned)
    options = AxisSettings.Options(**small | {"seeds": 1, "stride": 4}, blocks="3,5,10", lengths="4,8")
    results = AxisSettings().run(options, tmp_path)
    assert len(seen) == 2 * 6
    shapes = [(halves.train.shape[2], round(25 / halves.train.rate_hz)) for halves in seen]
    assert shapes == [(length, block) for block in (3, 5, 10) for length in (4, 8)] * 2
    for split, reference in (("random", seen[3]), ("unit", seen[9])):
        assert reference.train.shape[2] == 8
        for halves in (each for each in seen if each.split == split):
            wanted, found = (len(each.train) + len(each.test) for each in (reference, halves))
            assert abs(found - wanted) <= 2 * SESSIONS  # a stride is a whole number of blocks
            if split == "unit":
                assert not set(halves.train.index.unit) & set(halves.test.index.unit)
    strides = {(r["split"], r["S1"], r["N_t"]): r["S2"] for r in results.details["figures"]}
    fleet = Fleet(options.data, options)
    for (split, block, length), stride in strides.items():
        wanted = len(seen[3 if split.startswith("random") else 9].train) / 0.8
        near, *others = (
            abs(len(fleet.maps(fleet.recordings(4), 4, step=block, length=length, stride=each)) - wanted)
            for each in (stride, max(1, stride - 1), stride + 1)
        )
        assert near <= min(others)
    assert strides["random (optimistic)", 5, 8] == 4
    assert strides["unit out", 5, 8] == 16
    assert strides["random (optimistic)", 3, 8] > strides["random (optimistic)", 10, 8]


def test_maps_longer_than_a_session_are_left_out_and_counted_and_the_study_resumes(
    small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = AxisSettings.Options(**small, blocks="5,25", lengths="4,8")
    results = AxisSettings().run(options, tmp_path)
    note = f"S1 = 25, N_t = 8: {SESSIONS} of {SESSIONS} sessions are shorter than a map and left out"
    assert note in results.notes
    methods = {row.method for row in results.rows}
    assert methods == {f"AD-CNN, S1 = {a}, N_t = {b}" for a, b in ((5, 4), (5, 8), (25, 4))}
    assert len(results.rows) == 2 * 3 * len(FIGURES)
    assert all(math.isfinite(row.low) and row.low <= row.mean <= row.high for row in results.rows)
    records = results.details["figures"]
    (absent, _) = (record for record in records if (record["S1"], record["N_t"]) == (25, 8))
    assert (absent["maps to train"], absent["sessions left out"], absent["S2"]) == (0.0, SESSIONS, 0)

    def refuse(*given: Any, **more: Any) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(MapsView, "fit", refuse)
    assert AxisSettings().run(options, tmp_path).rows == results.rows
    stems = {path.stem for path in write_study(results, tmp_path / "report") if path.suffix == ".svg"}
    assert stems == set(CAPTIONS)
    figure = settings_figure(records, "MCC")
    assert [axis.get_title(loc="left") for axis in figure.axes[:2]] == ["random (optimistic)", "unit out"]
    assert [text.get_text() for text in figure.axes[1].texts].count("–") == 1
    found = np.ma.getmaskarray(figure.axes[0].images[0].get_array())
    assert found.tolist() == [[False, False], [False, True]]
