"""Band powers are what they say in Hz, whatever the rate, and belong to their channel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from jointwatch.core import Channel, Cycle, Quantity, Recording, Robot, Windows
from jointwatch.core.errors import MissingChannel, UsageError
from jointwatch.detectors.base import as_windows
from jointwatch.features.vibration_spectrum import VibrationSpectrum
from jointwatch.windows.by_cycle import by_cycle
from jointwatch.windows.sliding import sliding

CURRENT = (Channel(Quantity.CURRENT, 1),)


def windows(values: np.ndarray, rate_hz: float) -> Windows:
    return replace(as_windows(values[:, None]), channels=CURRENT, rate_hz=rate_hz)


@pytest.mark.parametrize(("rate_hz", "length"), [(50.0, 100), (250.0, 200), (1000.0, 4001)])
def test_a_tone_is_in_its_band_with_its_power_at_any_rate(rate_hz: float, length: int) -> None:
    tone = 3 * np.sqrt(2) * np.sin(2 * np.pi * 15 * np.arange(length) / rate_hz)[None]
    features = VibrationSpectrum([(0, 5), (8, 22), (24, 25)]).fit(windows(tone, rate_hz))
    found = features.transform(windows(tone, rate_hz))[0]
    assert found[1] == pytest.approx(np.log10(9.0), abs=0.05)
    assert (found[[0, 2]] < -1).all()


def test_power_of_white_noise_is_shared_by_width() -> None:
    noise = windows(2.0 * np.random.default_rng(0).standard_normal((200, 256)), 200.0)
    features = VibrationSpectrum([(10, 20), (20, 50), (50, 90), (0, 100)])
    found = 10 ** features.fit_transform(noise)
    np.testing.assert_allclose(found.mean(axis=0)[:3], 4.0 * np.array([0.1, 0.3, 0.4]), rtol=0.05)
    # the lowest two lines have lost the segment's mean
    assert found.mean(axis=0)[3] == pytest.approx(4.0, rel=0.05)


def test_beyond_half_the_rate_there_is_nothing() -> None:
    noise = windows(np.random.default_rng(0).standard_normal((5, 100)), 20.0)
    found = VibrationSpectrum([(5, 10), (5, 50), (20, 50)]).fit_transform(noise)
    np.testing.assert_allclose(found[:, 1], found[:, 0])
    assert (found[:, 2] == -12.0).all()


def test_cycles_stretched_to_one_length_keep_their_own_hertz() -> None:
    """A cycle that is run in half the time holds the same 10 Hz vibration in half as many periods."""
    time_s = np.arange(6000) / 500
    marks = (Cycle(0.0, 8.0), Cycle(8.0, 12.0))
    vibration = np.sin(2 * np.pi * 10 * time_s)[None]
    recording = Recording(time_s, vibration, CURRENT, Robot.of("demo", "arm", "a", 1), "s", marks)
    features = VibrationSpectrum([(8.5, 11.5), (17, 23)])
    cycles = features.fit_transform(by_cycle(recording, length=400))
    pieces = features.fit_transform(sliding(recording, rate_hz=100.0, length=400, step=400))
    assert np.isnan(by_cycle(recording, length=400).rate_hz)
    np.testing.assert_allclose(cycles[:, 0], np.log10(0.5), atol=0.06)
    np.testing.assert_allclose(pieces[:, 0], np.log10(0.5), atol=0.06)
    assert (cycles[:, 1] < -3).all()


def test_a_rough_joint_shows_above_its_healthy_windows_and_no_other_does() -> None:
    rng = np.random.default_rng(0)
    both = rng.standard_normal((60, 2, 200))
    both[30:, 1] += np.sin(2 * np.pi * 30 * np.arange(200) / 250)
    channels = (Channel(Quantity.CURRENT, 1), Channel(Quantity.CURRENT, 2))
    some = replace(as_windows(both), channels=channels, rate_hz=250.0)
    features = VibrationSpectrum().fit(some)
    table = features.transform(some)
    rise = (table[30:].mean(axis=0) - table[:30].mean(axis=0)) / table[:30].std(axis=0)
    assert features.get_feature_names_out()[np.argmax(rise)] == "current/2 25-50 Hz"
    assert np.abs(rise[features.feature_channel_ == 0]).max() < 1


def test_what_is_no_band_or_no_channel_is_refused() -> None:
    some = windows(np.zeros((2, 50)), 100.0)
    for bands in ([], [(5, 5)], [(-1, 5)], [(1, 2, 3)]):
        with pytest.raises(UsageError, match="bands"):
            VibrationSpectrum(bands).fit(some)
    with pytest.raises(UsageError, match="8 samples"):
        VibrationSpectrum().fit(windows(np.zeros((2, 5)), 100.0))
    with pytest.raises(MissingChannel, match="position/1"):
        VibrationSpectrum().fit(replace(some, channels=(Channel(Quantity.POSITION, 1),)))
    with pytest.raises(UsageError, match="depends on the sampling rate"):
        VibrationSpectrum().fit(some).transform(some.values)


def test_segments_of_an_odd_length_reach_up_to_half_the_rate() -> None:
    noise = windows(np.random.default_rng(0).standard_normal((400, 34)), 34.0)  # segments of 17 samples
    found = 10 ** VibrationSpectrum([(9, 13), (13, 17)]).fit_transform(noise)
    np.testing.assert_allclose(found.mean(axis=0), 4 / 17, rtol=0.05)
