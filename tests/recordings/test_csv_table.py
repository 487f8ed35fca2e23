"""Column maps: strict, helpful, found beside the file; tables become recordings as the map says."""

from __future__ import annotations

import numpy as np
import pytest

from jointwatch.core import Label
from jointwatch.core.errors import MissingChannel, UsageError
from jointwatch.recordings import ColumnMap, read
from jointwatch.recordings.csv_table import CsvTable

ROBOT = "robot: {unit: arm-1}\n"


def one(path, columns=None):
    (recording,) = CsvTable(columns).read(path)
    return recording


def test_units_names_and_robot_come_from_the_map(tmp_path):
    path = tmp_path / "run.csv"
    path.write_text("ms,angle,speed,amps\n0,0,60,500\n10,90,60,250\n20,180,60,125\n")
    columns = ColumnMap.parse("""
robot:
  brand: demo
  model: axis
  unit: axis-7
  gear_ratio: 50
  joints: {2: {name: elbow, gear_ratio: 101}}
session: monday
time: {column: ms, unit: ms}
columns:
  angle: {channel: position/1, unit: deg}
  speed: {channel: velocity/1, unit: rpm}
  3: {channel: current/2, unit: mA}
""")
    recording = one(path, columns)
    assert recording["position/1"].tolist() == pytest.approx([0, np.pi / 2, np.pi])
    assert recording["velocity/1"][0] == pytest.approx(2 * np.pi)
    assert recording["current/2"].tolist() == [0.5, 0.25, 0.125]
    assert recording.time_s.tolist() == pytest.approx([0, 0.01, 0.02])
    assert (recording.session, recording.robot.unit) == ("monday", "axis-7")
    assert [joint.gear_ratio for joint in recording.robot.joints] == [50, 101]
    assert recording.robot.joint(2).name == "elbow"


def test_headerless_table_by_number_and_rate(tmp_path):
    path = tmp_path / "run.csv"
    path.write_text("1.5;2\n1.6;3\n1.7;4\n")
    recording = one(path, ColumnMap.parse(ROBOT + "rate_hz: 50\ncolumns: {0: position/1, '1': current/1}"))
    assert recording.time_s.tolist() == pytest.approx([0, 0.02, 0.04])
    assert recording["current/1"].tolist() == [2, 3, 4]


def test_lost_rows_leave_a_gap_where_the_rate_makes_the_clock(tmp_path):
    path = tmp_path / "run.csv"
    path.write_text("p,i\n" + "".join(f"{n / 100},{n}\n" if n not in (40, 41) else "x\n" for n in range(100)))
    recording = one(path, ColumnMap.parse(ROBOT + "rate_hz: 100\ncolumns: {p: position/1, i: current/1}"))
    assert recording.time_s[40] == pytest.approx(0.42)


def test_prismatic_joint_takes_metres(tmp_path):
    path = tmp_path / "run.csv"
    path.write_text("t,x\n0,10\n1,20\n")
    text = "robot: {unit: axis-1, kind: prismatic}\ntime: {column: t}\ncolumns: {x: {channel: position/1, unit: mm}}"
    assert one(path, ColumnMap.parse(text))["position/1"].tolist() == [0.01, 0.02]
    with pytest.raises(
        UsageError, match=r"unit 'deg' does not fit position/1 of a prismatic joint; use one of cm, m, mm"
    ):
        one(path, ColumnMap.parse(text.replace("mm", "deg")))


@pytest.mark.parametrize(
    ("stamp", "extra"),
    [("2022-10-26T08:17:{:06.3f}Z", ""), ("26.10.2022 08:17:{:09.6f}", ', format: "%d.%m.%Y %H:%M:%S.%f"')],
)
def test_dates_are_a_clock(stamp, extra, tmp_path):
    path = tmp_path / "run.csv"
    path.write_text("when,i\n" + "".join(f"{stamp.format(n / 4)},{n}\n" for n in range(8)))
    recording = one(
        path, ColumnMap.parse(ROBOT + f"time: {{column: when, unit: datetime{extra}}}\ncolumns: {{i: current/1}}")
    )
    assert recording.rate_hz == pytest.approx(4)
    assert recording.time_s[0] == pytest.approx(1666772220.0)


def test_cycles_and_labels(tmp_path):
    path = tmp_path / "run.csv"
    rows = [(n / 10, n, 1 + n // 10, "bad" if 12 <= n < 15 else "good" if n < 20 else "?") for n in range(30)]
    path.write_text("t,i,cycle,label\n" + "".join(f"{a},{b},{c},{d}\n" for a, b, c, d in rows))
    text = ROBOT + (
        "time: {column: t}\ncolumns: {i: current/1}\ncycle: cycle\n"
        "label: {column: label, normal: [good], anomalous: [bad], fault: backlash, joint: 1}\n"
    )
    recording = one(path, ColumnMap.parse(text))
    assert [(c.name, c.condition.label) for c in recording.cycles] == [
        ("1", Label.NORMAL),
        ("2", Label.ANOMALOUS),
        ("3", Label.UNCERTAIN),
    ]
    assert recording.cycles[1].condition.fault == "backlash"
    assert (recording.cycles[0].stop_s, recording.cycles[-1].stop_s) == pytest.approx((1.0, 3.0))
    without = one(path, ColumnMap.parse(text.replace("cycle: cycle\n", "")))
    assert [(e.name, e.start_s, e.stop_s) for e in without.events] == [("backlash", 1.2, 1.5)]


def test_numeric_labels_match_however_they_are_written(tmp_path):
    path = tmp_path / "run.csv"
    path.write_text("t,i,y\n" + "".join(f"{n / 10},{n},0.0\n" for n in range(5)))
    text = ROBOT + "time: {column: t}\ncolumns: {i: current/1}\nlabel: {column: y, normal: [0], anomalous: [1]}"
    recording = one(path, ColumnMap.parse(text))
    assert recording.condition.label is Label.NORMAL


def test_map_is_found_beside_the_file_before_the_folder(tmp_path):
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("t,i\n0,1\n1,2\n")
    (tmp_path / "columns.yaml").write_text("robot: {unit: of-folder}\ntime: {column: t}\ncolumns: {i: current/1}")
    (tmp_path / "b.csv.map.yaml").write_text("robot: {unit: of-file}\ntime: {column: t}\ncolumns: {i: current/1}")
    reading = read(tmp_path)
    assert [recording.robot.unit for recording in reading] == ["of-folder", "of-file"]
    assert reading.ignored == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", "starts with keys such as robot"),
        ("robot: {unit: a", "no valid YAML"),
        (ROBOT + "columns: {i: current/1}", "give a time column or rate_hz"),
        (ROBOT + "rate_hz: 9\ncolumns: {i: currant/1}", "'currant/1' is no channel name"),
        (ROBOT + "rate_hz: 9\ncolumns: {i: current/1, j: current/1}", "'i' and 'j' are both current/1"),
        (ROBOT + "rate_hz: 9\ncolumn: {i: current/1}", "unknown key 'column', did you mean 'columns'"),
        (ROBOT + "rate_hz: 9\ncolumns: {i: {channel: current/1, units: A}}", "did you mean 'unit'"),
        (
            ROBOT + "rate_hz: 9\ncolumns: {i: {channel: current/1, unit: mAmp}}",
            "not known for current/1.*did you mean 'mA'",
        ),
        (
            ROBOT + "rate_hz: 9\ncolumns: {i: {channel: current/1, unit: deg}}",
            "'deg' does not fit current/1, use one of A, mA",
        ),
        (ROBOT + "rate_hz: '9'\ncolumns: {i: current/1}", "rate_hz"),
        ("robot: {brand: x}\nrate_hz: 9\ncolumns: {i: current/1}", "robot.unit"),
        (ROBOT + "rate_hz: 9\ncolumns: {}", "columns"),
    ],
)
def test_wrong_maps_are_explained(text, message):
    with pytest.raises(UsageError, match=rf"(?s)mine\.yaml: .*{message}"):
        ColumnMap.parse(text, "mine.yaml")


def test_missing_time_column_names_the_nearest(tmp_path):
    path = tmp_path / "run.csv"
    path.write_text("time_s,i\n0,1\n1,2\n")
    with pytest.raises(MissingChannel, match=r"there is no column 'time'.*'time_s'"):
        one(path, ColumnMap.parse(ROBOT + "time: {column: time}\ncolumns: {i: current/1}"))


def test_missing_map_file_is_named(tmp_path):
    path = tmp_path / "run.csv"
    path.write_text("t,i\n0,1\n1,2\n")
    with pytest.raises(UsageError, match=r"absent\.yaml: the column map cannot be read"):
        one(path, tmp_path / "absent.yaml")


def test_prose_is_no_table(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("The gripper, which was changed on Monday,\nholds again.\n")
    assert not CsvTable().recognises(path)
    path.write_text("0.0 1.5 2\n0.1 1.6 3\n")
    assert CsvTable().recognises(path)
