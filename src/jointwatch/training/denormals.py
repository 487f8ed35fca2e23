"""Numbers too small to be held in full, which make processors crawl, counted as zero while a network is trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["denormals_flushed", "flushing"]


@contextmanager
def denormals_flushed() -> Iterator[None]:
    """Inside, float32 numbers below 1.2e-38 count as 0 in this thread; after, all is as it was.

    The more surely a network knows its training data, the smaller are its gradients; their squares, which Adam keeps,
    pass below what float32 holds in full. Each operation with such a number takes a processor many times as long, and
    it changes nothing: Adam adds 1e-8 to its root. Threads that torch has started already keep their own way. Also a
    decorator.

    >>> tiny = torch.tensor(1e-30)
    >>> with denormals_flushed():
    ...     inside = float(tiny * 1e-10)
    >>> inside, float(tiny * 1e-10) > 0
    (0.0, True)
    """
    before = flushing()
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def flushing() -> bool:
    """Whether this thread counts such numbers as 0; torch sets it but does not tell."""
    return float(torch.tensor(1e-30) * 1e-10) == 0.0
