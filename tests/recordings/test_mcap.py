"""MCAP with ROS 2 joint states: names become joint numbers, other joints are counted, damage is named."""

from __future__ import annotations

import numpy as np
import pytest
from mcap_ros2.writer import Writer

from jointwatch.core.errors import CorruptInput, EmptyInput, MissingChannel, UsageError
from jointwatch.recordings import read
from jointwatch.recordings.mcap import Mcap

JOINT_STATE = """std_msgs/Header header
string[] name
float64[] position
float64[] velocity
float64[] effort
================================================================================
MSG: std_msgs/Header
builtin_interfaces/Time stamp
string frame_id
================================================================================
MSG: builtin_interfaces/Time
int32 sec
uint32 nanosec
"""


@pytest.fixture
def write(tmp_path):
    def make(messages, topic="/joint_states", name="run.mcap", more=()):
        path = tmp_path / name
        with path.open("wb") as file:
            writer = Writer(file)
            schema = writer.register_msgdef("sensor_msgs/msg/JointState", JOINT_STATE)
            for where, batch in ((topic, messages), *more):
                for n, (stamp_s, names, position, velocity, effort) in enumerate(batch):
                    seconds = int(stamp_s)
                    stamp = {"sec": seconds, "nanosec": round((stamp_s - seconds) * 1e9)}
                    writer.write_message(
                        topic=where,
                        schema=schema,
                        log_time=int((2000 + n / 50) * 1e9),
                        publish_time=0,
                        message={
                            "header": {"stamp": stamp, "frame_id": ""},
                            "name": list(names),
                            "position": list(position),
                            "velocity": list(velocity),
                            "effort": list(effort),
                        },
                    )
            writer.finish()
        return path

    return make


def arm(rows=40, stamp=1000.0, names=("shoulder", "elbow")):
    return [
        (stamp and stamp + n / 100, names, [n / 100, -n / 100], [1.0, -1.0], [5 + np.sin(n), np.cos(n)])
        for n in range(rows)
    ]


def test_positions_velocities_and_efforts(write):
    path = write(arm())
    (recording,) = read(path)
    assert [channel.key for channel in recording.channels] == [
        *("position/1", "position/2", "velocity/1", "velocity/2", "torque/1", "torque/2")
    ]
    assert [joint.name for joint in recording.robot.joints] == ["shoulder", "elbow"]
    assert recording["position/2"][7] == -0.07
    assert recording.time_s[[0, -1]] == pytest.approx([1000.0, 1000.39])


def test_receive_time_is_the_clock_where_the_header_is_not_stamped(write):
    (recording,) = Mcap(effort="current").read(write(arm(stamp=0.0)))
    assert recording.rate_hz == pytest.approx(50)
    assert "current/1" in recording


def test_joints_are_found_by_name_in_any_order(write):
    swapped = [(t, names[::-1], q[::-1], v[::-1], e[::-1]) for t, names, q, v, e in arm()]
    first, second = arm()[:20], swapped[20:]
    (recording,) = Mcap(joints=("shoulder", "elbow")).read(write(first + second))
    assert recording["position/1"].tolist() == [n / 100 for n in range(40)]


def test_messages_of_a_gripper_on_the_same_topic_are_counted(write):
    gripper = [(1000.005 + n / 10, ("finger",), [0.1], [0.0], [0.0]) for n in range(4)]
    (recording,) = read(write(sorted(arm() + gripper)))
    (issue,) = [i for i in recording.quality.issues if i.kind == "other_joints"]
    assert (issue.count, recording.quality.rows_read, len(recording.time_s)) == (4, 44, 40)


def test_empty_fields_give_no_channel(write):
    (recording,) = read(write([(t, names, q, [], []) for t, names, q, _, _ in arm()]))
    assert [channel.key for channel in recording.channels] == ["position/1", "position/2"]


def test_several_topics_must_be_chosen_from(write):
    path = write(arm(), more=[("/other/joint_states", arm(10))])
    with pytest.raises(UsageError, match=r"joint states on /joint_states, /other/joint_states; choose one with topic="):
        list(Mcap().read(path))
    (recording,) = Mcap(topic="/other/joint_states").read(path)
    assert len(recording.time_s) == 10
    with pytest.raises(MissingChannel, match=r"no joint states on /third.*choose one of /joint_states"):
        list(Mcap(topic="/third").read(path))


def test_joints_that_never_come_are_an_error(write):
    with pytest.raises(MissingChannel, match=r"no message has the joints wrist.*recorded are shoulder, elbow"):
        list(Mcap(joints=("wrist",)).read(write(arm())))


def test_the_folder_names_the_robot_or_says_that_it_was_assumed(write):
    path = write(arm())
    (recording,) = read(path)
    assert recording.quality.count("unit_assumed") == 1
    assert recording.robot.unit == path.parent.name
    path.with_name("robot.yaml").write_text("{brand: demo, model: arm, unit: arm-9, gear_ratio: 121}")
    (recording,) = read(path)
    assert (recording.robot.unit, recording.robot.joint(2).gear_ratio) == ("arm-9", 121)
    assert recording.quality.count("unit_assumed") == 0


def test_file_without_joint_states_is_an_error(write):
    with pytest.raises((EmptyInput, MissingChannel), match="sensor_msgs/JointState"):
        list(Mcap().read(write([])))


@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_truncated_file_is_a_clear_error(share, write):
    path = write(arm(400))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(CorruptInput, match=r"run\.mcap: is damaged or was not closed.*mcap recover"):
        list(Mcap().read(path))


def test_unknown_effort_is_refused():
    with pytest.raises(UsageError, match="effort is 'torque' or 'current'"):
        Mcap(effort="force")
