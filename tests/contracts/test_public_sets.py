"""What every reader of a public data set promises, on the measured files.

Part of some sets is kept back elsewhere, so counts are lower bounds and everything else is told by structure.
"""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from jointwatch.core import Label, Quantity, Recording, Source, catalog
from jointwatch.core.errors import MissingExtra
from jointwatch.recordings.base import Reader


@dataclass(frozen=True)
class PublicSet:
    folder: str
    rate_hz: tuple[float, float]
    joints: tuple[int, ...]
    at_least: int
    labels: frozenset[Label]
    measured: frozenset[Quantity]


N, A, U = Label.NORMAL, Label.ANOMALOUS, Label.UNCERTAIN
Q = Quantity
SETS = {
    "armpi": PublicSet(
        "armpi_servo_faults",
        (9.9, 10.1),
        (6,),
        1,
        frozenset({N, A, U}),
        frozenset({Q.POSITION, Q.TEMPERATURE, Q.VOLTAGE}),
    ),
    "cobotops": PublicSet(
        "ur3_cobotops", (0.9, 1.1), (6,), 1, frozenset({U}), frozenset({Q.CURRENT, Q.TEMPERATURE, Q.VELOCITY, Q.STATUS})
    ),
    "cranfield": PublicSet(
        "cranfield_linear_actuator", (24.9, 25.1), (1,), 10, frozenset({N, A}), frozenset({Q.POSITION_ERROR, Q.CURRENT})
    ),
    "emps": PublicSet("emps_servo", (990, 1010), (1,), 2, frozenset({N, A}), frozenset({Q.POSITION})),
    "itsc": PublicSet("itsc_motor_current", (999, 1001), (1,), 65, frozenset({N, A}), frozenset({Q.CURRENT})),
    "kinova_gen3": PublicSet(
        "kinova_gen3_harmonic",
        (999, 1001),
        (7,),
        1,
        frozenset({N}),
        frozenset({Q.POSITION, Q.VELOCITY, Q.CURRENT, Q.TORQUE, Q.TEMPERATURE}),
    ),
    "ur10e_innopolis": PublicSet(
        "ur10e_innopolis", (85, 105), (6,), 41, frozenset({N, U}), frozenset({Q.POSITION, Q.VELOCITY, Q.CURRENT})
    ),
    "ur3e_rad": PublicSet("ur3e_rad_power", (24.9, 25.1), (6,), 17, frozenset({N}), frozenset({Q.CURRENT})),
    "ur_collisions": PublicSet(
        "ur_collisions",
        (80, 130),
        (6,),
        1,
        frozenset({N, A, U}),
        frozenset({Q.POSITION, Q.CURRENT, Q.TCP_POSITION, Q.TCP_FORCE}),
    ),
    "voraus": PublicSet(
        "voraus_ad_fixture",
        (98, 101),
        (6,),
        4,
        frozenset({N, A}),
        frozenset({Q.POSITION, Q.VELOCITY, Q.CURRENT, Q.JOINT_TORQUE, Q.VOLTAGE}),
    ),
    "zhaw": PublicSet("cobot_contact_zhaw", (199, 201), (6, 7), 1, frozenset({A}), frozenset({Q.POSITION_ERROR})),
}

# What a healthy or faulty robot of these sets can read, SI; wrong units or swapped columns break it.
LARGEST = {
    Q.POSITION: 13.0,
    Q.VELOCITY: 6.0,
    Q.ACCELERATION: 60.0,
    Q.CURRENT: 25.0,
    Q.TORQUE: 400.0,
    Q.JOINT_TORQUE: 100.0,
    Q.TEMPERATURE: 85.0,
    Q.VOLTAGE: 60.0,
    Q.POSITION_ERROR: 0.02,
    Q.POWER: 1000.0,
    Q.TCP_POSITION: 1.5,
    Q.TCP_ROTATION: 2 * np.pi,
    Q.TCP_FORCE: 400.0,
    Q.TCP_TORQUE: 100.0,
}


def reader_of(name: str) -> Reader:
    try:
        return catalog.load("recordings", name)()
    except MissingExtra as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module", params=sorted(SETS))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def folder(name: str, data_dir: Path) -> Path:
    path = data_dir / SETS[name].folder
    if not path.is_dir():
        pytest.skip(f"{path} is not there")
    return path


@pytest.fixture(scope="module")
def recordings(name: str, folder: Path) -> list[Recording]:
    try:
        return list(reader_of(name).read(folder))
    except MissingExtra as missing:
        pytest.skip(str(missing))


def test_reads_what_the_set_is_known_to_hold(name: str, recordings: list[Recording]) -> None:
    expected = SETS[name]
    assert len(recordings) >= expected.at_least
    assert {r.condition.label for r in recordings} <= expected.labels
    for recording in recordings:
        low, high = expected.rate_hz
        assert low <= recording.rate_hz <= high, recording.session
        assert len(recording.robot.joints) in expected.joints
        measured = {q for q, source in recording.quantities if source is not Source.DERIVED}
        assert measured & expected.measured, recording.session
    union = {q for r in recordings for q, source in r.quantities if source is Source.MEASURED}
    assert expected.measured <= union


def test_values_are_plausible_in_si_units(name: str, recordings: list[Recording]) -> None:
    for recording in recordings:
        lost = np.isnan(recording.values)
        assert lost.mean() < 0.05, f"{recording.session}: {lost.mean():.0%} lost"
        for channel, values, gone in zip(recording.channels, recording.values, lost, strict=True):
            bound = LARGEST.get(channel.quantity)
            if bound is not None and not gone.all():
                assert np.nanmax(np.abs(values)) <= bound, f"{recording.session} {channel.key}"
        kinds = {issue.kind for issue in recording.quality.issues}
        assert not {k for k in kinds if k.startswith("suspected") or k in ("unit_mismatch", "implausible_scale")}


def test_marks_lie_inside_and_labels_agree(name: str, recordings: list[Recording]) -> None:
    for recording in recordings:
        first, step = recording.time_s[0], 2.5 * float(np.median(np.diff(recording.time_s)))
        end = recording.time_s[-1] + step
        for mark in (*recording.cycles, *recording.events):
            assert first - step <= mark.start_s <= mark.stop_s <= end, (recording.session, mark)
        labels = {cycle.condition.label for cycle in recording.cycles}
        if recording.condition.label is Label.NORMAL:
            assert labels <= {Label.NORMAL}
        if recording.condition.label is Label.ANOMALOUS:
            assert recording.condition.fault
            assert not recording.cycles or Label.ANOMALOUS in labels
        for cycle in recording.cycles:
            assert cycle.condition.label is not Label.ANOMALOUS or cycle.condition.fault
        assert recording.truth.get("label_source")


def test_one_recording_for_a_session_unless_it_is_said_why(name: str, recordings: list[Recording]) -> None:
    repeated = {s: n for s, n in Counter((r.robot.unit, r.session) for r in recordings).items() if n > 1}
    if name == "ur3e_rad":  # the moves are pieces of the one long recording: no split may part them
        assert list(repeated.values()) == [6]
    else:
        assert not repeated


def test_reading_twice_gives_the_same(name: str, folder: Path, recordings: list[Recording]) -> None:
    for again, before, _ in zip(reader_of(name).read(folder), recordings, range(5), strict=False):
        assert again.equals(before)


def test_no_other_public_set_claims_a_source(name: str, folder: Path) -> None:
    sources = reader_of(name).sources(folder)
    assert sources
    for other in SETS:
        claimed = [source for source in sources[:: max(1, len(sources) // 8)] if reader_of(other).recognises(source)]
        assert bool(claimed) == (other == name), f"{other} claims {claimed[:1]}"


def test_a_single_source_under_another_folder_name_reads_the_same(name: str, folder: Path, tmp_path: Path) -> None:
    source = reader_of(name).sources(folder)[-1]
    copy = tmp_path / "somewhere else" / source.name
    copy.parent.mkdir()
    if source.is_dir():
        shutil.copytree(source, copy)
    else:
        shutil.copy(source, copy)
    here = next(iter(reader_of(name).read(copy)))
    there = next(iter(reader_of(name).read(source)))
    assert here.channels == there.channels
    np.testing.assert_array_equal(here.values, there.values)
    assert (here.session, here.cycles, here.events) == (there.session, there.cycles, there.events)
    assert here.condition == there.condition


@pytest.mark.parametrize("other", sorted(SETS))
def test_ordinary_files_are_left_to_the_general_readers(other: str, tmp_path: Path) -> None:
    """Tables that look somewhat like a set's, and files that cannot be read at all."""
    numbers = ",".join(["0.5"] * 32)
    texts = {
        "a.csv": "time,q1,q2,i1\n0,1,2,3\n0.1,1,2,3\n",
        "b.csv": f"{numbers},1,1\n{numbers},1,1\n",
        "ur-20_01_22-c.csv": "0,1,2,3\n",
        "d.csv": f"{'1,' * 30}1\n",
        "data_motor_1.csv": "time,current\n0,1\n",
        "e.csv": "TimeStamp,load,temperature\n1,2,3\n",
        "f.csv": "timestamp actual_q_0 actual_current_0\n0 1 2\n",
        "empty.csv": "",
        "g.npz": "no archive",
        "h.mat": "no archive",
        "i.xlsx": "no archive",
        "j.parquet": "no table",
    }
    for file, text in texts.items():
        (tmp_path / file).write_text(text)
    (tmp_path / "binary.csv").write_bytes(b"\0\1\2,3")
    np.savez(tmp_path / "k.npz", x=np.zeros(3))
    savemat(tmp_path / "l.mat", {"t": np.zeros(3), "y": np.zeros(3)})
    reader = reader_of(other)
    assert reader.specificity == 20
    assert not [path.name for path in sorted(tmp_path.iterdir()) if reader.recognises(path)]
    assert not reader.recognises(tmp_path)
    assert not reader.recognises(tmp_path / "absent")
