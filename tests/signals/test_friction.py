"""Friction that was put in comes out, whatever gravity and inertia do."""

from __future__ import annotations

import numpy as np
import pytest

from jointwatch.signals.friction import FRICTION, friction

PHASE = np.linspace(0, 2 * np.pi, 601)[None]
POSITION, VELOCITY = 0.8 * np.sin(PHASE), 0.8 * np.cos(PHASE)
TOP = 0.8


def coulomb(size: float, velocity: np.ndarray = VELOCITY) -> np.ndarray:
    return size * np.tanh(velocity / TOP / 0.02)


def figures(effort: np.ndarray, position: np.ndarray = POSITION, velocity: np.ndarray = VELOCITY) -> dict[str, float]:
    return dict(zip(FRICTION, friction(effort, position, velocity)[0].tolist(), strict=True))


@pytest.mark.parametrize(("dry", "viscous"), [(3.0, 0.0), (0.0, 2.0), (1.5, 0.7)])
def test_known_friction_is_found(dry: float, viscous: float) -> None:
    found = figures(coulomb(dry) + viscous * VELOCITY / TOP)
    assert found["coulomb"] == pytest.approx(dry, abs=0.01)
    assert found["viscous"] == pytest.approx(viscous, abs=0.02)
    assert found["residual"] < 0.02
    for band, share in (("medium", 0.35), ("fast", 0.83)):
        assert found[band] == pytest.approx(dry + share * viscous, abs=0.05)


def test_energy_is_the_work_of_coulomb_friction() -> None:
    assert figures(coulomb(2.5))["energy"] == pytest.approx(2.5, rel=0.01)


def test_gravity_and_inertia_change_no_friction_over_a_closed_cycle() -> None:
    acceleration = -np.sin(PHASE)
    bare = figures(coulomb(2.0) + 0.5 * VELOCITY)
    loaded = figures(coulomb(2.0) + 0.5 * VELOCITY + 7.0 + 4.0 * np.sin(POSITION) + 3.0 * np.cos(POSITION))
    moving = figures(coulomb(2.0) + 0.5 * VELOCITY + 5.0 * acceleration)
    for found in (loaded, moving):
        for name in ("energy", "coulomb", "viscous", "slow", "medium", "fast", "residual", "roughness"):
            assert found[name] == pytest.approx(bare[name], abs=0.03), name


def test_the_sense_of_the_joint_does_not_matter() -> None:
    effort = coulomb(2.0) + 0.5 * VELOCITY + np.cos(POSITION)
    one, other = figures(effort), figures(-effort, -POSITION, -VELOCITY)
    for name in FRICTION:
        assert other[name] == pytest.approx(one[name], abs=1e-6), name


def test_figures_grow_with_the_effort_and_know_no_speed_unit() -> None:
    effort = coulomb(2.0) + 0.5 * VELOCITY + 0.1 * np.sin(30 * POSITION)
    one, double, quick = figures(effort), figures(2 * effort), figures(effort, velocity=60 * VELOCITY)
    for name in FRICTION:
        assert double[name] == pytest.approx(2 * one[name], abs=1e-6), name
        assert quick[name] == pytest.approx(one[name], abs=1e-6), name


def test_ripple_is_left_over_and_quick_ripple_is_rough() -> None:
    smooth, slow, quick = (figures(coulomb(2.0) + 0.3 * np.sin(n * POSITION)) for n in (0, 15, 60))
    assert smooth["residual"] < 0.02 < 0.15 < slow["residual"]
    assert quick["roughness"] > 4 * slow["roughness"] > 4 * smooth["roughness"]


def test_a_joint_that_stands_gives_zeros_beside_one_that_moves() -> None:
    still = np.zeros_like(POSITION)
    rows = friction(
        np.concatenate([5.0 + still, coulomb(1.0)]),
        np.concatenate([still, POSITION]),
        np.concatenate([still, VELOCITY]),
    )
    assert (rows[0] == 0).all()
    assert rows[1, 1] == pytest.approx(1.0, abs=0.01)
    assert friction(still[:0], still[:0], still[:0]).shape == (0, len(FRICTION))


def test_movement_in_one_direction_is_finite() -> None:
    speed = 0.2 + 0.1 * np.sin(PHASE)
    assert np.isfinite(friction(coulomb(1.0, speed), np.cumsum(speed, axis=1) * 0.01, speed)).all()
