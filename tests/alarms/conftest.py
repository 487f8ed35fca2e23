"""Cycle scores to set alarms on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from jointwatch.core import Index, Scores


@pytest.fixture(scope="session")
def scored() -> Callable[..., Scores]:
    """scored(value, **index columns): scores of cycles c0, c1 ... of one unit and session, in order of time."""

    def make(value: np.ndarray, **columns: Any) -> Scores:
        count = len(value)
        start = 10.0 * np.arange(count)
        index = {
            **{n: np.full(count, v) for n, v in {"unit": "arm-1", "session": "s1", "domain": "d", "fault": ""}.items()},
            "label": np.full(count, "normal"),
            "cycle": np.char.add("c", np.arange(count).astype(str)),
            "start_s": start,
            "stop_s": start + 10,
            "phase": np.full(count, 0.5),
            "cycle_s": np.full(count, 10.0),
            "joint": np.zeros(count, int),
            "severity": np.full(count, np.nan),
        }
        return Scores(np.asarray(value, float), Index(**{**index, **columns}))

    return make
