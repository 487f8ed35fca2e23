"""Domain distances: their limits, what they are blind to, and that sessions are never on both sides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from jointwatch.core import Channel, Index, Quantity, Windows
from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.selection.distance import by_channel, coral, mmd, overlap, proxy_a_distance, vectors

GROUPS = np.repeat(np.arange(8), 25)


def rows(seed: int, d: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((200, d))


def test_equal_samples_have_distance_zero_and_far_ones_the_most() -> None:
    a, b = rows(0), rows(1)
    assert mmd(a, b, GROUPS, GROUPS).value < 0.02
    assert coral(a, a, GROUPS, GROUPS).value == 0
    assert proxy_a_distance(a, b, GROUPS, GROUPS).value < 0.4
    assert overlap(a, b, GROUPS, GROUPS).value > 0.85
    far = b + 20
    assert proxy_a_distance(a, far, GROUPS, GROUPS).value == 2
    assert mmd(a, far, GROUPS, GROUPS).value > 0.8
    assert overlap(a, far, GROUPS, GROUPS).value == 0


@pytest.mark.parametrize("distance", [proxy_a_distance, mmd])
def test_distance_grows_with_the_shift_and_its_interval_holds_it(distance: object) -> None:
    values = [distance(rows(0), rows(1) + shift, GROUPS, GROUPS) for shift in (0.0, 0.5, 1.5)]  # type: ignore[operator]
    assert values[0].value < values[1].value < values[2].value
    for found in values:
        assert found.low <= found.value <= found.high
    assert values[2].low > values[0].high


def test_coral_is_blind_to_a_shift_and_sees_a_scale() -> None:
    a = rows(0)
    assert coral(a, a + 100, GROUPS, GROUPS).value == pytest.approx(0, abs=1e-10)
    assert coral(a, 2 * a, GROUPS, GROUPS).value == pytest.approx(
        np.square(3 * np.cov(a.T, bias=True)).sum() / (4 * 4**2)
    )


def test_likeness_within_a_session_is_not_distance() -> None:
    """Sessions with offsets of their own: no robot differs from the other, though every session does."""
    rng = np.random.default_rng(0)
    a, b = (rows(s) * 0.05 + np.repeat(rng.standard_normal((8, 4)), 25, axis=0) for s in (0, 1))
    same, other = np.zeros(200), np.ones(200)  # as if each robot were one session
    assert mmd(a, b, GROUPS, GROUPS).value < 0.5 * mmd(a, b, same, other).value
    assert proxy_a_distance(a, b, GROUPS, GROUPS).value < 1.5
    leaked = np.arange(200)  # rows dealt at random recognise the session
    assert proxy_a_distance(a, b, leaked, leaked).value > proxy_a_distance(a, b, GROUPS, GROUPS).value


def test_a_single_group_has_no_interval_or_no_distance() -> None:
    one = np.zeros(200)
    assert np.isnan(mmd(rows(0), rows(1), one, GROUPS).low)
    with pytest.raises(NotEnoughData, match="sessions"):
        proxy_a_distance(rows(0), rows(1), one, GROUPS)
    with pytest.raises(NotEnoughData, match="source sessions"):
        overlap(rows(0), rows(1), one, GROUPS)
    with pytest.raises(UsageError, match="features"):
        mmd(rows(0), rows(1, 3), GROUPS, GROUPS)


def windows(seed: int, gain: float = 1.0, shape: float = 0.0) -> Windows:
    rng = np.random.default_rng(seed)
    count = 60
    name = np.array([f"c{i}" for i in range(count)])
    time = np.arange(count, dtype=float)
    session = np.repeat([f"s{i}" for i in range(6)], 10)
    one = np.full(count, "a")
    index = Index(
        one,
        session,
        name,
        one,
        time,
        time + 1,
        time,
        time,
        np.full(count, "normal"),
        np.full(count, ""),
        time * 0,
        time,
    )
    wave = np.sin(np.linspace(0, 6.28, 50))
    values = wave + 0.3 * rng.standard_normal((count, 2, 50))
    values[:, 1] = gain * (values[:, 1] + shape * np.abs(values[:, 1]) ** 3)
    return Windows(values, (Channel(Quantity.VELOCITY, 1), Channel(Quantity.CURRENT, 1)), index, 50.0)


def test_the_channel_that_differs_is_named_and_what_a_z_score_removes_is_told_apart() -> None:
    source = windows(0)
    velocity, current = by_channel(source, windows(1, gain=7.0))
    assert velocity.raw.value < 0.7
    assert current.raw.value > 1.8
    assert current.normalised.value < 0.7  # a gain is gone after each robot's own z-score
    _, bent = by_channel(source, windows(1, shape=2.0))
    assert bent.normalised.value > 1.5  # another shape stays


def test_labels_are_not_looked_at() -> None:
    source, target = windows(0), windows(1, gain=2.0)
    label = np.where(np.arange(60) % 2, "anomalous", "normal")
    scrambled = replace(target, index=replace(target.index, label=label))
    assert by_channel(source, target) == by_channel(source, scrambled)
    for one, other in zip(vectors(source, target), vectors(source, scrambled), strict=True):
        np.testing.assert_array_equal(one, other)


def test_channels_that_a_robot_lacks_are_left_out() -> None:
    source, target = windows(0), windows(1)
    mask = np.array([[True, False]] * 60)
    lacking = replace(target, mask=mask)
    assert [found.channel.quantity for found in by_channel(source, lacking)] == [Quantity.VELOCITY]
    with pytest.raises(NotEnoughData, match="share"):
        by_channel(source, replace(target, mask=np.zeros((60, 2), bool)))
