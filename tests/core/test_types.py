"""The types refuse what cannot be, and are frozen."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jointwatch.core import (
    Alarm,
    Channel,
    Condition,
    Cycle,
    Event,
    Index,
    Joint,
    Label,
    Quantity,
    Recording,
    Robot,
    Scores,
    Source,
    Windows,
)
from jointwatch.core.errors import InputError, MissingChannel, NotEnoughData, UsageError

ARM = Robot.of("demo", "arm", "arm-1", joints=2)
CURRENT = (Channel(Quantity.CURRENT, 1), Channel(Quantity.CURRENT, 2))


def recording(**changes: object) -> Recording:
    fields = {
        "time_s": np.arange(5) / 10,
        "values": np.arange(10.0).reshape(2, 5),
        "channels": CURRENT,
        "robot": ARM,
        "session": "s",
    }
    return Recording(**{**fields, **changes})  # type: ignore[arg-type]


def index(count: int, **columns: object) -> Index:
    text = {name: np.full(count, name) for name in ("unit", "session", "cycle", "domain")}
    numbers = {name: np.arange(count, dtype=float) for name in ("start_s", "stop_s", "phase", "cycle_s", "severity")}
    rest = {"label": np.full(count, "normal"), "fault": np.full(count, ""), "joint": np.zeros(count, int)}
    return Index(**{**text, **numbers, **rest, **columns})  # type: ignore[arg-type]


@given(
    st.builds(
        Channel,
        st.sampled_from(Quantity),
        st.none() | st.integers(1, 99),
        st.sampled_from(Source),
        st.from_regex(r"[A-Za-z0-9_]{0,8}", fullmatch=True),
    )
)
def test_channel_key_round_trip(channel: Channel) -> None:
    assert Channel.parse(channel.key) == channel


@pytest.mark.parametrize("key", ["", "curent/1", "current/0", "current/1:", "current.guessed/1", "current/1 "])
def test_channel_key_refused(key: str) -> None:
    with pytest.raises(UsageError, match="form is quantity"):
        Channel.parse(key)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"time_s": np.array([0.0, 0.1, 0.1, 0.2, 0.3])}, "strictly increasing"),
        ({"time_s": np.array([0.0, np.nan, 0.1, 0.2, 0.3])}, "strictly increasing"),
        ({"time_s": np.zeros(1), "values": np.zeros((2, 1))}, "at least 2 samples"),
        ({"values": np.zeros((5, 2))}, "(channel, time)"),
        ({"channels": (CURRENT[0], CURRENT[0])}, "current/1"),
        ({"channels": (CURRENT[0], Channel(Quantity.CURRENT, 3))}, "no joint"),
        ({"cycles": (Cycle(0.1, 0.3), Cycle(0.2, 0.4))}, "overlap"),
        ({"breaks": (5,)}, "breaks"),
        ({"breaks": (3, 2)}, "breaks"),
    ],
)
def test_recording_refuses(changes: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError) as error:
        recording(**changes)
    assert says in str(error.value)


def test_recording_is_frozen() -> None:
    given_values = np.arange(10.0).reshape(2, 5)
    frozen = recording(values=given_values)
    with pytest.raises(FrozenInstanceError):
        frozen.session = "other"  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        frozen.values[0, 0] = 1.0
    with pytest.raises(TypeError):
        frozen.truth["load"] = 1  # type: ignore[index]


def test_recording_selects_and_cuts() -> None:
    whole = recording(cycles=(Cycle(0.0, 0.2), Cycle(0.2, 0.5)), breaks=(3,), events=(Event("hit", 0.3, 0.3),))
    assert whole.select(["current/2"])["current/2"].tolist() == [5, 6, 7, 8, 9]
    part = whole.between(0.2, 0.5)
    assert part.time_s.tolist() == [0.2, 0.3, 0.4]
    assert part.cycles == (Cycle(0.2, 0.5),)
    assert part.breaks == (1,)
    assert part.events == whole.events
    with pytest.raises(MissingChannel, match="velocity/1"):
        whole["velocity/1"]


def test_recording_survives_a_worker_process() -> None:
    whole = recording(truth={"payload_kg": 2.5})
    assert pickle.loads(pickle.dumps(whole)).equals(whole)


def test_equals_sees_every_field() -> None:
    whole = recording()
    assert whole.equals(recording())
    others: list[dict[str, object]] = [
        {"session": "t"},
        {"values": np.ones((2, 5))},
        {"time_s": np.arange(5) / 11},
        {"condition": Condition(Label.NORMAL)},
        {"truth": {"a": 1}},
        {"breaks": (2,)},
    ]
    for change in others:
        assert not whole.equals(recording(**change)), change


def test_condition_and_joint_refuse_nonsense() -> None:
    with pytest.raises(UsageError, match="no fault"):
        Condition(Label.NORMAL, fault="backlash")
    with pytest.raises(UsageError, match="severity"):
        Condition(Label.ANOMALOUS, severity=1.2)
    with pytest.raises(UsageError, match="revolute"):
        Joint(1, kind="bendy")
    with pytest.raises(UsageError, match="repeat"):
        Robot("b", "m", "u", (Joint(1), Joint(1)))
    with pytest.raises(UsageError, match="k of n"):
        Alarm("u", "s", "c", 0.0, 2.0, 1.0, 0.01, 0.01, 100, persistence=(3, 2))


def test_windows_validate_and_index_like_arrays() -> None:
    windows = Windows(np.arange(24.0).reshape(4, 2, 3), CURRENT, index(4), 100.0)
    assert windows.shape == (4, 2, 3)
    assert windows[np.array([2, 0])].values[:, 0, 0].tolist() == [12, 0]
    assert windows[[True, False, False, True], ...].shape == (2, 2, 3)
    assert len(windows[-1]) == 1
    with pytest.raises(UsageError, match="first axis"):
        windows[0, 1]
    with pytest.raises(UsageError, match="current/2"):
        windows.with_values(np.where(np.arange(24).reshape(4, 2, 3) == 4, np.nan, 0))
    with pytest.raises(UsageError, match="mask"):
        replace(windows, mask=np.ones((4, 3), bool))


def test_windows_concatenate_only_what_fits() -> None:
    windows = Windows(np.zeros((2, 2, 3)), CURRENT, index(2), 100.0, skipped={"gap": 2})
    both = Windows.concatenate([windows, windows])
    assert len(both) == 4
    assert both.skipped == {"gap": 4}
    with pytest.raises(UsageError, match="Hz"):
        Windows.concatenate([windows, replace(windows, rate_hz=50.0)])


def test_cycle_scores_take_the_worst_window_and_its_reason() -> None:
    rows = index(
        4,
        cycle=np.array(["b", "a", "b", "a"]),
        label=np.array(["normal", "normal", "anomalous", "normal"]),
    )
    scores = Scores(np.array([5.0, 1.0, 2.0, 3.0]), rows, "d", CURRENT, np.array([[1, 0], [0, 1], [0, 2], [3, 0.0]]))
    cycles = scores.by_cycle()
    assert cycles.index.cycle.tolist() == ["b", "a"]
    assert cycles.value.tolist() == [5, 3]
    assert cycles.contributions is not None
    assert cycles.contributions.tolist() == [[1, 0], [3, 0]]
    assert cycles.index.label.tolist() == ["anomalous", "normal"]
    assert cycles.index.stop_s.tolist() == [2, 3]


def test_scores_must_be_finite() -> None:
    with pytest.raises(UsageError, match="not finite"):
        Scores(np.array([np.nan]), index(1), "d")


def test_errors_travel_between_processes_and_name_their_place() -> None:
    error = InputError("bad value", file="a.csv", row=3, channel="current/1", remedy="record it again")
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error) == "a.csv, row 3, channel current/1: bad value. Remedy: record it again."
    short = pickle.loads(pickle.dumps(NotEnoughData("x", needed=3, have=1, unit="cycles")))
    assert short.needed == 3
