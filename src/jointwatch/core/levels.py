"""The six levels in which the static transmission error of a drive is graded."""

from __future__ import annotations

import numpy as np

from jointwatch.core.errors import UsageError

__all__ = ["LEVELS", "LEVEL_RAD", "level_of"]

LEVEL_RAD = np.radians(0.025)
"""Width of one of the six levels, the limit of a new drive."""

LEVELS = 6


def level_of(error_rad: float) -> int:
    """Level 1 to 6 of a static error, whatever its sign: level k ends at k times 0.025 degree, 6 = all above.

    Errors: `UsageError` if the error is not a number.

    >>> [level_of(share * LEVEL_RAD) for share in (0.0, 0.4, 1.0, 1.01, -2.5, 5.0, 80.0)]
    [1, 1, 1, 2, 3, 5, 6]
    """
    if np.isnan(error_rad):
        raise UsageError("an error that is not a number has no level")
    return int(min(np.ceil(abs(error_rad) / LEVEL_RAD), LEVELS)) or 1
