"""What each joint's drive does along the path of a whole cycle: means by place, friction, bands, roughness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from jointwatch.core import Channel, Quantity, Source
from jointwatch.core.errors import MissingChannel, UsageError
from jointwatch.features.base import Features
from jointwatch.signals.path_profile import FIT, ROUGH, by_bin, fitted, path_bins, rough_figures, roughness, speed_of

__all__ = ["PathProfile", "joint_places"]

_SIGNALS = {
    "drive": (
        Channel(Quantity.EFFORT, 1, Source.DERIVED),
        Channel(Quantity.TORQUE, 1),
        Channel(Quantity.CURRENT, 1),
        Channel(Quantity.EFFORT, 1),
    ),
    "link": (Channel(Quantity.JOINT_TORQUE, 1),),
    "tracking": (Channel(Quantity.POSITION_ERROR, 1, Source.DERIVED), Channel(Quantity.POSITION_ERROR, 1)),
}


class PathProfile(Features):
    """Figures of every joint, each at the same place of the arm's path in all cycles.

    Two cycles of the same task are never equally long, so sample k of one is not sample k of the other; here they are
    compared by the way that all joints together have travelled. The figures mean something relative to the same unit's
    healthy cycles only (`windows.own_baseline.OwnBaseline` with `form="difference"`).

    Windows are whole cycles stretched to one length, of 1000 samples or so; where they are shorter quick bands are
    empty. A joint has a position and up to three signals: `drive` (effort, torque or current), `link` (its torque
    sensor), `tracking` (commanded minus measured position). Without any position the place is the time since the cycle
    began. Channels that belong to no joint are not looked at; of arrays, whose channels have no names, each is the
    drive of a joint of its own.

    For each signal: the least-squares fit of `signals.path_profile.fitted`, `place` 1 .. `bins` (mean at each part of
    the path), bands and peaks of what is quicker, and `rough` 1 .. `bins` (its logarithm at each part of the path); for
    the position only the last two, of its speed. Signals that a robot does not report give 0.

    Parameters
    ----------
    bins : parts of the path.

    Errors: `MissingChannel` without any of these signals.

    >>> from jointwatch.core import Windows
    >>> from dataclasses import replace
    >>> from jointwatch.detectors.base import as_windows
    >>> phase = np.linspace(0, 2 * np.pi, 600)
    >>> cycles = np.stack([np.sin(phase), 2.0 * np.sign(np.cos(phase))])[None].repeat(3, axis=0)
    >>> windows = replace(as_windows(cycles), channels=(Channel(Quantity.POSITION, 1), Channel(Quantity.CURRENT, 1)))
    >>> found = PathProfile(bins=8).fit(windows)
    >>> float(found.transform(windows)[0, found.feature_names_.index("current/1 coulomb")].round())
    2.0
    """

    of_one_channel: ClassVar[bool] = False

    def __init__(self, bins: int = 32) -> None:
        self.bins = bins

    def _names(self, channels: tuple[str, ...], length: int) -> list[tuple[str, int]]:
        joints = joint_places(channels)
        if not any(set(places) - {"position"} for places in joints.values()):
            raise MissingChannel(
                f"no joint has a current, torque, effort or position error among {', '.join(channels)}",
                remedy="name one for every joint, for example --channels position/J,effort.derived/J",
            )
        rough = [*ROUGH, *(f"rough {i + 1}" for i in range(self.bins))]
        slow = [*FIT, *(f"place {i + 1}" for i in range(self.bins))]
        return [
            (f"{channels[place]} {figure}", place)
            for places in joints.values()
            for signal, place in places.items()
            for figure in (rough if signal == "position" else [*slow, *rough])
        ]

    def _transform(self, values: np.ndarray, presence: np.ndarray) -> np.ndarray:
        joints = joint_places(self.channels_)
        positions = np.zeros((len(values), len(joints), values.shape[2]))
        for number, places in enumerate(joints.values()):
            if "position" in places:
                positions[:, number] = values[:, places["position"]]
        speed = speed_of(positions)
        bin_of = path_bins(speed, self.bins)
        found = []
        for number, places in enumerate(joints.values()):
            q, v = positions[:, number], speed[:, number]
            for signal, place in places.items():
                x = v if signal == "position" else values[:, place].astype(np.float64)
                if signal != "position":
                    found += [fitted(x, q, v), by_bin(x, bin_of, self.bins)]
                found += [rough_figures(x, v), roughness(x, bin_of, self.bins)]
        return np.concatenate(found, axis=1)


def joint_places(keys: Sequence[str]) -> dict[int, dict[str, int]]:
    """For each joint: places of its position and of its signals among the channels; joints that have none of them are
    left out, and so is what belongs to no joint. Where nothing belongs to a joint (arrays) every channel is the drive
    of a joint of its own.

    >>> joint_places(["current/2", "contact", "position/2", "torque/1"]), joint_places(["c0", "c1"])
    ({1: {'drive': 3}, 2: {'position': 2, 'drive': 0}}, {1: {'drive': 0}, 2: {'drive': 1}})
    """
    parsed = [_parsed(key) for key in keys]
    channels = {channel: place for place, channel in enumerate(parsed) if channel is not None}
    numbers = sorted({channel.joint for channel in channels if channel.joint is not None})
    if not numbers:
        return {place + 1: {"drive": place} for place in range(len(keys))}
    found = {}
    for number in numbers:
        own: dict[str, int] = {}
        for signal, kinds in {"position": (Channel(Quantity.POSITION, 1),), **_SIGNALS}.items():
            there = (Channel(kind.quantity, number, kind.source) for kind in kinds)
            first = next((channels[one] for one in there if one in channels), None)
            if first is not None:
                own[signal] = first
        if own:
            found[number] = own
    return found


def _parsed(key: str) -> Channel | None:
    """None for an anonymous array's channel."""
    try:
        return Channel.parse(key)
    except UsageError:
        return None
