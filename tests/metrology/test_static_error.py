"""Static error over runs: right sign and size, stated coverage, honest about levels, and refusing what cannot be."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation as Turn
from scipy.stats import binom

from jointwatch.core.errors import InputError, UsageError
from jointwatch.core.levels import LEVEL_RAD
from jointwatch.metrology.sphere_centres import SphereCentres
from jointwatch.metrology.static_error import MeasuredError, measure_static_error

ROD = np.array([[150.0, 0.0, 40.0], [110.0, 70.0, 40.0], [120.0, 20.0, 110.0]])
AXIS = np.array([0.1, -0.2, 1.0]) / np.linalg.norm([0.1, -0.2, 1.0])
NOISE_MM = 0.002


def centres(
    angles_deg: list[float] | np.ndarray, rng: np.random.Generator | None = None, noise_mm: float = NOISE_MM
) -> SphereCentres:
    before = np.repeat(ROD[None], len(angles_deg), axis=0)
    after = np.stack([Turn.from_rotvec(np.radians(a) * AXIS).apply(ROD) for a in angles_deg])
    if rng is not None:
        before, after = (c + noise_mm * rng.standard_normal(c.shape) for c in (before, after))
    return SphereCentres(tuple(str(i + 1) for i in range(len(angles_deg))), ("A", "B", "C"), before, after)


@pytest.mark.parametrize("error_deg", [-0.06, -0.001, 0.0, 0.03, 0.2])
@pytest.mark.parametrize("way", [1.0, -1.0])
def test_sign_positive_is_too_far_either_way(error_deg: float, way: float) -> None:
    found = measure_static_error(centres([way * (72 + error_deg)] * 3), noise_mm=NOISE_MM)
    assert np.degrees(found.error_rad) == pytest.approx(error_deg, abs=1e-8)
    assert found.level == min(int(np.ceil(abs(error_deg) / 0.025 - 1e-6)) or 1, 6)


def test_runs_to_and_fro_agree() -> None:
    found = measure_static_error(centres([72.04, -72.04, 72.04]))
    assert np.degrees([one.error_rad for one in found.runs]) == pytest.approx(0.04)


@pytest.mark.parametrize(
    ("turns", "ratio"), [(20, 100), (-20, 100), (60, 100), (100, 100), (50, 100), (1, 160), (30, 51)]
)
def test_any_ratio_and_turns(turns: float, ratio: float) -> None:
    theory = 360 * turns / ratio
    alike = turns in (50, 100)
    found = measure_static_error(
        centres([theory + np.sign(turns) * 0.02] * 2), ratio=ratio, turns=turns, direction=AXIS if alike else None
    )
    assert np.degrees(found.error_rad) == pytest.approx(0.02, abs=1e-6)
    if alike:
        with pytest.raises(UsageError, match="direction"):
            measure_static_error(centres([theory] * 2), ratio=ratio, turns=turns)


@pytest.mark.parametrize(("repeatability_deg", "runs"), [(0.004, 3), (0.02, 5)])
@pytest.mark.parametrize("stated", [True, False])
def test_the_interval_covers_the_truth_at_the_stated_rate(repeatability_deg: float, runs: int, stated: bool) -> None:
    rng = np.random.default_rng(11)
    draws = 200
    hits = 0
    for _ in range(draws):
        angles = 72.04 + repeatability_deg * rng.standard_normal(runs)
        found = measure_static_error(centres(angles, rng), noise_mm=NOISE_MM if stated else None)
        hits += found.low_rad <= np.radians(0.04) <= found.high_rad
    low, high = binom.interval(0.998, draws, 0.95)
    assert low <= hits <= high


@pytest.mark.parametrize("runs", [1, 5])
def test_with_no_scatter_but_noise_the_interval_is_never_too_narrow(runs: int) -> None:
    rng = np.random.default_rng(12)
    found = [measure_static_error(centres([72.04] * runs, rng), noise_mm=NOISE_MM) for _ in range(200)]
    hits = sum(one.low_rad <= np.radians(0.04) <= one.high_rad for one in found)
    low, high = binom.interval(0.998, 200, 0.95)
    assert low <= hits
    assert hits <= (high if runs == 1 else 199)
    assert all(one.high_rad - one.low_rad >= 2 * 1.9599 * one.noise_uncertainty_rad for one in found)


def test_averaging_helps_and_noisier_runs_count_less() -> None:
    rng = np.random.default_rng(13)
    widths = [
        np.median([np.ptp([f.low_rad, f.high_rad]) for f in (_noisy(runs, rng) for _ in range(40))])
        for runs in (3, 6, 12)
    ]
    assert widths[1] < 0.7 * widths[0]
    assert widths[2] < 0.8 * widths[1]
    few = _noisy(5, rng)
    assert few.noise_uncertainty_rad == pytest.approx(few.runs[0].uncertainty_rad / np.sqrt(5), rel=1e-3)
    far, near = centres([72.0, 72.0]), centres([72.02, 72.02])
    mixed = SphereCentres(  # the first two runs by a rod of a quarter of the size
        ("1", "2", "3", "4"),
        far.spheres,
        np.concatenate([far.before_mm / 4, near.before_mm]),
        np.concatenate([far.after_mm / 4, near.after_mm]),
    )
    found = measure_static_error(mixed, noise_mm=0.02)
    assert found.repeatability_rad == 0.0  # noise explains the difference, so weights are 1 to 16
    assert np.degrees(found.error_rad) == pytest.approx(0.02 * 16 / 17, rel=1e-3)


def _noisy(runs: int, rng: np.random.Generator) -> MeasuredError:
    return measure_static_error(centres(72.04 + 0.003 * rng.standard_normal(runs), rng), noise_mm=NOISE_MM)


def test_repeatability_is_found_beside_the_noise() -> None:
    rng = np.random.default_rng(14)
    found = [
        measure_static_error(centres(72 + 0.005 * rng.standard_normal(10), rng), noise_mm=NOISE_MM) for _ in range(40)
    ]
    assert np.degrees(np.mean([one.repeatability_rad for one in found])) == pytest.approx(0.005, rel=0.15)
    assert np.isnan(measure_static_error(centres([72.0], rng), noise_mm=NOISE_MM).repeatability_rad)


def test_near_a_limit_two_levels_are_said() -> None:
    rng = np.random.default_rng(15)
    words = {
        e: measure_static_error(centres([72 + e] * 6, rng), noise_mm=NOISE_MM) for e in (0.0375, 0.0501, -0.0875, 0.4)
    }
    assert [words[e].level_words for e in (0.0375, -0.0875, 0.4)] == ["level 2", "level 4", "level 6"]
    assert words[0.0501].level_words == "level 2 or 3"
    for one in words.values():
        assert one.level_probability.sum() == pytest.approx(1.0)
        assert int(one.level_probability.argmax()) + 1 == one.level
        assert (one.level - 1) * LEVEL_RAD < abs(one.error_rad)


def test_the_probability_of_a_level_is_met() -> None:
    """Of drives whose true error lies anywhere, those said to be in a level with probability p are in it as often."""
    rng = np.random.default_rng(16)
    said, true = [], []
    for _ in range(250):
        error = rng.uniform(0.01, 0.14)
        found = measure_static_error(centres(72 + error + 0.004 * rng.standard_normal(4), rng), noise_mm=NOISE_MM)
        said.append(found.level_probability)
        true.append(int(np.ceil(error / 0.025)) - 1)
    chance = np.array(said)
    hit = chance[np.arange(250), true]
    for low, high in ((0.05, 0.4), (0.4, 0.8), (0.8, 0.99)):
        inside = (chance > low) & (chance <= high)
        met = (inside & (np.arange(6) == np.array(true)[:, None])).sum()
        expected = chance[inside].sum()
        assert abs(met - expected) < 3.5 * np.sqrt((chance[inside] * (1 - chance[inside])).sum())
    assert hit.mean() > 0.6


def test_one_run_without_stated_noise_still_says_how_sure() -> None:
    found = measure_static_error(centres([72.03], np.random.default_rng(17)))
    assert found.degrees_of_freedom == 3
    assert found.low_rad < np.radians(0.03) < found.high_rad


def test_what_cannot_be_is_refused_by_run() -> None:
    with pytest.raises(InputError, match=r"run 2: the output turned 7\d\.\d+ deg, not 72 deg"):
        measure_static_error(centres([72.0, 74.0]))
    with pytest.raises(InputError, match="ratio and turns"):
        measure_static_error(centres([72.0]), ratio=80)
    for direction in (None, AXIS):
        with pytest.raises(InputError, match=r"run 2: the output did not turn, 0\.000 deg instead of 72 deg.*twice"):
            measure_static_error(centres([72.0, 0.0]), direction=direction)
    broken = centres([72.0, 72.0])
    broken.after_mm[1, 0] *= 1.01
    with pytest.raises(InputError, match=r"run 2: the distance of spheres .* sphere A is mis-measured"):
        measure_static_error(broken)
    swapped = centres([72.0])
    with pytest.raises(InputError):
        measure_static_error(SphereCentres(("1",), ("A", "B", "C"), swapped.before_mm, swapped.after_mm[:, [1, 0, 2]]))
    for bad in ({"ratio": 0.0}, {"turns": 0.0}, {"ratio": float("nan")}):
        with pytest.raises(UsageError, match="ratio is positive"):
            measure_static_error(centres([72.0]), **bad)
