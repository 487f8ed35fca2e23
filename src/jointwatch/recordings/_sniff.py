"""Cheap looks at a file for `recognises`: its first line, never the whole of it, and never an error."""

from __future__ import annotations

from pathlib import Path

__all__ = ["all_numbers", "first_fields"]

_HEAD_BYTES = 1 << 16


def first_fields(path: Path, suffix: str = ".csv") -> list[str]:
    """Comma-separated cells of the first line, stripped; empty for anything that is no such text file."""
    if path.suffix.lower() != suffix:
        return []
    try:
        if not path.is_file():
            return []
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return []
    if b"\0" in head:
        return []
    lines = head.decode("utf-8-sig", errors="replace").splitlines()
    return [cell.strip().strip('"') for cell in lines[0].split(",")] if lines else []


def all_numbers(cells: list[str]) -> bool:
    """Whether every cell is a number.

    >>> all_numbers(["1", "-2.5e3"]), all_numbers(["time", "1"]), all_numbers([])
    (True, False, False)
    """
    try:
        return bool([float(cell) for cell in cells])
    except ValueError:
        return False
