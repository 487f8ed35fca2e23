"""MCAP files with ROS 2 joint states (sensor_msgs/JointState)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mcap.exceptions import McapError
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory

from jointwatch.core import Recording
from jointwatch.core.errors import CorruptInput
from jointwatch.recordings._joint_state import MESSAGE_TYPES, JointStates, choose_topic, record
from jointwatch.recordings._sniff import starts_with
from jointwatch.recordings.base import Reader

__all__ = ["Mcap"]

_MAGIC = b"\x89MCAP0\r\n"


class Mcap(Reader):
    """One recording a file. The robot is named by `robot.yaml` in the folder (unit, brand, model, gear_ratio).

    Parameters
    ----------
    topic : which topic, where the file has joint states on several.
    effort : what the robot's driver puts into `effort`: `torque` or `current`.
    joints : joint names in the order of their numbers from 1; default: in order of appearance.

    Source: MCAP specification version 0; ROS 2 interface sensor_msgs/msg/JointState.

    >>> Mcap(effort="current").recognises(Path("absent.mcap"))
    False
    """

    specificity = 0
    suffixes = (".mcap",)

    def __init__(self, topic: str | None = None, effort: str = "torque", joints: tuple[str, ...] = ()) -> None:
        self.options = JointStates(topic, effort, tuple(joints))

    def recognises(self, source: Path) -> bool:
        """A file that starts as MCAP does."""
        return starts_with(source, self.suffixes, _MAGIC)

    def _read(self, source: Path) -> Iterator[Recording]:
        try:
            with source.open("rb") as file:
                reader = make_reader(file, decoder_factories=[DecoderFactory()])
                summary = reader.get_summary()
                channels = summary.channels.values() if summary else ()
                schemas = summary.schemas if summary else {}
                topics = [
                    c.topic for c in channels if c.schema_id in schemas and schemas[c.schema_id].name in MESSAGE_TYPES
                ]
                topic = choose_topic(topics, self.options, source)
                messages = [
                    (item.message.log_time * 1e-9, item.decoded_message)
                    for item in reader.iter_decoded_messages(topics=[topic])
                ]
        except (McapError, ValueError, EOFError, IndexError, KeyError) as error:
            raise CorruptInput(
                f"is damaged or was not closed by the recorder ({error or type(error).__name__})",
                file=source,
                remedy="run `mcap recover` on it, or record it again",
            ) from error
        yield record(messages, self.options, source, source.stem)
