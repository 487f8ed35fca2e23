"""What `jointwatch study` leaves behind: results.json, tables, figures, and one page with all of it."""

from __future__ import annotations

import importlib
import json
import pkgutil
from pathlib import Path
from types import ModuleType

import polars as pl

from jointwatch.reports import by_study
from jointwatch.reports.study_figures import study_figures
from jointwatch.reports.study_page import render_study
from jointwatch.reports.tables import markdown_table
from jointwatch.studies.base import Results

__all__ = ["write_study"]

_TABLE_ONLY = ("wins", "losses", "ties")  # counts of pairs say more in a table


def write_study(results: Results, out: Path) -> list[Path]:
    """Write results.json, table.md, one CSV for each table of details, the figures and report.html; returns their
    paths."""
    out.mkdir(parents=True, exist_ok=True)
    content = results.to_dict()
    rows = content["rows"]
    own = _own(results.study)
    blocks = own.blocks(rows) if own and hasattr(own, "blocks") else [rows]
    paths = [out / "results.json", out / "table.md"]
    paths[0].write_text(json.dumps(content, indent=1, allow_nan=False), encoding="utf-8")
    notes = "".join(f"- {note}\n" for note in results.notes)
    tables = "\n\n".join(markdown_table(block) for block in blocks)
    paths[1].write_text(f"# {results.study}\n\n{tables}\n\n{notes}", encoding="utf-8")
    for name, records in results.details.items():
        paths.append(out / f"{name}.csv")
        pl.DataFrame(records, infer_schema_length=None).write_csv(paths[-1])
    figures = own.figures(results, out) if own else []
    drawn = own.drawn(rows) if own and hasattr(own, "drawn") else rows
    figures += study_figures([row for row in drawn if not row["metric"].startswith(_TABLE_ONLY)], out)
    page = out / "report.html"
    page.write_text(render_study(results, blocks, figures, getattr(own, "CAPTIONS", None)), encoding="utf-8")
    return [*paths, *figures, page]


def _own(study: str) -> ModuleType | None:
    """The module of `by_study` that is named like the study."""
    stem = study.replace("-", "_")
    there = {module.name for module in pkgutil.iter_modules(by_study.__path__)}
    return importlib.import_module(f"{by_study.__name__}.{stem}") if stem in there else None
