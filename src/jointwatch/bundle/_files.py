"""What every stored file shares: one spelling of its JSON, a digest of it, and replacing that outlives a power cut."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

__all__ = ["canonical", "digest", "replace"]


def canonical(content: Any) -> bytes:
    """The one spelling of a JSON document: sorted keys, ASCII, no NaN or infinity (`ValueError`)."""
    return json.dumps(content, sort_keys=True, indent=1, allow_nan=False).encode()


def digest(content: dict[str, Any]) -> str:
    """SHA-256 of a JSON document, whatever the order of its keys and its white space."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def replace(path: Path, data: bytes) -> None:
    """Write a file so that at any moment the old or the new one is there, whole."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
