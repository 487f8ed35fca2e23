"""Duration only: how much longer or shorter the cycle took than healthy ones."""

from __future__ import annotations

import numpy as np

from jointwatch.core import Windows
from jointwatch.core.errors import UsageError
from jointwatch.detectors.base import Detector

__all__ = ["Duration"]


class Duration(Detector):
    """|log(duration / median duration)|: 0.1 is about 10 % longer or shorter. It looks at no signal.

    Where a detector that looks at signals does no better, the signals were not what it used. On plain arrays every
    cycle has the same duration and all scores are 0. It has no contributions.

    Attributes
    ----------
    median_s_ : median duration of the training cycles, seconds, each cycle counted once.

    Errors: `UsageError` if the index gives a duration that is not a positive number.

    >>> import numpy as np
    >>> Duration().fit(np.zeros((3, 1, 4))).score_samples(np.ones((2, 1, 4))).tolist()
    [0.0, 0.0]
    """

    median_s_: float

    def _fit(self, windows: Windows) -> None:
        _, first = np.unique(windows.index.cycle, return_index=True)
        self.median_s_ = float(np.exp(np.median(_log_duration(windows)[first])))

    def _score(self, windows: Windows) -> np.ndarray:
        return np.abs(_log_duration(windows) - np.log(self.median_s_))


def _log_duration(windows: Windows) -> np.ndarray:
    cycle_s = windows.index.cycle_s
    bad = np.flatnonzero(~(np.isfinite(cycle_s) & (cycle_s > 0)))
    if len(bad):
        raise UsageError(f"cycle {windows.index.cycle[bad[0]]} has a duration of {cycle_s[bad[0]]} s in its index")
    return np.log(cycle_s)
