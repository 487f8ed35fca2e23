"""Diagnosability: what is seen follows from signals, rate, gear ratio and real motion, always with a reason."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from jointwatch.core import Channel, Joint, Recording, Robot
from jointwatch.reports.diagnosability import (
    AbilityTally,
    Diagnosability,
    Sight,
    _Condition,
    _Rules,
    diagnose_ability,
    faults,
)

_RANK = {Sight.NO: 0, Sight.PARTLY: 1, Sight.YES: 2}
_BASE = ("position", "velocity", "current")


def arm(
    signals: Sequence[str] = _BASE,
    rate_hz: float = 100.0,
    period_s: float = 10.0,
    gear_ratio: float | None = 100.0,
    kind: str = "revolute",
    still: tuple[int, ...] = (),
    constant: tuple[str, ...] = (),
    joints: int = 2,
    model: str = "arm",
) -> Recording:
    """An arm that swings +-2 rad; `signals` as in a channel's key without joint."""
    rng = np.random.default_rng(0)
    time_s = np.arange(0, 60, 1 / rate_hz)
    channels, rows = [], []
    for joint in range(1, joints + 1):
        angle = 2 * np.pi * time_s / period_s + joint
        moving = joint not in still
        for signal in signals:
            quantity, _, component = signal.partition(":")
            shape = np.sin(angle) if quantity.startswith("position") else np.cos(angle) * 2 * np.pi / period_s
            row = 2 * shape * moving + 1e-6 * rng.standard_normal(len(time_s))
            rows.append(np.zeros(len(time_s)) if signal in constant else row)
            channels.append(Channel.parse(f"{quantity}/{joint}{':' + component if component else ''}"))
    robot = Robot("demo", model, "u", tuple(Joint(n, kind=kind, gear_ratio=gear_ratio) for n in range(1, joints + 1)))
    return Recording(time_s, np.stack(rows), tuple(channels), robot, "s")


def of(found: list[Diagnosability], fault: str, joint: int | None = 1) -> Diagnosability:
    """The one row about that fault and joint."""
    (row,) = [d for d in found if d.fault == fault and (joint in d.joints or (joint is None and not d.joints))]
    return row


def test_all_the_faults_that_the_physics_names_are_judged() -> None:
    assert set(faults()) == {
        "friction", "lubricant_loss", "reducer_wear", "transmission_error", "flexspline_crack", "pitting", "backlash",
        "loosening", "commutation", "winding_short", "axis_weakening", "overcurrent", "over_temperature", "tracking",
        "encoder_drift", "torque_sensor_drift", "collision", "payload_change", "lost_grip", "base_wobble", "telemetry",
    }  # fmt: skip


def test_at_25_hz_only_a_friction_like_change_is_seen() -> None:
    found = diagnose_ability([arm(rate_hz=25, period_s=3)])
    assert of(found, "friction").verdict is Sight.PARTLY
    assert "friction-like" in of(found, "reducer_wear").because
    for fault in ("backlash", "loosening", "transmission_error", "winding_short"):
        assert of(found, fault).verdict is Sight.NO, fault


def test_without_torque_or_current_there_is_no_friction_and_the_reason_says_so() -> None:
    row = of(diagnose_ability([arm(("position", "velocity"))]), "friction")
    assert row.verdict is Sight.NO
    assert "current" in row.because
    assert "current" in row.would_need


def test_a_joint_torque_sensor_alone_does_not_see_the_motor_side_friction() -> None:
    row = of(diagnose_ability([arm(("position", "joint_torque"))]), "friction")
    assert row.verdict is Sight.NO
    assert "sensor" in row.because


def test_friction_needs_a_temperature_to_be_told_from_warm_up() -> None:
    without = of(diagnose_ability([arm()]), "friction")
    assert without.verdict is Sight.PARTLY
    assert "temperature" in without.because
    assert of(diagnose_ability([arm((*_BASE, "temperature"))]), "friction").verdict is Sight.YES


def test_without_gear_ratio_no_order_analysis() -> None:
    row = of(diagnose_ability([arm(rate_hz=1000, gear_ratio=None)]), "transmission_error")
    assert row.verdict is Sight.NO
    assert "gear ratio" in row.because
    assert "Hz" not in row.because  # no frequency can be stated
    assert "gear ratio" in row.would_need


@pytest.mark.parametrize(("share_of_nyquist", "verdict"), [(0.5, Sight.YES), (1.05, Sight.PARTLY), (8.0, Sight.NO)])
def test_the_ripple_is_compared_with_nyquist_at_the_speed_really_driven(
    share_of_nyquist: float, verdict: Sight
) -> None:
    ratio, rate_hz = 100.0, 100.0
    top_speed = share_of_nyquist * rate_hz / 2 * np.pi / ratio  # 2 ratio speed / 2 pi = share * rate / 2
    recording = arm(rate_hz=rate_hz, gear_ratio=ratio, period_s=2 * np.pi * 2 / top_speed)
    assert of(diagnose_ability([recording]), "transmission_error").verdict is verdict


def test_a_joint_that_stands_still_shows_nothing_of_its_reducer() -> None:
    found = diagnose_ability([arm(rate_hz=1000, still=(2,))])
    for fault in ("friction", "reducer_wear", "transmission_error", "backlash", "pitting"):
        assert of(found, fault, joint=1).verdict is not Sight.NO, fault
        assert of(found, fault, joint=2).verdict is Sight.NO, fault
        assert "does not move" in of(found, fault, joint=2).because


def test_a_constant_signal_is_a_dead_wire() -> None:
    found = diagnose_ability([arm((*_BASE, "joint_torque"), constant=("joint_torque",))])
    row = of(found, "torque_sensor_drift")
    assert row.verdict is Sight.NO
    assert "constant" in row.because


def test_no_commanded_position_no_tracking_error() -> None:
    row = of(diagnose_ability([arm()]), "tracking")
    assert row.verdict is Sight.NO
    assert "commanded" in row.because
    assert of(diagnose_ability([arm((*_BASE, "position.commanded"))]), "tracking").verdict is Sight.YES


def test_backlash_is_told_from_friction_by_a_sensor_behind_the_reducer() -> None:
    row = of(diagnose_ability([arm(rate_hz=1000)]), "backlash")
    assert row.verdict is Sight.PARTLY
    assert "torque sensor" in row.would_need
    assert of(diagnose_ability([arm((*_BASE, "joint_torque"), rate_hz=1000)]), "backlash").verdict is Sight.YES


def test_unknown_motion_neither_rules_out_nor_proves() -> None:
    row = of(diagnose_ability([arm(("current", "temperature"), rate_hz=1000)]), "friction")
    assert row.verdict is Sight.PARTLY
    assert "not known" in row.because


def test_phase_currents_show_a_winding_short() -> None:
    phases = ("current:phase_a", "current:phase_b", "current:phase_c")
    assert of(diagnose_ability([arm(phases, rate_hz=1000)]), "winding_short").verdict is Sight.YES


def test_at_1_hz_no_contact_but_over_temperature() -> None:
    found = diagnose_ability([arm((*_BASE, "temperature"), rate_hz=1)])
    assert of(found, "collision", joint=None).verdict is Sight.NO
    assert of(found, "over_temperature").verdict is Sight.YES


def test_a_second_encoder_shows_encoder_drift() -> None:
    assert of(diagnose_ability([arm(gear_ratio=None)]), "encoder_drift").verdict is Sight.NO
    both = ("position:motor", "position:link", "current")
    assert of(diagnose_ability([arm(both, gear_ratio=None)]), "encoder_drift").verdict is Sight.YES


def test_a_linear_axis_has_no_flexspline() -> None:
    found = {d.fault for d in diagnose_ability([arm(kind="prismatic")])}
    assert "friction" in found
    assert "flexspline_crack" not in found


def test_signal_of_one_recording_and_motion_of_another_do_not_add_up() -> None:
    moving, measuring = arm(("position",)), arm(("position", "current"), still=(1, 2))
    found = diagnose_ability([moving, measuring])
    assert of(found, "friction").verdict is Sight.NO
    good = diagnose_ability([moving, measuring, arm()])
    assert of(good, "friction").verdict is Sight.PARTLY
    assert (of(good, "friction").recordings, of(good, "friction").of) == (1, 3)


def test_robot_models_are_kept_apart() -> None:
    found = diagnose_ability([arm(model="a"), arm(("position",), model="b")])
    verdicts = {d.robot: d.verdict for d in found if d.fault == "friction"}
    assert verdicts == {"demo a": Sight.PARTLY, "demo b": Sight.NO}


@settings(max_examples=25, deadline=None)
@given(
    extra=st.sets(st.sampled_from(["torque", "joint_torque", "temperature", "position.commanded", "status"])),
    rates=st.lists(st.sampled_from([1.0, 25.0, 100.0, 500.0]), min_size=2, max_size=2, unique=True),
)
def test_recording_more_or_faster_never_hides_a_fault_and_every_answer_has_its_reason(
    extra: set[str], rates: list[float]
) -> None:
    low, high = sorted(rates)
    poor = diagnose_ability([arm(rate_hz=low)])
    rich = diagnose_ability([arm((*_BASE, *sorted(extra)), rate_hz=high)])
    for row in poor:
        for joint in row.joints or (None,):
            assert _RANK[of(rich, row.fault, joint).verdict] >= _RANK[row.verdict], row.fault
    for row in (*poor, *rich):
        assert row.because
        assert "{" not in row.because + row.would_need
        assert not row.because.rstrip().endswith("but")
        assert "unknown amount" not in row.because + row.would_need
        assert bool(row.would_need) == (row.verdict is not Sight.YES), row


def test_the_tally_holds_no_samples() -> None:
    tally = AbilityTally()
    tally.add(arm(rate_hz=500))
    assert not [
        value
        for best in vars(tally)["_best"].values()
        for value in vars(best).values()
        if isinstance(value, np.ndarray)
    ]
    assert len(tally.result()) >= len(faults())


@pytest.mark.parametrize(
    "condition",
    [
        {"otherwise": "x", "would_need": "y"},
        {"otherwise": "x", "would_need": "y", "min_rate_hz": 1, "moves": True},
        {"otherwise": "{nonsense}", "would_need": "y", "moves": True},
        {"otherwise": "x", "would_need": "y", "min_rate": 1},
    ],
)
def test_a_condition_has_one_known_predicate_and_known_placeholders(condition: dict[str, object]) -> None:
    with pytest.raises((ValidationError, KeyError)):
        _Condition.model_validate(condition)


def test_a_fault_names_conditions_that_exist() -> None:
    fault = {"title": "t", "partly": ["missing"], "full": [], "shows_as": "s"}
    with pytest.raises(ValidationError, match="missing"):
        _Rules.model_validate({"conditions": {}, "faults": {"f": fault}})


def test_several_currents_that_are_no_phases_do_not_show_a_winding_short() -> None:
    found = diagnose_ability([arm(("current:d", "current:q", "position"), rate_hz=1000)])
    assert of(found, "winding_short").verdict is Sight.PARTLY


def test_at_1_hz_no_order_is_claimed_however_slow_the_motion() -> None:
    found = diagnose_ability([arm(rate_hz=1, period_s=3000)])
    assert of(found, "transmission_error").verdict is Sight.NO


def test_a_no_asks_for_what_shows_it_at_all_not_for_everything() -> None:
    row = of(diagnose_ability([arm(("position", "velocity"), rate_hz=25)]), "friction")
    assert row.would_need == "motor current or motor torque"
