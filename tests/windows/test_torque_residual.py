"""Rigid-body motion and friction are explained away, whatever the motion; friction that changed is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from jointwatch.bundle import store
from jointwatch.core import Channel, Cycle, Index, Quantity, Recording, Robot, Windows
from jointwatch.core.errors import MissingChannel, NotEnoughData, UsageError
from jointwatch.detectors.mahalanobis import Mahalanobis
from jointwatch.recordings import read
from jointwatch.simulation.rigid_body import RigidBody
from jointwatch.simulation.robot import load_robot
from jointwatch.windows.by_cycle import by_cycle
from jointwatch.windows.normalise import DomainZScore
from jointwatch.windows.sliding import sliding
from jointwatch.windows.torque_residual import TorqueResidual

RATE_HZ, LENGTH, NOISE_NM = 50.0, 200, 0.2
COULOMB = 4.0
DESCRIBED = {"ur": "ur5e"}


def motion(rng: np.random.Generator, count: int, joints: int, speed: float) -> tuple[np.ndarray, ...]:
    """Position, velocity and acceleration (window, time, joint): three waves about a posture of its own each time."""
    time_s = np.arange(LENGTH)[:, None] / RATE_HZ
    q, v, a = (np.zeros((count, LENGTH, joints)) for _ in range(3))
    q += rng.uniform(-0.4, 0.4, (count, 1, joints)) + np.linspace(-1.2, 0.8, joints)
    for _ in range(3):
        rate = speed * rng.uniform(0.8, 3.0, (count, 1, joints))
        size, phase = rng.uniform(0.1, 0.4, (count, 1, joints)), rng.uniform(0, 2 * np.pi, (count, 1, joints))
        q += size * np.sin(rate * time_s + phase)
        v += size * rate * np.cos(rate * time_s + phase)
        a -= size * rate**2 * np.sin(rate * time_s + phase)
    return q, v, a


def ur5e(q: np.ndarray, v: np.ndarray, a: np.ndarray) -> np.ndarray:
    body = RigidBody(load_robot("ur5e"))
    return np.stack([body.inverse_dynamics(*row) for row in zip(q, v, a, strict=True)])


def two_links(q: np.ndarray, v: np.ndarray, a: np.ndarray) -> np.ndarray:
    """A planar arm that hangs in gravity: the textbook's equations with masses of 3 and 2 kg, links of 0.5 m."""
    bend, m2, l1, c1, c2, g = q[..., 1], 2.0, 0.5, 0.25, 0.25, 9.81
    inner = 3.0 * c1**2 + m2 * (l1**2 + c2**2 + 2 * l1 * c2 * np.cos(bend))
    cross, h = m2 * (c2**2 + l1 * c2 * np.cos(bend)), m2 * l1 * c2 * np.sin(bend)
    outer_gravity = m2 * g * c2 * np.cos(q.sum(axis=-1))
    first = inner * a[..., 0] + cross * a[..., 1] - h * (2 * v[..., 0] * v[..., 1] + v[..., 1] ** 2)
    first = first + (3.0 * c1 + m2 * l1) * g * np.cos(q[..., 0]) + outer_gravity
    second = cross * a[..., 0] + m2 * c2**2 * a[..., 1] + h * v[..., 0] ** 2 + outer_gravity
    return np.stack([first, second], axis=-1)


def windows(
    count: int,
    seed: int,
    torque: Callable[..., np.ndarray] = ur5e,
    joints: int = 6,
    speed: float = 1.0,
    friction: float = 1.0,
    label: str = "normal",
    domain: str = "ur",
    velocity: bool = True,
) -> Windows:
    """`friction` multiplies that of joint 2; torques times 0.1 plus 3, so that neither scale nor zero is known."""
    rng = np.random.default_rng(seed)
    q, v, a = motion(rng, count, joints, speed)
    rub = (COULOMB * np.tanh(v / 0.05) + 2.0 * v) * np.where(np.arange(joints) == 1, friction, 1.0)
    effort = torque(q, v, a) + rub + NOISE_NM * rng.standard_normal(q.shape)
    kinds = [(Quantity.POSITION, q), (Quantity.VELOCITY, v), (Quantity.CURRENT, 0.1 * effort + 3.0)]
    kinds = kinds if velocity else [kinds[0], kinds[2]]
    channels = tuple(Channel(kind, joint) for joint in range(1, joints + 1) for kind, _ in kinds)
    values = np.stack([array for _, array in kinds], axis=3).transpose(0, 2, 3, 1).reshape(count, -1, LENGTH)
    name, zero = np.array([f"{domain}/{seed}/{i}" for i in range(count)]), np.zeros(count)
    stop = zero + LENGTH / RATE_HZ
    index = Index(
        np.full(count, f"{domain}-1"), np.full(count, str(seed)), name, np.full(count, domain), zero, stop,
        zero + 0.5, stop, np.full(count, label), np.full(count, ""), zero, zero * np.nan,
    )  # fmt: skip
    return Windows(values, channels, index, float("nan"))


def rms(residual: TorqueResidual, of: Windows, back: bool = True) -> np.ndarray:
    """(joint,) root mean square of the residual channels, in N m."""
    found = residual.transform(of)
    own = [i for i, channel in enumerate(found.channels) if channel.component == "residual"]
    return np.sqrt(np.square(found.values[:, own], dtype=float).mean(axis=(0, 2))) * (10 if back else 1)


@pytest.mark.parametrize("robots", [DESCRIBED, None])
def test_friction_that_changed_shows_and_a_motion_that_changed_does_not(robots: dict[str, str] | None) -> None:
    torque, joints = (ur5e, 6) if robots else (two_links, 2)
    make = {"torque": torque, "joints": joints}
    residual = TorqueResidual(robots=robots, ridge=1e-4).fit(windows(120, 0, **make))
    same, moved = windows(40, 1, **make), windows(40, 2, speed=0.5, **make)
    stiff = windows(40, 1, friction=1.1, **make)
    healthy, slower, rubbing = (rms(residual, some) for some in (same, moved, stiff))
    others = np.arange(joints) != 1
    assert (healthy < 1.5 * NOISE_NM).all()
    assert (slower < 1.5 * healthy).all()
    assert rubbing[1] > 1.8 * healthy[1]
    np.testing.assert_allclose(rubbing[others], healthy[others], rtol=1e-3)
    # what was measured tells it the other way round: the other motion changes it more than friction did
    spread = [
        np.std(some.values[:, same.channels.index(Channel(Quantity.CURRENT, 2))]) for some in (same, moved, stiff)
    ]
    assert abs(spread[1] / spread[0] - 1) > abs(spread[2] / spread[0] - 1)


def test_the_size_of_the_residual_is_the_friction_that_was_added() -> None:
    residual = TorqueResidual(robots=DESCRIBED, ridge=1e-4).fit(windows(120, 0))
    quiet, stiff = (residual.transform(windows(40, 1, friction=f)).values[:, -5] * 10 for f in (1.0, 1.5))
    velocity = windows(40, 1).values[:, 4]
    fast = np.abs(velocity) > 0.3
    added = np.sign(velocity[fast]) * (stiff - quiet)[fast]
    np.testing.assert_allclose(added, 0.5 * (COULOMB + 2.0 * np.abs(velocity[fast])), atol=0.02)


def test_velocity_is_derived_where_it_is_not_there() -> None:
    make = {"torque": two_links, "joints": 2, "velocity": False}
    residual = TorqueResidual().fit(windows(100, 0, **make))
    assert (rms(residual, windows(30, 1, **make)) < 3 * NOISE_NM).all()


def test_cycles_of_any_duration_and_sliding_windows_have_their_own_clock() -> None:
    """One model serves both ways of cutting: torque of inertia alone is only explained with the right time step."""
    rng = np.random.default_rng(0)
    time_s = np.arange(8000) / 100
    ends = np.cumsum(rng.uniform(3.0, 6.0, 13))
    position = sum(np.sin(rate * time_s + rate) for rate in (1.3, 2.1, 3.7))
    torque = -2.0 * sum(rate**2 * np.sin(rate * time_s + rate) for rate in (1.3, 2.1, 3.7))
    channels = (Channel(Quantity.POSITION, 1), Channel(Quantity.TORQUE, 1))
    marks = tuple(Cycle(a, b) for a, b in pairwise(ends))
    robot = Robot.of("demo", "arm", "a", 1)
    recording = Recording(time_s, np.stack([position, torque]), channels, robot, "s", marks)
    cut = [by_cycle(recording, length=300), sliding(recording, rate_hz=50.0, length=100, step=50)]
    cut = [replace(some, index=replace(some.index, label=np.full(len(some), "normal"))) for some in cut]
    assert np.ptp(cut[0].index.cycle_s) > 1.5
    for train, test in (cut, cut[::-1]):
        residual = TorqueResidual(ridge=1e-6).fit(train)
        assert rms(residual, test, back=False)[0] < 0.03 * torque.std()


def test_missing_joints_are_masked_and_do_not_matter() -> None:
    both = Windows.concatenate([windows(60, 0, two_links, 2, domain="a"), windows(60, 1, two_links, 2, domain="b")])
    mask = both.presence.copy()
    mask[60:, 3:] = False  # b has one joint
    both = replace(both, mask=mask, values=np.where(mask[:, :, None], both.values, 0.0))
    found = TorqueResidual().fit(both).transform(both)
    assert found.presence[:, -2:].tolist() == [[True, True]] * 60 + [[True, False]] * 60
    assert (found.values[60:, -1] == 0).all()
    strange = replace(both, values=np.where(mask[:, :, None], both.values, 99.0))
    other = TorqueResidual().fit(strange).transform(strange)
    np.testing.assert_array_equal(other.values[:, -2:], found.values[:, -2:])
    # where a position that the model needs is lost, nothing can be said of any joint
    lost = mask.copy()
    lost[:5, 3] = False
    assert not TorqueResidual().fit(both).transform(replace(both, mask=lost)).presence[:5, -2:].any()


def test_only_normal_windows_teach_and_each_group_is_its_own() -> None:
    make = {"torque": two_links, "joints": 2}
    healthy, stiff = windows(60, 0, **make), windows(60, 1, friction=3.0, label="anomalous", **make)
    other = windows(60, 2, friction=2.0, domain="other", **make)
    alone = TorqueResidual().fit(healthy)
    mixed = TorqueResidual().fit(Windows.concatenate([healthy, stiff, other]))
    assert mixed.groups_ == ["other", "ur"]
    np.testing.assert_array_equal(mixed.coefficients_[1], alone.coefficients_[0])
    with pytest.raises(NotEnoughData, match="'ur'"):
        TorqueResidual().fit(Windows.concatenate([stiff, other]))
    with pytest.raises(UsageError, match="'other'"):
        alone.transform(other)
    adapted = alone.adapt(other)
    assert alone.groups_ == ["ur"]
    np.testing.assert_allclose(adapted.coefficients_[1], mixed.coefficients_[0])
    replaced = adapted.adapt(replace(stiff, index=replace(stiff.index, label=np.full(60, "normal"))))
    assert replaced.groups_ == ["other", "ur"]
    assert rms(replaced, stiff)[1] < 0.2 * rms(adapted, stiff)[1]
    by_unit = TorqueResidual(by="unit").fit(Windows.concatenate([healthy, other]))
    assert by_unit.groups_ == ["other-1", "ur-1"]


def test_residuals_are_appended_or_take_the_place_of_what_was_measured() -> None:
    some = windows(20, 0, two_links, 2)
    keys = [channel.key for channel in TorqueResidual().fit(some).transform(some).channels]
    assert keys == [c.key for c in some.channels] + ["current.derived/1:residual", "current.derived/2:residual"]
    replaced = TorqueResidual(append=False).fit(some).transform(some)
    assert [c.key for c in replaced.channels][2::3] == ["current.derived/1:residual", "current.derived/2:residual"]
    np.testing.assert_array_equal(replaced.values[:, 2::3], TorqueResidual().fit(some).transform(some).values[:, -2:])
    effort = replace(some, channels=tuple(_as_effort(c) for c in some.channels))
    assert TorqueResidual().fit(effort).transform(effort).channels[-1].key == "effort.derived/2:residual"


def _as_effort(channel: Channel) -> Channel:
    return Channel.parse(f"effort.derived/{channel.joint}") if channel.quantity is Quantity.CURRENT else channel


def test_a_joint_that_stands_still_leaves_its_noise() -> None:
    some = windows(20, 0, two_links, 2)
    values = some.values.copy()
    values[:, 3:5] = values[0, 3:5, :1]
    values[:, 5] = 7.0
    constant = some.with_values(values)
    residual = TorqueResidual().fit(constant)
    assert np.abs(residual.transform(constant).values[:, -1]).max() < 1e-5
    assert np.isfinite(residual.transform(some).values).all()


@pytest.mark.parametrize("robots", [DESCRIBED, None])
def test_what_stood_while_it_was_learned_may_stand_elsewhere(robots: dict[str, str] | None) -> None:
    """Joint 5 stands but for the noise of its encoder, in use half a degree from where it stood: its own posture was
    never varied, so nothing may be made of it."""

    def standing(seed: int, at_rad: float) -> Windows:
        rng = np.random.default_rng(seed)
        q, v, a = motion(rng, 60, 6, 1.0)
        q[..., 4], v[..., 4], a[..., 4] = at_rad, 0.0, 0.0
        effort = ur5e(q, v, a) + COULOMB * np.tanh(v / 0.05) + NOISE_NM * rng.standard_normal(q.shape)
        seen = q + 2e-5 * rng.standard_normal(q.shape), v + 3e-4 * rng.standard_normal(q.shape), 0.1 * effort + 3.0
        values = np.stack(seen, axis=3).transpose(0, 2, 3, 1).reshape(60, -1, LENGTH)
        return windows(60, seed).with_values(values)

    residual = TorqueResidual(robots=robots).fit(standing(0, -1.57))
    same, moved = (rms(residual, standing(1, at_rad)) for at_rad in (-1.57, -1.56))
    assert (moved < 1.5 * same).all()


def test_stored_and_cloned_it_is_the_same_and_it_leads_a_pipeline(tmp_path: Path) -> None:
    train, new = windows(60, 0, two_links, 2), windows(10, 1, two_links, 2)
    residual = TorqueResidual(robots={"x": "ur5e"}).fit(train)
    again = store.load(store.save(residual, tmp_path / "model"))
    np.testing.assert_array_equal(again.transform(new).values, residual.transform(new).values)
    assert clone(residual).get_params() == residual.get_params()
    pipeline = make_pipeline(TorqueResidual(append=False), DomainZScore(), Mahalanobis()).fit(train)
    assert pipeline.score_samples(new).shape == (10,)


def test_what_cannot_be_is_refused() -> None:
    some = windows(4, 0, two_links, 2)
    with pytest.raises(NotFittedError):
        TorqueResidual().transform(some)
    with pytest.raises(UsageError, match="6 joints, the windows hold positions of 2"):
        TorqueResidual(robots=DESCRIBED).fit(some)
    with pytest.raises(UsageError, match="domain or unit"):
        TorqueResidual(by="session").fit(some)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="Windows"):
        TorqueResidual().fit(some.values)  # type: ignore[arg-type]
    alone = replace(some, channels=tuple(replace(c, joint=c.joint and c.joint + 7) for c in some.channels))
    with pytest.raises(UsageError, match="learned for channels"):
        TorqueResidual().fit(some).transform(alone)
    unmoved = replace(some, values=some.values[:, 2::3], channels=some.channels[2::3], mask=None)
    with pytest.raises(MissingChannel, match="position"):
        TorqueResidual().fit(unmoved)


def test_measured_currents_of_a_ur10e_are_explained_on_logs_that_were_held_out(data_dir: Path) -> None:
    folder = data_dir / "ur10e_innopolis"
    if not folder.is_dir():
        pytest.skip("recordings of the UR10e not found")
    channels = [
        Channel.parse(f"{kind}/{joint}") for joint in range(1, 7) for kind in ("position", "velocity", "current")
    ]
    cut = {}
    for name in ("ur-20_02_12-40sec_12harm", "ur-20_02_12-50sec_12harm", "ur-20_02_10-30sec_12harm"):
        (recording,) = read(folder / "identification_data" / f"{name}.csv")
        cut[name] = sliding(recording, rate_hz=100.0, length=200, step=200, channels=channels)
    *train, test = cut.values()
    for robots, least in (({"Universal Robots": "ur10e"}, 0.9), (None, 0.7)):
        residual = TorqueResidual(robots=robots).fit(Windows.concatenate(train))
        left = np.square(residual.transform(test).values[:, -6:]).mean(axis=(0, 2))
        determination = 1 - left / test.values[:, residual.targets_].var(axis=(0, 2))
        assert determination.min() > least - 0.2
        assert np.median(determination) > least
