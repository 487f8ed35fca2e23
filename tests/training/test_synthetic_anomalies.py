"""Synthetic anomalies do what their table says, to the joint that is named, and can be seen."""

from __future__ import annotations

import numpy as np
import pytest

from jointwatch.core import Channel, Quantity, Source
from jointwatch.core.errors import UsageError
from jointwatch.training.seed import generator
from jointwatch.training.synthetic_anomalies import KINDS, Disturbed, disturb

QUANTITIES = (Quantity.POSITION, Quantity.VELOCITY, Quantity.CURRENT, Quantity.TORQUE)
CHANNELS = [Channel(quantity, joint) for joint in (1, 2, 3) for quantity in QUANTITIES]
CHANNELS.append(Channel(Quantity.POSITION, 1, Source.COMMANDED))
JOINT = np.array([channel.joint for channel in CHANNELS])
LOAD = np.array([channel.quantity in (Quantity.CURRENT, Quantity.TORQUE) for channel in CHANNELS])
VELOCITY = np.array([channel.quantity is Quantity.VELOCITY for channel in CHANNELS])


@pytest.fixture(scope="module")
def healthy() -> np.ndarray:
    """(200, 13, 80) z-scored reciprocating motion with noise."""
    rng = generator(0)
    phase = np.linspace(0, 4 * np.pi, 80) + rng.uniform(0, 6, (200, 1, 1)) + JOINT[:, None]
    values = np.sqrt(2) * np.where(VELOCITY[:, None], np.cos(phase), np.sin(phase))
    return (values + 0.01 * rng.standard_normal(values.shape)).astype(np.float32)


def made(healthy: np.ndarray, kind: str, strength: float = 2.0, **options: np.ndarray) -> tuple[Disturbed, np.ndarray]:
    result = disturb(
        healthy, CHANNELS, generator(1), kinds=[kind], strength_sigma=(strength, strength), mask=options.get("mask")
    )
    return result, result.values - healthy


def own(result: Disturbed) -> np.ndarray:
    """(window, channel) True for the channels of the joint that is named."""
    return result.joint[:, None] == JOINT


@pytest.mark.parametrize("kind", KINDS)
def test_what_every_kind_promises(kind: str, healthy: np.ndarray) -> None:
    before = healthy.copy()
    result, change = made(healthy, kind)
    assert np.array_equal(healthy, before)
    assert result.values.shape == healthy.shape
    assert result.values.dtype == np.float32
    assert np.isfinite(result.values).all()
    assert set(np.unique(result.joint)) == {1, 2, 3}
    assert np.array_equal(result.touched, (change != 0).any(axis=2))
    assert (result.touched & own(result)).any(axis=1).all()
    assert not result.touched[:, -1].any()  # the set point
    assert (np.abs(change).max(axis=(1, 2)) >= 0.1).all()
    assert (result.kind == kind).mean() > 0.95
    again, _ = made(healthy, kind)
    assert np.array_equal(result.values, again.values)
    other = disturb(healthy, CHANNELS, generator(2), kinds=[kind])
    assert not np.array_equal(result.values, other.values)


def test_contact_loads_the_struck_joint_most_and_those_behind_it_least(healthy: np.ndarray) -> None:
    result, change = made(healthy, "contact", strength=5.0)
    peak = np.abs(change).max(axis=2)
    struck = result.joint[:, None]
    means = [peak[LOAD & side].mean() for side in (struck == JOINT, (struck > JOINT), (struck < JOINT))]
    assert means[0] > 2 * means[1] > 2 * means[2] > 0
    slower = np.abs(result.values[:, VELOCITY]) <= np.abs(healthy[:, VELOCITY]) + 1e-6
    assert slower.all()
    assert (slower & (change[:, VELOCITY] != 0)).any()


def test_friction_takes_power_at_every_moment(healthy: np.ndarray) -> None:
    result, change = made(healthy, "friction")
    velocity = healthy[:, VELOCITY][np.arange(200), result.joint - 1]
    power = change * velocity[:, None, :]
    assert (power[LOAD & own(result)] >= -1e-4).all()
    assert not result.touched[~(LOAD & own(result))].any()


def test_ripple_has_no_mean_and_grows_with_strength(healthy: np.ndarray) -> None:
    for strength in (0.5, 4.0):
        result, change = made(healthy, "ripple", strength)
        added = change[LOAD & own(result)]
        assert np.abs(added.mean(axis=1)).max() < 1e-4
        assert np.median(added.std(axis=1)) == pytest.approx(strength / np.sqrt(2), rel=0.2)


@pytest.mark.parametrize("kind", ["offset", "gain", "drift", "noise", "stuck"])
def test_a_sensor_fault_touches_one_channel(kind: str, healthy: np.ndarray) -> None:
    result, _ = made(healthy, kind)
    alone = result.touched.sum(axis=1) == 1
    assert alone[result.kind == kind].all()
    assert len(np.unique(np.argmax(result.touched[alone], axis=1))) == 12


def test_offset_is_a_step_of_its_strength(healthy: np.ndarray) -> None:
    result, change = made(healthy, "offset", strength=2.0)
    step = change[result.touched]
    assert np.isclose(np.abs(step), 2.0, atol=1e-5).any(axis=1).all()
    assert (np.isclose(step, 0) | np.isclose(np.abs(step), 2.0, atol=1e-5)).all()
    assert np.count_nonzero(np.diff(np.abs(step) > 1, axis=1), axis=1).max() == 1
    assert {-1, 1} == set(np.sign(step[:, -1]))


def test_stuck_stays_where_it_was(healthy: np.ndarray) -> None:
    result, _ = made(healthy, "stuck")
    rows = result.kind == "stuck"
    signal = result.values[result.touched & rows[:, None]]
    held = signal == signal[:, -1:]
    assert (held.sum(axis=1) >= 80 // 5).all()
    assert np.array_equal(result.values[~result.touched], healthy[~result.touched])


def test_swapped_exchanges_two_sensors_of_a_kind(healthy: np.ndarray) -> None:
    result, _ = made(healthy, "swapped")
    for row in np.flatnonzero(result.kind == "swapped")[:50]:
        one, other = np.flatnonzero(result.touched[row])
        assert CHANNELS[one].quantity is CHANNELS[other].quantity
        assert np.array_equal(result.values[row, [one, other]], healthy[row, [other, one]])


def test_strengths_are_log_uniform(healthy: np.ndarray) -> None:
    result = disturb(np.tile(healthy, (10, 1, 1)), CHANNELS, generator(1), kinds=["offset"], strength_sigma=(0.2, 5.0))
    size = np.abs(result.values[:, :, -1] - np.tile(healthy, (10, 1, 1))[:, :, -1]).max(axis=1)
    share = (np.log(size) - np.log(0.2)) / np.log(25)
    assert np.quantile(share, [0.25, 0.5, 0.75]) == pytest.approx([0.25, 0.5, 0.75], abs=0.05)


def test_what_cannot_be_seen_becomes_a_contact() -> None:
    still = np.zeros((60, len(CHANNELS), 50), np.float32)
    for kind in ("friction", "ripple", "stuck", "gain", "swapped"):
        result = disturb(still, CHANNELS, generator(0), kinds=[kind])
        assert (result.kind == "contact").all()
        assert result.touched.any(axis=1).all()


def test_a_robot_without_a_joint_is_not_disturbed_there(healthy: np.ndarray) -> None:
    mask = np.ones(healthy.shape[:2], bool)
    mask[:100, JOINT == 3] = False
    result = disturb(healthy, CHANNELS, generator(3), mask=mask)
    assert set(result.joint[:100]) == {1, 2}
    assert set(result.joint[100:]) == {1, 2, 3}
    assert not result.touched[~mask].any()
    assert result.touched.any(axis=1).all()


def test_channels_without_joints_are_disturbed_one_by_one() -> None:
    channels = [Channel(Quantity.STATUS, component=name) for name in "abc"]
    result = disturb(generator(0).standard_normal((90, 3, 30)), channels, generator(1))
    assert set(result.joint) == {0}
    assert result.touched.any(axis=0).all()


def test_without_velocity_friction_uses_the_position() -> None:
    time = np.linspace(0, 2 * np.pi, 60)
    values = np.stack([np.sin(time), np.zeros(60)])[None].repeat(5, axis=0)
    channels = [Channel(Quantity.POSITION, 1), Channel(Quantity.CURRENT, 1)]
    result = disturb(values, channels, generator(0), kinds=["friction"])
    assert (result.kind == "friction").all()
    moving = np.abs(np.cos(time)) > 0.1
    assert (np.sign(result.values[:, 1, moving]) == np.sign(np.cos(time[moving]))).all()


@pytest.mark.parametrize("length", [2, 5])
@pytest.mark.parametrize("kind", KINDS)
def test_short_windows(kind: str, length: int, healthy: np.ndarray) -> None:
    result = disturb(healthy[:, :, :length], CHANNELS, generator(0), kinds=[kind])
    assert result.touched.any(axis=1).all()


def test_no_windows() -> None:
    result = disturb(np.empty((0, len(CHANNELS), 20)), CHANNELS, generator(0))
    assert result.values.shape == (0, len(CHANNELS), 20)


def test_refused() -> None:
    values = np.zeros((1, 1, 9))
    current, planned = [Channel(Quantity.CURRENT, 1)], [Channel(Quantity.CURRENT, 1, Source.COMMANDED)]
    with pytest.raises(UsageError, match="no kind"):
        disturb(values, current, generator(0), kinds=["gremlins"])
    with pytest.raises(UsageError, match="strengths"):
        disturb(values, current, generator(0), strength_sigma=(0.0, 1.0))
    with pytest.raises(UsageError, match="2 samples"):
        disturb(values[:, :, :1], current, generator(0))
    with pytest.raises(UsageError, match="measured"):
        disturb(values, planned, generator(0))
