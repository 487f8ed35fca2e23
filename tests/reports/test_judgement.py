"""Verdicts: alarms, chance and missing knowledge lead to the right word for each robot and joint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from jointwatch.core import Robot, Scores
from jointwatch.reports.base import ReportData
from jointwatch.reports.judgement import State, headline, judge

Make = Callable[..., ReportData]


def _with_scores(data: ReportData, value: np.ndarray, leaders: np.ndarray) -> ReportData:
    """The data with other scores; `leaders` is the channel that brings most in each cycle."""
    scores = data.cycle_scores
    parts = np.full((len(scores), len(scores.channels)), 0.1)
    parts[np.arange(len(scores)), leaders] = 1.0
    return replace(data, cycle_scores=Scores(value, scores.index, "demo", scores.channels, parts))


def _channel(data: ReportData, key: str) -> int:
    return [c.key for c in data.cycle_scores.channels].index(key)


def test_one_high_cycle_by_chance_is_normal_many_are_watched(report_data: Make) -> None:
    data = replace(report_data(faulty={}), alarms=(), threshold=1.0)
    count = len(data.cycle_scores)
    current = np.full(count, _channel(data, "current/2"))
    for high, state in ((0, State.NORMAL), (1, State.NORMAL), (3, State.WATCH)):
        value = np.where(np.arange(count) < high, 2.0, 0.5)
        (verdict,) = judge(_with_scores(data, value, current))
        assert (verdict.above, verdict.state) == (high, state)
        watched = [joint.number for joint in verdict.joints if joint.state is State.WATCH]
        assert watched == ([2] if state is State.WATCH else [])


def test_without_an_alarm_a_watched_robot_does_not_need_attention(report_data: Make) -> None:
    data = replace(report_data(faulty={}), alarms=(), threshold=1.0)
    value = np.where(np.arange(len(data.cycle_scores)) < 4, 2.0, 0.5)
    data = _with_scores(data, value, np.full(len(value), _channel(data, "current/3")))
    verdicts = judge(data)
    assert headline(data, verdicts) == "No alarm, but watch arm-1, joint 3: more high scores than chance explains."


def test_a_joint_that_leads_now_and_then_is_not_blamed(report_data: Make) -> None:
    data = report_data(faulty={"arm-1": tuple(range(4, 24))})
    high = np.flatnonzero(data.cycle_scores.value > (data.threshold or 0.0))
    assert len(high) >= 15
    leaders = np.full(len(data.cycle_scores), _channel(data, "current/1"))
    leaders[high[0]] = _channel(data, "velocity/3")
    (verdict,) = judge(_with_scores(data, data.cycle_scores.value, leaders))
    assert [joint.state for joint in verdict.joints] == [State.ATTENTION, State.NORMAL, State.NORMAL]
    assert verdict.joints[2].reason == f"leads in 1 of {len(high)} high cycles"
    assert verdict.joints[0].reason.endswith("mostly by motor current")


def test_a_joint_without_a_channel_is_not_called_normal(report_data: Make) -> None:
    data = report_data(robots=(Robot.of("demo", "arm", "arm-1", 4),))
    (verdict,) = judge(data)
    assert (verdict.joints[3].state, verdict.joints[3].reason) == (State.UNKNOWN, "not measured")


def test_joints_are_known_without_a_robot_description(report_data: Make) -> None:
    (verdict,) = judge(report_data(robots=()))
    assert [joint.number for joint in verdict.joints] == [1, 2, 3]
    assert verdict.joints[0].state is State.ATTENTION


def test_without_a_threshold_nothing_is_known(report_data: Make) -> None:
    (verdict,) = judge(report_data(threshold=False))
    assert verdict.state is State.UNKNOWN
    assert {joint.state for joint in verdict.joints} == {State.UNKNOWN}
    assert "59 more healthy cycles" in verdict.reason
