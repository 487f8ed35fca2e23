"""Every window has its own clock."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from jointwatch.core.errors import UsageError
from jointwatch.detectors.base import as_windows
from jointwatch.windows.time_step import time_step_s


def test_common_rate_or_own_duration() -> None:
    windows = as_windows(np.zeros((3, 1, 50)))
    assert time_step_s(replace(windows, rate_hz=250.0)).tolist() == [0.004] * 3
    index = replace(windows.index, start_s=np.array([0.0, 5.0, 9.0]), stop_s=np.array([5.0, 9.0, 12.0]))
    cycles = replace(windows, index=index, rate_hz=float("nan"))
    np.testing.assert_allclose(time_step_s(cycles), [0.1, 0.08, 0.06])
    assert time_step_s(cycles[:0]).shape == (0,)


@pytest.mark.parametrize("stop_s", [5.0, np.nan])
def test_a_window_without_duration_is_named(stop_s: float) -> None:
    windows = as_windows(np.zeros((3, 1, 50)))
    index = replace(windows.index, start_s=np.array([0.0, 5.0, 9.0]), stop_s=np.array([5.0, stop_s, 12.0]))
    with pytest.raises(UsageError, match="window 1 of cycle 1"):
        time_step_s(replace(windows, index=index, rate_hz=float("nan")))
