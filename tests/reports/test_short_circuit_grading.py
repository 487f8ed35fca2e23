"""Figures of the short-circuit study show their records."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jointwatch.reports.by_study.short_circuit_grading import (
    CAPTIONS,
    blocks,
    confused_figure,
    figures,
    plane_figure,
    severities_figure,
)
from jointwatch.studies._short_circuit_methods import ACROSS_OURS, INSIDE_OURS, NAIVE
from jointwatch.studies.base import Results, Row

STRICT = "one phase and one repetition out"
CELLS = [
    {"split": "one repetition out", "method": INSIDE_OURS.name, "true": t, "said": s, "count": n}
    for t, s, n in (("healthy", "healthy", 5.0), ("B10", "B10", 3.0), ("B10", "healthy", 2.0))
]
GRADES = [
    {"split": STRICT, "method": method, "target": "phase A", "true": t, "said": s, "count": n}
    for method, share in ((NAIVE.name, 1.0), (ACROSS_OURS.name, 3.0))
    for t, s, n in (("0", "0", 4.0), ("1", "1", share), ("1", "0", 4.0 - share))
]
POINTS = [
    {
        "recording": name,
        "phase": phase,
        "severity": severity,
        **{f"{what}_{part}_a": x for what in ("negative", "change", "turned") for part in ("real", "imaginary")},
    }
    for name, phase, severity, x in (("h", "", 0, 0.0), ("a", "A", 1, 0.3), ("b", "B", 4, -0.9))
]


def test_healthy_comes_first_among_the_confused_states() -> None:
    axis = confused_figure(CELLS).axes[0]
    assert [tick.get_text() for tick in axis.get_yticklabels()] == ["healthy", "B10"]
    assert [text.get_text() for text in axis.texts] == ["100 %", "5", "40 %", "2", "60 %", "3"]


def test_every_recording_is_a_point_and_a_doubted_one_is_crossed() -> None:
    figure = plane_figure(POINTS, [{"recording": "a", "doubtful": True}, {"recording": "b", "doubtful": False}])
    assert len(figure.axes) == 3
    for axis in figure.axes:
        marks = [line for line in axis.get_lines() if line.get_linestyle() == "None"]
        assert [float(line.get_xdata()[0]) for line in marks] == [0.0, 0.3, 0.3, -0.9]
        assert [line.get_marker() for line in marks].count("x") == 1
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert {"healthy", "phase A", "40 % shorted", "label doubted"} <= set(words)
    assert "label doubted" not in [text.get_text() for text in plane_figure(POINTS, []).legends[0].get_texts()]


def test_severities_are_shares_of_the_true_one() -> None:
    figure = severities_figure(GRADES)
    titles = [axis.get_title(loc="left") for axis in figure.axes[:6]]
    assert titles[0] == "naive: phase A"
    assert titles[3] == "carried: phase A"
    assert [text.get_text() for text in figure.axes[0].texts] == ["1.00", "0.00", "0.75", "0.25"]
    assert [text.get_text() for text in figure.axes[3].texts] == ["1.00", "0.00", "0.25", "0.75"]


@pytest.mark.parametrize("full", [True, False])
def test_figures_are_written_where_there_are_records(tmp_path: Path, full: bool) -> None:
    details = {"confusion_of_recordings": CELLS, "severity_of_windows": GRADES, "plane": POINTS} if full else {}
    paths = figures(Results("short-circuit-grading", "", 0.0, (), (), details), tmp_path)
    assert {path.stem for path in paths} == (set(CAPTIONS) if full else set())
    assert all(path.stat().st_size > 1000 for path in paths)


def test_tables_are_of_one_split_each() -> None:
    rows = [
        vars(Row("m", split, "a", "b", "", metric, 0.5, np.nan, np.nan, 4, 1))
        for split in ("one", "two")
        for metric in ("accuracy of windows", "accuracy of recordings")
    ]
    found = blocks(rows)
    assert len(found) == 4
    assert all(len(block) == 1 for block in found)
