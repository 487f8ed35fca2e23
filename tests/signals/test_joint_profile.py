"""What is put into a simulated stroke comes out of its profile, each in its own family."""

from __future__ import annotations

import numpy as np
import pytest

from jointwatch.core.errors import UsageError
from jointwatch.signals.joint_profile import GROUPS, figure_names, joint_profile

RATIO = 100.0
SAMPLES = 4000


def stroke(phase_shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Angle and way of one cycle to and fro at a speed that rises and falls."""
    phase = np.linspace(0, 1, SAMPLES, endpoint=False)
    speed = np.sin(2 * np.pi * phase)
    angle = np.cumsum(speed)
    angle = 0.75 * (2 * (angle - angle.min()) / np.ptp(angle) - 1) + phase_shift
    return angle, np.sign(speed)


def effort(
    angle: np.ndarray,
    way: np.ndarray,
    *,
    coulomb: float = 4.0,
    gravity: float = 20.0,
    per_load: float = 0.0,
    order_2: float = 0.0,
    step: float = 0.0,
) -> np.ndarray:
    load = gravity * np.sin(angle)
    ripple = order_2 * np.cos(2 * RATIO * angle + 0.4)
    play = step * np.sign(angle) * np.exp(-0.5 * (angle / 0.04) ** 2)
    return np.asarray(load + way * (coulomb + per_load * np.abs(load)) + ripple + play)


def figure(found: dict[str, np.ndarray], group: str, name: str) -> float:
    return float(found[group][0, figure_names(group).index(name)])


def profile(**kwargs: float) -> dict[str, np.ndarray]:
    angle, way = stroke()
    return joint_profile(effort(angle, way, **kwargs)[None], angle[None], RATIO)


def test_coulomb_friction_is_what_was_put_in_whatever_gravity() -> None:
    for gravity in (0.0, 20.0):
        assert np.exp(figure(profile(coulomb=4.0, gravity=gravity), "friction", "coulomb")) == pytest.approx(
            4, rel=0.02
        )


def test_ripple_is_found_at_its_order_and_nowhere_else() -> None:
    names = figure_names("ripple")
    quiet, loud = profile(), profile(order_2=0.8)
    gain = loud["ripple"][0] - quiet["ripple"][0]
    own = [i for i, name in enumerate(names) if name.startswith("order 2") and loud["ripple"][0, i] > -4]
    assert len(own) >= 4
    assert np.sqrt(2 * np.exp(loud["ripple"][0, own])) == pytest.approx(0.8, rel=0.05)
    others = [i for i, name in enumerate(names) if not name.startswith("order 2")]
    assert gain[own].min() > 3 * np.abs(gain[others]).max()


def test_ripple_does_not_reach_the_play() -> None:
    step = "load step within 16%"
    without, rippled = figure(profile(), "play", step), figure(profile(order_2=0.8), "play", step)
    played = figure(profile(step=0.3), "play", step)
    assert played - without > 3
    assert played - without > 3 * abs(rippled - without)


def test_friction_that_grows_with_load_is_told_from_friction() -> None:
    found = profile(per_load=0.1)
    assert np.exp(figure(found, "play", "friction per load")) == pytest.approx(0.1, rel=0.1)
    assert np.exp(figure(found, "play", "friction without load")) == pytest.approx(4, rel=0.05)


def test_unit_of_the_effort_shifts_logarithms_and_nothing_else() -> None:
    angle, way = stroke()
    one = effort(angle, way, order_2=0.5, per_load=0.1, step=0.2)
    found = joint_profile(np.stack([one, 10 * one]), np.stack([angle] * 2), RATIO)
    assert np.ptp(found["ripple"], axis=0) == pytest.approx(np.full(found["ripple"].shape[1], 2 * np.log(10)), abs=1e-6)
    assert np.ptp(found["shape"], axis=0) == pytest.approx(np.zeros(found["shape"].shape[1]), abs=1e-6)
    assert np.ptp(found["friction"][:, 1:], axis=0) == pytest.approx(np.zeros(found["friction"].shape[1] - 1), abs=1e-6)


def test_rows_do_not_depend_on_each_other() -> None:
    angle, way = stroke()
    rows = np.stack([effort(angle, way, order_2=0.5), effort(angle, way, coulomb=9.0)])
    together = joint_profile(rows, np.stack([angle] * 2), RATIO)
    for number in (0, 1):
        alone = joint_profile(rows[number : number + 1], angle[None], RATIO)
        for group in GROUPS:
            assert np.array_equal(alone[group][0], together[group][number])


def test_names_fit_and_a_joint_that_stands_gives_zeros() -> None:
    found = joint_profile(np.random.default_rng(0).standard_normal((2, SAMPLES)), np.zeros((2, SAMPLES)), RATIO)
    for group in GROUPS:
        assert found[group].shape == (2, len(figure_names(group)))
        assert not found[group].any()


def test_a_ratio_must_be_above_0() -> None:
    with pytest.raises(UsageError, match="above 0"):
        joint_profile(np.ones((1, 10)), np.ones((1, 10)), 0.0)
