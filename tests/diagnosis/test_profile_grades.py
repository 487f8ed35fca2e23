"""Grades from the profile against the angle: relative to the drive's own youth, with intervals, on line as at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from jointwatch.bundle import load, save
from jointwatch.core import Channel, Condition, Cycle, Label, Recording, Robot
from jointwatch.core.errors import MissingChannel
from jointwatch.core.levels import LEVEL_RAD, level_of
from jointwatch.diagnosis._profile_grades import ABSOLUTE, RELATIVE, ProfileGrades
from jointwatch.diagnosis.transmission_error import TransmissionErrorGrader

RATE_HZ, CYCLE_S, RATIO = 250, 4.0, 50.0
LEVELS = (("a", 0.5), ("b", 0.5), ("w2", 1.5), ("w4", 3.5), ("w6", 5.5))
CHANNELS = tuple(Channel.parse(key) for key in ("position/1", "torque/1"))


def session(unit: int, name: str, level: float, cycles: int = 2) -> Recording:
    """A drive whose friction and ripple wear multiplies, about a size of its own; play grows alike in every drive."""
    own = np.random.default_rng(unit).uniform(0.5, 2.0, 2)
    rng = np.random.default_rng([unit, *name.encode()])
    t = np.arange(round(cycles * CYCLE_S * RATE_HZ)) / RATE_HZ
    angle = -0.7 * np.cos(2 * np.pi * t / CYCLE_S)
    way = np.sign(np.sin(2 * np.pi * t / CYCLE_S))
    friction, ripple = own * np.array([4.0, 0.5]) * 1.15 ** (level - 0.5) * (1 + 0.01 * rng.standard_normal(2))
    play = 0.2 * level * np.sign(angle) * np.exp(-0.5 * (angle / 0.06) ** 2)
    torque = 20 * np.sin(angle) + way * friction + ripple * np.cos(2 * RATIO * angle + own[0]) + play
    condition = Condition(Label.NORMAL) if level <= 1 else Condition(Label.ANOMALOUS, "reducer_wear", 1)
    return Recording(
        t,
        np.stack([angle, torque + 0.05 * rng.standard_normal(len(t))]),
        CHANNELS,
        Robot.of("demo", "drive", f"drive-{unit}", 1, gear_ratio=RATIO),
        name,
        tuple(Cycle(CYCLE_S * i, CYCLE_S * (i + 1), condition) for i in range(cycles)),
        truth={"static_error_rad": [level * LEVEL_RAD]},
    )


def fleet(units: range) -> list[Recording]:
    return [session(unit, name, level) for unit in units for name, level in LEVELS]


def healthy(recordings: list[Recording]) -> list[Recording]:
    return [recording for recording in recordings if recording.session in ("a", "b")]


def errors(recordings: list[Recording]) -> np.ndarray:
    return np.concatenate([[float(r.truth["static_error_rad"][0])] * len(r.cycles) for r in recordings])


def grader(baseline: str | None = "unit", **options: Any) -> TransmissionErrorGrader:
    own = {"length": 1000, "learner": "ridge"}
    return TransmissionErrorGrader(view="profile", baseline=baseline, view_options=own, **options)


@pytest.fixture(scope="module")
def source() -> list[Recording]:
    return fleet(range(14))


@pytest.fixture(scope="module")
def new() -> list[Recording]:
    return fleet(range(50, 56))


@pytest.fixture(scope="module")
def relative(source: list[Recording]) -> TransmissionErrorGrader:
    return grader().fit(source)


def test_drives_never_seen_are_graded_relative_to_their_own_youth(
    relative: TransmissionErrorGrader, new: list[Recording]
) -> None:
    found, true = relative.adapt(healthy(new)).grade(new), errors(new)
    assert np.abs(found.error_rad - true).mean() < 0.3 * LEVEL_RAD
    assert (found.level == [level_of(error) for error in true]).mean() > 0.75
    inside = (found.low_rad <= true) & (true <= found.high_rad)
    assert inside.mean() >= 0.8
    assert (found.high_rad - found.low_rad).mean() < 3 * LEVEL_RAD
    assert np.allclose(found.probability.sum(axis=1), 1)


def test_play_tells_the_level_without_a_baseline(source: list[Recording], new: list[Recording]) -> None:
    true = errors(new)
    absolute = grader(baseline=None).fit(source).grade(new)
    assert np.abs(absolute.error_rad - true).mean() < 0.5 * LEVEL_RAD
    blind = ProfileGrades(ratio=RATIO, baseline=None, length=1000, groups=("ripple",), learner="ridge")
    cycles, rows = blind.cut(source), blind.cut(new)
    blind.fit(blind.measure(cycles), cycles.index, errors(source), cycles.index.unit)
    guessed = blind.table(blind.measure(rows), rows.index).error_rad
    assert np.abs(guessed - true).mean() > 2 * np.abs(absolute.error_rad - true).mean()


def test_families_follow_the_baseline() -> None:
    recording = [session(0, "a", 0.5)]
    sizes = {}
    for baseline, groups in (("unit", RELATIVE), (None, ABSOLUTE)):
        default, chosen = (ProfileGrades(1, RATIO, baseline, length=1000, groups=g) for g in (None, groups))  # type: ignore[arg-type]
        windows = default.cut(recording)
        assert np.array_equal(default.measure(windows), chosen.measure(windows))
        sizes[baseline] = default.measure(windows).shape[1]
    assert sizes["unit"] != sizes[None]


def test_on_line_is_the_same_to_the_last_bit(relative: TransmissionErrorGrader, new: list[Recording]) -> None:
    model = relative.adapt(healthy(new))
    worn = next(recording for recording in new if recording.session == "w4")
    batch = model.grade([worn])
    state = model.init(worn.robot.unit)
    for number in range(len(worn.cycles)):
        part = worn.time_s < CYCLE_S * (number + 1)
        part &= worn.time_s >= CYCLE_S * number
        cycle = Recording(
            worn.time_s[part],
            worn.values[:, part],
            worn.channels,
            worn.robot,
            worn.session,
            worn.cycles[number : number + 1],
        )
        state, grade = model.step(state, cycle)
        for name in ("error_rad", "low_rad", "high_rad", "probability"):
            assert np.array_equal(getattr(grade, name)[0], getattr(batch, name)[number]), name


def test_stored_and_loaded_it_says_the_same(
    relative: TransmissionErrorGrader, new: list[Recording], tmp_path: Any
) -> None:
    model = relative.adapt(healthy(new))
    save(model, tmp_path / "model")
    again = load(tmp_path / "model")
    assert np.array_equal(again.grade(new).probability, model.grade(new).probability)


def test_a_recording_without_position_is_named() -> None:
    recording = session(0, "a", 0.5)
    bare = Recording(
        recording.time_s, recording.values[1:], CHANNELS[1:], recording.robot, recording.session, recording.cycles
    )
    with pytest.raises(MissingChannel, match=r"drive-0.*'a'"):
        ProfileGrades(1, RATIO).cut([bare])
