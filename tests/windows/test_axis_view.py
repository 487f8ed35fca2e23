"""One axis under names that are the same for every axis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from jointwatch.core import Recording
from jointwatch.core.errors import MissingChannel, UsageError
from jointwatch.windows.axis_view import axis_of, axis_view, signals_of

Make = Callable[..., Recording]


def test_the_axis_that_travels_farthest(axis_session: Make, arm_recording: Make) -> None:
    assert axis_of(axis_session(axis=4)) == 4
    both = arm_recording(joints=2)
    values = both.values.copy()
    values[[c.key == "position/1" for c in both.channels]] *= 0.5
    assert axis_of(replace(both, values=values)) == 2
    lost = values.copy()
    lost[[c.key == "position/2" for c in both.channels], 10:20] = np.nan
    assert axis_of(replace(both, values=lost)) == 2
    assert axis_of(both, 1) == 1
    values[1::3] = values[0::3] = values[0]
    assert axis_of(replace(both, values=values)) == 1  # two alike: the lower number


def test_views_of_two_axes_have_the_same_channels_and_own_values(axis_session: Make) -> None:
    keys = ["position", "torque/J", "velocity.derived"]
    views = [axis_view(axis_session(axis=axis, friction=axis), keys) for axis in (2, 5)]
    assert [[c.key for c in view.channels] for view in views] == [["position", "torque", "velocity.derived"]] * 2
    assert [view.truth["axis"] for view in views] == [2, 5]
    assert [np.abs(view["torque"]).max() > 4 for view in views] == [False, True]
    np.testing.assert_array_equal(views[1]["torque"], axis_session(axis=5, friction=5)["torque/5"])
    assert views[0].cycles == axis_session(axis=2).cycles


def test_what_is_not_there_is_named(axis_session: Make) -> None:
    recording = replace(axis_session(unit="arm-9", session="monday"), source="arm-9.csv")
    with pytest.raises(UsageError, match=r"arm-9\.csv: arm-9, session 'monday', has no joint 7, it has 1, .*axis="):
        axis_of(recording, 7)
    with pytest.raises(MissingChannel, match=r"arm-9\.csv, channel joint_torque/6: not recorded for arm-9"):
        axis_view(recording, ["joint_torque"])
    with pytest.raises(MissingChannel, match=r"arm-9\.csv, channel position/J: .*farthest.*axis="):
        axis_of(recording.select(["torque/6"]))
    with pytest.raises(UsageError, match="the axis is put in"):
        signals_of(4, ["torque/4"])
