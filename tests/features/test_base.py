"""The base keeps features of absent channels at 0, whatever a transformer makes of zeros."""

from __future__ import annotations

import numpy as np
import pytest

from jointwatch.core import Channel, Index, Quantity, Windows
from jointwatch.core.errors import UsageError
from jointwatch.features.base import Features


class _Crest(Features):
    """One feature a channel, and one of all, that are not 0 for a signal of zeros."""

    def _names(self, channels: tuple[str, ...], length: int) -> list[tuple[str, int]]:
        return [*((f"{key} crest", i) for i, key in enumerate(channels)), ("all crest", -1)]

    def _transform(self, values: np.ndarray, presence: np.ndarray) -> np.ndarray:
        crest = 1 + np.abs(values).max(axis=2)
        return np.concatenate([crest, crest.max(axis=1, keepdims=True)], axis=1)


def _windows(key: str = "current/2") -> Windows:
    a, zero = np.array(["a", "b"]), np.zeros(2)
    index = Index(a, a, a, a, zero, zero + 1, zero, zero + 1, np.array(["normal"] * 2), a, zero, zero)
    mask = np.array([[True, True], [True, False]])
    values = np.ones((2, 2, 10)) * mask[:, :, None]
    return Windows(values, (Channel(Quantity.CURRENT, 1), Channel.parse(key)), index, 10.0, mask)


def test_absent_channels_are_zero_and_shared_features_stay() -> None:
    assert _Crest().fit_transform(_windows()).tolist() == [[2, 2, 2], [2, 0, 2]]


def test_contributions_are_summed_by_channel_without_the_shared() -> None:
    features = _Crest().fit(_windows())
    assert features.by_channel(np.array([[1.0, 2.0, 4.0]])).tolist() == [[1, 2]]


def test_windows_of_other_channels_are_refused_by_name() -> None:
    with pytest.raises(UsageError, match=r"current/2.*torque/2"):
        _Crest().fit(_windows()).transform(_windows("torque/2"))
