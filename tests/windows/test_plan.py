"""A plan chooses what all robots share, and decides in periods that do not overlap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from jointwatch.core import Channel, Event, Quantity, Recording
from jointwatch.core.errors import MissingChannel, NotEnoughData, UsageError
from jointwatch.windows.plan import WindowPlan

Make = Callable[..., Recording]


def test_marked_cycles_become_cycle_windows_of_shared_quantities(arm_recording: Make) -> None:
    one = arm_recording()
    other = arm_recording(unit="arm-2").select(["position/1", "current/1", "position/2", "current/2"])
    plan = WindowPlan.suited_to([one, other], length=50)
    assert plan.kind == "cycle"
    assert [c.key for c in plan.channels] == ["position/1", "current/1", "position/2", "current/2"]
    assert plan.cut([one, other]).shape == (12, 4, 50)


def test_six_and_seven_joints_meet_in_one_plan(arm_recording: Make) -> None:
    six, seven = arm_recording(joints=6, unit="six"), arm_recording(joints=7, unit="seven")
    windows = WindowPlan.suited_to([six, seven], length=50).cut([six, seven])
    assert windows.shape[1] == 21
    last = [i for i, channel in enumerate(windows.channels) if channel.joint == 7]
    assert not windows.presence[windows.index.unit == "six"][:, last].any()
    assert windows.presence[windows.index.unit == "seven"].all()


def test_template_names_every_joint(arm_recording: Make) -> None:
    plan = WindowPlan.suited_to([arm_recording()], channels="current/J, current.derived/J:innovation", kind="sliding")
    assert [c.key for c in plan.channels] == [
        "current/1", "current.derived/1:innovation", "current/2", "current.derived/2:innovation",
    ]  # fmt: skip


def test_decisions_cover_a_cycle_without_a_gap(arm_recording: Make) -> None:
    long = arm_recording(cycles=1, cycle_s=20.0)
    plan = WindowPlan.suited_to([long], kind="sliding", length=20, step=5, rate_hz=100.0, decide_s=2.0)
    index = plan.cut([long]).index
    names = list(dict.fromkeys(index.cycle.tolist()))
    assert [name.rsplit("/", 1)[1] for name in names] == [str(i) for i in range(10)]
    for number, name in enumerate(names):
        stops = index.stop_s[index.cycle == name]
        assert (stops >= 0.2 + 2.0 * number - 1e-9).all()
        assert (stops < 0.2 + 2.0 * (number + 1) - 1e-9).all()
        assert len(stops) == 40 or number == 9


def test_an_event_divides_normal_from_anomalous(arm_recording: Make) -> None:
    hit = replace(arm_recording(cycles=1, cycle_s=20.0), events=(Event("contact", 11.0, 20.0),))
    plan = WindowPlan.suited_to([hit], kind="sliding", length=20, step=5, rate_hz=100.0, decide_s=2.0, event="contact")
    index = plan.cut([hit]).index
    assert set(index.label[index.stop_s <= 11.0].tolist()) == {"normal"}
    assert set(index.label[index.stop_s > 11.02].tolist()) == {"anomalous"}


def test_what_cannot_be_planned_says_why(arm_recording: Make) -> None:
    recording = arm_recording()
    with pytest.raises(NotEnoughData):
        WindowPlan.suited_to([])
    with pytest.raises(MissingChannel, match="name the channels"):
        WindowPlan.suited_to([recording, recording.select(["current/1"]), recording.select(["position/1"])])
    with pytest.raises(UsageError, match="sliding windows only"):
        WindowPlan((Channel(Quantity.CURRENT, 1),), decide_s=1.0)
    with pytest.raises(UsageError, match="no channel name"):
        WindowPlan.suited_to([recording], channels="amps/J")


def test_plan_is_plain_data(arm_recording: Make) -> None:
    plan = WindowPlan.suited_to([arm_recording()], length=50)
    assert plan == WindowPlan(**{name: getattr(plan, name) for name in plan.__dataclass_fields__})
    assert np.isnan(plan.cut([arm_recording()]).rate_hz)
