"""Spreadsheets as rows of cells."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jointwatch.core.errors import CorruptInput, EmptyInput, MissingExtra

__all__ = ["holds_texts", "read_sheet"]

_TEXTS_PART = "xl/sharedstrings.xml"
_TEXTS_BYTES = 1 << 23


def holds_texts(path: Path, texts: Iterable[str]) -> bool:
    """Whether a spreadsheet has cells with all these texts; the sheets themselves are not read, and nothing is raised.

    Cell texts are stored once, apart from the cells, so this is cheap.
    """
    if path.suffix.lower() != ".xlsx" or not path.is_file():
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            part = next((name for name in archive.namelist() if name.lower() == _TEXTS_PART), None)
            if part is None:
                return False
            with archive.open(part) as file:
                stored = file.read(_TEXTS_BYTES)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError):
        return False
    return all(text.encode() in stored for text in texts)


def read_sheet(path: Path, name: str | None = None) -> list[list[Any]]:
    """Rows of one sheet (default: the first), header included.

    Errors: `CorruptInput`, `EmptyInput`, `MissingExtra`.
    """
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ModuleNotFoundError as error:
        raise MissingExtra("python_calamine", extra="io") from error
    try:
        book = CalamineWorkbook.from_path(str(path))
        rows: list[list[Any]] = book.get_sheet_by_name(name or book.sheet_names[0]).to_python()
    except (CalamineError, zipfile.BadZipFile, ValueError, IndexError) as error:
        raise CorruptInput(f"is no readable spreadsheet ({error})", file=path, remedy="download it again") from error
    if not rows:
        raise EmptyInput("the sheet holds no rows", file=path, remedy="save it again")
    return rows
