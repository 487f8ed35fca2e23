"""The decomposition is that of EMD-signal, adds up, and separates what oscillates."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from jointwatch.core.errors import UsageError
from jointwatch.signals.empirical_modes import empirical_modes


def reference(signal: np.ndarray) -> np.ndarray | None:
    """Modes without residue by EMD-signal; None where it breaks off."""
    emd = pytest.importorskip("PyEMD", reason="EMD-signal is not installed; it is part of the dev extra").EMD()
    with np.errstate(all="ignore"):
        try:
            emd.emd(signal)
        except (IndexError, ValueError):
            return None
    return emd.imfs


def noisy_chirp(rng: np.random.Generator, time_s: np.ndarray) -> np.ndarray:
    return np.sin(2 * np.pi * (5 * time_s + 20 * time_s**2)) + rng.uniform(0, 0.5) * rng.standard_normal(len(time_s))


def modulated_tones(rng: np.random.Generator, time_s: np.ndarray) -> np.ndarray:
    return sum(
        (1 + 0.5 * np.sin(2 * np.pi * rng.uniform(0.5, 3) * time_s))
        * np.sin(2 * np.pi * hz * time_s + 2 * np.sin(2 * np.pi * rng.uniform(0.2, 2) * time_s))
        for hz in rng.uniform(2, 80, 4)
    )


def reciprocating_current(rng: np.random.Generator, time_s: np.ndarray) -> np.ndarray:
    """Friction, inertia and the ripple of a wave generator that turns 100 times as far as the joint."""
    phase = 2 * np.pi * time_s / max(time_s[-1], 1e-3) + rng.uniform(0, 6)
    angle = np.cos(phase)
    friction = rng.uniform(0.5, 2) * np.tanh(20 * np.sin(phase))
    ripple = rng.uniform(0.02, 0.2) * np.sin(200 * 0.6 * angle) + 0.05 * np.sin(100 * 0.6 * angle)
    return friction + 0.3 * angle + ripple + 0.01 * rng.standard_normal(len(time_s))


def quantised(rng: np.random.Generator, time_s: np.ndarray) -> np.ndarray:
    return np.round(20 * np.sin(2 * np.pi * 3 * time_s) + 3 * rng.standard_normal(len(time_s))) / 10


def walk(rng: np.random.Generator, time_s: np.ndarray) -> np.ndarray:
    return rng.standard_normal(len(time_s)).cumsum() * rng.choice([0.001, 0.1, 10])


Kind = Callable[[np.random.Generator, np.ndarray], np.ndarray]
KINDS: tuple[Kind, ...] = (noisy_chirp, modulated_tones, reciprocating_current, quantised, walk)


def signals(kind: Kind, count: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(7)
    for _ in range(count):
        yield kind(rng, np.arange(int(rng.integers(60, 2500))) / 1000)


def agree(ours: np.ndarray, theirs: np.ndarray, signal: np.ndarray) -> None:
    assert len(ours) - 1 == len(theirs)
    assert np.abs(ours[:-1] - theirs).max(initial=0) <= 1e-12 * np.ptp(signal)


@pytest.mark.parametrize("kind", KINDS)
def test_modes_are_those_of_emd_signal(kind: Kind) -> None:
    several = 0
    for signal in signals(kind, 12):
        theirs = reference(signal)
        assert theirs is not None
        agree(empirical_modes(signal), theirs, signal)
        several += len(theirs) > 2
    assert several >= 4


def test_short_signals_with_plateaus_and_zeros_agree_too() -> None:
    rng = np.random.default_rng(3)
    compared = 0
    for count in range(3, 60):
        for signal in (rng.standard_normal(count), rng.integers(-2, 3, count).astype(float)):
            ours = empirical_modes(signal)
            np.testing.assert_allclose(ours.sum(axis=0), signal, atol=1e-12)
            theirs = reference(signal)
            if theirs is not None:
                agree(ours, theirs, signal)
                compared += len(theirs) > 0
    assert compared > 80


def test_a_limit_of_modes_is_that_of_emd_signal() -> None:
    signal = next(signals(noisy_chirp, 1))
    emd = pytest.importorskip("PyEMD", reason="EMD-signal is not installed; it is part of the dev extra").EMD()
    emd.emd(signal, max_imf=2)
    ours = empirical_modes(signal, max_modes=2)
    assert len(ours) == 3
    agree(ours, emd.imfs, signal)
    np.testing.assert_allclose(ours[:2], empirical_modes(signal)[:2])


@pytest.mark.parametrize("kind", KINDS)
def test_rows_add_up_to_the_signal(kind: Kind) -> None:
    for signal in signals(kind, 5):
        np.testing.assert_allclose(empirical_modes(signal).sum(axis=0), signal, atol=1e-12 * np.ptp(signal))


def test_tones_and_trend_come_apart() -> None:
    time_s = np.arange(2000) / 1000
    parts = [np.sin(2 * np.pi * 60 * time_s), 1.5 * np.sin(2 * np.pi * 11 * time_s), 2 * time_s]
    modes = empirical_modes(np.sum(parts, axis=0))
    for row, part in zip((modes[0], modes[1], modes[2:].sum(axis=0)), parts, strict=True):
        assert np.abs(row - part)[200:-200].max() < 0.1


@pytest.mark.parametrize("count", [1, 2, 3, 4, 500])
def test_what_does_not_oscillate_is_all_residue(count: int) -> None:
    for signal in (np.zeros(count), np.full(count, 3.0), np.linspace(0, 5, count), np.linspace(2, 0, count) ** 3):
        modes = empirical_modes(signal)
        assert modes.shape == (1, count)
        np.testing.assert_array_equal(modes[0], signal)
    parabola = np.square(np.linspace(-1, 1, count))
    np.testing.assert_array_equal(empirical_modes(parabola), parabola[None])


def test_the_input_is_left_as_it_was() -> None:
    signal = next(signals(noisy_chirp, 1))
    before = signal.copy()
    empirical_modes(signal)
    np.testing.assert_array_equal(signal, before)


def test_what_is_not_a_signal_is_refused() -> None:
    for bad in (np.array([1.0, np.nan, 2.0]), np.array([1.0, np.inf]), np.zeros(0)):
        with pytest.raises(UsageError, match="finite samples"):
            empirical_modes(bad)
    for options in ({"max_modes": 0}, {"max_sifts": 1}):
        with pytest.raises(UsageError, match="at least"):
            empirical_modes(np.arange(9.0), **options)
