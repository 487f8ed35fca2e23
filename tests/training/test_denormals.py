"""Denormal numbers count as zero inside and only inside, whatever threads torch has started."""

from __future__ import annotations

import subprocess
import sys

import torch

from jointwatch.training.denormals import denormals_flushed, flushing

MANY = """
import torch
from jointwatch.training.denormals import denormals_flushed
torch.set_num_threads(2)
tiny = torch.full((1 << 22,), 1e-30)
with denormals_flushed():
    (tiny * 1e-10)
print(int((tiny * 1e-10 == 0).sum()))
"""


def test_callers_own_choice_is_put_back() -> None:
    torch.set_flush_denormal(True)
    try:
        with denormals_flushed():
            assert flushing()
        assert flushing()
    finally:
        torch.set_flush_denormal(False)
    assert not flushing()


def test_it_is_told_whatever_the_default_type() -> None:
    torch.set_default_dtype(torch.float64)
    try:
        with denormals_flushed():
            assert flushing()
        assert not flushing()
    finally:
        torch.set_default_dtype(torch.float32)


def test_threads_that_torch_starts_do_not_keep_it() -> None:
    """In a process of its own, where none has been started yet."""
    found = subprocess.run([sys.executable, "-c", MANY], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "0"
