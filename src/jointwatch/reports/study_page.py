"""The page of a study: its notes, figures and tables in one self-contained HTML file."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jointwatch.core import catalog
from jointwatch.reports import words
from jointwatch.reports._jinja import environment
from jointwatch.reports.tables import study_table
from jointwatch.studies.base import Results

__all__ = ["render_study"]

_LARGEST_SVG = 1_500_000  # bytes; what has more strokes than that is shown as pixels
_SHOWN_RECORDS = 25


@dataclass(frozen=True)
class _Picture:
    title: str
    source: str


@dataclass(frozen=True)
class _Records:
    """The first lines of a table of details."""

    name: str
    header: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    more: int


def render_study(
    results: Results,
    blocks: Sequence[Sequence[Mapping[str, Any]]],
    figures: Sequence[Path],
    captions: Mapping[str, str] | None = None,
) -> str:
    """The page as text; the same results and figures give the same text.

    Parameters
    ----------
    blocks : rows of the results that share a table, as in `Results.to_dict`.
    figures : files that were drawn, .png with .svg beside it; each picture is taken once, as SVG if it is small.
    captions : stem of a figure's file -> what it shows; default the stem's words.
    """
    stem = results.study.replace("-", "_")
    about = catalog.describe("studies").get(stem, "")
    pictures = [_picture(path, captions or {}) for path in figures if path.suffix == ".png"]
    return (
        environment()
        .get_template("study.html.j2")
        .render(
            results=results,
            about=about,
            facts=_facts(results),
            pictures=pictures,
            tables=[study_table(block) for block in blocks if block],
            details=[_records(name, records) for name, records in results.details.items() if records],
        )
    )


def _picture(png: Path, captions: Mapping[str, str]) -> _Picture:
    svg = png.with_suffix(".svg")
    drawn = svg.is_file() and svg.stat().st_size <= _LARGEST_SVG
    kind, data = ("svg+xml", svg.read_bytes()) if drawn else ("png", png.read_bytes())
    title = captions.get(png.stem, png.stem.replace("_", " "))
    return _Picture(title, f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}")


def _facts(results: Results) -> str:
    seeds = sorted({row.seeds for row in results.rows})
    spread = "" if not seeds else f"{seeds[0]}" if seeds[0] == seeds[-1] else f"{seeds[0]} to {seeds[-1]}"
    parts = [
        words.counted(len(results.rows), "result"),
        f"{spread} {'seed' if spread == '1' else 'seeds'}" if spread else "",
        f"jointwatch {results.version}" if results.version else "",
        f"computed in {words.duration(results.seconds)}",
    ]
    return ", ".join(part for part in parts if part)


def _records(name: str, records: Sequence[Mapping[str, Any]]) -> _Records:
    header = tuple(dict.fromkeys(key for record in records for key in record))
    lines = tuple(tuple(_cell(record.get(key)) for key in header) for record in records[:_SHOWN_RECORDS])
    return _Records(name, header, lines, len(records) - len(lines))


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
