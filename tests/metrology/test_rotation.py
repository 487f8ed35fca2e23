"""Rotation about an unknown axis: exact without noise, honest with it, refused where spheres show none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation as Turn
from scipy.stats import binom, t

from jointwatch.core.errors import InputError, UsageError
from jointwatch.metrology.rotation import common_axis, fit_rotation

ROD = np.array([[150.0, 0.0, 40.0], [110.0, 70.0, 40.0], [120.0, 20.0, 110.0]])
NOISE_MM = 0.002
DRAWS = 400


def unit(vector: list[float]) -> np.ndarray:
    found = np.array(vector)
    return found / np.linalg.norm(found)


def turned(rod: np.ndarray, angle: float, axis: np.ndarray, point: np.ndarray) -> np.ndarray:
    return Turn.from_rotvec(angle * axis).apply(rod - point) + point


numbers = st.floats(-1, 1)
vectors = st.lists(numbers, min_size=3, max_size=3)


@given(
    angle=st.one_of(st.floats(-3.1, 3.1), st.floats(-1e-3, 1e-3), st.floats(1.25, 1.27)),
    axis=vectors,
    point=vectors,
    spheres=st.lists(vectors, min_size=3, max_size=5),
)
def test_without_noise_angle_and_axis_are_exact(
    angle: float, axis: list[float], point: list[float], spheres: list[list[float]]
) -> None:
    assume(np.linalg.norm(axis) > 0.1)
    rod = 200 * np.array(spheres)
    gaps = [np.linalg.norm(a - b) for i, a in enumerate(rod) for b in rod[:i]]
    spread = np.linalg.svd(rod - rod.mean(axis=0), compute_uv=False)
    assume(min(gaps) > 5 and spread[1] > 0.05 * spread[0] and spread[1] > 5)
    way, place = unit(axis), 300 * np.array(point)
    found = fit_rotation(rod, turned(rod, angle, way, place), direction=way)
    assert found.angle_rad == pytest.approx(angle, abs=1e-10)
    assert found.residual_mm < 1e-9
    assert found.shift_mm == pytest.approx(0.0, abs=1e-6)
    if abs(angle) > 0.1:
        assert found.axis == pytest.approx(way, abs=1e-8)
        assert np.linalg.norm(np.cross(found.point_mm - place, way)) < 1e-5
    assert fit_rotation(rod, turned(rod, angle, way, place)).angle_rad == pytest.approx(abs(angle), abs=1e-10)


@pytest.mark.parametrize("angle", [np.pi, np.pi - 1e-8, 3.0])
def test_half_a_turn(angle: float) -> None:
    found = fit_rotation(ROD, turned(ROD, angle, unit([1, 2, -1]), np.zeros(3)), direction=[1, 2, -1])
    assert abs(found.angle_rad) == pytest.approx(angle, abs=1e-7)
    assert found.axis == pytest.approx(unit([1, 2, -1]), abs=1e-6)


@pytest.mark.parametrize("stated", [True, False])
@pytest.mark.parametrize("angle_deg", [0.0, 0.02, 72.03, -150.0])
def test_the_stated_uncertainty_is_the_one_that_is_met(angle_deg: float, stated: bool) -> None:
    """Angle within 95 % of the stated law in 95 % of the draws, and no bias, close to 0 too."""
    rng = np.random.default_rng(7)
    axis, angle = unit([0.2, -0.3, 1.0]), np.radians(angle_deg)
    after = turned(ROD, angle, axis, np.array([5.0, -8.0, 3.0]))
    pulls = []
    for _ in range(DRAWS):
        p, q = ROD + NOISE_MM * rng.standard_normal((3, 3)), after + NOISE_MM * rng.standard_normal((3, 3))
        found = fit_rotation(p, q, direction=axis, noise_mm=NOISE_MM if stated else None)
        pulls.append((found.angle_rad - angle) / found.uncertainty_rad)
    limit = t.ppf(0.975, np.inf if stated else 3)
    low, high = binom.interval(0.998, DRAWS, 0.95)
    assert low <= (np.abs(pulls) <= limit).sum() <= high
    assert abs(np.median(pulls)) < 0.2
    if stated:
        assert np.std(pulls) == pytest.approx(1.0, abs=0.12)


def test_a_longer_lever_and_more_spheres_give_a_better_angle() -> None:
    after = turned(ROD, 1.2, unit([0, 0, 1]), np.zeros(3))
    once = fit_rotation(ROD, after, noise_mm=NOISE_MM)
    twice = fit_rotation(2 * ROD, 2 * after, noise_mm=NOISE_MM)
    assert twice.uncertainty_rad == pytest.approx(once.uncertainty_rad / 2)
    more = np.vstack([ROD, [[-40.0, 30.0, 20.0]]])
    better = fit_rotation(more, turned(more, 1.2, unit([0, 0, 1]), np.zeros(3)), noise_mm=NOISE_MM)
    assert better.uncertainty_rad < once.uncertainty_rad


@pytest.mark.parametrize("sphere", [0, 1, 2])
def test_a_mis_measured_sphere_is_named(sphere: int) -> None:
    after = turned(ROD, 1.2, unit([0, 1, 1]), np.zeros(3))
    others = np.delete(after, sphere, axis=0).mean(axis=0)
    after[sphere] += 0.05 * unit(list(after[sphere] - others))
    with pytest.raises(InputError, match=rf"sphere {'ABC'[sphere]} is mis-measured"):
        fit_rotation(ROD, after, noise_mm=NOISE_MM, names="ABC")


def test_noise_alone_is_hardly_ever_refused() -> None:
    rng = np.random.default_rng(3)
    after = turned(ROD, 1.2, unit([0, 1, 1]), np.zeros(3))
    for _ in range(500):
        noise = NOISE_MM * rng.standard_normal((2, 3, 3))
        fit_rotation(ROD + noise[0], after + noise[1], noise_mm=NOISE_MM)


@pytest.mark.parametrize(
    ("rod", "says"),
    [
        (ROD[:2], "2 spheres"),
        (np.array([[0.0, 0, 0], [50, 50, 50], [100, 100, 100]]), "one line"),
        (ROD / 1000, "too close"),
        (np.vstack([ROD[:2], ROD[:1]]), "too close"),
        (np.where(ROD == 110.0, np.nan, ROD), "sphere 2 before has no finite centre"),
    ],
)
def test_spheres_that_show_no_angle_are_refused(rod: np.ndarray, says: str) -> None:
    with pytest.raises(InputError, match=says):
        fit_rotation(rod, rod)


def test_calls_that_cannot_be() -> None:
    with pytest.raises(UsageError, match="positive number"):
        fit_rotation(ROD, ROD, noise_mm=-1.0)
    with pytest.raises(UsageError, match="direction"):
        fit_rotation(ROD, ROD, direction=[0, 0, 0])
    with pytest.raises(UsageError, match="turned far enough"):
        common_axis([fit_rotation(ROD, ROD)])


def test_common_axis_of_turns_to_and_fro() -> None:
    axis = unit([1, -1, 3])
    turns = [fit_rotation(ROD, turned(ROD, a, axis, np.ones(3)), direction=axis) for a in (1.2, -1.2, 0.7)]
    assert common_axis(turns) == pytest.approx(axis, abs=1e-9)
