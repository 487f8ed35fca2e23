"""Levels of the static error: steps of a fortieth of a degree, the last one open, sign without meaning."""

from __future__ import annotations

import numpy as np
import pytest

from jointwatch.core.errors import UsageError
from jointwatch.core.levels import LEVEL_RAD, LEVELS, level_of


def test_levels() -> None:
    assert np.degrees(LEVEL_RAD) == pytest.approx(0.025)
    for k in range(1, LEVELS + 1):
        assert level_of((k - 0.001) * LEVEL_RAD) == level_of(-k * LEVEL_RAD) == k
        assert level_of((k + 0.001) * LEVEL_RAD) == min(k + 1, LEVELS)
    assert (level_of(0.0), level_of(np.inf)) == (1, LEVELS)
    with pytest.raises(UsageError, match="not a number"):
        level_of(float("nan"))
