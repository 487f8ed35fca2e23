"""Which windows may be learned from, and how many of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Bool

from jointwatch.core import Windows

__all__ = ["as_healthy", "evenly", "suspected"]


def suspected(windows: Windows) -> Bool[np.ndarray, " window"]:
    """Uncertain windows with a fault named: neither healthy nor labelled."""
    return (windows.index.label == "uncertain") & (windows.index.fault != "")


def as_healthy(windows: Windows) -> Windows:
    """Windows without a label said to be normal."""
    label = np.where(windows.index.label == "uncertain", "normal", windows.index.label)
    return replace(windows, index=replace(windows.index, label=label))


def evenly(windows: Windows, count: int, rng: np.random.Generator) -> Windows:
    """At most so many windows, in their order, as many of each domain and label as there are, up to an equal share."""
    group = np.char.add(np.char.add(windows.index.domain, "/"), windows.index.label)
    names = np.unique(group)
    if not len(names):
        return windows
    share = max(count // len(names), 1)
    rows = [rng.permutation(np.flatnonzero(group == name))[:share] for name in names]
    return windows[np.sort(np.concatenate(rows))]
