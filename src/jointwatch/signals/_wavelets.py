"""Wavelets by name, with errors that say what there is, and how many levels fit."""

from __future__ import annotations

from functools import cache

import pywt

from jointwatch.core.errors import UsageError

__all__ = ["discrete_wavelet", "most_levels"]


@cache
def discrete_wavelet(name: str, mode: str) -> pywt.Wavelet:
    """The wavelet of a name; `UsageError` for a name, or a way to continue a signal, that PyWavelets does not know."""
    names = pywt.wavelist(kind="discrete")
    if name not in names:
        raise UsageError(f"no discrete wavelet {name}; there are {', '.join(names)}")
    if mode not in pywt.Modes.modes:
        raise UsageError(f"no way {mode} to continue a signal; there are {', '.join(pywt.Modes.modes)}")
    return pywt.Wavelet(name)


def most_levels(length: int, wavelet: pywt.Wavelet) -> int:
    """Levels down to which a signal is as long as the filter."""
    return int(pywt.dwt_max_level(length, wavelet.dec_len)) if length else 0
