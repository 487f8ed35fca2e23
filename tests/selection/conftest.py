"""Cycles of a two-joint arm for tests of the choice among strategies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from jointwatch.core import Channel, Index, Quantity, Windows

CHANNELS = tuple(Channel(q, j) for j in (1, 2) for q in (Quantity.VELOCITY, Quantity.CURRENT))


@pytest.fixture(scope="session")
def arm() -> Callable[..., Windows]:
    """arm(seed, sessions=6, cycles=8, brand="blue", faulty=(), noise=0.3): windows of one cycle each; `faulty` are
    numbers of cycles in each session with friction at joint 1."""

    def make(
        seed: int,
        sessions: int = 6,
        cycles: int = 8,
        brand: str = "blue",
        faulty: tuple[int, ...] = (),
        noise: float = 0.3,
    ) -> Windows:
        rng = np.random.default_rng(seed)
        count = sessions * cycles
        number = np.tile(np.arange(cycles), sessions)
        session = np.repeat([f"s{i}" for i in range(sessions)], cycles)
        time = np.linspace(0, 2 * np.pi, 60)
        odd = np.isin(number, faulty)
        values = np.empty((count, 4, 60))
        for joint in (0, 1):
            velocity = np.cos(time + joint) + 0.01 * rng.standard_normal((count, 60))
            gain = 1.0 + 0.15 * rng.standard_normal((count, 1)) + 0.8 * (odd[:, None] & (joint == 0))
            values[:, 2 * joint] = velocity
            values[:, 2 * joint + 1] = 0.5 * gain * np.tanh(5 * velocity) + noise * rng.standard_normal((count, 60))
        name = np.array([f"{brand}/{s}/{n}" for s, n in zip(session, number, strict=True)])
        start = np.arange(count, dtype=float) * 2
        index = Index(
            unit=np.full(count, f"{brand}-1"),
            session=session,
            cycle=name,
            domain=np.full(count, brand),
            start_s=start,
            stop_s=start + 2,
            phase=np.full(count, 0.5),
            cycle_s=np.full(count, 2.0),
            label=np.where(odd, "anomalous", "normal"),
            fault=np.where(odd, "friction", ""),
            joint=odd.astype(int),
            severity=np.where(odd, 0.5, np.nan),
        )
        return Windows(values, CHANNELS, index, np.nan)

    return make
