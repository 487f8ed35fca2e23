"""Symmetrical components of three phase currents at the supply frequency: how unlike the phases of a motor are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from jointwatch.core import Channel, Quantity
from jointwatch.core.errors import MissingChannel, UsageError
from jointwatch.features.base import Features
from jointwatch.signals.three_phase import harmonic_phasors, supply_frequency, symmetrical_components

__all__ = ["PhaseCurrents"]

_PHASE = "phase_"  # currents d, q and zero of a drive's own frame are no phases
_SHARES = ("negative real", "negative imaginary", "zero real", "zero imaginary")


class PhaseCurrents(Features):
    """Positive, negative and zero sequence of each motor, against the angle of its positive sequence, in ampere.

    Shorted turns, an open phase or an unlike winding make the phases differ, which is what the negative sequence
    measures: its size grows with the fault, its angle says the phase. A shift of the window in time changes nothing,
    another order of the phases (b, c, a for a, b, c) turns negative and zero sequence by 120 degrees. The motor's own
    asymmetry, the supply's and the sensors' are in them as well: subtract the features of healthy windows.

    Parameters
    ----------
    cycles_per_sample : supply frequency over sampling rate (60 Hz at 1 kHz: 0.06); None = found in each window, which
        then holds two periods or more.
    harmonics : multiples of the supply frequency, from 2; each gives its strength against the fundamental, root mean
        square over the phases.

    Windows hold three current channels of a joint and source whose components begin with `phase_` (`phase_a`,
    `phase_b`, `phase_c`); phases are taken in the order of these names and must follow each other so, else positive and
    negative sequence change places. Features are called `current/1 positive`, `current/1 negative real` ... They are
    said to be of the first phase's channel, though all three have their part in them.

    Errors: `MissingChannel` without any joint that has three phases; `UsageError` for harmonics below 2, or at
    half the sampling rate and above.

    Source: C. L. Fortescue, Trans. AIEE 37, 1918 (sequences); negative-sequence current as sign of shorted turns:
    R. M. Tallam et al., IEEE Trans. Ind. Appl. 43, 2007 (a survey).

    >>> import numpy as np
    >>> from dataclasses import replace
    >>> from jointwatch.detectors.base import as_windows
    >>> angle = 2 * np.pi * 0.06 * np.arange(200) - 2 * np.pi / 3 * np.arange(3)[:, None]
    >>> values = np.stack([np.cos(angle), np.array([[1.3], [1.0], [1.0]]) * np.cos(angle)])
    >>> channels = tuple(Channel(Quantity.CURRENT, 1, component=f"phase_{p}") for p in "abc")
    >>> windows = replace(as_windows(values), channels=channels)
    >>> features = PhaseCurrents().fit(windows)
    >>> features.transform(windows).round(2)[1].tolist(), features.get_feature_names_out()[0]
    ([1.1, 0.1, 0.0, 0.1, 0.0], 'current/1 positive')
    """

    of_one_channel: ClassVar[bool] = False

    def __init__(self, cycles_per_sample: float | None = None, harmonics: Sequence[int] = ()) -> None:
        self.cycles_per_sample = cycles_per_sample
        self.harmonics = harmonics

    def _names(self, channels: tuple[str, ...], length: int) -> list[tuple[str, int]]:
        if any(harmonic < 2 for harmonic in self.harmonics):
            raise UsageError(f"harmonics are whole numbers from 2, got {list(self.harmonics)}")
        motors = _motors(channels)
        if not motors:
            raise MissingChannel(
                f"no joint has three phase currents among {', '.join(channels)}",
                remedy="cut the windows with current/J:phase_a, :phase_b and :phase_c, and give Windows: arrays do not "
                "name their channels",
            )
        titles = ("positive", *_SHARES, *(f"harmonic {harmonic}" for harmonic in self.harmonics))
        return [(f"{channels[own[0]].partition(':')[0]} {title}", own[0]) for own in motors for title in titles]

    def _transform(self, values: np.ndarray, presence: np.ndarray) -> np.ndarray:
        orders = (1, *self.harmonics)
        found = []
        for own in _motors(self.channels_):
            currents = values[:, own].astype(np.float64)
            frequency = self._frequency(currents, max(orders))
            phasors = harmonic_phasors(currents, frequency[:, None], orders)
            zero, positive, negative = symmetrical_components(phasors[..., 0]).T
            size = np.abs(positive)
            turned = np.stack([negative, zero], axis=1) * np.exp(-1j * np.angle(positive))[:, None]
            strength = np.sqrt((np.abs(phasors) ** 2).mean(axis=1))
            against = strength[:, 1:] / np.where(strength[:, :1] > 0, strength[:, :1], 1.0)
            found.append(np.column_stack([size, turned.view(float), against]))
        return np.concatenate(found, axis=1)

    def _frequency(self, currents: np.ndarray, highest: int) -> np.ndarray:
        """(window,) cycles a sample; where no line is there any is as good."""
        if self.cycles_per_sample is not None:
            return np.full(len(currents), float(self.cycles_per_sample))
        found = supply_frequency(currents)
        still = np.ptp(currents, axis=2).max(axis=1, initial=0.0) == 0
        return np.where(still, 0.25 / highest, found)


def _motors(keys: tuple[str, ...]) -> list[list[int]]:
    """Places of the three phases of each motor, in the order of their names."""
    groups: dict[str, list[tuple[str, int]]] = {}
    for place, key in enumerate(keys):
        try:
            channel = Channel.parse(key)
        except UsageError:
            continue  # an anonymous array's channel
        if channel.quantity is Quantity.CURRENT and channel.component.startswith(_PHASE):
            groups.setdefault(key.partition(":")[0], []).append((channel.component, place))
    return [[place for _, place in sorted(own)] for own in groups.values() if len(own) == 3]
