"""Seeds without side effects: every random draw has its own generator, torch's global one is put back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from jointwatch.core.errors import UsageError

__all__ = ["generator", "seeded"]


def generator(*key: int) -> np.random.Generator:
    """Random generator of a key such as (seed, epoch, step): the same key, the same draws, in any order of calls.

    Errors: `UsageError` for negative numbers.

    >>> generator(0, 3).random() == generator(0, 3).random()
    True
    >>> generator(0, 3).random() == generator(0, 4).random()
    False
    """
    if any(number < 0 for number in key):
        raise UsageError(f"seeds are whole numbers from 0, got {key}")
    return np.random.default_rng((len(key), *key))  # without the length (1,) and (1, 0) would be one


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Torch's global generators start from `seed` inside (initial weights, dropout) and are restored after.

    >>> import torch
    >>> before = torch.get_rng_state()
    >>> with seeded(0):
    ...     first = torch.rand(2)
    >>> with seeded(0):
    ...     bool((first == torch.rand(2)).all())
    True
    >>> bool((before == torch.get_rng_state()).all())
    True
    """
    if seed < 0:
        raise UsageError(f"seeds are whole numbers from 0, got {seed}")
    import torch  # what draws with numpy alone works without it

    cpu = torch.get_rng_state()
    gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    try:
        torch.manual_seed(seed)
        yield
    finally:
        torch.set_rng_state(cpu)
        if gpus:
            torch.cuda.set_rng_state_all(gpus)
