"""The published vector of a harmonic drive's motion cycle: statistics, band entropies and the marginal spectrum."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from jointwatch.core import Channel, Quantity
from jointwatch.core.errors import MissingChannel, UsageError
from jointwatch.features.base import Features
from jointwatch.signals._wavelets import discrete_wavelet, most_levels
from jointwatch.signals.empirical_modes import empirical_modes
from jointwatch.signals.hilbert import marginal_spectrum
from jointwatch.signals.resample import low_pass
from jointwatch.signals.statistics import rms, statistics
from jointwatch.signals.wavelet_denoise import denoise
from jointwatch.signals.wavelet_packet import packet_energies, packet_entropy

__all__ = ["HarmonicDriveVector"]

_STATISTICS = ("rms", "mean", "kurtosis", "skewness")
_WAVELET = "db4"
_BANDS = 8
_ROLL_OFF = 1.25  # `low_pass` is flat to 0.8 of the frequency from which it stops
_FLAT = 1e-6  # spread below this share of the root mean square is rounding
_LEAST_CURRENT = 0.05  # of its root mean square, where the quotient is held down
_BLOCK = 16  # windows handled at once


class HarmonicDriveVector(Features):
    """2,500 figures of a motion cycle from motor current and motor torque of a joint, as published for M2.

    Current and torque are denoised (`signals.wavelet_denoise`). Of each joint then stand, as `layout` tells,

    ============  ==============================================================================
    `0:4`         root mean square, mean, kurtosis, skewness of the current
    `4:8`         the same of the torque
    `8:16`        -p log p of the energy in eight bands of the current, `rate_hz` / 16 wide each
    `16:24`       the same of the torque
    `24:2500`     Hilbert marginal spectrum of the current, 2,476 bins from 0 to `top_hz`, in A s
    ============  ==============================================================================

    The quotient torque / current, which the publication denoises but takes no figure of, has no value where the current
    crosses zero, twice in each cycle. It is left out; with `ratio` its four statistics and eight entropies follow at
    `24:36`, and the spectrum has twelve bins less. It is taken of the denoised signals as
    torque * current / (current^2 + (0.05 RMS of the current)^2), which is the quotient where current flows and 0 where
    it does not.

    The spectrum needs an empirical mode decomposition, which takes most of the time. Nothing above `top_hz` is kept, so
    the denoised current is first low-passed (flat to `top_hz`, -60 dB from 1.25 `top_hz`) and every nth sample taken,
    with the largest n that folds nothing back: every third at 1 kHz. With `decimated` False the decomposition runs at
    the full rate and takes six times as long; modes and spectra are others then, but below 20 Hz the spectra of the
    two differ by less than those of successive cycles of one drive. The current is decomposed in units of its root mean
    square, because its rules know absolute thresholds: the spectrum is proportional to the current.

    Parameters
    ----------
    rate_hz : samples a second of the windows. Of windows of whole cycles (`windows.by_cycle`) that is length over
        duration of the cycle.
    ratio : also take figures of the quotient.
    threshold, levels : of `signals.wavelet_denoise`, levels at most as many as fit; a threshold of None leaves the
        signals as they are. Four levels at 1 kHz clear what is above 31 Hz, and leave the part below 20 Hz, in which
        the error shows, within 2 %; thresholds on all levels would take 4 to 9 % of its amplitude off.
    top_hz : end of the spectrum.
    size : figures in all, for each joint.
    decimated : see above.

    Windows hold `current/J` and `torque/J`. The torque's figures are 0 for a joint without torque; a joint without
    current is passed over. Features are called `current/1 rms`, `torque/1 band 3 entropy` (bands from 1) and
    `current/1 marginal 0.024 Hz` (middle of the bin).

    Errors: `MissingChannel` without any current; `UsageError` for a top above half the rate, a size that leaves no
    bin, or windows shorter than 56 samples.

    Source: features of M2; N. E. Huang et al., Proc. R. Soc. Lond. A 454, 1998.

    >>> import numpy as np
    >>> from dataclasses import replace
    >>> from jointwatch.detectors.base import as_windows
    >>> swing = np.sin(2 * np.pi * 5 * np.arange(2000) / 1000)
    >>> channels = (Channel(Quantity.CURRENT, 1), Channel(Quantity.TORQUE, 1))
    >>> windows = replace(as_windows(np.stack([2 * swing, swing])[None]), channels=channels)
    >>> features = HarmonicDriveVector().fit(windows)
    >>> table, spectrum = features.transform(windows), features.layout["current marginal spectrum"]
    >>> table.shape, float(table[0, 0].round(2)), features.edges_hz[table[0, spectrum].argmax()].round(1).item()
    ((1, 2500), 1.41, 5.0)
    """

    of_one_channel: ClassVar[bool] = False

    def __init__(
        self,
        rate_hz: float = 1000.0,
        *,
        ratio: bool = False,
        threshold: Literal["universal", "level"] | None = "universal",
        levels: int = 4,
        top_hz: float = 120.0,
        size: int = 2500,
        decimated: bool = True,
    ) -> None:
        self.rate_hz = rate_hz
        self.ratio = ratio
        self.threshold = threshold
        self.levels = levels
        self.top_hz = top_hz
        self.size = size
        self.decimated = decimated

    @property
    def layout(self) -> dict[str, slice]:
        """Where each part of a joint's figures stands; joints follow one another, `size` figures each."""
        parts = [
            ("current statistics", len(_STATISTICS)),
            ("torque statistics", len(_STATISTICS)),
            ("current band entropy", _BANDS),
            ("torque band entropy", _BANDS),
        ]
        if self.ratio:
            parts += [("ratio statistics", len(_STATISTICS)), ("ratio band entropy", _BANDS)]
        parts.append(("current marginal spectrum", self.size - sum(count for _, count in parts)))
        found, start = {}, 0
        for name, count in parts:
            found[name] = slice(start, start + count)
            start += count
        return found

    @property
    def edges_hz(self) -> np.ndarray:
        """(bin + 1,) edges of the marginal spectrum."""
        spectrum = self.layout["current marginal spectrum"]
        return np.linspace(0.0, self.top_hz, spectrum.stop - spectrum.start + 1)

    def _names(self, channels: tuple[str, ...], length: int) -> list[tuple[str, int]]:
        if not 0 < 2 * self.top_hz <= self.rate_hz:
            raise UsageError(f"top_hz is between 0 and half of the rate {self.rate_hz} Hz, got {self.top_hz}")
        if self.size <= (least := self.layout["current marginal spectrum"].start):
            raise UsageError(f"size is above {least}, got {self.size}")
        joints = _joints(channels)
        if not joints:
            raise MissingChannel(
                f"no motor current among {', '.join(channels)}",
                remedy="cut windows with current/J and torque/J, and give Windows: arrays do not name their channels",
            )
        middle = (self.edges_hz[:-1] + self.edges_hz[1:]) / 2
        bands = [f"band {k + 1} entropy" for k in range(_BANDS)]
        found = []
        for current, torque in joints:
            joint = channels[current].partition("/")
            of = {
                "current": (channels[current], current),
                "torque": ("".join(("torque", *joint[1:])), -1 if torque is None else torque),
                "ratio": ("".join(("ratio", *joint[1:])), -1),
            }
            figures = {
                "statistics": list(_STATISTICS), "band entropy": bands,
                "marginal spectrum": [f"marginal {f:.3f} Hz" for f in middle],
            }  # fmt: skip
            for part in self.layout:
                signal, _, kind = part.partition(" ")
                key, channel = of[signal]
                found += [(f"{key} {figure}", channel) for figure in figures[kind]]
        return found

    def _transform(self, values: np.ndarray, presence: np.ndarray) -> np.ndarray:
        joints = _joints(self.channels_)
        table = np.zeros((len(values), len(joints), self.size))
        for start in range(0, len(values), _BLOCK):
            rows = slice(start, start + _BLOCK)
            for k, (current, torque) in enumerate(joints):
                pair = np.zeros((len(values[rows]), 2, values.shape[2]))
                pair[:, 0] = values[rows, current]
                if torque is not None:
                    pair[:, 1] = values[rows, torque]
                table[rows, k] = self._vectors(pair)
        return table.reshape(len(values), len(joints) * self.size)

    def _vectors(self, pair: np.ndarray) -> np.ndarray:
        """(window, size) of (window, current and torque, time)."""
        if self.threshold is not None:
            fit = most_levels(pair.shape[-1], discrete_wavelet(_WAVELET, "symmetric"))
            pair = denoise(pair, wavelet=_WAVELET, threshold=self.threshold, levels=min(self.levels, fit))
        signals = {"current": pair[:, 0], "torque": pair[:, 1]}
        if self.ratio:
            signals["ratio"] = _quotient(pair)
        stacked = np.stack(list(signals.values()), axis=1)
        figures = statistics(stacked, _STATISTICS)
        entropies = packet_entropy(packet_energies(stacked, wavelet=_WAVELET, levels=3))
        found = np.empty((len(pair), self.size))
        for k, name in enumerate(signals):
            found[:, self.layout[f"{name} statistics"]] = figures[:, k]
            found[:, self.layout[f"{name} band entropy"]] = entropies[:, k]
        found[:, self.layout["current marginal spectrum"]] = self._spectra(pair[:, 0])
        return found

    def _spectra(self, current: np.ndarray) -> np.ndarray:
        """(window, bin)"""
        stop_hz = _ROLL_OFF * self.top_hz
        every = max(1, int(self.rate_hz / (2 * stop_hz))) if self.decimated else 1
        if every > 1:
            current = low_pass(current, self.rate_hz, stop_hz)[:, ::every]
        spectra = np.zeros((len(current), len(self.edges_hz) - 1))
        scale = rms(current)
        for row in np.flatnonzero(current.std(axis=-1) > _FLAT * scale):
            modes = empirical_modes(current[row] / scale[row])[:-1]
            spectra[row] = scale[row] * marginal_spectrum(modes, self.rate_hz / every, self.edges_hz)
        return spectra


def _quotient(pair: np.ndarray) -> np.ndarray:
    """(window, time) torque / current where current flows."""
    current, torque = pair[:, 0], pair[:, 1]
    floor = _LEAST_CURRENT**2 * np.square(current).mean(axis=-1, keepdims=True)
    return torque * current / np.where(floor > 0, np.square(current) + floor, 1.0)


def _joints(keys: tuple[str, ...]) -> list[tuple[int, int | None]]:
    """(current, torque) places of the channels, by joint."""
    channels: dict[Channel, int] = {}
    for place, key in enumerate(keys):
        try:
            channels[Channel.parse(key)] = place
        except UsageError:
            continue  # an anonymous array's channel
    return [
        (place, channels.get(Channel(Quantity.TORQUE, channel.joint)))
        for channel, place in channels.items()
        if channel == Channel(Quantity.CURRENT, channel.joint)
    ]
