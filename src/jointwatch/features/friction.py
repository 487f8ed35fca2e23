"""Friction of every joint, and what a smooth friction cannot explain, from windows of whole cycles."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from jointwatch.core import Channel, Quantity, Source
from jointwatch.core.errors import MissingChannel, UsageError
from jointwatch.features.base import Features
from jointwatch.signals.differentiate import differentiate
from jointwatch.signals.friction import FRICTION, friction

__all__ = ["Friction"]

_EFFORTS = (Quantity.TORQUE, Quantity.CURRENT, Quantity.JOINT_TORQUE, Quantity.EFFORT)


class Friction(Features):
    """Nine figures of friction for each torque or current channel: `signals.friction` says which.

    At 25 Hz what a worn reducer changes is friction and the ripple that its errors leave in the torque; both scatter
    between units as much as wear changes them, so these figures come into their own relative to the unit's own
    healthy cycles (`OwnBaseline`).

    Windows hold the position of each joint and its torque, current, effort or joint torque; velocity is taken from
    the windows if it is there, else from the position. Movement in both directions is needed, as in a whole cycle. A
    joint whose position is not among the channels is passed over; one that stands gives zeros.

    Features are called `torque/4 coulomb`. They are said to be of their torque or current channel, though the joint's
    position has its part in them.

    Errors: `MissingChannel` without any joint that has both.

    >>> import numpy as np
    >>> from dataclasses import replace
    >>> from jointwatch.detectors.base import as_windows
    >>> phase = np.linspace(0, 2 * np.pi, 200)
    >>> values = np.stack([np.sin(phase), 2.0 * np.sign(np.cos(phase))])[None].repeat(3, axis=0)
    >>> channels = (Channel(Quantity.POSITION, 1), Channel(Quantity.CURRENT, 1))
    >>> windows = replace(as_windows(values), channels=channels)
    >>> features = Friction().fit(windows)
    >>> features.get_feature_names_out()[:2].tolist(), features.transform(windows)[0, :2].round(1).tolist()
    (['current/1 energy', 'current/1 coulomb'], [2.0, 2.0])
    """

    of_one_channel: ClassVar[bool] = False

    def _names(self, channels: tuple[str, ...], length: int) -> list[tuple[str, int]]:
        triples = effort_places(channels)
        if not triples:
            raise MissingChannel(
                f"no joint has both its position and one of {', '.join(_EFFORTS)} among {', '.join(channels)}",
                remedy="cut the windows with both, and give Windows: arrays do not name their channels",
            )
        return [(f"{channels[effort]} {name}", effort) for effort, _, _ in triples for name in FRICTION]

    def _transform(self, values: np.ndarray, presence: np.ndarray) -> np.ndarray:
        found = []
        for effort, position, velocity in effort_places(self.channels_):
            q = values[:, position].astype(np.float64)
            v = differentiate(q, np.arange(q.shape[1], dtype=float))
            if velocity is not None:
                v = np.where(presence[:, velocity, None], values[:, velocity], v)
            found.append(friction(values[:, effort], q, v))
        return np.concatenate(found, axis=1)


def effort_places(keys: tuple[str, ...]) -> list[tuple[int, int, int | None]]:
    """(effort, position, velocity) places of the channels, by joint."""
    channels: dict[Channel, int] = {}
    for place, key in enumerate(keys):
        try:
            channels[Channel.parse(key)] = place
        except UsageError:
            continue  # an anonymous array's channel
    found = []
    for channel, place in channels.items():
        position = channels.get(Channel(Quantity.POSITION, channel.joint))
        if channel.quantity in _EFFORTS and not channel.component and position is not None:
            speeds = [
                channels.get(Channel(Quantity.VELOCITY, channel.joint, s)) for s in (Source.MEASURED, Source.DERIVED)
            ]
            found.append((place, position, next((s for s in speeds if s is not None), None)))
    return found
