"""Windows made of seeded noise, for what needs no recording."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from jointwatch.core import Channel, Index, Windows


@pytest.fixture(scope="session")
def noise_windows() -> Callable[..., Windows]:
    """Factory of windows of Gaussian noise.

    Window i belongs to unit u{i % units}, sessions in turn, a cycle of its own, and the domain "even" or "odd" of its
    unit.
    """

    def make(
        count: int = 40,
        length: int = 50,
        channels: tuple[str, ...] = ("current/1", "position/1", "current/2", "position/2"),
        seed: int = 0,
        units: int = 4,
        sessions: int = 2,
        label: str = "normal",
        mask: np.ndarray | None = None,
    ) -> Windows:
        rng = np.random.default_rng(seed)
        number = np.arange(count)
        unit = number % units
        session = (number // units) % sessions
        names = np.array([f"u{u}/s{s}/{i}" for u, s, i in zip(unit, session, number, strict=True)])
        start_s = number.astype(float)
        index = Index(
            np.char.add("u", unit.astype(str)),
            np.char.add("s", session.astype(str)),
            names,
            np.where(unit % 2, "odd", "even"),
            start_s,
            start_s + 1,
            np.full(count, 0.5),
            np.ones(count),
            np.full(count, label),
            np.full(count, ""),
            np.zeros(count),
            np.full(count, np.nan),
        )
        values = rng.standard_normal((count, len(channels), length))
        if mask is not None:
            values = values * mask[:, :, None]
        return Windows(values, tuple(Channel.parse(c) for c in channels), index, float(length), mask)

    return make
