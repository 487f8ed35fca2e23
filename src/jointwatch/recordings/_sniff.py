"""Cheap looks at a file for `recognises`: its first line, never the whole of it, and never an error."""

from __future__ import annotations

from pathlib import Path

from jointwatch.recordings._csv_dialect import first_line

__all__ = ["all_numbers", "first_fields", "starts_with"]


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


def starts_with(source: Path, suffixes: tuple[str, ...], magic: bytes) -> bool:
    """Whether a file has one of the suffixes and begins with the format's magic bytes."""
    if source.suffix.lower() not in suffixes or not source.is_file():
        return False
    try:
        with source.open("rb") as file:
            return file.read(len(magic)) == magic
    except OSError:
        return False
