"""Three-phase quantities: phasors at the supply frequency and its multiples, symmetrical components."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Complex, Float

from jointwatch.core.errors import UsageError

__all__ = ["harmonic_phasors", "supply_frequency", "symmetrical_components"]

_TURN = np.exp(2j * np.pi / 3)
_SEQUENCES = np.array([[1, 1, 1], [1, _TURN, _TURN**2], [1, _TURN**2, _TURN]]) / 3


def supply_frequency(values: Float[np.ndarray, "*batch phase time"]) -> Float[np.ndarray, "*batch"]:
    """Frequency of the strongest line that the phases share, in cycles a sample; times the rate it is in hertz.

    Spectra under a Hann window, summed over the phases, interpolated between lines (exact for one line far from 0
    and from half the rate). The window holds two periods or more.

    Errors: `UsageError` for fewer than eight samples.

    >>> time_s = np.arange(230) / 1000
    >>> round(float(supply_frequency(np.sin(2 * np.pi * 60.2 * time_s + np.arange(3)[:, None]))) * 1000, 2)
    60.2
    """
    length = values.shape[-1]
    if length < 8:
        raise UsageError(f"a frequency needs at least 8 samples, got {length}")
    window = np.hanning(length + 1)[:-1]
    centred = values - values.mean(axis=-1, keepdims=True)
    strength = np.sqrt((np.abs(np.fft.rfft(centred * window)) ** 2).sum(axis=-2))
    peak = np.asarray(1 + strength[..., 1:-1].argmax(axis=-1))

    below, own, above = np.moveaxis(
        np.take_along_axis(strength, peak[..., None] + np.array([-1, 0, 1]), axis=-1), -1, 0
    )
    side = np.where(above >= below, 1, -1)
    ratio = np.maximum(above, below) / np.where(own > 0, own, 1.0)
    shift = np.clip((2 * ratio - 1) / (1 + ratio), 0.0, 0.5)
    return np.asarray((peak + side * shift) / length)


def harmonic_phasors(
    values: Float[np.ndarray, "*batch time"],
    cycles_per_sample: Float[np.ndarray, "*#batch"] | float,
    harmonics: Sequence[int] = (1,),
) -> Complex[np.ndarray, "*batch harmonic"]:
    """Phasors P of the multiples of a frequency: the signal holds `Re(P exp(i 2 pi h f n))`, n from the first sample.

    Least squares together with a constant, so that the window need not hold whole periods.

    Parameters
    ----------
    values : equally spaced samples. cycles_per_sample : f, one for all or one a signal (axes of length 1 are
        stretched). harmonics : h, whole numbers from 1.

    Errors: `UsageError` for a multiple at or above half the rate, or fewer samples than unknowns.

    >>> time_s = np.arange(210) / 1000
    >>> wave = 3 * np.cos(2 * np.pi * 60 * time_s - 0.5) + 0.2 * np.cos(2 * np.pi * 180 * time_s) + 7
    >>> found = harmonic_phasors(wave, 0.06, (1, 3))
    >>> np.abs(found).round(6).tolist(), float(np.angle(found[0]).round(6))
    ([3.0, 0.2], -0.5)
    """
    wanted = np.asarray(harmonics, float)
    length = values.shape[-1]
    frequency = np.broadcast_to(np.asarray(cycles_per_sample, float), values.shape[:-1])
    if frequency.size and (frequency.max() * wanted.max() >= 0.5 or frequency.min() * wanted.min() <= 0):
        raise UsageError(f"harmonics {list(harmonics)} must lie between 0 and half the sampling rate")
    if length < 1 + 2 * len(wanted):
        raise UsageError(f"{length} samples are too few for {len(wanted)} harmonics and a constant")
    distinct, member = np.unique(frequency, return_inverse=True)
    found = np.empty((frequency.size, len(wanted)), complex)
    flat, member = values.reshape(-1, length), member.ravel()
    for number, one in enumerate(distinct):  # signals of one frequency share their basis
        waves = np.exp(2j * np.pi * one * wanted * np.arange(length)[:, None])
        basis = np.concatenate([np.ones((length, 1)), waves.real, -waves.imag], axis=1)
        solved = np.linalg.lstsq(basis, flat[member == number].T, rcond=None)[0][1:]
        found[member == number] = (solved[: len(wanted)] + 1j * solved[len(wanted) :]).T
    return found.reshape(*values.shape[:-1], len(wanted))


def symmetrical_components(phasors: Complex[np.ndarray, "*batch 3"]) -> Complex[np.ndarray, "*batch 3"]:
    """(zero, positive, negative) sequence of three phasors, those of phase a.

    A balanced system whose phases follow each other as a, b, c is all positive sequence; whatever makes the phases
    unlike each other shows in the negative and zero sequence. To call the phases b, c, a what was a, b, c turns the
    negative sequence against the positive one by -120 degrees and changes no magnitude.

    Source: C. L. Fortescue, Trans. AIEE 37, 1918.

    >>> turn = np.exp(2j * np.pi / 3)
    >>> np.abs(symmetrical_components(np.array([2.0, 2.0 / turn, 2.0 * turn]))).round(9).tolist()
    [0.0, 2.0, 0.0]
    """
    return phasors @ _SEQUENCES.T
