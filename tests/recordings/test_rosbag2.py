"""ROS 2 bags with SQLite and MCAP storage."""

from __future__ import annotations

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from jointwatch.core.errors import CorruptInput
from jointwatch.recordings import read
from jointwatch.recordings.rosbag2 import Rosbag2


@pytest.fixture(params=[StoragePlugin.SQLITE3, StoragePlugin.MCAP], ids=["sqlite", "mcap"])
def bag(request, tmp_path):
    store = get_typestore(Stores.ROS2_HUMBLE)
    types = store.types
    path = tmp_path / "monday"
    with Writer(path, version=9, storage_plugin=request.param) as writer:
        connection = writer.add_connection("/joint_states", "sensor_msgs/msg/JointState", typestore=store)
        for n in range(60):
            stamp = types["builtin_interfaces/msg/Time"](sec=100 + n // 50, nanosec=(n % 50) * 20_000_000)
            message = types["sensor_msgs/msg/JointState"](
                header=types["std_msgs/msg/Header"](stamp=stamp, frame_id=""),
                name=["a1", "a2", "a3"],
                position=np.array([0.1, 0.2, 0.3]) * n,
                velocity=np.array([5.0, 10.0, 15.0]),
                effort=np.array([1.0, 2.0, 3.0]) + n,
            )
            raw = store.serialize_cdr(message, "sensor_msgs/msg/JointState")
            writer.write(connection, int((500 + n / 50) * 1e9), raw)
    return path


def test_bag_is_one_recording(bag):
    reading = read(bag.parent)
    (recording,) = reading
    assert reading.ignored == ()
    assert (recording.session, len(recording.time_s)) == ("monday", 60)
    assert recording.rate_hz == pytest.approx(50)
    assert recording.time_s[0] == pytest.approx(100.0)
    np.testing.assert_allclose(recording["position/3"], 0.3 * np.arange(60))
    assert recording["torque/2"][-1] == 61.0


def test_damaged_bag_is_a_clear_error(bag):
    for file in bag.iterdir():
        if file.suffix in (".db3", ".mcap"):
            file.write_bytes(b"rubbish" * 20)
    with pytest.raises(CorruptInput, match=r"monday: the bag is damaged.*ros2 bag reindex"):
        list(Rosbag2().read(bag))


def test_bag_without_its_storage_is_a_clear_error(bag):
    for file in bag.iterdir():
        if file.suffix in (".db3", ".mcap"):
            file.unlink()
    with pytest.raises(CorruptInput, match="the bag is damaged"):
        list(Rosbag2().read(bag))
