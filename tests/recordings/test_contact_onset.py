"""The rule that annotates the onset of contact from the sensor, on steps whose onset is known."""

from __future__ import annotations

import numpy as np
import pytest

from jointwatch.recordings._contact_onset import contact_onset

RATE_HZ = 90.0
HOLD_ROWS = 5
LEVEL, RESOLUTION = 16_200_000.0, 2_000.0


def sensor(
    onset_s: float = 8.0,
    fall: float = 50_000.0,
    noise: float = 3_000.0,
    swing: float = 0.0,
    wander: float = 0.0,
    seed: int = 0,
    length_s: float = 11.4,
) -> tuple[np.ndarray, np.ndarray]:
    """(time, counts): held and quantised readings that wander, swing up for 0.1 s at the onset, then fall for good."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(length_s * RATE_HZ)) / RATE_HZ
    readings = np.repeat(noise * rng.standard_normal(len(time_s) // HOLD_ROWS + 1), HOLD_ROWS)[: len(time_s)]
    counts = LEVEL + readings + wander * np.sin(2 * np.pi * time_s / 7)
    counts += swing * ((time_s >= onset_s) & (time_s < onset_s + 0.1))
    counts -= fall * (time_s >= onset_s + (0.1 if swing else 0.0))
    return time_s, np.round(counts / RESOLUTION) * RESOLUTION


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("swing", [0.0, 40_000.0])
def test_onset_of_a_step_is_found_within_one_hold(seed: int, swing: float) -> None:
    found = contact_onset(*sensor(seed=seed, swing=swing))
    assert found is not None
    assert found.time_s == pytest.approx(8.0, abs=1.5 * HOLD_ROWS / RATE_HZ)
    assert found.hold_s == pytest.approx(HOLD_ROWS / RATE_HZ, abs=0.012)
    assert found.earliest_s <= found.time_s <= found.latest_s + 1e-9


def test_slow_wandering_of_the_level_does_not_move_the_onset() -> None:
    errors = []
    for seed in range(8):
        found = contact_onset(*sensor(seed=seed, wander=10_000.0, fall=60_000.0))
        assert found is not None
        errors.append(found.time_s - 8.0)
    assert np.abs(np.median(errors)) < 0.06


def test_flicker_long_before_the_contact_is_not_the_onset() -> None:
    time_s, counts = sensor(swing=40_000.0)
    for begin_s, size in ((1.0, 30_000.0), (3.0, -30_000.0), (5.5, 30_000.0), (7.0, -45_000.0)):
        counts = counts + size * ((time_s >= begin_s) & (time_s < begin_s + 0.06))
    found = contact_onset(time_s, counts)
    assert found is not None
    assert found.time_s == pytest.approx(8.0, abs=0.09)


def test_passing_through_the_band_on_the_way_down_does_not_delay_the_onset() -> None:
    time_s, counts = sensor(noise=1_000.0)
    row = int(np.searchsorted(time_s, 8.0))
    counts[row : row + 6] = LEVEL + 35_000
    counts[row + 6 : row + 8] = LEVEL  # two rows inside the band: less than the sensor holds a reading
    found = contact_onset(time_s, counts)
    assert found is not None
    assert found.row == row


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_a_narrower_band_is_never_left_later(scale: float) -> None:
    for seed in range(5):
        time_s, counts = sensor(seed=seed, noise=2_000.0 * scale, swing=20_000.0)
        onsets = [contact_onset(time_s, counts, tolerance=width) for width in (2.5, 3.5, 5.0)]
        times = [found.time_s for found in onsets if found is not None]
        assert len(times) == 3
        assert times == sorted(times)


def test_no_contact_is_said_where_there_is_none() -> None:
    for seed in range(8):
        assert contact_onset(*sensor(fall=0.0, seed=seed)) is None
        assert contact_onset(*sensor(fall=0.0, swing=40_000.0, seed=seed)) is None
        assert contact_onset(*sensor(fall=-50_000.0, seed=seed)) is None
    assert contact_onset(*sensor(fall=10_000.0, noise=3_000.0)) is None


def test_too_little_or_broken_input_is_no_contact() -> None:
    time_s, counts = sensor()
    assert contact_onset(time_s[:30], counts[:30]) is None
    assert contact_onset(*sensor(onset_s=0.3)) is None  # nothing before it to compare with
    counts[5] = np.nan
    assert contact_onset(time_s, counts) is None
