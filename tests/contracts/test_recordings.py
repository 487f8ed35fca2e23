"""What every reader in the catalog promises. A reader needs an example here, or a folder of measured recordings."""

from __future__ import annotations

import csv
import inspect
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from jointwatch.core import Action, Channel, Recording, catalog
from jointwatch.core.errors import EmptyInput, InputError
from jointwatch.recordings import Reader, read

NAMES = catalog.names("recordings")


def native(name: str, suffix: str) -> Callable[[Path, Recording], Path]:
    return lambda folder, recording: catalog.load("recordings", name).write(recording, folder / f"run{suffix}")


def csv_table(folder: Path, recording: Recording) -> Path:
    path = folder / "run.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["t", *(channel.key for channel in recording.channels)])
        writer.writerows(np.vstack([recording.time_s, recording.values]).T.tolist())
    columns = "\n".join(f"  {channel.key}: {channel.key}" for channel in recording.channels)
    path.with_name("run.csv.map.yaml").write_text(f"robot: {{unit: arm-1}}\ntime: {{column: t}}\ncolumns:\n{columns}\n")
    return path


def ur_rtde_csv(folder: Path, recording: Recording) -> Path:
    path = folder / "robot_data.csv"
    outputs = {"position": "actual_q", "velocity": "actual_qd", "current": "actual_current"}
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=" ")
        writer.writerow(["timestamp", *(f"{outputs[c.quantity]}_{c.joint - 1}" for c in recording.channels)])
        writer.writerows(np.vstack([recording.time_s, recording.values]).T.tolist())
    return path


def rosbag2(folder: Path, recording: Recording, storage: str = "SQLITE3") -> Path:
    from rosbags.rosbag2 import StoragePlugin, Writer
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.ROS2_HUMBLE)
    numbers = [joint.number for joint in recording.robot.joints]
    with Writer(folder / "bag", version=9, storage_plugin=StoragePlugin[storage]) as writer:
        connection = writer.add_connection("/joint_states", "sensor_msgs/msg/JointState", typestore=store)
        for i, time_s in enumerate(recording.time_s):
            stamp = store.types["builtin_interfaces/msg/Time"](sec=1 + int(time_s), nanosec=round(time_s % 1 * 1e9))
            message = store.types["sensor_msgs/msg/JointState"](
                header=store.types["std_msgs/msg/Header"](stamp=stamp, frame_id=""),
                name=[f"joint_{number}" for number in numbers],
                position=np.array([recording[Channel("position", number)][i] for number in numbers]),
                velocity=np.array([recording[Channel("velocity", number)][i] for number in numbers]),
                effort=np.array([recording[Channel("current", number)][i] for number in numbers]),
            )
            writer.write(connection, i, store.serialize_cdr(message, "sensor_msgs/msg/JointState"))
    return folder / "bag"


def mcap(folder: Path, recording: Recording) -> Path:
    return next(rosbag2(folder, recording, "MCAP").glob("*.mcap"))


EXAMPLES: dict[str, Callable[[Path, Recording], Path]] = {
    "parquet": native("parquet", ".parquet"),
    "hdf5": native("hdf5", ".h5"),
    "csv_table": csv_table,
    "ur_rtde_csv": ur_rtde_csv,
    "rosbag2": rosbag2,
    "mcap": mcap,
}


@pytest.fixture(params=NAMES)
def name(request) -> str:
    return request.param


@pytest.fixture
def reader(name) -> Reader:
    return catalog.load("recordings", name)()


@pytest.fixture
def example(name, reader, arm_recording, tmp_path, request) -> Path:
    if name in EXAMPLES:
        return EXAMPLES[name](tmp_path, arm_recording())
    folder = request.getfixturevalue("data_dir")
    for child in sorted(folder.iterdir()):
        found = reader.sources(child)
        if found:
            return found[0]
    raise AssertionError(f"{name} has no example here and recognises nothing in {folder}")


def test_reader_is_named_after_its_file_and_documented(name, reader):
    kind = type(reader)
    assert isinstance(reader, Reader)
    assert reader.name == name
    assert kind.specificity in (0, 10, 20)
    assert catalog.describe("recordings")[name].endswith(".")
    assert kind.__doc__
    assert inspect.getdoc(kind) != inspect.getdoc(Reader)


def test_reader_is_made_without_arguments(name):
    kind = catalog.load("recordings", name)
    required = [p for p in inspect.signature(kind).parameters.values() if p.default is p.empty and p.kind < 2]
    assert required == []


FOREIGN: dict[str, bytes] = {
    "photo.png": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
    "notes.txt": b"The gripper was changed.\nIt holds again.\n",
    "zeros.bin": bytes(100),
    "empty.mat": b"",
    "rubbish.npz": bytes(range(255, -1, -1)) * 4,
    "rubbish.xlsx": bytes(range(255, -1, -1)) * 4,
    "rubbish.h5": b"no hdf5",
    "rubbish.parquet": b"no parquet",
    "rubbish.mcap": b"no mcap",
    "metadata.yaml": b"a: 1\n",
}


def test_nothing_foreign_is_recognised_and_nothing_raises(reader, tmp_path):
    for file, content in FOREIGN.items():
        (tmp_path / file).write_bytes(content)
        assert reader.recognises(tmp_path / file) is False, file
    (tmp_path / "empty").mkdir()
    assert reader.recognises(tmp_path / "empty") is False
    assert reader.recognises(tmp_path) is False
    assert reader.recognises(tmp_path / "absent.csv") is False
    assert reader.sources(tmp_path / "empty") == []


def test_any_bytes_under_any_suffix_are_no_reason_to_raise(reader, tmp_path):
    rng = np.random.default_rng(0)
    for suffix in (".csv", ".txt", ".parquet", ".h5", ".mcap", ".xlsx", ".mat", ".npz", ".db3", ""):
        for size in (1, 7, 300):
            path = tmp_path / f"any_{size}{suffix}"
            path.write_bytes(rng.integers(0, 256, size, dtype=np.uint8).tobytes())
            assert isinstance(reader.recognises(path), bool)


def test_example_is_recognised_and_gives_valid_recordings(reader, example):
    assert reader.recognises(example)
    recordings = list(reader.read(example))
    assert recordings
    for recording in recordings:
        assert recording.channels
        assert np.isfinite(recording.values).any(axis=1).mean() > 0.5
        assert not np.isinf(recording.values).any()
        assert recording.robot.unit
        assert recording.session
        assert recording.rate_hz > 0
        assert recording.quality.rows_read >= 0
        for issue in recording.quality.issues:
            assert issue.kind.replace("_", "").isalpha()
            assert issue.detail or issue.remedy or issue.action is not Action.KEPT, issue.kind


def test_reading_twice_gives_the_same(reader, example):
    first, second = list(reader.read(example)), list(reader.read(example))
    assert len(first) == len(second)
    assert all(a.equals(b) for a, b in zip(first, second, strict=True))


def test_front_door_chooses_this_reader(name, example):
    assert read(example).sources[0][1].name == name


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name != "rosbag2"])
def test_numbers_survive_the_way_through_the_format(name, tmp_path, arm_recording):
    recording = arm_recording()
    (again,) = read(EXAMPLES[name](tmp_path, recording))
    np.testing.assert_allclose(again["position/2"], recording["position/2"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(np.diff(again.time_s), np.diff(recording.time_s), atol=1e-8)


def test_empty_file_is_an_input_error(reader, example, tmp_path):
    if example.is_dir():
        pytest.skip("a source of this format is a folder")
    (tmp_path / "empty").mkdir()
    empty = tmp_path / "empty" / example.name
    empty.write_bytes(b"")
    with pytest.raises(EmptyInput, match="Remedy"):
        list(reader.read_source(empty))


def test_cut_example_is_kept_in_part_or_a_clear_error(name, reader, example, tmp_path):
    """The first two thirds of a file: recordings, or an `InputError` that names the file and the remedy."""
    if example.is_dir():
        pytest.skip("a source of this format is a folder")
    folder = tmp_path / "cut"
    folder.mkdir()
    cut = folder / example.name
    content = example.read_bytes()
    cut.write_bytes(content[: 2 * len(content) // 3])
    for side in example.parent.glob("*.yaml"):
        (folder / side.name).write_bytes(side.read_bytes())
    try:
        recordings = list(reader.read_source(cut))
    except InputError as error:
        assert str(cut) in str(error)  # noqa: PT017 (either outcome is right)
        assert error.remedy  # noqa: PT017
    else:
        assert recordings
