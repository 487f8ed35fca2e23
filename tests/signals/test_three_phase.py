"""Phasors and sequences: exact on systems whose components are known, and a symmetry of the machine is one of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jointwatch.core.errors import UsageError
from jointwatch.signals.three_phase import (
    harmonic_phasors,
    supply_frequency,
    symmetrical_components,
)

TURN = np.exp(2j * np.pi / 3)
RATE_HZ = 1000.0


def system(zero: complex, positive: complex, negative: complex) -> np.ndarray:
    """Phasors of phases a, b, c by Fortescue's synthesis."""
    return np.array([zero + positive * TURN**-k + negative * TURN**k for k in range(3)])


def waves(phasors: np.ndarray, hz: float, samples: int) -> np.ndarray:
    return (phasors[:, None] * np.exp(2j * np.pi * hz * np.arange(samples) / RATE_HZ)).real


part = st.complex_numbers(max_magnitude=5.0, allow_nan=False, allow_infinity=False)


@given(part, part, part)
def test_components_of_an_unbalanced_system_are_exact(zero: complex, positive: complex, negative: complex) -> None:
    found = symmetrical_components(system(zero, positive, negative))
    np.testing.assert_allclose(found, [zero, positive, negative], atol=1e-12)


@pytest.mark.parametrize("samples", [200, 173, 41])
def test_components_come_out_of_samples_whatever_part_of_a_period_is_left(samples: int) -> None:
    truth = np.array([0.1 + 0.05j, 2.8 * np.exp(0.7j), 0.4 * np.exp(-2.1j)])
    values = waves(system(*truth), 60.0, samples) + np.array([[0.3], [-0.2], [0.0]])
    found = symmetrical_components(harmonic_phasors(values, 60.0 / RATE_HZ)[:, 0])
    np.testing.assert_allclose(found, truth, atol=1e-10)


@pytest.mark.parametrize("steps", [1, 2])
def test_cyclic_relabelling_turns_the_negative_sequence_by_120_degrees(steps: int) -> None:
    phasors = system(0.1j, 2.8 * np.exp(0.4j), 0.5 * np.exp(1.9j))
    _, positive, negative = symmetrical_components(phasors)
    zero_to, positive_to, negative_to = symmetrical_components(np.roll(phasors, -steps))
    turned = np.angle((negative_to / positive_to) / (negative / positive), deg=True)
    assert turned == pytest.approx((-120 * steps + 180) % 360 - 180, abs=1e-9)
    np.testing.assert_allclose(np.abs([positive_to, negative_to, zero_to]), [2.8, 0.5, 0.1], atol=1e-12)


def test_a_shift_in_time_leaves_the_sequences_against_the_positive_one() -> None:
    values = waves(system(0.1j, 2.8, 0.5 * np.exp(1.9j)), 60.0, 400)
    early, late = (
        symmetrical_components(harmonic_phasors(values[:, start : start + 200], 0.06)[:, 0]) for start in (0, 137)
    )
    np.testing.assert_allclose(late / late[1], early / early[1], atol=1e-10)


@pytest.mark.parametrize("hz", [49.7, 50.0, 60.04, 61.3])
def test_supply_frequency_is_found_between_lines_in_any_phase(hz: float) -> None:
    rng = np.random.default_rng(0)
    values = np.stack([waves(3 * system(0, np.exp(1j * p), 0.2), hz, 200) for p in np.linspace(0, 6, 20)])
    found = RATE_HZ * supply_frequency(values + 0.01 * rng.standard_normal(values.shape))
    np.testing.assert_allclose(found, hz, atol=0.05)


def test_each_signal_can_have_its_own_frequency() -> None:
    values = np.stack([waves(system(0, 2.0, 0), hz, 210)[0] for hz in (50.0, 60.0)])
    found = harmonic_phasors(values, np.array([0.05, 0.06]), (1, 5))
    np.testing.assert_allclose(np.abs(found), [[2, 0], [2, 0]], atol=1e-10)


def test_what_cannot_be_computed_is_refused() -> None:
    with pytest.raises(UsageError, match="half the sampling rate"):
        harmonic_phasors(np.ones(100), 0.06, (1, 9))
    with pytest.raises(UsageError, match="too few"):
        harmonic_phasors(np.ones(4), 0.06, (1, 2))
    with pytest.raises(UsageError, match="8 samples"):
        supply_frequency(np.ones((3, 7)))
