"""Assembling: units to SI, spans by rows, breaks that survive dropped rows, measured damage found where it is."""

from __future__ import annotations

import numpy as np
import pytest

from jointwatch.core import Action, Channel, Condition, Label, Robot
from jointwatch.core.errors import EmptyInput, UsageError
from jointwatch.recordings._assemble import UNIT_SCALES, Column, Span, assemble
from jointwatch.recordings._csv import read_csv
from jointwatch.recordings._derivative import derivative_slope
from jointwatch.recordings._units import units_like

ARM = Robot.of("demo", "arm", "arm-1", joints=6)


def simple(rows=100, **options):
    time = options.pop("time", np.arange(rows) / 100)
    values = np.sin(np.arange(rows) / 7)
    return assemble([Column(Channel("current", 1), values)], ARM, session="s", source="x.csv", time=time, **options)


@pytest.mark.parametrize(
    ("key", "unit", "raw", "si"),
    [
        ("position/1", "deg", 180, np.pi),
        ("position/1", "rev", 0.5, np.pi),
        ("velocity/1", "rpm", 60, 2 * np.pi),
        ("current/1", "mA", 1500, 1.5),
        ("temperature/1", "K", 300, 26.85),
        ("temperature/1", "degF", 212, 100),
        ("voltage/1", "mV", 7200, 7.2),
        ("tcp_position:x", "mm", 12, 0.012),
    ],
)
def test_units(key, unit, raw, si):
    recording = assemble([Column(Channel.parse(key), np.full(5, raw), unit)], ARM, session="s", source="x", rate_hz=10)
    np.testing.assert_allclose(recording[key], si)


def test_every_unit_has_a_dimension():
    assert all(unit in units_like(unit) for unit in UNIT_SCALES)


def test_unit_of_another_quantity_is_refused():
    with pytest.raises(
        UsageError, match=r"x: unit 'A' does not fit position/1 of a revolute joint; use one of deg, rad"
    ):
        assemble([Column(Channel("position", 1), np.ones(5), "A")], ARM, session="s", source="x", rate_hz=10)


def test_columns_must_agree_and_hold_rows():
    with pytest.raises(EmptyInput, match="holds no rows"):
        simple(0)
    with pytest.raises(UsageError, match="different length"):
        assemble([Column(Channel("current", j), np.ones(j)) for j in (1, 2)], ARM, session="s", source="x", rate_hz=1)


def test_spans_and_breaks_follow_their_rows_when_others_are_dropped():
    time = np.arange(100) / 100
    time[[10, 40, 41]] = [1e9, -5, 1e9]
    spans = [Span(0, 40, Condition(Label.NORMAL), "a"), Span(40, 100, Condition(Label.ANOMALOUS), "b")]
    recording = simple(time=time, cycle_spans=spans, event_spans=[Span(41, 43, name="touch")], breaks=[10, 41])
    assert [(c.name, c.start_s, c.stop_s) for c in recording.cycles] == [("a", 0.0, 0.42), ("b", 0.42, 1.0)]
    assert [(e.start_s, e.stop_s) for e in recording.events] == [(0.42, 0.43)]
    assert recording.breaks == (10, 39)
    assert recording.quality.count("corrupt_row") == 3


def test_cycle_without_a_usable_row_is_counted():
    time = np.arange(100) / 100
    time[40:45] = [1e9, -5, 1e9, -5, 1e9]
    recording = simple(time=time, cycle_spans=[Span(0, 40), Span(40, 45, name="lost"), Span(45, 100)])
    assert len(recording.cycles) == 2
    assert recording.quality.count("empty_cycle") == 1


def test_commanded_garbage_leaves_the_measured_values():
    commanded = np.sin(np.arange(50) / 5)
    commanded[20] = 5.4e235
    columns = [
        Column(Channel("position", 1), np.sin(np.arange(50) / 5)),
        Column(Channel("position", 1, "commanded"), commanded),
    ]
    recording = assemble(columns, ARM, session="s", source="x", rate_hz=100)
    assert np.isfinite(recording["position/1"]).all()
    assert np.flatnonzero(np.isnan(recording["position.commanded/1"])).tolist() == [20]
    assert recording.quality.issues[0].where == ("position.commanded/1",)


def test_slow_sensor_is_not_stuck():
    held = np.repeat(np.sin(np.arange(100)), 8)
    position = np.sin(np.arange(800) / 100)
    columns = [Column(Channel("position", 1), position), Column(Channel("current", 1), held)]
    assert assemble(columns, ARM, session="s", source="x", rate_hz=1000).quality.clean


@pytest.mark.parametrize("noise", [0.0, 1e-4])
@pytest.mark.parametrize("factor", [1.0, 57.2958, 0.001, -1.0])
def test_derivative_slope_recovers_the_factor(factor, noise):
    rng = np.random.default_rng(0)
    t = np.cumsum(rng.uniform(0.5, 1.5, 2000)) / 100
    position = np.round(factor * np.sin(t), 5) + abs(factor) * noise * rng.standard_normal(2000)
    slope = derivative_slope(t, position, np.cos(t))
    assert slope is not None
    assert slope.factor == pytest.approx(factor, rel=0.02)
    assert slope.fit > 0.98


def test_derivative_slope_says_nothing_without_movement():
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(500) * 1e-4
    slope = derivative_slope(np.arange(500) / 100, noise, noise)
    assert slope is None or slope.fit < 0.1
    assert derivative_slope(np.arange(500) / 100, np.ones(500), noise) is None


# ---- measured: rows were looked at by eye, see data/README for the file's own account ----


def ur10e(path):
    table = read_csv(path)
    names = ("position", "velocity", "current", "current.commanded", "torque.commanded")[: len(table.names) // 6]
    columns = [
        Column(Channel.parse(f"{name}/{j}"), table.number(6 * block + j))
        for block, name in enumerate(names)
        for j in range(1, 7)
    ]
    return assemble(
        columns,
        ARM,
        session="s",
        source=path,
        time=table.number(0),
        rows=table.rows,
        rows_read=table.rows_read,
        issues=table.issues,
    )


def test_measured_shifted_buffer_rows_are_found_and_the_clock_is_kept(data_dir):
    folder = data_dir / "ur10e_innopolis" / "identification_data"
    recording = ur10e(folder / "ur-20_02_19_15harm50secLoad.csv")
    issues = {issue.kind: issue for issue in recording.quality.issues}
    assert issues["corrupt_row"].rows == tuple(range(2, 11))
    assert issues["truncated_row"].rows == (6107,)
    assert len(recording.time_s) == 6107 - 9
    assert recording.duration_s == pytest.approx(64.466, abs=1e-3)
    assert np.nanmax(np.abs(recording.values)) < 200
    assert recording.breaks == (1,)


def test_measured_garbled_block_with_a_good_clock(data_dir):
    recording = ur10e(data_dir / "ur10e_innopolis" / "identification_data" / "ur-19_09_27-11_32_02.csv")
    (issue,) = recording.quality.issues
    assert (issue.kind, issue.rows, issue.action) == ("corrupt_row", tuple(range(2, 21)), Action.BLANKED)


def test_measured_healthy_files_raise_no_suspicion(data_dir):
    for path in sorted((data_dir / "ur10e_innopolis" / "validation_data").glob("*.csv"))[:4]:
        assert ur10e(path).quality.clean, path.name
