from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from jointwatch.core import Windows
from jointwatch.core.errors import UsageError
from jointwatch.detectors.phase_zscore import PhaseZscore

LENGTH = 60


def cycles(seed: int, count: int, spread: np.ndarray | float = 0.3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    profile = 3 * np.sin(2 * np.pi * np.arange(LENGTH) / LENGTH)
    return np.stack([profile, -profile]) + spread * rng.standard_normal((count, 2, LENGTH))


def slide(whole: Windows, as_cycles: Callable[..., Windows], length: int, step: int) -> Windows:
    """Windows of part of each 2 s cycle, as cutting them would describe them."""
    pieces, columns = [], {"start_s": [], "stop_s": [], "phase": [], "cycle": []}
    for row in range(len(whole)):
        for first in range(0, LENGTH - length + 1, step):
            pieces.append(whole.values[row, :, first : first + length])
            begin = 2.0 * row + 2.0 * first / LENGTH
            columns["start_s"].append(begin)
            columns["stop_s"].append(begin + 2.0 * length / LENGTH)
            columns["phase"].append((first + length / 2) / LENGTH)
            columns["cycle"].append(f"c{row}")
    return as_cycles(np.stack(pieces), **{name: np.array(column) for name, column in columns.items()})


def test_whole_cycles_are_judged_sample_by_sample(as_cycles: Callable[..., Windows]) -> None:
    values = cycles(0, 40).astype(np.float32)
    detector = PhaseZscore(prior_windows=0).fit(as_cycles(values))
    assert detector.profile_mean_.shape == (2, LENGTH)
    np.testing.assert_allclose(detector.profile_mean_, values.mean(axis=0), atol=1e-5)
    expected = values.std(axis=0, ddof=1) * np.sqrt(1 + 1 / 40)
    np.testing.assert_allclose(detector.profile_std_, expected, rtol=1e-4)


def test_arrays_count_as_whole_cycles(as_cycles: Callable[..., Windows]) -> None:
    values = cycles(0, 40)
    np.testing.assert_allclose(
        PhaseZscore().fit(values).score_samples(values),
        PhaseZscore().fit(as_cycles(values)).score_samples(as_cycles(values)),
    )


def test_sliding_windows_learn_the_same_profile_as_whole_cycles(as_cycles: Callable[..., Windows]) -> None:
    whole = as_cycles(cycles(0, 40))
    sliding = slide(whole, as_cycles, length=20, step=5)
    of_cycles, of_windows = PhaseZscore(prior_windows=0).fit(whole), PhaseZscore(prior_windows=0).fit(sliding)
    np.testing.assert_allclose(of_windows.profile_mean_, of_cycles.profile_mean_, atol=1e-5)
    np.testing.assert_allclose(of_windows.profile_std_, of_cycles.profile_std_, rtol=0.05)
    # the same piece of signal at another phase is odd
    moved = Windows(
        sliding.values,
        sliding.channels,
        type(sliding.index)(**{**sliding.index.columns(), "phase": (sliding.index.phase + 0.3) % 1}),
        sliding.rate_hz,
    )
    assert of_windows.score_samples(moved).mean() > 20 * of_windows.score_samples(sliding).mean()


def test_a_phase_that_was_never_seen_is_judged_by_its_neighbours(as_cycles: Callable[..., Windows]) -> None:
    whole = as_cycles(cycles(0, 40))
    sliding = slide(whole, as_cycles, length=20, step=5)
    gap = sliding[(sliding.index.phase < 0.4) | (sliding.index.phase > 0.72)]
    detector = PhaseZscore().fit(gap)
    filled = detector.profile_mean_[0] - PhaseZscore().fit(whole).profile_mean_[0]
    assert np.abs(filled).max() < 1.0  # of an amplitude of 3
    assert np.isfinite(detector.score_samples(sliding)).all()


def test_few_windows_do_not_make_a_bin_certain() -> None:
    test = cycles(1, 200)
    few = PhaseZscore().fit(cycles(0, 3)).score_samples(test)
    assert 0.7 < np.median(few) < 1.5
    careless = PhaseZscore(prior_windows=0).fit(cycles(0, 3)).score_samples(test)
    assert np.median(careless) > 2 * np.median(few)


def test_spread_that_differs_over_the_cycle_is_learned() -> None:
    spread = np.where(np.arange(LENGTH) < LENGTH // 2, 0.1, 1.0)
    detector = PhaseZscore().fit(cycles(0, 300, spread))
    quiet, loud = cycles(1, 1, 0.0), cycles(1, 1, 0.0)
    quiet[0, 0, 5:15] += 1
    loud[0, 0, 40:50] += 1
    assert detector.score_samples(quiet) > 10 * detector.score_samples(loud)


def test_a_perfectly_repeated_channel_is_not_flagged_for_rounding() -> None:
    values = cycles(0, 30)
    values[:, 1] = cycles(0, 1, 0.0)[0, 1]
    detector = PhaseZscore().fit(values)
    rounded, moved = values[:1].copy(), values[:1].copy()
    rounded[:, 1] += 1e-6
    moved[:, 1] += 0.1
    assert detector.explain(rounded)[0, 1] < 1e-3
    assert detector.explain(moved)[0, 1] > 10


def test_long_cycles_share_bins() -> None:
    assert PhaseZscore(max_bins=16).fit(cycles(0, 20)).profile_mean_.shape == (2, 16)


@pytest.mark.parametrize(("column", "value"), [("cycle_s", 0.0), ("cycle_s", np.nan), ("phase", np.nan)])
def test_a_window_without_a_place_in_its_cycle_is_refused(
    column: str, value: float, as_cycles: Callable[..., Windows]
) -> None:
    bad = as_cycles(cycles(0, 10), **{column: np.full(10, value)})
    with pytest.raises(UsageError, match="window 0 of cycle c0"):
        PhaseZscore().fit(bad)
