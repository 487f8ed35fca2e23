"""Facts of single public sets that their cards state, on the measured files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jointwatch.core import Label, Recording, catalog
from jointwatch.core.errors import MissingExtra


def read(name: str, path: Path) -> list[Recording]:
    if not path.exists():
        pytest.skip(f"{path} is not there")
    try:
        return list(catalog.load("recordings", name)().read(path))
    except MissingExtra as missing:
        pytest.skip(str(missing))


def test_ur10e_garbled_rows_are_counted_and_none_is_left(data_dir: Path) -> None:
    folder = data_dir / "ur10e_innopolis" / "identification_data"
    (garbled,) = read("ur10e_innopolis", folder / "ur-20_02_19_15harm50secLoad.csv")
    rows = {row for issue in garbled.quality.issues for row in issue.rows}
    assert {3, 4, 5, 7, 8, 6107} <= rows
    assert garbled.quality.count("corrupt_row") >= 5
    assert garbled.truth["payload"] is True
    (oldest,) = read("ur10e_innopolis", folder / "ur-19_09_27-11_32_02.csv")
    assert oldest.quality.count("corrupt_row") >= 15
    for recording in (garbled, oldest):
        finite = recording.values[:, ~np.isnan(recording.values).any(axis=0)]
        steps = np.abs(np.diff(finite[:6], axis=1))
        assert steps.max() < 0.2  # rad: no position jumps


def test_ur10e_payload_and_pushes_come_from_the_names(data_dir: Path) -> None:
    found = {r.session: r for r in read("ur10e_innopolis", data_dir / "ur10e_innopolis")}
    assert sum(r.truth["payload"] for r in found.values()) == 4
    assert found["ur-20_01_13-load_2600"].truth["payload_kg"] == 2.6
    assert not found["ur-20_01_31-unload"].truth["payload"]
    pushed = {name for name, r in found.items() if r.condition.fault == "hand_push"}
    assert pushed == {"ur-20_01_22-push_pose_1", "ur-20_01_22-push_pose_2"}
    assert {r.condition.label for name, r in found.items() if name not in pushed} == {Label.NORMAL}


def test_cobotops_cycles_flags_and_defects(data_dir: Path) -> None:
    (day,) = read("cobotops", data_dir / "ur3_cobotops")
    (lost,) = [issue for issue in day.quality.issues if issue.kind == "not_a_number"]
    assert "54 rows" in lost.detail
    assert len(day.breaks) >= 1
    assert np.diff(day.time_s).max() > 5 * 3600
    labels = [cycle.condition.label for cycle in day.cycles]
    assert labels.count(Label.NORMAL) > labels.count(Label.ANOMALOUS) > 50
    for event in day.events:
        inside = [c for c in day.cycles if c.start_s <= event.start_s < c.stop_s]
        assert [c.condition.label for c in inside] == [Label.ANOMALOUS]
    for cycle in day.cycles:  # none crosses a gap
        crossed = [i for i in day.breaks if cycle.start_s < day.time_s[i] < cycle.stop_s]
        assert not crossed


def test_emps_pulses_push_the_axis_by_the_voltage_they_are_said_to_have(data_dir: Path) -> None:
    quiet, pulsed = read("emps", data_dir / "emps_servo")
    assert [len(r.cycles) for r in (quiet, pulsed)] == [4, 4]
    assert {c.condition.label for c in pulsed.cycles} == {Label.ANOMALOUS}
    difference = pulsed["voltage.commanded/1"] - quiet["voltage.commanded/1"]
    jumps = [difference[np.searchsorted(pulsed.time_s, event.start_s)] for event in pulsed.events]
    assert np.median(np.abs(jumps)) == pytest.approx(pulsed.truth["pulse_height"], abs=0.2)
    gain = quiet.truth["drive_gain_n_v"]
    np.testing.assert_allclose(quiet["torque.derived/1"], gain * quiet["voltage.commanded/1"])


def test_itsc_current_grows_with_the_shorted_turns(data_dir: Path) -> None:
    recordings = read("itsc", data_dir / "itsc_motor_current")
    strength = {stage: [] for stage in range(5)}
    for recording in recordings:
        strength[recording.condition.stage].append(float(np.sqrt((recording.values**2).mean())))
        spectrum = np.abs(np.fft.rfft(recording.values[0] * np.hanning(recording.values.shape[1])))
        assert int(spectrum.argmax()) == 60  # one second, so the bin is the frequency in hertz
    means = [np.mean(values) for values in strength.values()]
    assert means == sorted(means)


def test_rad_moves_are_pieces_of_the_long_recording(data_dir: Path) -> None:
    recordings = [r for r in read("ur3e_rad", data_dir / "ur3e_rad_power") if r.session.startswith("RTDE")]
    long = max(recordings, key=lambda r: r.duration_s)
    moves = [r for r in recordings if r is not long]
    assert len(moves) == 5
    for move in moves:
        start = round((move.truth["controller_time_s"] - long.truth["controller_time_s"]) * 25)
        part = slice(start, start + len(move.time_s))
        np.testing.assert_allclose(long["current/2"][part], move["current/2"], atol=1e-6)
        assert move.truth["slice_of"] == "fig9.xlsx"


def test_voraus_maps_every_signal_and_knows_the_joint_of_a_fault(data_dir: Path) -> None:
    recordings = read("voraus", data_dir / "voraus_ad_fixture")
    for recording in recordings:
        assert len(recording.channels) == 6 * 21 + 6
        apart = np.abs(recording["position/4"] - recording["position/4:motor"]).max()
        assert apart < 0.005  # both encoders see the same joint
    (faulty,) = [r for r in recordings if r.condition.label is Label.ANOMALOUS]
    assert (faulty.condition.fault, faulty.condition.joint) == ("axis_friction", 1)
