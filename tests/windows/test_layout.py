"""Channel lists and the joint-wise layout: arms with other joints meet, and everything finds its way back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jointwatch.core import Channel, Index, Quantity, Recording, Windows
from jointwatch.core.errors import MissingChannel, UsageError
from jointwatch.windows.layout import common_channels, joint_wise

Make = Callable[..., Windows]
MakeRecording = Callable[..., Recording]


def test_channels_are_joint_major_in_the_order_asked_for(arm_recording: MakeRecording) -> None:
    six, seven = arm_recording(joints=6), arm_recording(joints=7)
    found = common_channels([six, seven], ["current", Quantity.POSITION])
    assert [c.key for c in found[:4]] == ["current/1", "position/1", "current/2", "position/2"]
    assert found[-1].key == "position/7"
    assert len(common_channels([six, seven], ["current"], joints="common")) == 6
    assert [c.key for c in common_channels(seven, ["current"], joints=[2, 5])] == ["current/2", "current/5"]


def test_by_default_what_all_share_without_what_is_to_be_found(arm_recording: MakeRecording) -> None:
    arm = arm_recording(joints=1)
    extra = tuple(Channel.parse(key) for key in ("torque/1", "contact/1", "status/1", "tcp_force:x"))
    richer = arm.with_channels(extra, np.zeros((4, len(arm.time_s))))
    assert [c.key for c in common_channels(richer)] == ["position/1", "velocity/1", "current/1", "torque/1"]
    assert [c.key for c in common_channels([richer, arm])] == ["position/1", "velocity/1", "current/1"]
    assert [c.key for c in common_channels(richer, ["tcp_force", "contact"])] == ["contact/1", "tcp_force:x"]


def test_missing_quantities_are_named(arm_recording: MakeRecording) -> None:
    with pytest.raises(MissingChannel, match=r"torque.*arm-1"):
        common_channels(arm_recording(), ["torque"])
    with pytest.raises(UsageError, match="share no channel"):
        common_channels(arm_recording(), ["current"], joints=[9])
    with pytest.raises(UsageError, match="'all'"):
        common_channels(arm_recording(), joints="some")


@st.composite
def _masks(draw: st.DrawFn) -> np.ndarray:
    mask = np.array(draw(st.lists(st.lists(st.booleans(), min_size=6, max_size=6), min_size=1, max_size=12)))
    mask[~mask.any(axis=1), 0] = True
    return mask


_CHANNELS = ("current/1", "position/1", "current/3", "torque/3", "position/2", "current/2")


@settings(max_examples=50, deadline=None)
@given(_masks(), st.integers(0, 99))
def test_joint_wise_and_back(noise_windows: Make, mask: np.ndarray, seed: int) -> None:
    windows = noise_windows(count=len(mask), channels=_CHANNELS, mask=mask, seed=seed, length=5)
    rows = joint_wise(windows)
    back = rows.back()
    np.testing.assert_array_equal(back.values, windows.values)
    np.testing.assert_array_equal(back.presence, windows.presence)
    assert back.channels == windows.channels
    # one row for each joint that is there, nothing lost
    joints = np.array([c.joint for c in windows.channels])
    assert len(rows.windows) == sum(len(set(joints[there])) for there in mask)
    assert [c.key for c in rows.windows.channels] == ["current", "position", "torque"]
    assert rows.windows.presence.sum() == mask.sum()
    per_channel = (rows.windows.values**2).sum(axis=2)
    np.testing.assert_allclose(rows.contributions(per_channel), (windows.values**2).sum(axis=2) * mask)
    np.testing.assert_allclose(
        rows.aggregate(per_channel.sum(axis=1), "sum"), (windows.values**2).sum(axis=(1, 2)), rtol=1e-5
    )


def test_joint_wise_follows_a_permutation_of_windows(noise_windows: Make) -> None:
    windows = noise_windows(count=12, channels=_CHANNELS)
    order = np.random.default_rng(0).permutation(12)
    direct, shuffled = joint_wise(windows), joint_wise(windows[order])
    score = direct.windows.values.max(axis=(1, 2))
    np.testing.assert_array_equal(
        shuffled.aggregate(shuffled.windows.values.max(axis=(1, 2))), direct.aggregate(score)[order]
    )


def test_scores_per_joint_name_the_joint(noise_windows: Make) -> None:
    mask = np.ones((2, 6), bool)
    mask[1, 2:4] = False  # the second window's robot has no joint 3
    rows = joint_wise(noise_windows(count=2, channels=_CHANNELS, mask=mask))
    assert rows.joint_of_row.tolist() == [1, 2, 3, 1, 2]
    assert rows.window_of_row.tolist() == [0, 0, 0, 1, 1]
    table = rows.per_joint(np.array([1.0, 5.0, 2.0, 7.0, 3.0]))
    np.testing.assert_array_equal(table, [[1, 5, 2], [7, 3, np.nan]])
    np.testing.assert_array_equal(rows.aggregate(np.array([1.0, 5.0, 2.0, 7.0, 3.0])), [5, 7])


def test_only_the_faulty_joint_is_labelled_anomalous(noise_windows: Make) -> None:
    windows = noise_windows(count=2, channels=_CHANNELS, label="anomalous")
    columns = {**windows.index.columns(), "joint": np.array([2, 0])}
    rows = joint_wise(replace(windows, index=Index(**columns)))
    assert rows.windows.index.label.tolist() == ["uncertain", "anomalous", "uncertain", *["anomalous"] * 3]


def test_wrong_use_is_said(noise_windows: Make) -> None:
    with pytest.raises(UsageError, match="tcp_force"):
        joint_wise(noise_windows(channels=("current/1", "tcp_force:x")))
    with pytest.raises(UsageError, match="window 1 has none"):
        joint_wise(noise_windows(count=2, channels=("current/1",), mask=np.array([[True], [False]])))
    rows = joint_wise(noise_windows(count=2))
    with pytest.raises(UsageError, match="4 rows"):
        rows.aggregate(np.zeros(3))
