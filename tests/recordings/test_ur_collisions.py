"""Free strokes and strokes into the device: names never seen, marks, and what the measured files show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jointwatch.core import Label, Recording
from jointwatch.recordings.ur_collisions import UrCollisions

BITS = "00000000"


def stroke(
    path: Path, speed_deg_s: float = 4.0, width: int = 40, contact_deg: float | None = -88.5, rate_hz: float = 100.0
) -> Path:
    """A stroke of joint 1 from -120 deg in the layout of the set; it stops half a degree behind the contact."""
    rng = np.random.default_rng(3)
    end_deg = -88.0 if contact_deg is None else contact_deg + 0.5
    moving_s = (end_deg + 120) / speed_deg_s
    time_s = np.arange(round((moving_s + (3.0 if width == 40 else 0.0)) * rate_hz)) / rate_hz
    position = np.minimum(-120 + speed_deg_s * time_s, end_deg)
    current = 1.1 + 0.05 * rng.standard_normal(len(time_s))
    table = np.zeros((len(time_s), width - 2))
    table[:, 0], table[:, 1], table[:, 13] = 1000 * time_s, position, current
    table[:, 31] = 1.1
    if width > 34:
        frozen = int(np.searchsorted(time_s, moving_s - 0.03))
        table[:, 32] = current
        table[frozen:, 32] = current[frozen]
    if width == 40:
        held = np.repeat(rng.standard_normal(len(time_s) // 5 + 1), 5)[: len(time_s)]
        touched = np.zeros(len(time_s)) if contact_deg is None else position >= contact_deg
        table[:, 37] = np.round((16_200_000 + 3_000 * held - 50_000 * touched) / 2_000) * 2_000
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(",".join([*(f"{v:.10g}" for v in row), BITS, BITS]) for row in table) + "\n")
    return path


def only(path: Path) -> Recording:
    (recording,) = UrCollisions().read(path)
    return recording


@pytest.mark.parametrize(("name", "speed"), [("Axis_10_2", 10.0), ("Axis_2_31", 2.0)])
def test_free_stroke_of_any_speed_and_number(tmp_path: Path, name: str, speed: float) -> None:
    recording = only(stroke(tmp_path / "kept" / f"{name}.csv", speed, width=34, rate_hz=125))
    assert recording.condition.label is Label.NORMAL
    assert recording.truth["speed_deg_s"] == speed == pytest.approx(recording.truth["measured_speed_deg_s"], rel=0.02)
    (cycle,) = recording.cycles
    position = np.degrees(recording["position/1"])
    left = position[recording.time_s >= cycle.stop_s]
    assert left[-1] - left[0] == pytest.approx(1.0, abs=2 * speed / 125)
    assert position[np.searchsorted(recording.time_s, cycle.start_s)] < -118
    assert [event.name for event in recording.events] == ["stroke_end"]


@pytest.mark.parametrize(
    ("name", "drift", "feedback", "run"),
    [("Drift10_NF_3", 10, False, 3), ("Drift20_WF_9", 20, True, 9), ("Drift90_NF_12", 90, False, 12)],
)
def test_contact_run_of_any_drift_and_number(tmp_path: Path, name: str, drift: int, feedback: bool, run: int) -> None:
    recording = only(stroke(tmp_path / f"{name}.csv"))
    assert {key: recording.truth[key] for key in ("drift", "feedback", "run")} == {
        "drift": drift,
        "feedback": feedback,
        "run": run,
    }
    assert recording.condition.label is Label.ANOMALOUS
    assert (recording.condition.fault, recording.condition.joint) == ("contact", 1)
    events = {event.name: event.start_s for event in recording.events}
    contact_s = (120 - 88.5) / 4
    assert events["contact"] == pytest.approx(contact_s, abs=0.08)
    assert contact_s < events["controller_reaction"] < events["standstill"] == pytest.approx(32 / 4, abs=0.08)
    assert recording.truth["contact_earliest_s"] <= events["contact"] <= recording.truth["contact_latest_s"] + 1e-9
    (cycle,) = recording.cycles
    assert cycle.start_s < 1 < events["contact"] < cycle.stop_s


def test_a_run_whose_sensor_saw_no_contact_is_uncertain(tmp_path: Path) -> None:
    recording = only(stroke(tmp_path / "Drift10_NF_4.csv", contact_deg=None))
    assert recording.condition.label is Label.UNCERTAIN
    assert recording.truth["contact_onset_s"] is None
    assert not recording.cycles
    assert "contact" not in {event.name for event in recording.events}


def test_other_names_and_demo_runs_are_uncertain(tmp_path: Path) -> None:
    demo, other = stroke(tmp_path / "7_Feedback.csv", width=39), stroke(tmp_path / "try.csv")
    assert only(demo).condition.label is only(other).condition.label is Label.UNCERTAIN
    assert only(demo).truth["feedback"] is True
    assert "contact" not in only(demo)


def test_garbled_rows_do_not_move_the_marks(tmp_path: Path) -> None:
    path = stroke(tmp_path / "Drift10_NF_1.csv")
    whole = only(path)
    lines = path.read_text().splitlines()
    lines[300] = ",".join(["1e150"] * 38 + [BITS] * 2)
    cut = "\n".join(lines)[:-40]  # the last row ends in the middle
    path.write_text(cut)
    damaged = only(path)
    assert damaged.quality.count("corrupt_row") == 1
    assert damaged.quality.count("truncated_row") == 1
    for before, after in zip(whole.events, damaged.events, strict=True):
        assert (after.name, after.start_s) == (before.name, pytest.approx(before.start_s, abs=1e-6))
    assert damaged.condition == whole.condition


@pytest.fixture(scope="module")
def runs(data_dir: Path) -> dict[str, Recording]:
    return {recording.session: recording for recording in UrCollisions().read(data_dir / "ur_collisions")}


def test_measured_contacts_agree_on_where_the_device_stands(runs: dict[str, Recording]) -> None:
    """Position has no part in the rule, so that onsets agree on it shows what the rule is worth: about 0.06 s."""
    where, early = [], 0
    for recording in runs.values():
        onset = {event.name: event.start_s for event in recording.events}.get("contact")
        if onset is None:
            continue
        where.append(float(np.degrees(np.interp(onset, recording.time_s, recording["position/1"]))))
        reaction = next(event.start_s for event in recording.events if event.name == "controller_reaction")
        early += recording.truth["contact_earliest_s"] <= reaction
    assert len(where) > 5
    assert np.std(where) < 0.3
    assert -88.8 < np.median(where) < -88.0
    assert early >= 0.9 * len(where)


def test_measured_free_strokes_end_in_the_contact_that_their_cycle_leaves_out(runs: dict[str, Recording]) -> None:
    free = [recording for recording in runs.values() if recording.condition.label is Label.NORMAL]
    assert free
    for recording in free:
        (cycle,) = recording.cycles
        inside = (recording.time_s >= cycle.start_s) & (recording.time_s < cycle.stop_s)
        current = recording["current/1"]
        spread = current[inside].std()
        assert current[-3:].max() > current[inside].mean() + 5 * spread, recording.session
        assert current[inside].max() < current[inside].mean() + 5 * spread, recording.session
        assert np.degrees(recording["position/1"][inside]).max() < -89
