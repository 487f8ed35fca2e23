"""Draws depend on their key alone."""

from __future__ import annotations

import pytest
import torch

from jointwatch.core.errors import UsageError
from jointwatch.training.seed import generator, seeded


def test_keys_do_not_collide() -> None:
    keys = [(0,), (0, 0), (0, 0, 0), (1,), (1, 0), (0, 1), (1, 0, 0), (0, 1, 0)]
    assert len({generator(*key).random() for key in keys}) == len(keys)


def test_the_global_generator_is_restored_even_after_an_error() -> None:
    before = torch.get_rng_state()
    with pytest.raises(RuntimeError), seeded(5):
        torch.rand(3).reshape(2)
    assert torch.equal(before, torch.get_rng_state())


def test_negative_seeds_are_refused() -> None:
    with pytest.raises(UsageError):
        generator(0, -1)
    with pytest.raises(UsageError), seeded(-1):
        pass
