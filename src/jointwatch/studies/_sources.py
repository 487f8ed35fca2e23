"""Which code the steps of a study were computed by."""

from __future__ import annotations

import hashlib
from pathlib import Path

import jointwatch

__all__ = ["sources_digest"]

_ROOT = Path(jointwatch.__file__).parent
_PACKAGES = ("signals", "windows", "features", "diagnosis", "models", "training", "transfer", "detectors", "selection")


def sources_digest() -> str:
    """Of every source file between recordings and what is learned of them: names and contents.

    Not of the readers, nor of the studies themselves, whose rules `revision` counts.
    """
    digest = hashlib.sha256()
    for package in _PACKAGES:
        for file in sorted((_ROOT / package).rglob("*.py")):
            for part in (file.relative_to(_ROOT).as_posix().encode(), file.read_bytes()):
                digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()
