"""Which code the steps of a study were computed by."""

from __future__ import annotations

import hashlib
from pathlib import Path

import jointwatch

__all__ = ["sources_digest"]

_ROOT = Path(jointwatch.__file__).parent
_PACKAGES = ("windows", "features", "diagnosis", "models", "training", "transfer")


def sources_digest() -> str:
    """Of every source file that what is learned rests on: names and contents."""
    digest = hashlib.sha256()
    for package in _PACKAGES:
        for file in sorted((_ROOT / package).rglob("*.py")):
            for part in (file.relative_to(_ROOT).as_posix().encode(), file.read_bytes()):
                digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()
