"""ROS 2 bag folders (metadata.yaml with SQLite or MCAP storage) with joint states."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rosbags.highlevel import AnyReader, AnyReaderError
from rosbags.typesys import Stores, get_typestore

from jointwatch.core import Recording
from jointwatch.core.errors import CorruptInput
from jointwatch.recordings._joint_state import MESSAGE_TYPES, JointStates, choose_topic, record
from jointwatch.recordings.base import Reader

__all__ = ["Rosbag2"]


class Rosbag2(Reader):
    """One recording a bag. The robot is named by `robot.yaml` beside the bag's folder (unit, brand, model, gear_ratio).

    Parameters
    ----------
    topic : which topic, where the bag has joint states on several.
    effort : what the robot's driver puts into `effort`: `torque` or `current`.
    joints : joint names in the order of their numbers from 1; default: in order of appearance.

    Source: ROS 2 interface sensor_msgs/msg/JointState.

    >>> Rosbag2().recognises(Path("absent"))
    False
    """

    specificity = 10
    suffixes = ("metadata.yaml", ".db3")

    def __init__(self, topic: str | None = None, effort: str = "torque", joints: tuple[str, ...] = ()) -> None:
        self.options = JointStates(topic, effort, tuple(joints))

    def recognises(self, source: Path) -> bool:
        """A folder whose metadata.yaml speaks of a bag."""
        try:
            with (source / "metadata.yaml").open("rb") as file:
                return b"rosbag2_bagfile_information" in file.read(4096)
        except OSError:
            return False

    def _read(self, source: Path) -> Iterator[Recording]:
        try:
            with AnyReader([source], default_typestore=get_typestore(Stores.ROS2_HUMBLE)) as bag:
                found = [connection for connection in bag.connections if connection.msgtype in MESSAGE_TYPES]
                topic = choose_topic([connection.topic for connection in found], self.options, source)
                chosen = [connection for connection in found if connection.topic == topic]
                messages = [
                    (stamp * 1e-9, bag.deserialize(raw, connection.msgtype))
                    for connection, stamp, raw in bag.messages(chosen)
                ]
        except (AnyReaderError, ValueError, KeyError) as error:
            raise CorruptInput(
                f"the bag is damaged ({error})", file=source, remedy="run `ros2 bag reindex` on it, or record it again"
            ) from error
        yield record(messages, self.options, source, source.name)
