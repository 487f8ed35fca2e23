"""Energy of a signal in even bands of frequency, by a wavelet-packet tree."""

from __future__ import annotations

from functools import cache, lru_cache
from itertools import pairwise

import numpy as np
import pywt
from jaxtyping import Float
from scipy.special import entr

from jointwatch.core.errors import UsageError
from jointwatch.signals._wavelets import discrete_wavelet, most_levels

__all__ = ["packet_energies", "packet_entropy"]

_BLOCK = 65_536  # samples handled at once: they stay in the processor's cache


def packet_energies(
    values: Float[np.ndarray, "*batch time"], *, wavelet: str = "db4", levels: int = 3, mode: str = "symmetric"
) -> Float[np.ndarray, "*batch band"]:
    """(..., 2**levels): sum of squares of the signal rebuilt from each band alone, in order of frequency.

    Band k holds, up to the overlap of the wavelet's filters, the frequencies from k to k + 1 of 2**levels equal parts
    of the range from 0 to half the sample rate. A high-pass and decimation turn the order of frequencies round, so the
    order of frequency is not that of the tree: band k is the leaf whose number is the Gray code of k.

    An orthogonal wavelet keeps sums of squares when it rebuilds, except for what is cut off at both ends. There only
    the ends are rebuilt, and the sum of squares of what is cut off is subtracted from that of the coefficients;
    other wavelets and short signals are rebuilt as a whole. Results agree with `pywt.WaveletPacket` to rounding.

    Parameters
    ----------
    values : (..., time) finite.
    wavelet : discrete wavelet that PyWavelets knows.
    levels : splits; at most as many as leave the coarsest level as long as the filter.
    mode : how the ends are continued, in PyWavelets' words. With `periodization`, which needs a time that 2**levels
        divides, the energies of an orthogonal wavelet add up to that of the signal.

    Errors: `UsageError` for an unknown wavelet or mode, too many levels, or a time that periodization cannot split.

    Source: R. R. Coifman and M. V. Wickerhauser, IEEE Trans. Inf. Theory 38, 1992; order of frequency: M. V.
    Wickerhauser, Adapted Wavelet Analysis from Theory to Software, 1994.

    >>> import numpy as np
    >>> tone = np.sin(2 * np.pi * 160 * np.arange(1000) / 1000)  # third of eight bands of 62.5 Hz
    >>> int(packet_energies(tone).argmax())
    2
    """
    known = discrete_wavelet(wavelet, mode)
    most = most_levels(values.shape[-1], known)
    if not 1 <= levels <= most:
        raise UsageError(
            f"levels is between 1 and {most} for {values.shape[-1]} samples and the wavelet {wavelet}, got {levels}"
        )
    if mode == "periodization" and values.shape[-1] % 2**levels:
        raise UsageError(f"periodization needs a multiple of {2**levels} samples, there are {values.shape[-1]}")
    rows = np.asarray(values, np.float64).reshape(-1, values.shape[-1])
    bands = np.arange(2**levels)
    energies = np.empty((len(rows), len(bands)))
    step = max(1, _BLOCK // rows.shape[1])
    for start in range(0, len(rows), step):
        energies[start : start + step] = _natural(rows[start : start + step], known, levels, mode)
    return energies[:, bands ^ (bands >> 1)].reshape(*values.shape[:-1], len(bands))


def packet_entropy(energies: Float[np.ndarray, "*batch band"]) -> Float[np.ndarray, "*batch band"]:
    """-p log p of each band, with p the band's share of the sum over bands; 0 where p is 0, and without any energy.

    The sum over bands is Shannon's entropy in nats: log(bands) where all share alike, 0 with one band alone.

    Errors: `UsageError` for negative energies.

    >>> import numpy as np
    >>> packet_entropy(np.array([2.0, 2.0, 0.0, 0.0])).round(3).tolist()
    [0.347, 0.347, 0.0, 0.0]
    """
    if (energies < 0).any():
        raise UsageError("energies must not be negative")
    total = energies.sum(axis=-1, keepdims=True)
    share = np.where(total > 0, energies, 0.0) / np.where(total > 0, total, 1.0)
    return entr(share)


def _natural(rows: np.ndarray, wavelet: pywt.Wavelet, levels: int, mode: str) -> np.ndarray:
    """(row, band) in the order of the tree."""
    nodes, lengths = [rows], []
    for _ in range(levels):
        lengths.append(nodes[0].shape[1])
        nodes = [half for node in nodes for half in pywt.dwt(node, wavelet, mode, axis=-1)]
    lengths.reverse()
    reach, length = wavelet.rec_len, nodes[0].shape[1]
    if mode == "periodization" or length < reach or not _keeps_energy(wavelet.name):
        return np.stack([_energy(_rebuilt(node, i, wavelet, mode, lengths)) for i, node in enumerate(nodes)], axis=1)
    # 1 where an odd length had been made even
    extra = tuple(2 * here - reach + 2 - there for here, there in pairwise([length, *lengths]))
    energies = np.stack([_energy(node) for node in nodes], axis=1)
    ends = np.stack([node[:, :reach] for node in nodes]), np.stack([node[:, -reach:] for node in nodes])
    for end, lost in zip(ends, _cut_off(wavelet.name, extra), strict=True):
        energies -= _energy(end @ lost).T
    return np.maximum(energies, 0.0)


def _energy(values: np.ndarray) -> np.ndarray:
    energy: np.ndarray = np.einsum("...t,...t->...", values, values)
    return energy


def _rebuilt(node: np.ndarray, number: int, wavelet: pywt.Wavelet, mode: str, lengths: list[int]) -> np.ndarray:
    """(row, time) from one leaf alone; the last bit of its number tells the last split."""
    for stage, length in enumerate(lengths):
        pair = (None, node) if number >> stage & 1 else (node, None)
        node = pywt.idwt(*pair, wavelet, mode, axis=-1)[:, :length]
    return node


@cache
def _keeps_energy(name: str) -> bool:
    """Whether the filters are orthogonal to their even shifts in numbers, not only by name (`dmey`)."""
    taps = np.array(pywt.Wavelet(name).rec_lo)
    products = np.convolve(taps, taps[::-1])[len(taps) - 1 :: 2]
    return bool(pywt.Wavelet(name).orthogonal and np.abs(products - np.eye(1, len(products))[0]).max() < 1e-10)


@lru_cache(maxsize=32)
def _cut_off(name: str, extra: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """(leaf, coefficient, sample) twice: what each of a leaf's first coefficients gives to the samples that are cut off
    before the start, over all stages of the way back, and each of its last to those behind the end."""
    wavelet = pywt.Wavelet(name)
    reach = wavelet.rec_len
    fringe = reach // 2 - 1  # coefficients that reach beyond an end
    leaves = 2 ** len(extra)
    head = tail = np.broadcast_to(np.eye(reach), (leaves, reach, reach))
    nothing = np.zeros((leaves, reach, fringe))
    before, behind = [], []
    for stage, more in enumerate(extra):
        high = np.arange(leaves) >> stage & 1 == 1
        before.append(_up(np.concatenate([nothing, head[..., :fringe]], axis=2), high, wavelet))
        behind.append(_up(np.concatenate([tail[..., -fringe - 1 :], nothing], axis=2), high, wavelet)[..., 2 - more :])
        head, tail = _up(head, high, wavelet)[..., :reach], _up(tail, high, wavelet)
        tail = tail[..., : tail.shape[2] - more][..., -reach:]
    return np.concatenate(before, axis=2), np.concatenate(behind, axis=2)


def _up(nodes: np.ndarray, high: np.ndarray, wavelet: pywt.Wavelet) -> np.ndarray:
    """One step back of each node (node, row, time), by the high-pass where said, else by the low-pass."""
    low_pass, high_pass = pywt.idwt(nodes, None, wavelet, axis=-1), pywt.idwt(None, nodes, wavelet, axis=-1)
    return np.where(high[:, None, None], high_pass, low_pass)
