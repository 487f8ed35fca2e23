"""Friction, load, ripple and play of geared joints against their angle, from windows of whole cycles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from jointwatch.core.errors import MissingChannel
from jointwatch.features.base import Features
from jointwatch.features.friction import effort_places
from jointwatch.signals.joint_profile import GROUPS, figure_names, joint_profile

__all__ = ["JointProfile"]


class JointProfile(Features):
    """Figures of `signals.joint_profile` for each torque or current channel whose joint's position is there as well.

    Statistics of a whole cycle mix what friction, gravity, the gear's error and play leave in the effort, and units
    scatter in each by as much as wear changes them. Told against the angle they come apart: what is locked to the
    motor, what depends on the load, and what happens where the load turns round, which a new drive hardly has.

    Parameters
    ----------
    ratio : turns of the input for one of the output, of every joint.
    groups : which families of figures, of `friction`, `shape`, `ripple`, `roughness` and `play`.

    Windows are whole cycles of the same motion, at least 10 samples a turn of the input at top speed. Features are
    called `current/1 order 2 at 57% speed`. They are said to be of their torque or current channel, though the joint's
    position has its part in them. A joint that stands gives zeros.

    Errors: `MissingChannel` without any joint that has both; `UsageError` for an unknown family.

    >>> import numpy as np
    >>> from dataclasses import replace
    >>> from jointwatch.core import Channel
    >>> from jointwatch.detectors.base import as_windows
    >>> phase = np.linspace(0, 2 * np.pi, 2000)
    >>> values = np.stack([np.cos(phase), 3.0 * np.sign(-np.sin(phase))])[None]
    >>> windows = replace(as_windows(values), channels=(Channel.parse("position/1"), Channel.parse("current/1")))
    >>> features = JointProfile(groups=("friction",)).fit(windows)
    >>> features.get_feature_names_out()[0], float(np.exp(features.transform(windows)[0, 0]).round(1))
    ('current/1 coulomb', 3.0)
    """

    of_one_channel: ClassVar[bool] = False

    def __init__(self, ratio: float = 100.0, groups: Sequence[str] = GROUPS) -> None:
        self.ratio = ratio
        self.groups = groups

    def _names(self, channels: tuple[str, ...], length: int) -> list[tuple[str, int]]:
        places = effort_places(channels)
        if not places:
            raise MissingChannel(
                f"no joint has both its position and a torque or current among {', '.join(channels)}",
                remedy="cut the windows with both, and give Windows: arrays do not name their channels",
            )
        names = [name for group in self.groups for name in figure_names(group)]
        return [(f"{channels[effort]} {name}", effort) for effort, _, _ in places for name in names]

    def _transform(self, values: np.ndarray, presence: np.ndarray) -> np.ndarray:
        found = []
        for effort, position, _ in effort_places(self.channels_):
            profile = joint_profile(values[:, effort], values[:, position], self.ratio, self.groups)
            found += [profile[group] for group in self.groups]
        return np.concatenate(found, axis=1)
