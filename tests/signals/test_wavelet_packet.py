"""Energies are those of the bands rebuilt one by one, in order of frequency."""

from __future__ import annotations

import numpy as np
import pytest
import pywt

from jointwatch.core.errors import UsageError
from jointwatch.signals.wavelet_packet import packet_energies, packet_entropy


def by_pywavelets(signal: np.ndarray, wavelet: str, mode: str, levels: int) -> np.ndarray:
    """Sum of squares of each band, rebuilt alone by `WaveletPacket`."""
    found = []
    for node in pywt.WaveletPacket(signal, wavelet, mode, maxlevel=levels).get_level(levels, "freq"):
        alone = pywt.WaveletPacket(None, wavelet, mode, maxlevel=levels)
        alone[node.path] = node.data
        found.append(np.square(alone.reconstruct(update=False)[: len(signal)]).sum())
    return np.array(found)


@pytest.mark.parametrize("wavelet", ["haar", "db4", "sym8", "coif2", "bior3.5", "dmey"])
@pytest.mark.parametrize("mode", ["symmetric", "zero", "periodic", "smooth", "periodization"])
def test_equal_to_pywavelets(wavelet: str, mode: str) -> None:
    rng = np.random.default_rng(0)
    compared = 0
    for count in (64, 127, 1000, 2001, 8000):
        for levels in (1, 2, 3, 4):
            fits = levels <= pywt.dwt_max_level(count, pywt.Wavelet(wavelet).dec_len)
            if fits and not (mode == "periodization" and count % 2**levels):
                signal = 5 * np.sin(0.05 * np.arange(count)) + np.linspace(0, 2, count) + rng.standard_normal(count)
                expected = by_pywavelets(signal, wavelet, mode, levels)
                found = packet_energies(signal, wavelet=wavelet, mode=mode, levels=levels)
                np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12 * expected.sum())
                compared += 1
    assert compared >= 5


def test_a_tone_lands_in_its_band() -> None:
    time_s = np.arange(4000) / 1000
    for band in range(8):
        for offset in (0.35, 0.5, 0.65):
            tone = np.sin(2 * np.pi * 62.5 * (band + offset) * time_s + 0.3)
            energies = packet_energies(tone, wavelet="sym8")
            assert energies.argmax() == band
            assert energies[band] > 0.7 * energies.sum()
        assert packet_energies(np.sin(2 * np.pi * 62.5 * (band + 0.5) * time_s)).argmax() == band


@pytest.mark.parametrize("wavelet", ["haar", "db4", "sym8"])
def test_energies_add_up_where_the_transform_is_orthogonal(wavelet: str) -> None:
    values = np.random.default_rng(0).standard_normal((5, 800))
    energies = packet_energies(values, wavelet=wavelet, mode="periodization")
    np.testing.assert_allclose(energies.sum(axis=-1), np.square(values).sum(axis=-1), rtol=1e-10)


def test_a_batch_equals_its_signals_one_by_one() -> None:
    batch = np.random.default_rng(0).standard_normal((40, 2, 2500))  # more than a block
    energies = packet_energies(batch)
    assert energies.shape == (40, 2, 8)
    for place in ((0, 0), (12, 1), (13, 0), (39, 1)):
        np.testing.assert_allclose(energies[place], packet_energies(batch[place]), rtol=1e-12)


def test_entropy() -> None:
    table = packet_entropy(np.array([[1.0, 1, 1, 1], [7, 0, 0, 0], [0, 0, 0, 0], [1, 3, 0, 0]]))
    np.testing.assert_allclose(table[0], np.log(4) / 4)
    assert (table[1:3] == 0).all()
    np.testing.assert_allclose(table[3], [0.25 * np.log(4), 0.75 * np.log(4 / 3), 0, 0])
    with pytest.raises(UsageError, match="negative"):
        packet_entropy(np.array([1.0, -1.0]))


def test_what_does_not_fit_is_refused() -> None:
    for count, options, said in (
        (20, {}, "between 1 and 1 for 20 samples"),
        (0, {}, "for 0 samples"),
        (1000, {"levels": 0}, "between 1 and 7"),
        (1001, {"mode": "periodization"}, "multiple of 8"),
        (1000, {"wavelet": "morl"}, "no discrete wavelet morl"),
        (1000, {"mode": "mirror"}, "no way mirror"),
    ):
        with pytest.raises(UsageError, match=said):
            packet_energies(np.zeros(count), **options)  # type: ignore[arg-type]
