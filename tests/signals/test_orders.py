"""Orders of rotation: known ones are recovered at a varying speed, and noise is called one as often as stated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jointwatch.core.errors import UsageError
from jointwatch.signals.orders import (
    fit_orders,
    gapped_spectrum,
    monotone_stretches,
    order_spectrum,
    resample_by_angle,
    shared_orders,
)


def varying(samples: int = 4000, turns: float = 24.0, depth: float = 0.6) -> np.ndarray:
    """Angle of a shaft whose speed swings by `depth` about its mean three times."""
    time = np.linspace(0, 1, samples)
    return 2 * np.pi * turns * (time + depth * np.sin(2 * np.pi * 3 * time) / (2 * np.pi * 3))


@settings(max_examples=30, deadline=None)
@given(
    amplitude=st.floats(0.01, 10),
    phase=st.floats(-3, 3),
    order=st.sampled_from([1.0, 2.0, 3.5, 7.0]),
    backwards=st.booleans(),
)
def test_known_orders_are_recovered_exactly_at_any_speed(
    amplitude: float, phase: float, order: float, backwards: bool
) -> None:
    angle = -varying() if backwards else varying()
    signal = amplitude * np.cos(order * angle + phase) + 3 + 0.2 * angle
    other = 0.5 * np.cos(5 * angle)
    found = fit_orders(np.stack([signal, signal + other]), angle, [order, 5.0])
    assert found.amplitude[:, 0] == pytest.approx(amplitude, rel=1e-6)
    assert np.cos(found.phase_rad[:, 0] - phase) == pytest.approx(1, abs=1e-9)
    assert found.amplitude[1, 1] == pytest.approx(0.5, rel=1e-6)
    assert found.amplitude[0, 1] < 1e-6 * max(amplitude, 1)
    assert (found.p_value[:, 0] < 1e-10).all()


@pytest.mark.parametrize("colour", [0.0, 0.8])
def test_noise_is_called_significant_as_often_as_stated(colour: float) -> None:
    rng = np.random.default_rng(3)
    noise = rng.standard_normal((400, 2000))
    for i in range(1, noise.shape[1]):
        noise[:, i] += colour * noise[:, i - 1]
    p_value = fit_orders(noise, varying(2000, depth=0.3), [2.0, 6.0]).p_value.ravel()
    for level in (0.01, 0.05, 0.2):
        spread = 3.3 * np.sqrt(level * (1 - level) / len(p_value))
        assert abs((p_value < level).mean() - level) < spread


def test_uncertainty_is_the_spread_of_repeated_measurements() -> None:
    rng = np.random.default_rng(0)
    angle = varying(1500)
    found = fit_orders(0.3 * np.cos(2 * angle) + 0.4 * rng.standard_normal((600, 1500)), angle, [2.0])
    assert found.amplitude.mean() == pytest.approx(0.3, abs=0.003)
    assert found.amplitude.std() == pytest.approx(found.uncertainty.mean(), rel=0.1)
    assert found.residual == pytest.approx(0.4, rel=0.1)


def test_an_order_of_the_wrong_ratio_is_not_found() -> None:
    angle = varying(turns=50)
    signal = np.cos(2.1 * angle) + 0.1 * np.random.default_rng(1).standard_normal(len(angle))
    assert fit_orders(signal[None], angle, [2.0]).amplitude[0, 0] < 0.1
    spectrum, orders = order_spectrum(signal[None], angle, 6.0)
    assert orders[spectrum[0].argmax()] == pytest.approx(2.1, abs=0.02)


def test_stretches_part_where_the_angle_turns_and_noise_does_not_part_them() -> None:
    rng = np.random.default_rng(5)
    swing = 20 * np.cos(np.linspace(0, 4 * np.pi, 4001))
    parts = monotone_stretches(swing + 0.002 * rng.standard_normal(4001), slack_rad=0.05)
    assert [(part.start, part.stop) for part in parts] == [
        (pytest.approx(1000 * k, abs=15), pytest.approx(1000 * (k + 1), abs=16)) for k in range(4)
    ]
    assert monotone_stretches(np.zeros(50)) == []
    assert len(monotone_stretches(swing, min_turns=7.0)) == 0


@pytest.mark.parametrize("sense", [1, -1])
def test_resampling_by_angle_shares_a_grid_and_follows_the_angle(sense: int) -> None:
    angle = sense * (varying(3000, turns=6) + 0.3)
    values, grid = resample_by_angle(np.stack([np.sin(3 * angle), angle]), angle, 100)
    assert np.allclose(np.diff(grid), 2 * np.pi / 100)
    assert grid / (2 * np.pi / 100) == pytest.approx(np.rint(grid / (2 * np.pi / 100)))
    assert np.abs(values[0] - np.sin(3 * grid)).max() < 1e-4
    assert np.abs(values[1] - grid).max() < 1e-6
    assert min(angle) <= grid[0] < grid[-1] <= max(angle)


def test_an_encoder_that_steps_back_and_lost_samples_do_not_break_resampling() -> None:
    rng = np.random.default_rng(2)
    angle = varying(3000, turns=6)
    seen = angle + 2e-3 * rng.standard_normal(3000)
    signal = np.cos(2 * angle)
    signal[100:105] = np.nan
    values, grid = resample_by_angle(signal[None], seen, 64)
    assert np.isfinite(values).all()
    assert np.abs(values[0] - np.cos(2 * grid))[5:-5].max() < 0.05


@pytest.mark.parametrize("sense", [1, -1])
def test_a_spectrum_with_gaps_has_amplitude_and_phase_of_its_lines(sense: int) -> None:
    rng = np.random.default_rng(4)
    angle = sense * varying(8000, turns=0.4, depth=0.3) + 1.7
    good = np.ones(8000, bool)
    for start in rng.integers(0, 7900, 30):
        good[start : start + 40] = False
    signal = 0.3 * np.cos(100 * angle + 0.5) + 0.1 * np.cos(200 * angle - 1) + 2 * np.sin(2 * angle) + 5
    spectrum, orders = gapped_spectrum(np.where(good, signal, 1e3)[None], angle, 300.0, good=good, below=12.0)
    assert orders[-1] == 300
    assert orders[1] == 0.5
    for order, wanted in ((100, 0.3 * np.exp(0.5j)), (200, 0.1 * np.exp(-1j))):
        assert abs(spectrum[0, orders == order][0] - wanted) < 0.02
    assert np.abs(spectrum[0, (orders > 260) & (orders < 290)]).max() < 0.02
    whole, _ = gapped_spectrum(signal[None], angle, 300.0, below=12.0)
    assert np.abs(whole[0, orders == 200][0] - 0.1 * np.exp(-1j)) < 2e-3


def test_orders_that_stretches_do_not_share_are_found_as_rarely_as_stated() -> None:
    rng = np.random.default_rng(6)
    hits, single = 0, []
    for _ in range(150):
        strength = rng.exponential(size=(4, 300))
        strength[np.arange(4), rng.integers(300, size=4)] += 30  # a line of each stretch's own
        found = shared_orders(strength, rng, draws=200)
        hits += bool((found.p_search <= 0.05).any())
        single.append((found.p_single <= 0.05).mean())
    assert hits <= 15  # 7.5 expected
    assert np.mean(single) == pytest.approx(0.05, abs=0.01)


def test_one_stretch_alone_cannot_make_a_shared_order() -> None:
    rng = np.random.default_rng(7)
    strength = rng.exponential(size=(5, 300))
    strength[0, 40] += 1e6
    strength[:, 200] += 5
    found = shared_orders(strength, rng)
    assert found.statistic.argmax() == 200
    assert found.p_search[40] > 0.05 > found.p_search[200]
    assert found.statistic[200] > found.limit
    with pytest.raises(UsageError, match="at least two"):
        shared_orders(strength[:1], rng)


def test_what_cannot_be_told_is_refused() -> None:
    angle = varying(300, turns=0.5)
    with pytest.raises(UsageError, match="too few"):
        fit_orders(np.zeros((1, 300)), angle, [1.0, 2.0])
    with pytest.raises(UsageError, match="positive"):
        fit_orders(np.zeros((1, 300)), varying(300), [0.0, 2.0])
    with pytest.raises(UsageError, match="at least 4"):
        resample_by_angle(np.zeros((1, 3)), np.arange(3.0), 8)
    with pytest.raises(UsageError, match="trend of degree"):
        gapped_spectrum(np.zeros((1, 9)), varying(9), 8.0, below=1.0)
