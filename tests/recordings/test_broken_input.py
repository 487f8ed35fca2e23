"""Broken input: what is recoverable is kept and counted, what is not is an error that names place and remedy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jointwatch.core import Action, Recording
from jointwatch.core.errors import CorruptInput, EmptyInput, InputError, MissingChannel, UsageError
from jointwatch.recordings.csv_table import CsvTable


def read(path) -> Recording:
    (recording,) = CsvTable().read(path)
    return recording


def issue(recording: Recording, kind: str):
    found = [item for item in recording.quality.issues if item.kind == kind]
    assert len(found) == 1, f"{kind}: {recording.quality.issues}"
    return found[0]


@pytest.fixture
def lines(arm_columns, csv_lines):
    return csv_lines(arm_columns())


def edit(lines: list[str], row: int, column: int, text: str) -> None:
    """Set the cell in data row `row` (from 1) and column `column` (from 0)."""
    cells = lines[row].split(",")
    cells[column] = text
    lines[row] = ",".join(cells)


def test_whole_input_is_clean(lines, csv_file):
    recording = read(csv_file(lines))
    assert recording.quality.clean
    assert (recording.quality.rows_read, len(recording.time_s)) == (200, 200)


def test_nan_stays_nan_and_is_counted(lines, csv_file):
    edit(lines, 7, 1, "nan")
    edit(lines, 8, 5, "")
    recording = read(csv_file(lines))
    found = issue(recording, "not_a_number")
    assert (found.count, found.rows, found.where) == (2, (7, 8), ("position/1", "current/1"))
    assert np.isnan(recording["position/1"][6])
    assert np.isnan(recording.values).sum() == 2


def test_infinite_value_is_lost_and_counted(lines, csv_file):
    edit(lines, 9, 6, "inf")
    assert issue(read(csv_file(lines)), "not_a_number").rows == (9,)


def test_unreadable_cell_names_column_and_row(lines, csv_file):
    edit(lines, 12, 5, "ERR")
    recording = read(csv_file(lines))
    found = issue(recording, "unreadable_cell")
    assert (found.count, found.where, found.rows, found.action) == (1, ("i1",), (12,), Action.BLANKED)
    assert np.isnan(recording["current/1"][11])


def test_corrupt_row_with_good_time_is_blanked_whole(lines, csv_file):
    edit(lines, 20, 3, "2.7e154")
    recording = read(csv_file(lines))
    assert issue(recording, "corrupt_row").rows == (20,)
    assert np.isnan(recording.values[:, 19]).all()
    assert len(recording.time_s) == 200


def test_corrupt_time_does_not_spoil_the_clock(lines, csv_file):
    for row, text in ((2, "-0.1231"), (3, "0.7932"), (5, "2.7e154"), (6, "30.5"), (7, "0.0")):
        edit(lines, row, 0, text)
    recording = read(csv_file(lines))
    found = issue(recording, "corrupt_row")
    assert (found.rows, found.action) == ((2, 3, 5, 6, 7), Action.DROPPED)
    assert len(recording.time_s) == 195
    assert recording.time_s[[0, -1]] == pytest.approx([5.0, 6.99])
    assert recording.rate_hz == pytest.approx(100)


def test_rows_between_garbled_rows_are_not_trusted(lines, csv_file):
    edit(lines, 30, 3, "1e99")
    edit(lines, 33, 3, "-1e99")
    assert issue(read(csv_file(lines)), "corrupt_row").rows == (30, 31, 32, 33)


def test_time_running_backwards_for_one_row_is_dropped(lines, csv_file):
    edit(lines, 50, 0, "5.450000")
    recording = read(csv_file(lines))
    found = issue(recording, "time_backwards")
    assert (found.count, found.rows, found.action) == (1, (50,), Action.DROPPED)
    assert len(recording.time_s) == 199


def test_restarted_clock_is_shifted_and_never_crossed(arm_columns, csv_lines, csv_file):
    columns = arm_columns()
    columns["t"] = np.concatenate([np.arange(120), np.arange(80)]) / 100
    recording = read(csv_file(csv_lines(columns)))
    found = issue(recording, "clock_restart")
    assert (found.rows, found.action) == ((121,), Action.MENDED)
    assert recording.breaks == (120,)
    assert len(recording.time_s) == 200
    assert recording.time_s[120] == pytest.approx(1.20)


def test_gap_is_reported_and_marked_as_break(lines, csv_file):
    recording = read(csv_file(lines[:101] + lines[131:]))
    assert issue(recording, "gap").rows == (101,)
    assert recording.breaks == (100,)


def test_duplicated_rows_are_dropped(lines, csv_file):
    recording = read(csv_file([*lines[:60], lines[59], *lines[60:]]))
    found = issue(recording, "duplicated_row")
    assert (found.count, found.rows, found.action) == (1, (60,), Action.DROPPED)
    assert len(recording.time_s) == 200


def test_same_time_with_other_values_is_told_apart_from_a_duplicate(lines, csv_file):
    edit(lines, 60, 0, lines[59].split(",")[0])
    assert issue(read(csv_file(lines)), "time_repeated").rows == (60,)


def test_frozen_recorder_is_reported(lines, csv_file):
    for row in range(80, 110):
        lines[row] = ",".join([lines[row].split(",")[0], *lines[79].split(",")[1:]])
    found = issue(read(csv_file(lines)), "frozen")
    assert (found.count, found.rows, found.where) == (30, (80,), ())
    assert found.remedy


def test_one_stuck_sensor_of_a_moving_joint_is_named(lines, csv_file):
    for row in range(40, 90):
        edit(lines, row, 6, "0.123456")
    found = issue(read(csv_file(lines)), "frozen")
    assert (found.where, found.count, found.action) == (("current/2",), 49, Action.KEPT)


def test_sensor_dead_throughout_is_named(lines, csv_file):
    for row in range(1, 201):
        edit(lines, row, 5, "0.000000")
    assert issue(read(csv_file(lines)), "constant_channel").where == ("current/1",)


def test_standing_still_is_no_frozen_sensor(arm_columns, csv_lines, csv_file):
    columns = arm_columns(400)
    for name in ("q1", "q2", "qd1", "qd2"):
        columns[name][200:] = columns[name][200] if name.startswith("q") and len(name) == 2 else 0.0
    columns["q1"][200:] += 1e-6 * np.random.default_rng(1).standard_normal(200)
    assert read(csv_file(csv_lines(columns))).quality.count("frozen") == 0


@pytest.mark.parametrize("velocity_too", [True, False], ids=["by range", "by derivative"])
def test_degrees_taken_for_radians_are_suspected_and_not_converted(velocity_too, arm_columns, csv_lines, csv_file):
    columns = arm_columns()
    for name in ("q1", "q2", "qd1", "qd2") if velocity_too else ("q1", "q2"):
        columns[name] = np.degrees(columns[name])
    recording = read(csv_file(csv_lines(columns)))
    found = issue(recording, "suspected_degrees")
    assert set(found.where) == {"position/1", "position/2"}
    assert "deg" in found.remedy
    assert np.nanmax(recording["position/1"]) > 50


def test_radians_taken_for_degrees_are_suspected(lines, csv_file, arm_map):
    """Positions 57.3 times too small for their velocities: the two do not agree, and the ratio is told."""
    found = issue(read(csv_file(lines, arm_map.replace("unit: rad}", "unit: deg}"))), "suspected_degrees")
    assert found.where == ("velocity/1", "velocity/2")
    assert "0.0174" in found.detail


def test_velocity_in_revolutions_a_minute_is_suspected(arm_columns, csv_lines, csv_file):
    columns = arm_columns()
    for name in ("qd1", "qd2"):
        columns[name] = columns[name] * 30 / np.pi
    assert "rpm" in issue(read(csv_file(csv_lines(columns))), "suspected_rpm").remedy


def test_time_in_milliseconds_is_suspected(arm_columns, csv_lines, csv_file):
    columns = arm_columns()
    columns["t"] = columns["t"] * 1e3
    assert "ms" in issue(read(csv_file(csv_lines(columns))), "suspected_milliseconds").remedy


def test_milliampere_taken_for_ampere_are_suspected_and_not_converted(arm_columns, csv_lines, csv_file):
    columns = arm_columns()
    for name in ("i1", "i2"):
        columns[name] = columns[name] * 1e3
    recording = read(csv_file(csv_lines(columns)))
    found = issue(recording, "suspected_milliampere")
    assert (found.where, found.action) == (("current/1", "current/2"), Action.KEPT)
    assert np.nanmax(recording["current/1"]) > 900


def test_ampere_taken_for_milliampere_are_suspected(lines, csv_file, arm_map):
    recording = read(csv_file(lines, arm_map.replace("unit: A}", "unit: mA}")))
    assert issue(recording, "suspected_ampere").where == ("current/1", "current/2")


def test_stated_rate_that_the_clock_contradicts_is_reported(lines, csv_file, arm_map):
    recording = read(csv_file(lines, arm_map + "rate_hz: 125\n"))
    assert "100 Hz" in issue(recording, "rate_mismatch").detail


def test_position_spike_is_blanked(lines, csv_file):
    edit(lines, 90, 2, "9.000000")
    recording = read(csv_file(lines))
    found = issue(recording, "position_spike")
    assert (found.rows, found.where) == ((90,), ("position/2",))
    assert np.isnan(recording["position/2"][89])
    assert np.isfinite(recording["position/1"][89])


def test_angle_that_wraps_is_reported_and_kept(lines, csv_file, arm_columns, csv_lines):
    columns = arm_columns()
    columns["q1"][100:] += 2 * np.pi
    recording = read(csv_file(csv_lines(columns)))
    assert issue(recording, "angle_wrap").rows == (101,)
    assert np.isfinite(recording["position/1"]).all()


def test_single_value_out_of_range_is_blanked(lines, csv_file):
    edit(lines, 15, 5, "25689")
    found = issue(read(csv_file(lines)), "out_of_range")
    assert (found.where, found.rows, found.count) == (("current/1",), (15,), 1)


@pytest.mark.parametrize("delimiter", [";", "\t", " "])
def test_decimal_commas_are_mended_and_counted(delimiter, arm_columns, csv_lines, csv_file):
    whole = read(csv_file(csv_lines(arm_columns())))
    comma = [line.replace(".", ",") for line in csv_lines(arm_columns(), delimiter)]
    recording = read(csv_file(comma))
    assert issue(recording, "decimal_comma").count == 200 * 7
    np.testing.assert_array_equal(recording.values, whole.values)


def test_quoted_decimal_comma_in_a_comma_table_is_mended(lines, csv_file):
    edit(lines, 3, 1, '"0,25"')
    recording = read(csv_file(lines))
    found = issue(recording, "decimal_comma")
    assert (found.count, found.rows, found.where) == (1, (3,), ("q1",))
    assert recording["position/1"][2] == 0.25


def test_comma_that_may_mean_thousands_is_not_guessed(lines, csv_file):
    edit(lines, 3, 5, '"1,234"')
    recording = read(csv_file(lines))
    assert issue(recording, "unreadable_cell").rows == (3,)
    assert np.isnan(recording["current/1"][2])


def test_decimal_comma_in_a_comma_table_is_a_clear_error(arm_columns, csv_lines, csv_file):
    lines = csv_lines(arm_columns(20))
    lines[1:] = [line.replace(".", ",") for line in lines[1:]]
    with pytest.raises(
        CorruptInput, match=r"arm\.csv, row 1: the header names 7 columns, the rows have 14.*decimal comma"
    ):
        read(csv_file(lines))


def test_missing_column_names_the_nearest(lines, csv_file):
    lines[0] = lines[0].replace("qd2", "qd_2")
    with pytest.raises(MissingChannel, match=r"arm\.csv, channel qd2: there is no column 'qd2'.*Remedy.*'qd_2'"):
        read(csv_file(lines))


def test_ragged_rows_are_dropped_and_counted(lines, csv_file):
    lines[40] = lines[40].rpartition(",")[0]
    lines[70] += ",1.0"
    recording = read(csv_file(lines))
    found = issue(recording, "ragged_row")
    assert (found.rows, found.action) == ((40, 70), Action.DROPPED)
    assert len(recording.time_s) == 198


def test_file_cut_in_the_last_row_keeps_what_is_whole(lines, csv_file):
    lines[-1] = lines[-1][: lines[-1].index(",", 20) + 4]
    recording = read(csv_file(lines, end=""))
    assert issue(recording, "truncated_row").rows == (200,)
    assert len(recording.time_s) == 200
    assert np.isfinite(recording["position/1"][-1])
    assert np.isnan(recording["current/2"][-1])


def test_empty_file_is_an_error(csv_file):
    with pytest.raises(EmptyInput, match=r"arm\.csv: the file is empty.*Remedy: record it again"):
        read(csv_file(b""))


def test_blank_file_is_an_error(csv_file):
    with pytest.raises(EmptyInput, match=r"arm\.csv.*no rows"):
        read(csv_file(b"\n \n\n"))


def test_header_only_is_an_error(lines, csv_file):
    with pytest.raises(EmptyInput, match=r"arm\.csv: holds a header and no rows"):
        read(csv_file(lines[:1]))


def test_binary_rubbish_is_an_error(csv_file):
    rubbish = np.random.default_rng(0).integers(0, 256, 5000, dtype=np.uint8).tobytes()
    with pytest.raises(CorruptInput, match=r"arm\.csv: is no text table.*Remedy"):
        read(csv_file(rubbish))


def test_zero_bytes_of_a_power_cut_are_passed_over(lines, csv_file):
    recording = read(csv_file("\n".join(lines).encode() + b"\n" + b"\0" * 512))
    assert issue(recording, "zero_bytes").count == 512
    assert len(recording.time_s) == 200


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_other_encodings_are_read(encoding, arm_columns, csv_lines, csv_file, arm_map):
    lines = csv_lines(arm_columns())
    lines[0] = lines[0].replace("i1", "Motorstrom °1")
    recording = read(csv_file("\n".join(lines).encode(encoding), arm_map.replace("i1:", "Motorstrom °1:")))
    assert recording.quality.clean
    assert "current/1" in recording


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_other_line_ends_are_read(end, lines, csv_file):
    assert len(read(csv_file(end.join(lines).encode())).time_s) == 200


def test_repeated_column_with_the_same_numbers_is_read_once(arm_columns, csv_lines, csv_file):
    columns = arm_columns()
    lines = csv_lines({**columns, "copy": columns["i1"]})
    lines[0] = lines[0].replace("copy", "i1")
    assert issue(read(csv_file(lines)), "repeated_column").where == ("i1",)


def test_repeated_column_with_other_numbers_is_an_error(arm_columns, csv_lines, csv_file):
    columns = arm_columns()
    lines = csv_lines({**columns, "other": columns["i2"]})
    lines[0] = lines[0].replace("other", "i1")
    with pytest.raises(
        CorruptInput, match=r"arm\.csv, channel i1: two columns are named 'i1' and differ.*number from 0"
    ):
        read(csv_file(lines))


def test_clock_that_stands_still_is_an_error(arm_columns, csv_lines, csv_file):
    columns = arm_columns()
    columns["t"][:] = 5.0
    with pytest.raises(CorruptInput, match=r"arm\.csv, row 2, channel time: the time stands still.*give the rate"):
        read(csv_file(csv_lines(columns)))


def test_text_where_numbers_should_be_is_an_error(lines, csv_file):
    for row in range(1, 201):
        edit(lines, row, 5, "off")
    with pytest.raises(CorruptInput, match=r"arm\.csv, channel i1: column 'i1' holds text such as 'off'"):
        read(csv_file(lines))


def test_column_of_counts_taken_for_a_position_is_an_error(arm_columns, csv_lines, csv_file):
    columns = arm_columns()
    columns["q1"] = columns["q1"] * 1e9
    with pytest.raises(CorruptInput, match=r"arm\.csv, row \d+, channel position/1: .* impossible.*unit"):
        read(csv_file(csv_lines(columns)))


def test_no_map_says_how_to_make_one(lines, csv_file):
    with pytest.raises(InputError, match=r"arm\.csv: what its columns are.*jointwatch inspect .*arm\.csv --suggest"):
        read(csv_file(lines, columns=None))


def test_wrong_map_names_key_and_place(lines, csv_file, arm_map):
    with pytest.raises(
        UsageError, match=r"arm\.csv\.map\.yaml: unknown key 'robot\.gear_ration', did you mean 'gear_ratio'"
    ):
        read(csv_file(lines, arm_map.replace("gear_ratio", "gear_ration")))


def test_empty_channel_is_reported(lines, csv_file):
    for row in range(1, 201):
        edit(lines, row, 5, "")
    found = issue(read(csv_file(lines)), "empty_channel")
    assert (found.where, found.count) == (("current/1",), 200)


def test_nothing_is_dropped_in_silence(lines, csv_file):
    """Rows read = rows kept + rows dropped, over a file with several defects at once."""
    edit(lines, 20, 0, "1e200")
    edit(lines, 50, 0, "5.0")
    edit(lines, 60, 0, "")
    lines[90] = "x"
    recording = read(csv_file([*lines[:120], lines[119], *lines[120:]]))
    dropped = sum(item.count for item in recording.quality.issues if item.action is Action.DROPPED)
    assert recording.quality.rows_read == 201
    assert len(recording.time_s) + dropped == 201


@given(
    damage=st.lists(
        st.tuples(st.integers(0, 2600), st.sampled_from(["delete", "insert", "replace"]), st.text(max_size=6)),
        min_size=1,
        max_size=12,
    )
)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_damage_is_counted_or_a_clear_error(damage, arm_columns, csv_lines, csv_file):
    """Whatever is done to the text: an `InputError` that names the file, or a recording that accounts for each row."""
    text = "\n".join(csv_lines(arm_columns(40))) + "\n"
    for at, what, new in damage:
        at = min(at, len(text))
        text = (
            text[:at] + (new if what != "delete" else "") + text[at + (0 if what == "insert" else max(1, len(new))) :]
        )
    path = csv_file(text.encode("utf-8", errors="surrogatepass"))
    try:
        recording = read(path)
    except InputError as error:
        assert str(path) in str(error)  # noqa: PT017 (either outcome is right)
        return
    quality = recording.quality
    rows = ("ragged_row", "corrupt_row", "duplicated_row", "time_unreadable", "time_backwards", "time_repeated")
    dropped = sum(i.count for i in quality.issues if i.kind in rows and i.action is Action.DROPPED)
    assert len(recording.time_s) + dropped == quality.rows_read
    assert np.isfinite(recording.time_s).all()
    assert (np.diff(recording.time_s) > 0).all()
    assert not np.isinf(recording.values).any()
