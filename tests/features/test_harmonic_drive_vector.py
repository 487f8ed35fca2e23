"""The published vector has its layout, its figures are those of the signals, and a cycle on line is one of a batch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from jointwatch.core import Channel, Windows
from jointwatch.core.errors import MissingChannel, UsageError
from jointwatch.detectors.base import as_windows
from jointwatch.features.harmonic_drive_vector import HarmonicDriveVector
from jointwatch.signals.wavelet_denoise import denoise
from jointwatch.signals.wavelet_packet import packet_energies, packet_entropy

RATE_HZ = 1000.0
RIPPLE_HZ = 9.0


def cycles(count: int = 6, ripple: float = 0.2, *keys: str, samples: int = 4000) -> Windows:
    """A drive that swings to and fro, with the ripple of its error in the current and twice as much in the torque."""
    rng = np.random.default_rng(0)
    time_s = np.arange(samples) / RATE_HZ
    motion = np.tanh(8 * np.sin(2 * np.pi * time_s / time_s[-1]))
    channels = tuple(Channel.parse(key) for key in keys or ("current/1", "torque/1"))
    rows = [
        (1 + i) * (motion + ripple * np.sin(2 * np.pi * RIPPLE_HZ * time_s)) * (30 if "torque" in channel.key else 1)
        for i, channel in enumerate(channels)
    ]
    noise = 0.02 * rng.standard_normal((count, len(channels), samples))
    return replace(as_windows(np.array(rows) * (1 + noise) + noise), channels=channels, rate_hz=RATE_HZ)


def test_the_layout_fills_2500_figures() -> None:
    features = HarmonicDriveVector().fit(cycles())
    assert list(features.layout.values()) == [
        slice(0, 4), slice(4, 8), slice(8, 16), slice(16, 24), slice(24, 2500)
    ]  # fmt: skip
    names = features.get_feature_names_out().tolist()
    assert len(set(names)) == 2500
    assert names[0] == "current/1 rms"
    assert names[7:9] == ["torque/1 skewness", "current/1 band 1 entropy"]
    assert names[23:25] == ["torque/1 band 8 entropy", "current/1 marginal 0.024 Hz"]
    assert features.feature_channel_.tolist() == [0] * 4 + [1] * 4 + [0] * 8 + [1] * 8 + [0] * 2476
    edges_hz = features.edges_hz
    assert (len(edges_hz), edges_hz[0], edges_hz[-1]) == (2477, 0.0, 120.0)
    np.testing.assert_allclose(np.diff(edges_hz), 120 / 2476)


def test_each_part_is_that_of_the_denoised_signals() -> None:
    windows = cycles(20)  # more than a block
    features = HarmonicDriveVector().fit(windows)
    table, layout = features.transform(windows), features.layout
    clean = denoise(windows.values.astype(float), levels=4)
    for k, signal in enumerate(("current", "torque")):
        mean, std = clean[:, k].mean(axis=1), clean[:, k].std(axis=1)
        z = (clean[:, k] - mean[:, None]) / std[:, None]
        expected = [np.sqrt((clean[:, k] ** 2).mean(axis=1)), mean, (z**4).mean(axis=1), (z**3).mean(axis=1)]
        np.testing.assert_allclose(table[:, layout[f"{signal} statistics"]].T, expected, atol=1e-9)
        entropies = packet_entropy(packet_energies(clean[:, k]))
        np.testing.assert_allclose(table[:, layout[f"{signal} band entropy"]], entropies, rtol=1e-9)


@pytest.mark.parametrize("decimated", [True, False])
def test_the_spectrum_grows_with_the_ripple_at_its_frequency(decimated: bool) -> None:
    near = {}
    for ripple in (0.1, 0.2, 0.4):
        windows = cycles(3, ripple)
        features = HarmonicDriveVector(decimated=decimated).fit(windows)
        spectrum = features.transform(windows)[:, features.layout["current marginal spectrum"]].mean(axis=0)
        middle = (features.edges_hz[:-1] + features.edges_hz[1:]) / 2
        near[ripple] = spectrum[np.abs(middle - RIPPLE_HZ) < 2].sum()
    assert 1.3 * near[0.1] < near[0.2] < near[0.4] / 1.3
    # amplitude x duration; a weak ripple loses some to the mode next to it
    assert near[0.4] == pytest.approx(0.4 * 4.0, rel=0.3)


def test_one_cycle_on_line_is_that_of_the_batch() -> None:
    windows = cycles(18)
    features = HarmonicDriveVector(ratio=True).fit(windows)
    table = features.transform(windows)
    for i in (0, 15, 16, 17):
        np.testing.assert_array_equal(features.transform(windows[i]), table[i : i + 1])


def test_the_spectrum_is_proportional_to_the_current() -> None:
    windows = cycles(2)
    features = HarmonicDriveVector().fit(windows)
    part = features.layout["current marginal spectrum"]
    small = features.transform(windows.with_values(windows.values / 1024))
    np.testing.assert_allclose(small[:, part] * 1024, features.transform(windows)[:, part], rtol=1e-9, atol=1e-12)


def test_the_ratio_is_that_of_torque_and_current_and_survives_zero_crossings() -> None:
    windows = cycles(2)
    features = HarmonicDriveVector(ratio=True, threshold=None).fit(windows)
    layout = features.layout
    assert layout["ratio statistics"] == slice(24, 28)
    assert layout["ratio band entropy"] == slice(28, 36)
    assert layout["current marginal spectrum"] == slice(36, 2500)
    assert features.get_feature_names_out()[24] == "ratio/1 rms"
    assert (features.feature_channel_[24:36] == -1).all()
    proportional = np.stack([windows.values[:, 0], 50 * windows.values[:, 0]], axis=1)
    table = features.transform(windows.with_values(proportional))
    assert table[:, 24] == pytest.approx(50, rel=0.05)
    assert table[:, 25] == pytest.approx(50, rel=0.05)


def test_joints_follow_one_another_and_a_missing_torque_is_zero() -> None:
    windows = cycles(2, 0.2, "current/1", "torque/1", "position/1", "current/2")
    features = HarmonicDriveVector().fit(windows)
    table = features.transform(windows)
    assert table.shape == (2, 5000)
    assert features.get_feature_names_out()[[2500, 2504]].tolist() == ["current/2 rms", "torque/2 rms"]
    alone = windows[:]
    alone = replace(alone, values=windows.values[:, 3:], channels=windows.channels[3:], mask=None)
    np.testing.assert_array_equal(HarmonicDriveVector().fit(alone).transform(alone), table[:, 2500:])
    torque = [features.layout["torque statistics"], features.layout["torque band entropy"]]
    assert all((table[:, 2500:][:, part] == 0).all() for part in torque)
    assert all((table[:, :2500][:, part] != 0).any() for part in torque)


def test_other_rates_and_sizes() -> None:
    windows = cycles(2)
    slow = windows.with_values(windows.values)[:]
    slow = replace(slow, values=windows.values[:, :, ::4])
    features = HarmonicDriveVector(250.0, size=500, top_hz=60.0).fit(slow)
    table = features.transform(slow)
    assert table.shape == (2, 500)
    middle = (features.edges_hz[:-1] + features.edges_hz[1:]) / 2
    spectrum = table[0, features.layout["current marginal spectrum"]]
    assert spectrum[np.abs(middle - RIPPLE_HZ) < 2].sum() == pytest.approx(0.2 * 4, rel=0.3)


def test_what_cannot_be_is_refused() -> None:
    windows = cycles(2)
    with pytest.raises(UsageError, match="half of the rate"):
        HarmonicDriveVector(200.0).fit(windows)
    with pytest.raises(UsageError, match="above 24"):
        HarmonicDriveVector(size=24).fit(windows)
    with pytest.raises(MissingChannel, match="no motor current among torque/1"):
        HarmonicDriveVector().fit(cycles(2, 0.2, "torque/1"))
    short = cycles(2, samples=40)
    with pytest.raises(UsageError, match="40 samples"):
        HarmonicDriveVector().fit(short).transform(short)
