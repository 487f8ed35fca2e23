"""MATLAB files of versions 4 to 7.2: what they hold, and reading them with our errors."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

from scipy.io import loadmat, whosmat
from scipy.io.matlab import MatReadError

from jointwatch.core.errors import CorruptInput

__all__ = ["read_matlab", "variable_names"]

# What the reader raises on files that are cut short, of another version (7.3 is HDF5) or no MATLAB file at all.
_UNREADABLE = (
    MatReadError,
    NotImplementedError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    OSError,
    zlib.error,
)


def variable_names(path: Path) -> frozenset[str]:
    """Names of the variables in a `.mat` file, without their values; empty for anything else."""
    if path.suffix.lower() != ".mat" or not path.is_file():
        return frozenset()
    try:
        return frozenset(name for name, _, _ in whosmat(path))
    except _UNREADABLE:
        return frozenset()


def read_matlab(path: Path) -> dict[str, Any]:
    """Name -> value of every variable. Errors: `CorruptInput`."""
    try:
        return {name: value for name, value in loadmat(path).items() if not name.startswith("__")}
    except _UNREADABLE as error:
        raise CorruptInput(f"is no readable MATLAB file ({error})", file=path, remedy="download it again") from error
