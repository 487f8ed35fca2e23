"""Friction features find position, effort and velocity of each joint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from jointwatch.core import Channel, Recording, Windows
from jointwatch.core.errors import MissingChannel
from jointwatch.features.friction import Friction
from jointwatch.signals.friction import FRICTION
from jointwatch.windows.axis_view import axis_view
from jointwatch.windows.by_cycle import by_cycle

Make = Callable[..., Recording]


def cycles(recording: Recording, *keys: str) -> Windows:
    return by_cycle(recording, length=150, channels=[Channel.parse(key) for key in keys])


def test_each_effort_of_each_joint(arm_recording: Make) -> None:
    keys = ("current/1", "position/1", "current/2", "position/2", "velocity/2")
    features = Friction().fit(windows := cycles(arm_recording(), *keys))
    names = features.get_feature_names_out().tolist()
    assert names == [f"{key} {figure}" for key in ("current/1", "current/2") for figure in FRICTION]
    assert features.feature_channel_.tolist() == [0] * 9 + [2] * 9
    table = dict(zip(names, features.transform(windows).mean(axis=0), strict=True))
    assert table["current/1 coulomb"] == pytest.approx(0.5, abs=0.03)
    assert table["current/2 coulomb"] == pytest.approx(0.5, abs=0.03)


def test_velocity_is_that_of_the_windows_or_of_their_position(axis_session: Make) -> None:
    recording = axis_session(friction=2.0)
    found = []
    for keys in (["position", "torque"], ["position", "velocity.derived", "torque"]):
        view = axis_view(recording, keys)
        windows = by_cycle(view, length=150, channels=view.channels)
        found.append(Friction().fit(windows).transform(windows))
    np.testing.assert_allclose(found[0], found[1], atol=0.05)
    assert found[0][0, :2] == pytest.approx([2.0, 2.0], abs=0.15)


def test_a_velocity_that_a_robot_lacks_is_derived(arm_recording: Make) -> None:
    windows = cycles(arm_recording(), "current/1", "position/1", "velocity/1")
    mask = windows.presence.copy()
    mask[0, 2] = False
    values = windows.values * mask[:, :, None]
    table = Friction().fit(windows).transform(replace(windows, values=values, mask=mask))
    np.testing.assert_allclose(table[0], table[1], atol=0.05)


def test_wear_shows_and_gravity_does_not(axis_session: Make) -> None:
    sound, worn = (axis_session(fault=fault, severity=0.5) for fault in ("", "wear"))
    tables = []
    for recording in (sound, worn):
        windows = cycles(recording, "position/6", "torque/6")
        tables.append(Friction().fit(windows).transform(windows)[:, 1])
    np.testing.assert_allclose(tables[1] / tables[0], 1.5, atol=0.05)
    windows = cycles(sound, "position/6", "torque/6")
    values = windows.values.copy()
    values[:, 1] += 3 * np.cos(values[:, 0])
    lifted = Friction().fit(windows).transform(windows.with_values(values))
    np.testing.assert_allclose(lifted[:, 1:6], Friction().fit(windows).transform(windows)[:, 1:6], atol=0.02)


def test_without_a_position_it_says_what_is_missing(axis_session: Make) -> None:
    with pytest.raises(
        MissingChannel, match=r"no joint has both .* among torque/6\. Remedy: cut the windows with both"
    ):
        Friction().fit(cycles(axis_session(), "torque/6"))
