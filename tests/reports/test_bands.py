"""Healthy band: it covers healthy cycles at their phase, and what leaves it is measured in its own width."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from jointwatch.core import Channel, Index, Quantity, Windows
from jointwatch.reports.bands import cycle_curves, healthy_band, outside


def _cycles(count: int, unit: str = "u", seed: int = 0, windows_a_cycle: int = 1) -> Windows:
    """Cycles of a sine with noise 0.1, one channel, cut into equal parts."""
    rng = np.random.default_rng(seed)
    length = 200
    shape = np.sin(2 * np.pi * np.arange(length) / length)
    values = shape + 0.1 * rng.standard_normal((count, length))
    parts = values.reshape(count * windows_a_cycle, 1, length // windows_a_cycle)
    rows = count * windows_a_cycle
    part = np.tile(np.arange(windows_a_cycle), count)
    text = np.full(rows, unit)
    cycle = np.array([f"{unit}-{i}" for i in np.repeat(np.arange(count), windows_a_cycle)])
    begin = np.repeat(np.arange(count), windows_a_cycle) + part / windows_a_cycle
    index = Index(
        text, text, cycle, text, begin, begin + 1 / windows_a_cycle, (part + 0.5) / windows_a_cycle,
        np.ones(rows), np.full(rows, "normal"), np.full(rows, ""), np.zeros(rows), np.full(rows, np.nan),
    )  # fmt: skip
    return Windows(parts, (Channel(Quantity.CURRENT, 1),), index, 200.0)


def test_parts_of_a_cycle_are_laid_where_they_belong() -> None:
    whole, _ = cycle_curves(_cycles(3), 50)
    cut, numbers = cycle_curves(_cycles(3, windows_a_cycle=4), 50)
    np.testing.assert_allclose(cut, whole, atol=1e-6)
    assert numbers.tolist() == np.repeat([0, 1, 2], 4).tolist()


def test_decisions_within_one_pass_are_laid_into_one_curve() -> None:
    parts = _cycles(2, windows_a_cycle=4)
    decisions = replace(parts.index, cycle=np.array([f"decision-{i}" for i in range(8)]))
    curves, numbers = cycle_curves(Windows(parts.values, parts.channels, decisions, 200.0), 50)
    assert len(curves) == 2
    assert not np.isnan(curves).any()
    assert numbers.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


def test_the_band_holds_95_percent_of_new_healthy_cycles() -> None:
    band = healthy_band(_cycles(400), "u")
    assert band is not None
    curves, _ = cycle_curves(_cycles(200, seed=1), band.low.shape[1])
    inside = ((curves >= band.low) & (curves <= band.high)).mean()
    assert inside == pytest.approx(0.95, abs=0.015)


def test_outside_is_counted_in_half_widths() -> None:
    band = healthy_band(_cycles(100), "u")
    assert band is not None
    half = (band.high - band.low) / 2
    np.testing.assert_allclose(
        outside(band.high + 3 * half, band), 3, rtol=0.2
    )  # floor of the width: at most a little less
    assert not outside(band.middle, band).any()


def test_another_units_band_is_used_and_named_as_such() -> None:
    healthy = Windows.concatenate([_cycles(20, "a"), _cycles(2, "b", seed=2)])
    own, borrowed = healthy_band(healthy, "a"), healthy_band(healthy, "b")
    assert own is not None
    assert borrowed is not None
    assert (own.own, own.cycles) == (True, 20)
    assert (borrowed.own, borrowed.cycles) == (False, 22)


def test_too_few_cycles_give_no_band() -> None:
    assert healthy_band(_cycles(2), "u") is None


def test_a_channel_that_the_robot_does_not_have_stays_empty() -> None:
    cycles = _cycles(10)
    masked = Windows(cycles.values, cycles.channels, cycles.index, 200.0, np.zeros((10, 1), bool))
    band = healthy_band(masked, "u")
    assert band is not None
    assert np.isnan(band.middle).all()
    assert not outside(np.ones_like(band.middle), band).any()
