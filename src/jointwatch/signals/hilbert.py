"""Amplitude and frequency from sample to sample, and the Hilbert marginal spectrum."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.fft import irfft, rfft

from jointwatch.core.errors import UsageError

__all__ = ["instantaneous", "marginal_spectrum"]


def instantaneous(
    modes: Float[np.ndarray, "*batch time"], rate_hz: float
) -> tuple[Float[np.ndarray, "*batch time"], Float[np.ndarray, "*batch time"]]:
    """(amplitude, frequency_hz) of signals that oscillate around zero, by the analytic signal.

    The analytic signal has the Hilbert transform as its imaginary part, found by Fourier transform: the signal is
    taken as periodic, and near the ends, where it is not, both figures are off. The frequency of a sample is the
    turn of phase to the next sample, between minus and plus half the rate; the last sample repeats the one before.

    Errors: `UsageError` for a rate that is not positive, or fewer than two samples.

    Source: D. Gabor, J. IEE 93, 1946.

    >>> import numpy as np
    >>> amplitude, frequency_hz = instantaneous(3 * np.cos(2 * np.pi * 5 * np.arange(200) / 100), 100.0)
    >>> float(amplitude[50].round(3)), float(frequency_hz[50].round(3))
    (3.0, 5.0)
    """
    length = modes.shape[-1]
    if not rate_hz > 0 or length < 2:
        raise UsageError(f"needs a positive rate and two samples or more, got {rate_hz} Hz and {length}")
    real = np.asarray(modes, np.float64)
    spectrum = rfft(real, axis=-1)
    spectrum *= -1j
    spectrum[..., 0] = 0.0
    if length % 2 == 0:
        spectrum[..., -1] = 0.0
    imaginary = irfft(spectrum, length, axis=-1)
    # the angle of each sample times the conjugate of the one before needs no unwrapping
    along = real[..., 1:] * real[..., :-1] + imaginary[..., 1:] * imaginary[..., :-1]
    across = imaginary[..., 1:] * real[..., :-1] - real[..., 1:] * imaginary[..., :-1]
    frequency_hz = np.empty_like(real)
    np.arctan2(across, along, out=frequency_hz[..., :-1])
    frequency_hz *= rate_hz / (2 * np.pi)
    frequency_hz[..., -1] = frequency_hz[..., -2]
    return np.sqrt(real**2 + imaginary**2), frequency_hz


def marginal_spectrum(
    modes: Float[np.ndarray, "mode time"], rate_hz: float, edges_hz: Float[np.ndarray, " edge"]
) -> Float[np.ndarray, " bin"]:
    """(bin,) amplitude integrated over the time that it is at the bin's frequencies, over all modes.

    The unit is that of the signal times seconds: a tone of 2 A that lasts 3 s puts 6 A s into its bin, however wide
    the bin is. Bins reach from an edge up to but not including the next, the last includes its end; what is outside
    of them is left out. Two spectra of adjacent ranges are the parts of that of both together.

    Parameters
    ----------
    modes : without the residue, which does not oscillate.
    edges_hz : (bin + 1,) increasing, evenly spaced or not.

    Errors: `UsageError` for edges that do not increase, and as in `instantaneous`.

    Source: N. E. Huang et al., Proc. R. Soc. Lond. A 454, 1998.

    >>> import numpy as np
    >>> tone = 2 * np.sin(2 * np.pi * 10 * np.arange(300) / 100)
    >>> marginal_spectrum(tone[None], 100.0, np.array([0.0, 8.0, 12.0, 50.0])).round(6).tolist()
    [0.0, 6.0, 0.0]
    """
    bins = len(edges_hz) - 1
    if bins < 1 or not (np.diff(edges_hz) > 0).all():
        raise UsageError("edges_hz must be two or more that increase")
    if len(modes) == 0:
        return np.zeros(bins)
    amplitude, frequency_hz = (each.ravel() for each in instantaneous(modes, rate_hz))
    inside = (frequency_hz >= edges_hz[0]) & (frequency_hz <= edges_hz[-1])
    place = _bins(frequency_hz[inside], np.asarray(edges_hz, np.float64))
    return np.bincount(place, amplitude[inside], bins) / rate_hz


def _bins(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Number of the bin of each value between the edges."""
    last = len(edges) - 2
    width = (edges[-1] - edges[0]) / (last + 1)
    if np.abs(np.diff(edges) - width).max() > 1e-6 * width:
        return np.minimum(np.searchsorted(edges, values, side="right") - 1, last)
    place = np.minimum(((values - edges[0]) / width).astype(np.intp), last)
    place -= values < edges[place]  # off by one where the division was rounded over an edge
    place += (values >= edges[place + 1]) & (place < last)
    return place
