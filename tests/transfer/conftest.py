"""A source arm and a target arm whose signals differ by more than offset and gain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from jointwatch.core import Quantity, Recording, Windows
from jointwatch.windows.sliding import sliding


@pytest.fixture(scope="session")
def arms(arm_recording: Callable[..., Recording]) -> Callable[..., Windows]:
    """arms(seed=0, brand="source", cycles=16, faulty=(), **recording): windows of one arm. Each brand but `source`
    has its own gains, offsets and a lag in its current, the same for every seed."""

    def make(
        seed: int = 0, brand: str = "source", cycles: int = 16, faulty: tuple[int, ...] = (), **options: Any
    ) -> Windows:
        noise = {"rate_hz": 50.0, "noise_a": 0.1} | options
        recording = arm_recording(
            seed=seed, brand=brand, unit=brand, session=f"s{seed}", cycles=cycles, faulty=faulty, **noise
        )
        windows = sliding(recording, rate_hz=50.0, length=50, step=50)
        if brand == "source":
            return windows
        rng = np.random.default_rng(sum(map(ord, brand)))
        values = windows.values.astype(np.float64)
        for row, channel in enumerate(windows.channels):
            if channel.quantity is Quantity.CURRENT:
                slow = np.cumsum(values[:, row], axis=1) / np.arange(1, 51)  # a sluggish current loop
                values[:, row] = 0.5 * values[:, row] + 0.5 * slow
            values[:, row] = rng.uniform(0.3, 3) * values[:, row] + rng.uniform(-5, 5)
        return replace(windows, values=values)

    return make
