"""Pictures of classifiers: bars, bands, cells and attention are where the numbers say, and gaps stay gaps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from jointwatch.reports.paper_figures import attention_map, confusion_matrix, curves_with_bands, grouped_bars, heat_map
from jointwatch.reports.study_figures import save


def row(method: str, metric: str, mean: float | None, half: float | None = 0.05, **more: Any) -> dict[str, Any]:
    ends = (None, None) if mean is None or half is None else (mean - half, mean + half)
    return {"method": method, "metric": metric, "mean": mean, "low": ends[0], "high": ends[1], **more}


def texts(figure: Figure, panel: int = 0) -> list[str]:
    return [text.get_text() for text in figure.axes[panel].texts]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_group_of_bars_a_metric_with_values_and_intervals() -> None:
    rows = [row(m, k, x) for k in ("recall", "F1") for m, x in (("CNN", 0.7), ("D-CNN", 0.85))]
    figure = grouped_bars([*rows, row("LSTM", "recall", 0.62, None), row("LSTM", "F1", None)])
    axis = figure.axes[0]
    assert [tick.get_text() for tick in axis.get_xticklabels()] == ["recall", "F1"]
    assert legend(figure) == ["CNN", "D-CNN", "LSTM"]
    bars = sorted((bar.get_x() + bar.get_width() / 2, bar.get_height()) for bar in axis.patches)
    assert [height for _, height in bars] == pytest.approx([0.7, 0.85, 0.62, 0.7, 0.85])
    assert all(abs(x - round(x)) < 0.45 for x, _ in bars)
    intervals = [line.get_segments()[0][:, 1] for line in axis.collections]
    assert len(intervals) == 4
    np.testing.assert_allclose(intervals[0], [0.65, 0.75])
    assert sorted(texts(figure)) == [".62", ".70", ".70", ".85", ".85"]


def test_bars_of_a_panel_are_those_with_its_title() -> None:
    rows = [
        row(m, "recall", x, split=s) for s, m, x in (("random", "CNN", 0.9), ("unit", "CNN", 0.6), ("unit", "FCN", 0.5))
    ]
    figure = grouped_bars(rows, panel="split")
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["random", "unit"]
    assert [texts(figure, panel) for panel in (0, 1)] == [[".90"], [".60", ".50"]]
    assert legend(figure) == ["CNN", "FCN"]


def test_a_negative_value_is_drawn_and_written() -> None:
    figure = grouped_bars([row("CNN", "MCC", -0.12), row("CNN", "delay", 10.5)], low=-0.2, high=12)
    assert texts(figure) == ["-.12", "10.50"]
    assert [bar.get_height() for bar in figure.axes[0].patches] == pytest.approx([-0.12, 10.5])
    assert {bar.get_y() for bar in figure.axes[0].patches} == {0.0}


def test_curves_have_their_band_and_a_lone_point_is_a_level() -> None:
    rows = [row("frozen", k, 0.6 + 0.3 * s, share=s) for k in ("recall", "F1") for s in (1.0, 0.1, 0.5)]
    figure = curves_with_bands([*rows, *(row("source", k, 0.5, share=0.0) for k in ("recall", "F1"))])
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["recall", "F1"]
    assert legend(figure) == ["frozen", "source"]
    line, level = figure.axes[0].get_lines()
    np.testing.assert_allclose(line.get_xdata(), [10, 50, 100])
    np.testing.assert_allclose(line.get_ydata(), [0.63, 0.75, 0.9])
    assert set(level.get_ydata()) == {0.5}
    (band,) = figure.axes[0].collections
    corners = band.get_paths()[0].vertices
    assert {round(float(y), 6) for x, y in corners if x == 50} == {0.7, 0.8}
    assert [tick.get_text() for tick in figure.axes[1].get_xticklabels()] == ["10", "50", "100"]


def test_cells_show_value_interval_gap_and_frame() -> None:
    values = np.array([[0.9, 0.5], [np.nan, 0.8]])
    figure = heat_map(
        {"F1": values, "recall": values / 2},
        ["axis 1", "axis 2"],
        ["axis 1", "axis 2"],
        row_label="learned on",
        column_label="used on",
        value_label="F1",
        ends={"F1": (values - 0.1, values + 0.05), "recall": (values - 0.1, np.full((2, 2), np.nan))},
        frame=[(0, 0), (1, 1)],
    )
    assert texts(figure) == ["0.90", "0.80–0.95", "0.50", "0.40–0.55", "–", "0.80", "0.70–0.85"]
    assert texts(figure, 1) == ["0.45", "0.25", "–", "0.40"]
    first, second = figure.axes[:2]
    assert first.images[0].get_clim() == second.images[0].get_clim() == (0.25, 0.9)
    assert [patch.get_xy() for patch in first.patches] == [(-0.48, -0.46), (0.52, 0.54)]
    colours = {text.get_text(): text.get_color() for text in first.texts}
    assert (colours["0.90"], colours["0.50"]) == ("white", "black")


def test_confusions_show_counts_and_shares_of_the_row() -> None:
    figure = confusion_matrix(np.array([[996, 4], [30, 1070]]), ["healthy", "worn"], title="axis 6")
    assert texts(figure) == ["100 %", "996", "< 1 %", "4", "3 %", "30", "97 %", "1,070"]
    np.testing.assert_allclose(figure.axes[0].images[0].get_array().sum(axis=1), 1.0)
    assert figure.axes[0].get_title(loc="left") == "axis 6\n98.4 % right"
    never = confusion_matrix(np.array([[5, 0], [0, 0]]), ["healthy", "worn"])
    assert texts(never) == ["100 %", "5"]


def test_attention_is_shown_beside_the_map_as_a_multiple_of_the_even_share() -> None:
    features = ["torque:mean", "torque:std", "current:mean"]
    values = np.random.default_rng(0).standard_normal((8, 3))
    attended = np.full((8, 3), 1 / 24)
    attended[2, 1] *= 4
    figure = attention_map(values, attended, features, block_s=0.2)
    left, right = figure.axes[:2]
    np.testing.assert_allclose(left.images[0].get_array(), values.T)
    shown = right.images[0].get_array()
    assert shown.mean() == pytest.approx(1.0)
    assert np.unravel_index(shown.argmax(), shown.shape) == (1, 2)
    assert [tick.get_text() for tick in left.get_yticklabels()] == features
    assert left.get_xlim() == (0.0, pytest.approx(1.6))
    low, high = left.images[0].get_clim()
    assert low == -high
    assert attention_map(values, attended, features).axes[0].get_xlabel() == "block"


def test_every_kind_can_be_saved_and_nothing_is_no_error(tmp_path: Path) -> None:
    lone = np.full((2, 2), np.nan)
    empty = heat_map({"": lone}, ["a", "b"], ["c", "d"], row_label="", column_label="", value_label="")
    for i, figure in enumerate((grouped_bars([]), curves_with_bands([]), empty)):
        assert all(path.stat().st_size > 500 for path in save(figure, tmp_path / str(i)))
