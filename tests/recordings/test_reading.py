"""The front door: the most specific reader for each source, nothing dropped in silence."""

from __future__ import annotations

import importlib
import sys

import pytest

from jointwatch.core.errors import CorruptInput, InputError, MissingExtra, UnknownFormat, UsageError
from jointwatch.recordings import _reading, read
from jointwatch.recordings.parquet import Parquet


@pytest.fixture
def folder(arm_recording, tmp_path):
    """Runs 1, 2, 10 in a folder, one of them damaged, a stray document, and a table without map."""
    for number in (10, 2, 1):
        Parquet.write(arm_recording(seed=number, session=f"run {number}"), tmp_path / "runs" / f"run_{number}.parquet")
    damaged = tmp_path / "runs" / "run_2.parquet"
    damaged.write_bytes(damaged.read_bytes()[:500])
    (tmp_path / "README.md").write_text("about")
    (tmp_path / ".hidden").write_text("x")
    (tmp_path / "table.csv").write_text("a,b\n1,2\n3,4\n")
    return tmp_path


def test_failures_and_leftovers_are_in_the_result(folder):
    reading = read(folder)
    assert [recording.session for recording in reading] == ["run 1", "run 10"]
    assert [(failure.source.name, failure.reader) for failure in reading.failures] == [
        ("run_2.parquet", "parquet"),
        ("table.csv", "csv_table"),
    ]
    assert [path.name for path in reading.ignored] == ["README.md"]
    text = "\n".join(reading.summary())
    for word in ("2 recordings from 4 sources", "run_2.parquet: is damaged", "--suggest", "README.md"):
        assert word in text


def test_it_can_be_read_again(folder):
    reading = read(folder)
    assert len(list(reading)) == len(list(reading)) == 2
    assert len(reading.failures) == 2


def test_it_reads_one_at_a_time(folder, monkeypatch):
    read_sources = []
    original = Parquet._read
    monkeypatch.setattr(
        Parquet, "_read", lambda self, source: read_sources.append(source.name) or original(self, source)
    )
    next(iter(read(folder)))
    assert read_sources == ["run_1.parquet"]


def test_progress_is_told(folder):
    told = []
    list(read(folder, progress=lambda done, total, text: told.append((done, total, text))))
    assert told[0] == (0, 4, "run_1.parquet")
    assert told[-1] == (4, 4, "")
    assert len(told) == 5


def test_single_bad_file_raises(folder):
    with pytest.raises(CorruptInput, match=r"run_2\.parquet"):
        list(read(folder / "runs" / "run_2.parquet"))


def test_folder_in_which_all_fails_raises(folder):
    for path in (folder / "runs").iterdir():
        path.write_bytes(path.read_bytes()[:500])
    reading = read(folder)
    with pytest.raises(CorruptInput, match=r"run_1\.parquet"):
        list(reading)
    assert len(reading.failures) == 4


def test_path_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"absent: there is no such file or folder\. Remedy: check the path"):
        read(tmp_path / "absent")


def test_nothing_known(tmp_path):
    (tmp_path / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(UnknownFormat, match=r"holds nothing that a reader recognises \(tried .*parquet"):
        read(tmp_path)


def test_reader_by_name_or_object(folder):
    assert len(list(read(folder, reader="parquet"))) == 2
    assert [path.name for path in read(folder, reader=Parquet()).ignored] == ["README.md", "table.csv"]
    with pytest.raises(UsageError, match="no recordings entry 'nonsense'"):
        read(folder, reader="nonsense")
    with pytest.raises(UsageError, match="parquet takes no column map"):
        read(folder, reader="parquet", columns=folder / "m.yaml")


def test_map_given_counts_before_other_readers(tmp_path):
    path = tmp_path / "robot_data.csv"
    path.write_text("timestamp,actual_q_0\n0,1\n1,2\n2,3\n")
    assert next(iter(read(path))).robot.brand == "Universal Robots"
    (tmp_path / "m.yaml").write_text(
        "robot: {brand: other, unit: u}\ntime: {column: timestamp}\ncolumns: {actual_q_0: position/1}"
    )
    assert next(iter(read(path, columns=tmp_path / "m.yaml"))).robot.brand == "other"


@pytest.fixture
def without_hdf5(monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    monkeypatch.delitem(sys.modules, "jointwatch.recordings.hdf5", raising=False)
    original = importlib.import_module

    def missing(name, package=None):
        try:
            return original(name, package)
        except ModuleNotFoundError as error:
            error.name = error.name or "h5py"
            raise

    monkeypatch.setattr(importlib, "import_module", missing)


def test_missing_extra_matters_only_for_its_files(without_hdf5, folder):
    assert not read(folder).unavailable
    (folder / "log.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    reading = read(folder)
    assert len(list(reading)) == 2
    assert ("log.h5", "hdf5") in [(failure.source.name, failure.reader) for failure in reading.failures]
    assert "jointwatch[io]" in "\n".join(reading.summary())
    with pytest.raises(MissingExtra, match=r"jointwatch\[io\]"):
        read(folder / "log.h5")


def test_suffixes_are_known_without_importing():
    assert _reading._suffixes("mcap") == (".mcap",)
    assert _reading._suffixes("rosbag2") == ("metadata.yaml", ".db3")
