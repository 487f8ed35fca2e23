"""Drives of arms: a baseline, a ratio and a place in time for each joint, and what recordings tell of their errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from jointwatch.core import Condition, Label, Recording, Robot
from jointwatch.core.errors import InputError, NotEnoughData, UsageError
from jointwatch.core.levels import LEVEL_RAD
from jointwatch.diagnosis.base import Grades
from jointwatch.diagnosis.transmission_error import TransmissionErrorGrader

Make = Callable[..., Recording]
LEVELS = (("a", 0.5), ("b", 0.5), ("w2", 1.5), ("w4", 3.5), ("w6", 5.5))
CODE: dict[str, Any] = {"code": "pca", "size": 4, "length": 1000, "vector": {"size": 200}, "classifier": "logistic"}


def fleet(make: Make, units: range, **how: Any) -> list[Recording]:
    return [make(f"drive-{u}", name, level, **how) for u in units for name, level in LEVELS]


def healthy(recordings: list[Recording]) -> list[Recording]:
    return [r for r in recordings if r.session in ("a", "b")]


def grader(view: str = "profile", baseline: str | None = "unit", **options: Any) -> TransmissionErrorGrader:
    own = {"profile": {"length": 1000, "learner": "ridge"}, "code": CODE}[view]
    return TransmissionErrorGrader(**{"view": view, "baseline": baseline, "view_options": own, **options})


def said(grades: Grades) -> np.ndarray:
    return np.column_stack([grades.error_rad, grades.low_rad, grades.high_rad, grades.score])


def shifted(recording: Recording, by_s: float) -> Recording:
    cycles = tuple(replace(c, start_s=c.start_s + by_s, stop_s=c.stop_s + by_s) for c in recording.cycles)
    return replace(recording, time_s=recording.time_s + by_s, cycles=cycles)


@pytest.fixture(scope="module")
def source(drive_session: Make) -> list[Recording]:
    return fleet(drive_session, range(12))


@pytest.fixture(scope="module")
def fitted(source: list[Recording]) -> TransmissionErrorGrader:
    return grader().fit(source)


def test_every_joint_has_a_baseline_of_its_own(fitted: TransmissionErrorGrader, drive_session: Make) -> None:
    """An arm whose joints are moved one at a time, both in the same sessions."""
    one, two = (fleet(drive_session, range(30, 31), joint=joint, joints=2) for joint in (1, 2))
    both = fitted.adapt(healthy([*one, *two]))
    alone = [fitted.adapt(healthy(joint)).grade(joint) for joint in (one, two)]
    for found, joint in zip(alone, (one, two), strict=True):
        np.testing.assert_array_equal(said(both.grade(joint)), said(found))
    true = np.repeat([level for _, level in LEVELS], 2) * LEVEL_RAD
    found = both.grade([*one, *two])
    assert np.abs(found.error_rad - np.tile(true, 2)).mean() < 0.5 * LEVEL_RAD
    assert set(found.index.unit) == {"drive-30"}
    assert found.index.joint.tolist() == [1] * 10 + [2] * 10
    assert len(set(found.index.cycle)) == 20
    by = found.by("session")
    assert by.index.session.tolist() == [name for name, _ in LEVELS] * 2
    np.testing.assert_allclose(by.error_rad[5:], alone[1].by("session").error_rad)
    with pytest.raises(UsageError, match=r"unit drive-30 joint 2; .*healthy cycles"):
        fitted.adapt(healthy(one)).grade([*one, *two])
    state = both.init("drive-30")
    for recording in (one[3], two[4]):  # in each session the joint that moves
        piece = recording.between(0.0, 4.0)
        state, grade = both.step(state, piece)
        assert state.joint == grade.index.joint[0] == (1 if recording is one[3] else 2)
        np.testing.assert_array_equal(said(grade)[0], said(both.grade(recording))[0])


def test_each_drive_is_measured_by_its_own_ratio(
    fitted: TransmissionErrorGrader, source: list[Recording], drive_session: Make
) -> None:
    other = fleet(drive_session, range(40, 43), ratio=80.0)
    true = np.concatenate([[r.truth["static_error_rad"][0]] * 2 for r in other])
    own = fitted.adapt(healthy(other)).grade(other)
    assert np.abs(own.error_rad - true).mean() < 0.5 * LEVEL_RAD
    mute = [replace(r, robot=Robot.of("demo", "drive", r.robot.unit, 1)) for r in other]
    wrong = fitted.adapt(healthy(mute)).grade(mute)  # taken for one of the learned ratio, 50
    assert np.abs(wrong.error_rad - true).mean() > 1.5 * np.abs(own.error_rad - true).mean()
    known = [r for r in source if r.robot.unit == "drive-3"]
    nameless = [replace(r, robot=Robot.of("demo", "drive", "drive-3", 1)) for r in known]
    np.testing.assert_array_equal(said(fitted.grade(nameless)), said(fitted.grade(known)))
    mixed = grader().fit([*source, *other])
    assert mixed.ratios_ == [50.0, 80.0]
    with pytest.raises(UsageError, match=r"drive-3, session 'a', tells no ratio.* 50, 80"):
        mixed.grade(nameless)
    code = grader("code", baseline=None).fit(source)
    with pytest.raises(UsageError, match=r"drive-40, session 'a', has ratio 80, and the learned drives have 50"):
        code.grade(other)
    assert len(code.grade(mute)) == 30


@pytest.mark.parametrize("view", ["profile", "code"])
def test_successive_cycles_are_successive_though_clocks_start_anew(
    view: str, source: list[Recording], drive_session: Make
) -> None:
    """Two recordings of one session, both from 0: cycles of the second follow those of the first."""
    model = grader(view, cycles=2).fit(source)
    drive = "drive-5"
    first, second = drive_session(drive, "late", 5.5), drive_session(drive, "later", 1.5)
    second = replace(second, session="late")
    batch = model.grade([first, second])
    np.testing.assert_array_equal(said(batch), said(model.grade([first, shifted(second, 8.0)])))
    assert (said(batch)[2] != said(model.grade(second))[0]).any()  # it rests on the first recording's last as well
    state, rows = model.init(drive), []
    for recording in (first, second):
        for cycle in recording.cycles:
            state, grade = model.step(state, recording.between(cycle.start_s, cycle.stop_s))
            rows.append(said(grade)[0])
    np.testing.assert_array_equal(rows, said(batch))


def test_the_first_cycle_of_a_session_chooses_the_joint(fitted: TransmissionErrorGrader, drive_session: Make) -> None:
    """Joint 1 moves throughout, joint 2 begins to move farther in the second cycle: the session stays joint 1's."""
    one, two = (drive_session("arm", "w4", 3.5, joint=joint, joints=2) for joint in (1, 2))
    young = [drive_session("arm", "a", 0.5, joint=joint, joints=2) for joint in (1, 2)]
    values = one.values.copy()
    values[3:, 1000:] = two.values[3:, 1000:]
    values[0, 1000:] *= 0.9
    values[3, 1000:] *= 1.05
    arm = replace(one, values=values)
    model = fitted.adapt(young)
    batch = model.grade(arm)
    assert set(batch.index.joint) == {1}
    state = model.init("arm")
    for row, cycle in enumerate(arm.cycles):
        state, grade = model.step(state, arm.between(cycle.start_s, cycle.stop_s))
        assert state.joint == 1
        np.testing.assert_array_equal(said(grade)[0], said(batch)[row])
    asked, grade = model.step(model.init("arm", joint=2), arm.between(4.0, 8.0))
    assert asked.joint == grade.index.joint[0] == 2
    assert (said(grade)[0] != said(batch)[1]).any()
    with pytest.raises(UsageError, match="of joint 1, the state would be of 2"):
        grader("code", baseline=None, joint=1).fit([young[0], one, *fleet(drive_session, range(3), joints=2)]).init(
            "arm", joint=2
        )


def test_stages_of_a_session_must_agree(source: list[Recording], fitted: TransmissionErrorGrader) -> None:
    def staged(recording: Recording, *stages: int | None, whole: int | None = None) -> Recording:
        cycles = tuple(
            replace(c, condition=Condition(Label.ANOMALOUS if stage else Label.NORMAL, stage=stage))
            for c, stage in zip(recording.cycles, stages, strict=True)
        )
        return replace(recording, truth={}, cycles=cycles, condition=Condition(Label.UNCERTAIN, stage=whole))

    worn = source[3]
    for stages, told in (((None, 4), "4, none"), ((3, 4), "3, 4")):
        with pytest.raises(
            InputError, match=rf"drive-0-w4\.csv: cycles of drive-0, session 'w4', .*stages {told}.*one"
        ):
            fitted.score(staged(worn, *stages))
    assert fitted.score(staged(worn, 4, 4)) == fitted.score(worn) == fitted.score(staged(worn, None, 4, whole=4))
    with pytest.raises(InputError, match="is not known"):
        fitted.score(staged(worn, None, None))


@pytest.mark.parametrize(
    "form", [list, tuple, np.array, lambda errors: errors[0], lambda errors: np.float32(errors[0])]
)
def test_errors_in_the_truth_may_be_lists_arrays_and_numbers(
    form: Callable[[Any], Any], source: list[Recording], fitted: TransmissionErrorGrader
) -> None:
    worn = [r for r in source if r.session not in ("a", "b")]
    again = [replace(r, truth={"static_error_rad": form(r.truth["static_error_rad"])}) for r in worn]
    assert fitted.score(again) == fitted.score(worn) > 0.5


@pytest.mark.parametrize(
    ("errors", "says"),
    [
        ([1e-4], "are 1 for 2 joints"),
        (1e-4, "are 1 for 2 joints"),
        (np.zeros((2, 2)), "are 2x2 for 2 joints"),
        ([1e-4, "big"], "are no numbers"),
        ([1e-4, None], "is not known"),
        ([1e-4, float("inf")], "is not known"),
    ],
)
def test_errors_that_do_not_fit_the_joints_are_refused(
    errors: Any, says: str, fitted: TransmissionErrorGrader, drive_session: Make
) -> None:
    arm = replace(drive_session("arm", "w4", 3.5, joint=2, joints=2), truth={"static_error_rad": errors})
    with pytest.raises(InputError, match=rf"arm joint 2, session 'w4', {says}.*one.*for each joint"):
        fitted.score(arm)


def test_bad_options_and_too_little_are_refused(source: list[Recording], fitted: TransmissionErrorGrader) -> None:
    for name, value, says in (
        ("limit_rad", 1.0, "a limit lies"),
        ("limit_rad", float("nan"), "a limit lies"),
        ("cycles", 1.5, "whole number"),
        ("ratio", -1.0, "a ratio is positive"),
        ("view_options", {"lenght": 1000}, r"profile has no option lenght; .* groups, learner, length, all others"),
        ("view_options", {"joint": 1}, "no option joint"),
    ):
        with pytest.raises(UsageError, match=says):
            grader(**{name: value}).fit(source)
    lost = replace(source[0], values=source[0].values * [[1.0], [np.nan], [np.nan]])
    with pytest.raises(NotEnoughData, match=r"scoring grades \(drive-0; left out: 2 nan"):
        fitted.score(lost)
    assert len(fitted.grade(lost)) == 0
    long = [
        replace(
            r,
            time_s=np.arange(10000) / 250,
            values=np.tile(r.values, 5),
            cycles=(replace(r.cycles[0], stop_s=40.0),),
        )
        for r in source[:2]
    ]
    with pytest.raises(UsageError, match=r"drive-0, session 'a', last up to 40 s, and 1000 .*length': \d+"):
        grader("code", baseline=None).fit(long)
    alone = [r for r in source if r.robot.unit == "drive-0"]
    with pytest.raises(NotEnoughData, match=r"sessions \(there is one drive only\) \(have 5, need 9"):
        grader().fit(alone)
    with pytest.raises(NotEnoughData, match=r"more drives \(have 2, need 9"):
        grader().fit(source[:10])


def test_joints_of_one_arm_are_held_out_as_drives(drive_session: Make) -> None:
    arm = [drive_session("arm", name, level, joint, 9) for joint in range(1, 10) for name, level in LEVELS]
    assert grader().fit(arm).view_.grades_.groups_ == 9
