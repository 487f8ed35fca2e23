"""Native storage: lossless, atomic, and clear about what it cannot read."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jointwatch.core import (
    Action,
    Channel,
    Condition,
    Cycle,
    Event,
    Joint,
    QualityIssue,
    QualityReport,
    Quantity,
    Recording,
    Robot,
    Source,
)
from jointwatch.core.errors import CorruptInput, UnknownFormat, UsageError
from jointwatch.recordings import _codec, read
from jointwatch.recordings.hdf5 import Hdf5
from jointwatch.recordings.parquet import Parquet

words = st.text(max_size=12)
numbers = st.floats(allow_nan=False, allow_infinity=False, width=32)
conditions = st.one_of(
    st.builds(Condition, st.just("normal"), stage=st.none() | st.integers(0, 8)),
    st.builds(Condition, st.just("anomalous"), words, st.none() | st.integers(1, 7), st.none() | st.floats(0, 1)),
)


@st.composite
def recordings(draw) -> Recording:
    length = draw(st.integers(2, 12))
    steps = draw(st.lists(st.floats(1e-4, 1e3), min_size=length, max_size=length))
    time_s = draw(numbers) + np.cumsum(steps)
    if not (np.diff(time_s) > 0).all():
        time_s = np.cumsum(steps)
    channels = draw(
        st.lists(
            st.builds(
                Channel,
                st.sampled_from(Quantity),
                st.none() | st.integers(1, 7),
                st.sampled_from(Source),
                st.sampled_from(["", "x", "phase_a"]),
            ),
            unique=True,
            max_size=5,
        )
    )
    cells = st.one_of(st.floats(width=64), st.just(float("nan")), st.just(-0.0))
    values = [draw(st.lists(cells, min_size=length, max_size=length)) for _ in channels]
    edges = sorted(draw(st.sets(st.floats(-1e6, 1e6), max_size=6)))
    joints = tuple(Joint(n, draw(words), draw(st.sampled_from(["revolute", "prismatic"]))) for n in range(1, 8))
    issue = st.builds(
        QualityIssue,
        words,
        st.integers(1, 10**6),
        st.sampled_from(Action),
        st.tuples(words),
        st.tuples(st.integers(1, 99)),
        words,
        words,
    )
    return Recording(
        time_s,
        np.array(values).reshape(len(channels), length),
        tuple(channels),
        Robot(draw(words), draw(words), draw(st.text(min_size=1, max_size=8)), joints),
        draw(words),
        tuple(Cycle(a, b, draw(conditions), draw(words)) for a, b in zip(edges[::2], edges[1::2], strict=False)),
        tuple(Event(draw(words), a, a, draw(conditions)) for a in edges),
        draw(conditions),
        tuple(sorted(draw(st.sets(st.integers(1, length - 1), max_size=3)))),
        QualityReport(draw(st.integers(0, 10**9)), tuple(draw(st.lists(issue, max_size=3)))),
        draw(st.dictionaries(words, st.one_of(numbers, words, st.none(), st.lists(numbers, max_size=3)), max_size=3)),
        draw(words),
    )


@pytest.mark.parametrize(("reader", "suffix"), [(Parquet, ".parquet"), (Hdf5, ".h5")])
@given(recording=recordings())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_round_trip_is_lossless(reader, suffix, recording, tmp_path):
    path = reader.write(recording, tmp_path / f"any{suffix}")
    assert reader().recognises(path)
    (again,) = reader().read(path)
    assert again.equals(recording)
    assert again.values.tobytes() == recording.values.tobytes() or np.isnan(recording.values).any()


def test_any_parquet_tool_sees_the_table(arm_recording, tmp_path):
    recording = arm_recording()
    table = pl.read_parquet(Parquet.write(recording, tmp_path / "arm.parquet"))
    assert table.columns == ["time_s", *(channel.key for channel in recording.channels)]
    np.testing.assert_array_equal(table["current/1"].to_numpy(), recording["current/1"])


def test_writing_replaces_at_once_and_leaves_nothing_behind(arm_recording, tmp_path, monkeypatch):
    path = Parquet.write(arm_recording(seed=1), tmp_path / "arm.parquet")
    before = path.read_bytes()

    def fail(*_args, **_options):
        raise OSError("disk full")

    monkeypatch.setattr("pyarrow.parquet.write_table", fail)
    with pytest.raises(OSError, match="disk full"):
        Parquet.write(arm_recording(seed=2), path)
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["arm.parquet"]


def test_truth_that_is_no_json_is_refused(arm_recording, tmp_path):
    import dataclasses

    recording = dataclasses.replace(arm_recording(), truth={"payload": object()})
    with pytest.raises(UsageError, match="no JSON"):
        Parquet.write(recording, tmp_path / "arm.parquet")


def test_foreign_parquet_is_not_recognised_and_named(tmp_path):
    path = tmp_path / "other.parquet"
    pl.DataFrame({"a": [1.0, 2.0]}).write_parquet(path)
    assert not Parquet().recognises(path)
    with pytest.raises(UnknownFormat, match=r"other\.parquet: is a Parquet file that jointwatch did not write"):
        list(Parquet().read_source(path))


def test_newer_schema_is_refused(arm_recording, tmp_path, monkeypatch):
    monkeypatch.setattr("jointwatch.recordings.parquet.SCHEMA", "2")
    path = Parquet.write(arm_recording(), tmp_path / "arm.parquet")
    assert _codec.SCHEMA == "1"
    with pytest.raises(UnknownFormat, match=r"schema '2'.*reads '1'.*upgrade"):
        list(read(path))


@pytest.mark.parametrize("share", [0.0005, 0.3, 0.99])
def test_truncated_file_is_a_clear_error(share, arm_recording, tmp_path):
    path = Parquet.write(arm_recording(), tmp_path / "arm.parquet")
    content = path.read_bytes()
    path.write_bytes(content[: max(4, int(share * len(content)))])
    with pytest.raises(CorruptInput, match=r"arm\.parquet: is damaged or cut off.*Remedy"):
        list(read(path))
