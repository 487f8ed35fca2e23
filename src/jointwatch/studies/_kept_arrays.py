"""Arrays a study keeps on disk between its steps."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

__all__ = ["keep"]


def keep(file: Path, **arrays: np.ndarray) -> None:
    """Write arrays by name into one `.npz`, whole or not at all: a killed study leaves no half of one under that name.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> keep(folder / "cycles.npz", values=np.arange(3))
    >>> [one.name for one in folder.iterdir()]
    ['cycles.npz']
    >>> np.load(folder / "cycles.npz")["values"].tolist()
    [0, 1, 2]
    """
    partial_file = file.with_name(f"{file.stem}.{os.getpid()}.part.npz")
    try:
        np.savez(partial_file, allow_pickle=False, **arrays)
        partial_file.replace(file)
    finally:
        partial_file.unlink(missing_ok=True)
