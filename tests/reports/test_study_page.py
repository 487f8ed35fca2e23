"""The files of a study: what its own module says is followed, and one page holds all of it and needs nothing else."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jointwatch.core import catalog
from jointwatch.reports import by_study
from jointwatch.reports.study import write_study
from jointwatch.reports.tables import blocks_by_metrics, study_table
from jointwatch.studies.base import Results, Row

NAN = float("nan")


@pytest.fixture
def results() -> Results:
    """Three rows of a study without figures of its own, and a long table of details."""
    rows = (
        Row("knn", "unit out", "axis1", "axis2", "", "AUROC", 0.81, 0.7, 0.9, 12, 3),
        Row("a <b> & c", "unit out", "axis1", "axis2", "", "AUROC", NAN, NAN, NAN, 12, 3),
        Row("knn", "unit out", "axis1", "axis2", "", "recall", 0.5, 0.4, 0.6, 12, 3),
    )
    details = {"runs": [{"unit": f"u{i}", "score": i / 3, "note": None} for i in range(40)], "none": []}
    notes = ("x < y is not for quoting", "second note")
    return Results("collision-transfer", "0.9", 75.0, rows, notes, {"runs": details["runs"]})


def test_the_page_holds_notes_figures_and_tables(
    results: Results, tmp_path: Path, parse_html: Callable[[str], Any]
) -> None:
    paths = write_study(results, tmp_path)
    assert [path.name for path in paths] == [
        "results.json", "table.md", "runs.csv", "auroc.png", "auroc.svg", "recall.png", "recall.svg", "report.html",
    ]  # fmt: skip
    assert all(path.is_file() for path in paths)
    text = paths[-1].read_text()
    page = parse_html(text)
    assert page.text.index("x < y is not for quoting") < page.text.index("0.81 [0.7, 0.9]")
    for told in ("a <b> & c", "collision-transfer", "3 seeds", "1 min 15 s", "jointwatch 0.9", "15 more lines"):
        assert told in page.text, told
    images = page.having("img")
    assert [image["alt"] for image in images] == ["Figure: auroc", "Figure: recall"]
    assert all(str(image["src"]).startswith("data:image/svg+xml;base64,") for image in images)
    assert "http" not in text.replace("http-equiv", "")
    assert not page.having("script")
    first = paths[-1].read_bytes()
    assert write_study(results, tmp_path)[-1].read_bytes() == first


def test_a_picture_with_very_many_strokes_is_shown_as_pixels(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parse_html: Callable[[str], Any]
) -> None:
    monkeypatch.setattr("jointwatch.reports.study_page._LARGEST_SVG", 10)
    page = parse_html(write_study(results, tmp_path)[-1].read_text())
    assert all(str(image["src"]).startswith("data:image/png;base64,") for image in page.having("img"))


def test_a_study_without_result_says_so(results: Results, tmp_path: Path, parse_html: Callable[[str], Any]) -> None:
    empty = replace(results, rows=(), notes=(), details={})
    paths = write_study(empty, tmp_path)
    assert [path.name for path in paths] == ["results.json", "table.md", "report.html"]
    assert "No result." in parse_html(paths[-1].read_text()).text


@pytest.mark.parametrize(
    "name", [module.name for module in pkgutil.iter_modules(by_study.__path__) if not module.name.startswith("_")]
)
def test_every_module_of_own_figures_belongs_to_a_study_and_offers_them(name: str) -> None:
    module = importlib.import_module(f"{by_study.__name__}.{name}")
    assert name in catalog.names("studies")
    assert callable(module.figures)
    assert "figures" in module.__all__


def test_what_a_study_says_of_rows_captions_and_tables_is_followed(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parse_html: Callable[[str], Any]
) -> None:
    own = importlib.import_module("jointwatch.reports.by_study.difficulty")
    monkeypatch.setattr(own, "CAPTIONS", {"recall": "what is found"})
    monkeypatch.setattr(own, "drawn", lambda rows: [row for row in rows if row["metric"] == "recall"])
    paths = write_study(replace(results, study="difficulty"), tmp_path)
    assert [path.name for path in paths if path.suffix == ".svg"] == ["recall.svg"]
    page = parse_html(paths[-1].read_text())
    assert "what is found" in page.text
    assert len(page.having("table", **{"class": "results"})) == 2 + 1  # and the details
    assert paths[1].read_text().count("| method |") == 2


def test_lines_with_the_same_metrics_share_a_table(results: Results) -> None:
    rows = results.to_dict()["rows"]
    blocks = blocks_by_metrics(rows)
    assert [[row["method"] for row in block] for block in blocks] == [["knn", "knn"], ["a <b> & c"]]
    table = study_table(blocks[0])
    assert (table.header, table.keys, table.lines) == (
        ("method", "AUROC", "recall"),
        1,
        (("knn", "0.81 [0.7, 0.9]", "0.5 [0.4, 0.6]"),),
    )
