"""Cheap looks at a file for `recognises`: its first line, never the whole of it, and never an error."""

from __future__ import annotations

from pathlib import Path

from jointwatch.recordings._csv_dialect import first_line

__all__ = ["all_numbers", "first_fields"]


def first_fields(path: Path, suffix: str = ".csv") -> list[str]:
    """Comma-separated cells of the first line, stripped; empty for anything that is no such text file."""
    if path.suffix.lower() != suffix or not path.is_file():
        return []
    line = first_line(path)
    return [cell.strip().strip('"') for cell in line.split(",")] if line else []


def all_numbers(cells: list[str]) -> bool:
    """Whether every cell is a number.

    >>> all_numbers(["1", "-2.5e3"]), all_numbers(["time", "1"]), all_numbers([])
    (True, False, False)
    """
    try:
        return bool([float(cell) for cell in cells])
    except ValueError:
        return False
