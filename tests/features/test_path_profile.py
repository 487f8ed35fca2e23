"""Figures along the path: which joints and places there are, with and without positions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from jointwatch.core import Channel
from jointwatch.core.errors import MissingChannel
from jointwatch.detectors.base import as_windows
from jointwatch.features._path_profile import PathProfile, joint_places

PHASE = np.linspace(0, 2 * np.pi, 600)


def profile_of(keys: tuple[str, ...], *signals: np.ndarray) -> dict[str, float]:
    cut = replace(as_windows(np.stack(signals)[None]), channels=tuple(Channel.parse(key) for key in keys))
    found = PathProfile(bins=4).fit(cut)
    return dict(zip(found.feature_names_, found.transform(cut)[0], strict=True))


def test_a_joint_has_the_first_of_its_drive_signals() -> None:
    keys = ("torque/2", "position/2", "contact", "current/2", "joint_torque/1", "temperature/3", "velocity/3")
    assert joint_places(keys) == {1: {"link": 4}, 2: {"position": 1, "drive": 0}}


def test_where_nothing_belongs_to_a_joint_every_channel_is_a_drive() -> None:
    assert joint_places(("c0", "c1")) == {1: {"drive": 0}, 2: {"drive": 1}}


def test_a_slower_cycle_is_the_same_along_the_path_and_another_one_along_time() -> None:
    way = PHASE**2 / PHASE[-1]  # the same path, slow at first
    friction = np.sign(np.cos(PHASE)) + PHASE
    late = np.interp(way, PHASE, friction)
    keys = ("position/1", "current/1")
    places = [f"current/1 place {i}" for i in range(1, 5)]
    even = profile_of(keys, np.sin(PHASE), friction)
    slow = profile_of(keys, np.sin(way), late)
    assert max(abs(even[name] - slow[name]) for name in places) < 0.4
    blind = [profile_of(keys[1:], signal) for signal in (friction, late)]
    assert max(abs(blind[0][name] - blind[1][name]) for name in places) > 1
    quarters = friction.reshape(4, 150).mean(axis=1)
    assert np.allclose([blind[0][name] for name in places], quarters, atol=0.02)


def test_positions_alone_are_refused() -> None:
    with pytest.raises(MissingChannel, match="position/1"):
        profile_of(("position/1",), PHASE)
