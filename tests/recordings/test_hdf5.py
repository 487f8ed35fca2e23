"""HDF5: own files by themselves, foreign ones with a column map (the round trip is in test_parquet)."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from jointwatch.core.errors import CorruptInput, EmptyInput, InputError, MissingChannel, UnknownFormat
from jointwatch.recordings import read
from jointwatch.recordings.hdf5 import Hdf5

MAP = """
robot: {unit: arm-1}
time: {column: log/t}
columns:
  "log/q[0]": {channel: position/1, unit: deg}
  "log/q[1]": {channel: position/2, unit: deg}
  drive.current: {channel: current/1, unit: mA}
"""


@pytest.fixture
def foreign(tmp_path):
    path = tmp_path / "log.h5"
    with h5py.File(path, "w") as file:
        file["log/t"] = np.arange(50) / 10
        file["log/q"] = np.stack([np.linspace(0, 90, 50), np.linspace(0, 45, 50)], axis=1)
        drive = np.zeros(48, dtype=[("current", "f4"), ("state", "i2")])
        drive["current"] = 1500
        file["drive"] = drive
        file["mode"] = np.array([b"auto"] * 50)
    path.with_name("log.h5.map.yaml").write_text(MAP)
    return path


def test_datasets_are_named_by_their_path(foreign):
    (recording,) = read(foreign)
    assert recording["position/1"][0] == 0
    assert recording["position/2"][-1] == pytest.approx(np.radians(45 * 47 / 49))
    np.testing.assert_allclose(recording["current/1"], 1.5)


def test_series_of_other_length_are_cut_and_counted(foreign):
    (recording,) = read(foreign)
    assert recording.quality.count("ragged_row") == 2
    assert len(recording.time_s) == 48


def test_missing_dataset_names_the_nearest(foreign):
    foreign.with_name("log.h5.map.yaml").write_text(MAP.replace("log/q[0]", "log/q0"))
    with pytest.raises(MissingChannel, match=r"there is no column 'log/q0'.*'log/q\[0\]'"):
        list(read(foreign))


def test_without_a_map_it_asks_for_one(foreign):
    foreign.with_name("log.h5.map.yaml").unlink()
    with pytest.raises(InputError, match=r"log\.h5: what its columns are is not known.*series are .*log/q\[0\]"):
        list(read(foreign))


def test_damaged_file_is_a_clear_error(arm_recording, tmp_path):
    path = Hdf5.write(arm_recording(), tmp_path / "arm.h5")
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(CorruptInput, match=r"arm\.h5: is damaged or cut off"):
        list(read(path))


def test_newer_schema_is_refused(arm_recording, tmp_path):
    path = Hdf5.write(arm_recording(), tmp_path / "arm.h5")
    with h5py.File(path, "a") as file:
        file.attrs["jointwatch_schema"] = "2"
    with pytest.raises(UnknownFormat, match="schema '2'"):
        list(read(path))


def test_file_without_series_is_an_error(tmp_path):
    path = tmp_path / "log.h5"
    with h5py.File(path, "w") as file:
        file.attrs["note"] = "nothing"
    path.with_name("log.h5.map.yaml").write_text(MAP)
    with pytest.raises(EmptyInput, match="holds no series"):
        list(read(path))
