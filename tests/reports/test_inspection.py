"""Inspection: complete, streaming, legible at 80 columns, and safe to put into JSON and HTML."""

from __future__ import annotations

import gc
import io
import json
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from jointwatch.core import Action, Channel, QualityIssue, QualityReport, Quantity, Recording
from jointwatch.recordings import read
from jointwatch.recordings.parquet import Parquet
from jointwatch.reports.console import channel_rows, print_inspection
from jointwatch.reports.html import render_inspection
from jointwatch.reports.inspection import Inspection


@pytest.fixture
def fleet(arm_recording: Callable[..., Recording]) -> Callable[[int], Iterator[Recording]]:
    """fleet(n): n recordings one after the other, every fourth with issues, the first with lost samples."""

    def make(count: int) -> Iterator[Recording]:
        for i in range(count):
            recording = arm_recording(
                seed=i, cycles=2, unit=f"arm-{i % 3}", session=f"s{i}", faulty=(1,) if i % 2 else ()
            )
            values = recording.values.copy()
            values[0, :4] = np.nan if i == 0 else values[0, :4]
            issues = (
                QualityIssue("corrupt_row", i + 1, Action.BLANKED, rows=(3, 9), detail="values up to 2.7e+154"),
                QualityIssue("gap", 1, Action.KEPT, remedy="look at the logger"),
            )
            quality = QualityReport(400, issues if i % 4 == 0 else ())
            yield replace(recording, values=values, quality=quality, source=f"/data/set/run_{i}.csv")

    return make


def _printed(inspection: Inspection, width: int) -> list[str]:
    out = io.StringIO()
    print_inspection(inspection, Console(file=out, width=width, force_terminal=False, color_system=None))
    return out.getvalue().splitlines()


def test_what_is_there_is_counted(fleet: Callable[[int], Iterator[Recording]]) -> None:
    found = Inspection.of(fleet(6))
    (robot,) = found.robots
    assert (robot.name, robot.recordings, robot.sessions, robot.cycles) == ("demo arm", 6, 6, 12)
    assert robot.units == ("arm-0", "arm-1", "arm-2")
    assert robot.rates_hz == (100.0,)
    assert robot.labels == {"normal": 9, "anomalous": 3}
    assert robot.faults == {"friction": 3}
    position = next(channel for channel in robot.channels if channel.key == "position/1")
    assert (position.unit, position.lost, position.recordings, position.constant) == ("rad", 4, 6, False)
    assert position.low == pytest.approx(-1, abs=1e-2)
    assert position.high == pytest.approx(1, abs=1e-2)
    assert position.samples == 6 * 400


def test_issues_are_grouped_by_kind_worst_first(fleet: Callable[[int], Iterator[Recording]]) -> None:
    corrupt, gap = Inspection.of(fleet(9)).issues
    assert (corrupt.kind, corrupt.count, corrupt.files, corrupt.rows_read) == ("corrupt_row", 1 + 5 + 9, 3, 1200)
    assert corrupt.examples[0].source.endswith("run_8.csv")
    assert (gap.kind, gap.count, gap.remedy) == ("gap", 3, "look at the logger")


def test_recordings_are_read_one_at_a_time(fleet: Callable[[int], Iterator[Recording]]) -> None:
    seen: list[weakref.ref[Recording]] = []
    alive: list[int] = []

    def watched() -> Iterator[Recording]:
        for recording in fleet(6):
            seen.append(weakref.ref(recording))
            yield recording
            del recording
            gc.collect()
            alive.append(sum(ref() is not None for ref in seen))

    assert len(Inspection.of(watched()).recordings) == 6
    assert max(alive) <= 2


def test_files_that_were_passed_over_or_failed_are_named(
    fleet: Callable[[int], Iterator[Recording]], tmp_path: Path
) -> None:
    Parquet.write(next(fleet(1)), tmp_path / "good.parquet")
    (tmp_path / "notes.txt").write_text("gripper changed")
    (tmp_path / "run.parquet").write_bytes((tmp_path / "good.parquet").read_bytes()[:200])
    found = Inspection.of(read(tmp_path))
    assert [Path(file).name for file, _ in found.ignored] == ["notes.txt"]
    assert [Path(file).name for file, _ in found.failed] == ["run.parquet"]
    text = " ".join(" ".join(_printed(found, 200)).split())
    assert "run.parquet" in text
    assert "notes.txt" in text


def test_json_has_no_nan_and_holds_everything(arm_recording: Callable[..., Recording]) -> None:
    recording = arm_recording(cycles=2)
    values = recording.values.copy()
    values[0] = np.nan
    content = json.loads(json.dumps(Inspection.of([replace(recording, values=values)]).to_dict(), allow_nan=False))
    assert content["robots"][0]["channels"][0]["low"] is None
    assert {"robots", "recordings", "issues", "diagnosability", "ignored", "failed"} == set(content)
    assert {row["verdict"] for row in content["diagnosability"]} == {"yes", "partly", "no"}


@pytest.mark.parametrize("width", [80, 120])
def test_big_sets_are_summarised_and_fit_the_terminal(fleet: Callable[[int], Iterator[Recording]], width: int) -> None:
    lines = _printed(Inspection.of(fleet(138)), width)
    assert max(len(line) for line in lines) <= width
    text = " ".join(" ".join(lines).split())
    assert text.startswith("138 recordings")
    assert len(lines) < 200
    for wanted in ("motor current", "corrupt rows", "run_136.csv", "Backlash", "no gear ratio is given", "temperature"):
        assert wanted in text, wanted


def test_nothing_at_all_is_said_plainly() -> None:
    found = Inspection.of([], failed=[("a.csv", "a.csv: the file is empty")])
    assert _printed(found, 80)[0].startswith("0 recordings")
    assert "could not be read" in render_inspection(found)


def test_the_page_is_self_contained_and_escapes_names(
    arm_recording: Callable[..., Recording], parse_html: Callable[[str], Any]
) -> None:
    evil = "<script>alert(1)</script>"
    recording = arm_recording(cycles=2, unit=evil, brand=evil)
    quality = QualityReport(4, (QualityIssue("odd_<b>", 1, Action.KEPT, detail=evil, remedy=evil),))
    page_text = render_inspection(
        Inspection.of([replace(recording, quality=quality, source=evil)], failed=[(evil, evil)])
    )
    page = parse_html(page_text)
    assert not page.having("script")
    assert evil in page.text
    assert "://" not in page_text
    assert page.having("meta", name="viewport")


def test_currents_of_the_robot_are_not_mixed_with_those_of_its_motors(arm_recording: Callable[..., Recording]) -> None:
    recording = arm_recording(cycles=2)
    supply = Channel(Quantity.CURRENT, component="supply")
    recording = recording.with_channels([supply], np.full((1, len(recording.time_s)), 40.0))
    rows = {row[0]: row for row in channel_rows(Inspection.of([recording]).robots[0])}
    assert rows["motor current"][1] == "1, 2"
    assert "40" not in rows["motor current"][2]
    assert rows["current (supply)"][1:3] == ("robot", "40 A")
