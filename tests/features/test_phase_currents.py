"""Sequences of phase currents as features: each fault shows where theory puts it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from jointwatch.core import Channel, Quantity, Windows
from jointwatch.core.errors import MissingChannel, UsageError
from jointwatch.detectors.base import as_windows
from jointwatch.features.phase_currents import PhaseCurrents

LENGTH = 200


def motor(values: np.ndarray, joint: int = 1) -> Windows:
    channels = tuple(Channel(Quantity.CURRENT, joint, component=f"phase_{p}") for p in "abc")
    return replace(as_windows(values), channels=channels)


def currents(gains: tuple[float, float, float], hz: float = 60.0, start: float = 0.0) -> np.ndarray:
    angle = 2 * np.pi * hz / 1000 * np.arange(LENGTH) + start
    return np.array(gains)[:, None] * np.cos(angle - 2 * np.pi / 3 * np.arange(3)[:, None])


def test_gain_of_one_phase_is_a_third_of_it_in_each_sequence() -> None:
    """Phase b 30 % more: positive 1.1, negative 0.1 turned by 120 degrees, zero 0.1 turned by -120."""
    windows = motor(np.stack([currents((1.0, 1.3, 1.0), start=s) for s in (0.0, 1.0, 2.5)]))
    found = PhaseCurrents(cycles_per_sample=0.06).fit(windows).transform(windows)
    turn = 0.1 * np.exp(2j * np.pi / 3)
    expected = [1.1, turn.real, -turn.imag, turn.real, turn.imag]
    names = PhaseCurrents().fit(windows).feature_names_
    assert [name.partition(" ")[2] for name in names] == [
        "positive", "negative real", "negative imaginary", "zero real", "zero imaginary",
    ]  # fmt: skip
    phasor = found[0, 1] + 1j * found[0, 2]
    assert abs(phasor) == pytest.approx(0.1, abs=1e-6)
    np.testing.assert_allclose(np.abs(found[:, [1, 3]]), np.abs([[expected[1], expected[3]]] * 3), atol=1e-6)
    np.testing.assert_allclose(found[:, 0], 1.1, atol=1e-6)
    np.testing.assert_allclose(found, found[:1].repeat(3, axis=0), atol=1e-6)  # whatever the start of the window


def test_the_frequency_is_found_where_it_is_not_given() -> None:
    windows = motor(np.stack([currents((1.2, 1.0, 1.0), hz) for hz in (49.8, 50.0, 60.0, 60.3)]))
    found = PhaseCurrents().fit(windows).transform(windows)
    np.testing.assert_allclose(found, found[:1].repeat(4, axis=0), atol=0.003)


def test_order_of_phases_turns_by_a_third() -> None:
    values = np.stack([currents((1.4, 1.0, 0.9))])
    plain, relabelled = (
        PhaseCurrents(0.06).fit(w).transform(w)[0] for w in (motor(values), motor(np.roll(values, -1, axis=1)))
    )
    assert relabelled[0] == pytest.approx(plain[0], abs=1e-6)
    turned = (relabelled[1] + 1j * relabelled[2]) / (plain[1] + 1j * plain[2])
    assert np.angle(turned, deg=True) == pytest.approx(-120, abs=1e-3)


def test_harmonics_against_the_fundamental() -> None:
    wave = 2 * currents((1, 1, 1)) + 0.1 * currents((1, 1, 1), 300.0)
    found = PhaseCurrents(0.06, harmonics=(3, 5)).fit(motor(wave[None])).transform(motor(wave[None]))
    np.testing.assert_allclose(found[0, 5:], [0.0, 0.05], atol=1e-6)


def test_machines_without_three_phases_are_refused() -> None:
    windows = motor(currents((1, 1, 1))[None])
    with pytest.raises(MissingChannel, match="three phase currents"):
        PhaseCurrents().fit(replace(windows, values=windows.values[:, :2], channels=windows.channels[:2], mask=None))
    with pytest.raises(MissingChannel, match="arrays do not name"):
        PhaseCurrents().fit(windows.values)
    for names in (("d", "q", "zero"), ("phase_a", "phase_b", "neutral")):
        other = tuple(Channel(Quantity.CURRENT, 1, component=name) for name in names)
        with pytest.raises(MissingChannel, match=r"current/1:.*phase_a, :phase_b"):
            PhaseCurrents().fit(replace(windows, channels=other))
    four = (*windows.channels, Channel(Quantity.CURRENT, 1, component="neutral"))
    more = replace(windows, values=np.repeat(windows.values, [1, 1, 2], axis=1), channels=four, mask=None)
    np.testing.assert_array_equal(
        PhaseCurrents(0.06).fit(more).transform(more), PhaseCurrents(0.06).fit(windows).transform(windows)
    )
    with pytest.raises(UsageError, match="from 2"):
        PhaseCurrents(harmonics=(1,)).fit(windows)
