"""Which windows share samples with others."""

from __future__ import annotations

import numpy as np

from jointwatch.core import Index

__all__ = ["touching"]


def touching(index: Index, held: np.ndarray) -> np.ndarray:
    """(window,) True where a window shares samples with a held one: neighbouring decisions overlap by a window."""
    found = np.zeros(len(index), bool)
    names = index.unit_session
    for name in np.unique(names):
        rows = np.flatnonzero(names == name)
        kept = rows[held[rows]]
        if len(kept) == 0 or len(kept) == len(rows):
            continue
        starts, stops = np.sort(index.start_s[kept]), np.sort(index.stop_s[kept])
        # held windows that began before this one ends, less those that were over before it began
        begun = np.searchsorted(starts, index.stop_s[rows] - 1e-9)
        over = np.searchsorted(stops, index.start_s[rows] + 1e-9)
        found[rows] = begun > over
    return found
