"""Many rows a few at a time, so that memory does not grow with them."""

from __future__ import annotations

__all__ = ["slices"]


def slices(count: int, size: int) -> list[slice]:
    """`count` rows in slices of `size`, in order; the last one may be shorter.

    >>> slices(5, 2)
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    >>> slices(0, 2)
    []
    """
    return [slice(first, min(first + size, count)) for first in range(0, count, size)]
