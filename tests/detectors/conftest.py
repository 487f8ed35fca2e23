"""Windows to fit detectors on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from jointwatch.core import Channel, Index, Quantity, Windows


@pytest.fixture(scope="session")
def as_cycles() -> Callable[..., Windows]:
    """as_cycles(values, mask=None, **index columns): arrays (window, channel, time) as whole cycles of 2 s."""

    def make(values: np.ndarray, mask: np.ndarray | None = None, **columns: Any) -> Windows:
        count = len(values)
        text = {"unit": "arm-1", "session": "s1", "domain": "demo", "label": "normal", "fault": ""}
        rows = np.arange(count)
        index = {
            **{name: np.full(count, value) for name, value in text.items()},
            "cycle": np.char.add("c", rows.astype(str)),
            "start_s": 2.0 * rows,
            "stop_s": 2.0 * rows + 2,
            "phase": np.full(count, 0.5),
            "cycle_s": np.full(count, 2.0),
            "joint": np.zeros(count, int),
            "severity": np.full(count, np.nan),
        }
        channels = tuple(Channel(Quantity.CURRENT, i + 1) for i in range(values.shape[1]))
        windows = Windows(values, channels, Index(**index), values.shape[2] / 2, mask)
        return replace(windows, index=Index(**{**index, **columns}))

    return make
