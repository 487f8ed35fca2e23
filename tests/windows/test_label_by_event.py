"""Labels from events: normal until the onset, anomalous from the first sample behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jointwatch.core import Condition, Event, Label, Recording
from jointwatch.core.errors import UsageError
from jointwatch.windows.label_by_event import label_by_event
from jointwatch.windows.sliding import sliding

Make = Callable[..., Recording]


@settings(max_examples=40, deadline=None)
@given(st.floats(0.0, 11.9), st.integers(10, 150), st.integers(5, 100))
def test_a_window_is_anomalous_exactly_if_it_holds_a_sample_behind_the_onset(
    arm_recording: Make, onset_s: float, length: int, step: int
) -> None:
    recording = arm_recording(cycles=6)
    unmarked = replace(recording, cycles=(), events=(Event("contact", onset_s, onset_s),))
    windows = sliding(unmarked, rate_hz=100.0, length=length, step=step)
    labelled = label_by_event(windows, unmarked, "contact")
    last_sample_s = windows.index.start_s + (length - 1) / 100
    clear = np.abs(last_sample_s - onset_s) > 1e-6
    expected = np.where(last_sample_s >= onset_s, "anomalous", "normal")
    assert labelled.index.label[clear].tolist() == expected[clear].tolist()
    np.testing.assert_array_equal(labelled.values, windows.values)
    assert set(labelled.index.fault.tolist()) <= {"", "contact"}


def test_spans_glimpses_and_what_comes_after(arm_recording: Make) -> None:
    fault = Condition(Label.ANOMALOUS, "collision", joint=2, severity=0.3)
    event = Event("contact", 1.95, 3.5, fault)
    recording = replace(arm_recording(cycles=6), cycles=(), events=(event, Event("other", 0.1, 0.2)))
    windows = sliding(recording, rate_hz=100.0, length=100, step=100)
    labels = label_by_event(windows, recording, "contact", least_s=0.1, after="uncertain").index
    assert labels.label.tolist() == ["normal", "uncertain", "anomalous", "anomalous", *["uncertain"] * 8]
    assert labels.joint.tolist()[:4] == [0, 0, 2, 2]
    assert labels.fault[2] == "collision"
    assert labels.severity[3] == 0.3
    later = label_by_event(windows, recording, "contact").index.label
    assert later.tolist() == ["normal", *["anomalous"] * 11]


def test_a_second_event_is_marked_too(arm_recording: Make) -> None:
    events = (Event("contact", 1.5, 1.5), Event("contact", 6.97, 7.2))
    recording = replace(arm_recording(cycles=6), cycles=(), events=events)
    windows = sliding(recording, rate_hz=100.0, length=100, step=100)
    labels = label_by_event(windows, recording, "contact", least_s=0.1, after="uncertain").index.label
    assert np.flatnonzero(labels == "anomalous").tolist() == [1, 7]
    assert np.flatnonzero(labels == "normal").tolist() == [0]


def test_other_recordings_keep_their_labels(arm_recording: Make) -> None:
    hit = replace(arm_recording(cycles=2, faulty=(0, 1)), events=(Event("contact", 2.0, 2.5),))
    faulty = arm_recording(cycles=2, unit="arm-2", faulty=(0,))
    windows = sliding([hit, faulty], rate_hz=100.0, length=200)
    labels = label_by_event(windows, [hit, faulty], "contact").index
    assert labels.label.tolist() == ["normal", "anomalous", "anomalous", "normal"]
    assert labels.fault.tolist() == ["", "contact", "friction", ""]


def test_wrong_use_is_said(arm_recording: Make) -> None:
    recording = replace(arm_recording(cycles=2), events=(Event("contact", 1.0, 1.0),))
    windows = sliding([recording, recording], rate_hz=100.0)
    with pytest.raises(UsageError, match="2 recordings share unit 'arm-1' and session 's1'"):
        label_by_event(windows, [recording, recording], "contact")
    with pytest.raises(UsageError, match=r"'grip'.*contact"):
        label_by_event(windows, recording, "grip")
    with pytest.raises(UsageError, match="after"):
        label_by_event(windows, recording, "contact", after="normal")
