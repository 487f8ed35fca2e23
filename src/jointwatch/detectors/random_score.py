"""Random score: what any detector has to beat."""

from __future__ import annotations

import hashlib

import numpy as np

from jointwatch.core import Windows
from jointwatch.detectors.base import Detector

__all__ = ["RandomScore"]


class RandomScore(Detector):
    """Uniform in [0, 1), drawn from the seed and the window's own numbers, and learned from nothing.

    A window scores the same alone and among others, and identical windows score the same. It has no contributions.

    Parameters
    ----------
    random_state : seed.

    >>> import numpy as np
    >>> windows = np.random.default_rng(0).standard_normal((1000, 2, 8))
    >>> scores = RandomScore(random_state=1).fit(windows).score_samples(windows)
    >>> round(float(scores.mean()), 1), len(set(scores.tolist()))
    (0.5, 1000)
    """

    def __init__(self, random_state: int = 0) -> None:
        self.random_state = random_state

    def _fit(self, windows: Windows) -> None:
        pass

    def _score(self, windows: Windows) -> np.ndarray:
        key = str(self.random_state).encode()
        digests = b"".join(
            hashlib.blake2b(window.tobytes(), digest_size=8, key=key).digest() for window in windows.values
        )
        return (np.frombuffer(digests, np.uint64) >> np.uint64(11)) * 2.0**-53
