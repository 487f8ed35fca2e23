"""Tables as Universal Robots' recorder writes them: blanks between columns, CRLF, vectors as name_0 to name_5."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from jointwatch.core import Source
from jointwatch.core.errors import CorruptInput
from jointwatch.recordings import read
from jointwatch.recordings.ur_rtde_csv import UrRtdeCsv

VECTORS = (
    "target_q",
    "actual_q",
    "actual_qd",
    "actual_current",
    "joint_temperatures",
    "actual_TCP_pose",
    "actual_TCP_force",
)


@pytest.fixture(params=[" ", ","], ids=["blank", "comma"])
def rtde(request, tmp_path):
    names = ["timestamp", *(f"{name}_{i}" for name in VECTORS for i in range(6)), "payload", "robot_mode"]
    path = tmp_path / "robot_data.csv"
    rng = np.random.default_rng(0)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=request.param)
        writer.writerow(names)
        for n in range(250):
            writer.writerow([4242.0 + n / 125, *(rng.random(6 * len(VECTORS)) * 0.01 + 1).tolist(), 1.25, 7])
    return path


def test_recorder_table(rtde):
    (recording,) = read(rtde)
    assert UrRtdeCsv().recognises(rtde)
    assert recording.rate_hz == pytest.approx(125)
    assert recording.robot.brand == "Universal Robots"
    assert len(recording.channels) == 6 * len(VECTORS) + 1
    assert "status:robot_mode" in recording
    assert (recording.robot.joint(3).name, recording.robot.joint(3).gear_ratio) == ("elbow", 101.0)
    commanded = [channel.key for channel in recording.channels if channel.source is Source.COMMANDED]
    assert commanded == [f"position.commanded/{j}" for j in range(1, 7)]
    assert "tcp_rotation:z" in recording
    assert "tcp_torque:x" in recording
    assert recording.truth["payload_kg"] == 1.25
    table = np.genfromtxt(rtde, names=True, delimiter="," if "," in rtde.read_text()[:200] else None)
    np.testing.assert_array_equal(recording["current/6"], table["actual_current_5"])


def test_robot_file_names_the_specimen_and_leaves_the_rest(rtde):
    rtde.with_name("robot.yaml").write_text("{unit: ur-17, model: UR5e, joints: {1: {gear_ratio: 120}}}")
    (recording,) = read(rtde)
    robot = recording.robot
    assert (robot.brand, robot.model, robot.unit) == ("Universal Robots", "UR5e", "ur-17")
    assert [(joint.name, joint.gear_ratio) for joint in robot.joints[:2]] == [("base", 120.0), ("shoulder", 101.0)]


def test_rate_that_differs_is_reported(rtde):
    (recording,) = UrRtdeCsv(rate_hz=500).read(rtde)
    assert recording.quality.count("rate_mismatch") == 250


def test_recorder_killed_in_the_middle_of_a_row(rtde):
    content = rtde.read_bytes()
    rtde.write_bytes(content[:-200])
    (recording,) = read(rtde)
    assert recording.quality.count("truncated_row") == 1
    assert len(recording.time_s) == 250


def test_other_tables_are_left_to_others(tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("time,q_1\n0,1\n")
    assert not UrRtdeCsv().recognises(path)
    path.write_text("timestamp_ms,actual_q_0\n0,1\n")
    assert not UrRtdeCsv().recognises(path)


def test_repeated_timestamps_of_a_stalled_controller(rtde):
    lines = rtde.read_bytes().split(b"\r\n")
    stamp = lines[1].split(lines[1][6:7], 1)[0]
    assert stamp == b"4242.0"
    delimiter = lines[1][6:7]
    lines[1:-1] = [delimiter.join([b"4242.0", *line.split(delimiter)[1:]]) for line in lines[1:-1]]
    rtde.write_bytes(b"\r\n".join(lines))
    with pytest.raises(CorruptInput, match="the time stands still"):
        list(read(rtde))
