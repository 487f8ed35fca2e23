"""The whole chain on synthetic arms: it alarms on faults, is quiet on health, and says when it cannot know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from jointwatch.alarms.monitor import Monitor
from jointwatch.core import Condition, Label, Recording
from jointwatch.core.errors import MissingChannel, NotEnoughData, UsageError
from jointwatch.windows.splits import check_no_leak

Make = Callable[..., Recording]


def fleet(
    make: Make, brand: str, seed: int, sessions: int = 8, cycles: int = 10, **settings: object
) -> list[Recording]:
    return [
        make(seed=seed + s, cycles=cycles, brand=brand, unit=f"{brand}-1", session=f"s{s}", **settings)
        for s in range(sessions)
    ]


@pytest.fixture(scope="module")
def monitor(arm_recording: Make) -> Monitor:
    healthy = fleet(arm_recording, "red", 0)
    return Monitor.suited_to(healthy, false_alarm_rate=0.05, length=50).fit(healthy)


def test_alarms_on_the_fault_and_names_the_joint(monitor: Monitor, arm_recording: Make) -> None:
    worn = arm_recording(seed=90, cycles=8, brand="red", unit="red-1", session="later", faulty=(3, 6))
    verdict = monitor.score([worn])
    faulty = {"red-1/later/4", "red-1/later/7"}  # numbered from 1
    assert {alarm.cycle for alarm in verdict.alarms} >= faulty
    assert len(verdict.alarms) <= 3
    assert {alarm.joint for alarm in verdict.alarms if alarm.cycle in faulty} == {1}
    assert all(alarm.p_value <= 0.05 for alarm in verdict.alarms)
    anomalous = verdict.cycle_scores.index.label == "anomalous"
    assert set(verdict.cycle_scores.index.cycle[anomalous].tolist()) == faulty


def test_training_and_threshold_never_share_a_session(monitor: Monitor) -> None:
    assert monitor.held_out_by_ == "session"
    held = set(monitor.healthy_.index.session.tolist())
    assert 0 < len(held) < 8
    assert monitor.facts_["calibration_cycles"] == 10 * len(held)
    assert monitor.facts_["training_windows"] == 10 * (8 - len(held))


def test_carried_to_another_brand_it_stays_quiet_on_health(monitor: Monitor, arm_recording: Make) -> None:
    blue = fleet(arm_recording, "blue", 200, noise_a=0.05)
    adapted = monitor.adapt(blue)
    fresh = fleet(arm_recording, "blue", 300, noise_a=0.05)
    assert adapted.score(fresh).passed.mean() <= 0.15
    with pytest.raises(UsageError, match="adapt"):
        monitor.score(blue)
    assert monitor.target_ == ["red"]


def test_a_target_without_a_learned_channel_is_told_what_to_do(monitor: Monitor, arm_recording: Make) -> None:
    lacking = [
        replace(recording, values=recording.values[:-1], channels=recording.channels[:-1])
        for recording in fleet(arm_recording, "blue", 200, sessions=2)
    ]
    with pytest.raises(MissingChannel, match="fit it again on channels that both robots have") as caught:
        monitor.adapt(lacking)
    assert caught.value.channel == monitor.plan.channels[-1].key


def test_says_how_many_cycles_are_missing(arm_recording: Make) -> None:
    few = fleet(arm_recording, "red", 0, sessions=2, cycles=6)
    monitor = Monitor.suited_to(few, false_alarm_rate=0.01, length=50).fit(few)
    assert monitor.threshold_ is None
    assert "93 more healthy cycles (have 6, need 99)" in monitor.shortage_
    verdict = monitor.score(few)
    assert verdict.alarms == ()
    assert np.isnan(verdict.p_values).all()


def test_one_cycle_is_not_enough(arm_recording: Make) -> None:
    one = [arm_recording(cycles=1)]
    with pytest.raises(NotEnoughData):
        Monitor.suited_to(one, length=50).fit(one)


def test_guard_names_the_odd_cycle_and_leaving_it_out_restores_the_alarm(arm_recording: Make) -> None:
    # sessions 1, 3, 5, 7 set the threshold; one of their cycles is worse than any fault to come
    healthy = fleet(arm_recording, "red", 0)
    values = healthy[3].values.copy()
    values[2, 400:600] *= 3.0
    healthy[3] = replace(healthy[3], values=values)
    worn = [arm_recording(seed=90, cycles=8, brand="red", unit="red-1", session="later", faulty=(3,))]
    settings = {"false_alarm_rate": 0.025, "length": 50}
    blind = Monitor.suited_to(healthy, **settings).fit(healthy)
    assert [odd.cycle for odd in blind.guard_.odd] == ["red-1/s3/3"]
    assert any("red-1/s3/3" in line for line in blind.summary())
    assert blind.score(worn).passed.sum() == 0
    seeing = Monitor.suited_to(healthy, exclude_odd=True, **settings).fit(healthy)
    threshold = seeing.threshold_
    if threshold is None:  # one cycle fewer can be one too few: then it must say so
        assert "more healthy cycles" in seeing.shortage_
    else:
        assert seeing.score(worn).passed.sum() == 1


def test_persistence_asks_for_two_in_a_row(monitor: Monitor, arm_recording: Make) -> None:
    lasting = arm_recording(seed=91, cycles=8, brand="red", unit="red-1", session="later", faulty=(3, 4, 5))
    patient = monitor.__class__(**{**monitor.get_params(deep=False), "persistence": (2, 2)}).fit(
        fleet(arm_recording, "red", 0)
    )
    numbers = [int(alarm.cycle.rsplit("/", 1)[1]) for alarm in patient.score([lasting]).alarms]
    assert len(numbers) >= 2
    assert min(numbers) > int(monitor.score([lasting]).alarms[0].cycle.rsplit("/", 1)[1])


def test_with_few_sessions_neighbouring_decisions_share_no_sample(arm_recording: Make) -> None:
    long = [arm_recording(seed=s, cycles=1, cycle_s=60.0, session=f"s{s}") for s in range(2)]
    monitor = Monitor.suited_to(
        long, kind="sliding", length=50, step=10, rate_hz=100.0, decide_s=2.0, false_alarm_rate=0.1
    )
    windows = monitor.plan.cut(long)
    train, calibration = monitor._share(windows)
    check_no_leak(train, calibration, "sample")
    assert len(train) > 0.3 * len(windows)
    assert 25 <= len(set(calibration.index.cycle.tolist())) <= 35


def test_short_decisions_of_one_recording_leave_enough_to_learn_from(arm_recording: Make) -> None:
    one = [arm_recording(cycles=1, cycle_s=120.0)]
    plan = {"kind": "sliding", "length": 32, "step": 4, "rate_hz": 100.0, "decide_s": 0.4}
    monitor = Monitor.suited_to(one, **plan)
    train, calibration = monitor._share(monitor.plan.cut(one))
    assert len(train) > 0.8 * len(calibration)
    check_no_leak(train, calibration, "sample")


def test_several_brands_with_few_sessions_each_are_learned_together(arm_recording: Make) -> None:
    brands = [r for b in ("red", "green", "blue") for r in fleet(arm_recording, b, 7, sessions=2)]
    monitor = Monitor.suited_to(brands, false_alarm_rate=0.05, length=50).fit(brands)
    assert monitor.source_ == ["blue", "green", "red"]
    assert set(monitor.healthy_.index.domain.tolist()) == {"blue", "green", "red"}
    assert any("3 domains" in line for line in monitor.summary())


def test_adapting_measures_the_target_on_healthy_cycles_only(monitor: Monitor, arm_recording: Make) -> None:
    clean = fleet(arm_recording, "blue", 200)
    mixed = [*clean, *fleet(arm_recording, "blue", 400, sessions=2, faulty=tuple(range(10)))]
    broken = [replace(r, values=r.values + 20 * (i >= len(clean)), session=f"t{i}") for i, r in enumerate(mixed)]
    one, other = monitor.adapt(broken[: len(clean)]), monitor.adapt(broken)
    assert np.allclose(one.strategy_.normaliser_.mean_, other.strategy_.normaliser_.mean_)
    assert np.allclose(one.strategy_.normaliser_.scale_, other.strategy_.normaliser_.scale_)


def test_adapted_monitor_refuses_the_source(monitor: Monitor, arm_recording: Make) -> None:
    adapted = monitor.adapt(fleet(arm_recording, "blue", 200))
    with pytest.raises(UsageError, match="set for blue, not for red"):
        adapted.score(fleet(arm_recording, "red", 1, sessions=1))


def test_one_cycle_a_session_does_not_silence_persistence(arm_recording: Make) -> None:
    healthy = [arm_recording(seed=s, cycles=1, session=f"s{s}") for s in range(80)]
    monitor = Monitor.suited_to(healthy, length=50, false_alarm_rate=0.05, persistence="2/3").fit(healthy)
    worn = [arm_recording(seed=500 + s, cycles=1, session=f"t{s}", faulty=(0,)) for s in range(10)]
    assert len(monitor.score(worn).alarms) == 9
    assert any("2 of 3" in line for line in monitor.summary())


@pytest.mark.parametrize(
    "wrong", [{"persistence": "5/2"}, {"persistence": "2"}, {"false_alarm_rate": 0.0}, {"false_alarm_rate": 1.0}]
)
def test_bad_settings_are_refused_before_anything_is_learned(arm_recording: Make, wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        Monitor.suited_to([arm_recording()], **wrong)


def test_uncertain_cycles_with_a_suspected_fault_are_not_learned_from(arm_recording: Make) -> None:
    healthy = fleet(arm_recording, "red", 0)
    pushed = arm_recording(seed=50, cycles=10, brand="red", unit="red-1", session="push")
    pushed = replace(
        pushed,
        cycles=tuple(replace(c, condition=Condition(Label.UNCERTAIN, "hand_push")) for c in pushed.cycles),
        values=pushed.values * 3,
    )
    monitor = Monitor.suited_to(healthy, length=50, false_alarm_rate=0.05).fit([*healthy, pushed])
    assert monitor.facts_["suspected_left_out"] == 10
    assert not any("push" in cycle for cycle in monitor.known_cycles_.tolist())
    assert any("10 cycles with a suspected fault" in line for line in monitor.summary())


def test_a_strategy_that_trains_a_network_gets_one(arm_recording: Make) -> None:
    healthy = fleet(arm_recording, "red", 0, sessions=2)
    assert Monitor.suited_to(healthy).strategy.detector.name == "mahalanobis"
    assert Monitor.suited_to(healthy, strategy="batch_norm").strategy.detector.name == "cnn"
    assert Monitor.suited_to(healthy, strategy="batch_norm", detector="knn").strategy.detector.name == "knn"


@pytest.mark.parametrize(
    ("sessions", "share", "by", "learned"),
    [
        ([1, 1, 1, 1], 0.5, "cycle", [4, 4, 4, 4]),
        ([2, 2], 0.5, "session", [8, 8]),
        ([3, 3, 3], 0.5, "session", [16, 16, 16]),
        ([2, 2, 2], 0.9, "session", [8, 8, 8]),
        ([2, 1], 0.2, "session or cycle", [8, 7]),
    ],
)
def test_a_detector_that_compares_units_has_each_on_both_sides(
    arm_recording: Make, sessions: list[int], share: float, by: str, learned: list[int]
) -> None:
    by_date = [
        arm_recording(seed=10 * s + u, cycles=8, brand="red", unit=f"red-{u}", session=f"s{s}")
        for s in range(max(sessions))
        for u, count in enumerate(sessions)
        if s < count
    ]
    chain = Monitor.suited_to(by_date, detector="joint_deviations", false_alarm_rate=0.1)
    assert chain.plan.length == 1000
    ready = chain.set_params(calibration_share=share).fit(by_date)
    assert ready.held_out_by_ == by
    units = [f"red-{u}" for u in range(len(sessions))]
    assert sorted(set(ready.healthy_.index.unit)) == units
    known = ready.strategy_.detector_.evidence_["red"].index_
    assert [int((known.unit == unit).sum()) for unit in units] == learned
    assert not set(known.cycle) & set(ready.healthy_.index.cycle)
    again = ready.adapt([replace(r, robot=replace(r.robot, brand="blue")) for r in by_date])
    assert again.target_ == ["blue"]
    assert Monitor.suited_to(by_date, detector="joint_deviations", length=300).plan.length == 300


def test_a_new_unit_of_a_known_brand_leaves_the_scale_of_the_others(arm_recording: Make) -> None:
    def sessions(unit: str, gain: float, count: int, seed: int) -> list[Recording]:
        made = [arm_recording(seed=seed + s, cycles=8, unit=unit, session=f"s{s}", brand="red") for s in range(count)]
        return [replace(one, values=one.values * gain) for one in made]

    first = sessions("red-0", 1.0, 6, 0)
    ready = Monitor.suited_to(first, detector="joint_deviations", false_alarm_rate=0.1).fit(first)
    both = ready.adapt(sessions("red-1", 3.0, 6, 50))
    for verdict in (both.score(first), both.score(sessions("red-1", 3.0, 2, 90))):
        assert verdict.cycle_scores.value.max() < 20  # on another scale health is hundreds away


def test_a_detector_of_whole_cycles_says_that_none_are_marked(arm_recording: Make) -> None:
    blank = replace(arm_recording(cycles=8), cycles=())
    with pytest.raises(UsageError, match="whole cycles"):
        Monitor.suited_to([blank], detector="joint_deviations")
