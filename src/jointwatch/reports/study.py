"""What `jointwatch study` leaves behind: results.json, tables and figures."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from jointwatch.reports.study_figures import study_figures
from jointwatch.reports.tables import markdown_table
from jointwatch.studies.base import Results

__all__ = ["write_study"]


def write_study(results: Results, out: Path) -> list[Path]:
    """Write results.json, table.md, one CSV for each table of details, and the figures; returns their paths."""
    out.mkdir(parents=True, exist_ok=True)
    content = results.to_dict()
    paths = [out / "results.json", out / "table.md"]
    paths[0].write_text(json.dumps(content, indent=1, allow_nan=False), encoding="utf-8")
    notes = "".join(f"- {note}\n" for note in results.notes)
    text = f"# {results.study}\n\n{markdown_table(content['rows'])}\n\n{notes}"
    paths[1].write_text(text, encoding="utf-8")
    for name, records in results.details.items():
        paths.append(out / f"{name}.csv")
        pl.DataFrame(records, infer_schema_length=None).write_csv(paths[-1])
    return paths + study_figures(content["rows"], out)
