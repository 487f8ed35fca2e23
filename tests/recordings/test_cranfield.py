"""States, loads and runs that no list names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jointwatch.core import Condition, Label
from jointwatch.recordings.cranfield import Cranfield

HEADER = "set_point,position_error,current,profile,load,run,fault_type,group,time"


def write(path: Path, parts: list[tuple[int, int]], groups: int = 3, rows: int = 20) -> Path:
    lines = [HEADER]
    for load, run in parts:
        for group in range(1, groups + 1):
            lines += [
                f"{20 + i},{0.1 * run},{0.01 * load},trap,{load},{run},0,{group},{0.04 * i:.2f}" for i in range(rows)
            ]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_every_load_and_run_is_a_recording_with_its_cycles(tmp_path: Path) -> None:
    path = write(tmp_path / "lackLubrication2.csv", [(20, 9), (20, 10), (-40, 9)])
    recordings = list(Cranfield().read(path))
    assert [(r.truth["load_kgf"], r.truth["run"]) for r in recordings] == [(20, 9), (20, 10), (-40, 9)]
    assert len({r.session for r in recordings}) == 3
    for recording in recordings:
        assert recording.condition == Condition(Label.ANOMALOUS, "lack_of_lubrication", 1, 1.0, 2)
        assert len(recording.cycles) == 3
        assert recording.breaks == (20, 40)
        np.testing.assert_allclose([c.stop_s - c.start_s for c in recording.cycles], 0.8)
        assert recording["position.commanded/1"][0] == pytest.approx(0.020)
        assert recording["position_error/1"][0] == pytest.approx(1e-4 * recording.truth["run"])


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("normal", Condition(Label.NORMAL, stage=0)),
        ("spalling8", Condition(Label.ANOMALOUS, "spalling", 1, 1.0, 8)),
        ("spalling_2", Condition(Label.ANOMALOUS, "spalling", 1, 0.25, 2)),
        ("backlash1", Condition(Label.ANOMALOUS, "backlash", 1, 0.5, 1)),
        ("something", Condition()),
        ("2018", Condition()),
    ],
)
def test_state_is_read_from_the_file_name(tmp_path: Path, stem: str, expected: Condition) -> None:
    (recording,) = Cranfield().read(write(tmp_path / f"{stem}.csv", [(20, 1)]))
    assert recording.condition == expected
    assert {cycle.condition for cycle in recording.cycles} == {expected}


def test_rows_that_belong_nowhere_are_counted_once(tmp_path: Path) -> None:
    path = write(tmp_path / "normal.csv", [(20, 1), (40, 1)])
    lines = path.read_text().splitlines()
    lines[5] = lines[5].replace("trap,20", "trap,")
    path.write_text("\n".join([*lines, "22.0,0.1"]))
    recordings = list(Cranfield().read(path))
    assert [r.quality.count("row_without_place") for r in recordings] == [2, 0]
    assert sum(r.quality.rows_read for r in recordings) == 2 * 60 - 1
