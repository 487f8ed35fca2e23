"""Figures and tables of studies: what is in the rows is on them, whatever is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jointwatch.reports.study_figures import interval_figure, label_figure, study_figures
from jointwatch.reports.tables import markdown_table


def row(method: str, metric: str = "auroc", mean: float | None = 0.8, labels: str = "", **more: Any) -> dict[str, Any]:
    ends = {"low": None, "high": None} if mean is None else {"low": mean - 0.1, "high": mean + 0.05}
    base = {
        "method": method,
        "split": "unit",
        "source": "a",
        "target": "b",
        "labels": labels,
        "metric": metric,
        "mean": mean,
    }
    return {**base, **ends, "n": 10, "seeds": 5, **more}


def test_each_metric_is_drawn_as_png_and_svg(tmp_path: Path) -> None:
    rows = [
        row("knn"),
        row("pca", mean=0.7),
        row("knn", "false alarms / min", 2.0),
        row("pca", "false alarms / min", None),
    ]
    paths = study_figures(rows, tmp_path / "out")
    assert [path.name for path in paths] == [
        "auroc.png", "auroc.svg", "false_alarms_min.png", "false_alarms_min.svg",
    ]  # fmt: skip
    assert all(path.stat().st_size > 2_000 for path in paths)


def test_the_same_rows_give_the_same_files(tmp_path: Path) -> None:
    first, second = (study_figures([row("knn")], tmp_path / name) for name in ("a", "b"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_dots_and_intervals_are_where_the_rows_say() -> None:
    figure = interval_figure([row("knn"), row("pca", mean=0.6, split="session"), row("knn", split="session")], "auroc")
    unit, session = figure.axes
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["unit", "session"]
    assert [tick.get_text() for tick in unit.get_yticklabels()] == ["knn", "pca"]
    interval, dot = (line.get_xdata() for line in unit.get_lines())
    assert [round(float(x), 6) for x in interval] == [0.7, 0.85]
    assert float(dot[0]) == 0.8
    assert sorted(float(line.get_xdata()[0]) for line in session.get_lines()[1::2]) == [0.6, 0.8]


def test_a_curve_against_labels_is_drawn_where_labels_vary(tmp_path: Path) -> None:
    rows = [row("tune", mean=0.6 + 0.1 * i, labels=str(n)) for i, n in enumerate((1, 4, 16))] + [
        row("target-only", labels="0")
    ]
    names = [path.stem for path in study_figures(rows, tmp_path)]
    assert "auroc_against_labels" in names
    figure = label_figure(rows, "auroc")
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["target-only (0)", "tune"]
    most = interval_figure(rows, "auroc").axes[0]
    assert [tick.get_text() for tick in most.get_yticklabels()] == ["tune (16)", "target-only (0)"]


@pytest.mark.parametrize(("metric", "kept"), [("auroc", "m9"), ("median delay (s)", "m0")])
def test_of_many_methods_the_best_are_drawn_and_the_rest_counted(metric: str, kept: str) -> None:
    rows = [row(f"m{i}", metric, 0.1 * i + 0.01 * n, str(n)) for i in range(10) for n in (1, 2)]
    legend = label_figure(rows, metric).legends[0]
    assert kept in [text.get_text() for text in legend.get_texts()]
    assert legend.get_title().get_text() == "3 worse ones not drawn"


def test_nothing_to_draw_draws_nothing(tmp_path: Path) -> None:
    assert study_figures([row("knn", mean=None)], tmp_path) == []
    assert markdown_table([]) == "No result."


def test_the_table_has_every_figure_with_its_interval() -> None:
    rows = [row("knn"), row("knn", "recall", 0.5), row("a|b", mean=None, n=12), row("knn", split="session", mean=0.9)]
    text = markdown_table(rows)
    lines = text.splitlines()
    assert lines[0] == "learned on: a; used on: b; n: 10 to 12; seeds: 5"
    assert lines[2] == "| method | split | auroc | recall |"
    assert "| knn | unit | 0.8 [0.7, 0.85] | 0.5 [0.4, 0.55] |" in lines
    assert "| a\\|b | unit | - | - |" in lines
    assert "| knn | session | 0.9 [0.8, 0.95] | - |" in lines
    assert "recall" not in markdown_table(rows, metrics=["auroc"])
