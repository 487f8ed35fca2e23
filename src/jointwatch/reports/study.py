"""What `jointwatch study` leaves behind: results.json, tables and figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from jointwatch.reports.difficulty_figures import difficulty_figures
from jointwatch.reports.realism_figures import realism_figures
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
    blocks = _blocks(content["rows"]) if results.study == "difficulty" else [content["rows"]]
    tables = "\n\n".join(markdown_table(block) for block in blocks)
    text = f"# {results.study}\n\n{tables}\n\n{notes}"
    paths[1].write_text(text, encoding="utf-8")
    for name, records in results.details.items():
        paths.append(out / f"{name}.csv")
        pl.DataFrame(records, infer_schema_length=None).write_csv(paths[-1])
    rows = content["rows"]
    if results.study == "difficulty":
        return paths + difficulty_figures(results.details, out)
    if results.study == "realism":  # what is in amperes differs from set to set: only ratios share an axis
        paths += realism_figures(results.details["curves"], out)
        rows = [row for row in rows if row["metric"].endswith("ratio") or "AUC" in row["metric"]]
    return paths + study_figures(rows, out)


def _blocks(rows: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Rows of lines with the same metrics together, so that no table is mostly dashes."""
    lines: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        lines.setdefault(tuple(str(row[key]) for key in ("method", "split", "source", "target", "labels")), []).append(
            row
        )
    blocks: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for line in lines.values():
        blocks.setdefault(tuple(str(row["metric"]) for row in line), []).extend(line)
    return list(blocks.values())
