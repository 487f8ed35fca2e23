"""Profiles as features of windows: names, families, and which channels they are of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from jointwatch.core import Channel, Windows
from jointwatch.core.errors import MissingChannel, UsageError
from jointwatch.detectors.base import as_windows
from jointwatch.features.joint_profile import JointProfile
from jointwatch.signals.joint_profile import GROUPS, figure_names, joint_profile


def windows(*keys: str) -> Windows:
    phase = np.linspace(0, 2 * np.pi, 3000)
    rng = np.random.default_rng(0)
    course = {"position": np.cos(phase), "torque": -3.0 * np.sign(np.sin(phase)), "current": -np.sign(np.sin(phase))}
    rows = [[course[key.split("/")[0]] + 0.01 * rng.standard_normal(3000) for key in keys] for _ in range(2)]
    return replace(as_windows(np.array(rows)), channels=tuple(Channel.parse(key) for key in keys))


def test_figures_are_those_of_the_signal_by_channel_and_family() -> None:
    cut = windows("position/1", "torque/1", "current/1")
    features = JointProfile(groups=("play", "friction")).fit(cut)
    table = features.transform(cut)
    expected = [
        joint_profile(cut.values[:, place], cut.values[:, 0], 100.0)[group]
        for place in (1, 2)
        for group in ("play", "friction")
    ]
    assert np.array_equal(table, np.concatenate(expected, axis=1))
    names = features.get_feature_names_out()
    assert names[0] == f"torque/1 {figure_names('play')[0]}"
    assert set(features.feature_channel_) == {1, 2}


def test_all_families_are_the_default() -> None:
    features = JointProfile().fit(windows("position/1", "current/1"))
    assert len(features.get_feature_names_out()) == sum(len(figure_names(group)) for group in GROUPS)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(MissingChannel, match="position"):
        JointProfile().fit(windows("current/1"))
    with pytest.raises(UsageError, match="no family of figures noise"):
        JointProfile(groups=("noise",)).fit(windows("position/1", "current/1"))
