"""Numbers too small to be held in full, which slow processors down, counted as zero while a network is trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["denormals_flushed", "flushing"]

_SHARED = 1 << 20  # values enough for torch to share the work between its threads


@contextmanager
def denormals_flushed() -> Iterator[None]:
    """Inside, float32 numbers below 1.2e-38 count as 0 in this thread, in numpy too; after, all is as it was.

    Softmaxes bring such numbers forth: weights of positions that attention passes over, and gradients of rows that a
    network is sure of. Each operation with one takes a processor many times as long: late in the published training of
    AD-CNN steps took nearly twice the time. Threads that share torch's work keep their own way, so one thread a
    training gains most. Also a decorator.

    >>> tiny = torch.tensor(1e-30, dtype=torch.float32)
    >>> with denormals_flushed():
    ...     inside = float(tiny * 1e-10)
    >>> inside, float(tiny * 1e-10) > 0
    (0.0, True)
    """
    torch.ones(_SHARED, dtype=torch.float32).add(1)  # threads that torch starts inside would inherit it, and keep it
    before = flushing()
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def flushing() -> bool:
    """Whether this thread counts such numbers as 0; torch sets it but does not tell."""
    return float(torch.tensor(1e-30, dtype=torch.float32, device="cpu") * 1e-10) == 0.0
