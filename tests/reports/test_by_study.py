"""Figures of the studies of transfer: each cell, line and bar is that of its record, and what did not run is a gap."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from jointwatch.reports.by_study import actuator_transfer, axis_matrix, axis_transfer, axis_units, servo_transfer
from jointwatch.studies._actuator_methods import ALONE, CARRIED, INSIDE, Method
from jointwatch.studies._axis_methods import DEFAULT
from jointwatch.studies._strokes import PROFILE
from jointwatch.studies._trees import ORACLE, TREES
from jointwatch.studies.base import Results, Row

METRICS = ("accuracy", "precision", "recall", "F1", "balanced accuracy", "MCC")


def ends(mean: float) -> dict[str, float]:
    return {"mean": mean, "low": mean - 0.02, "high": mean + 0.01}


def texts(figure: Figure, panel: int = 0) -> list[str]:
    return [text.get_text() for text in figure.axes[panel].texts]


def titles(figure: Figure, panels: int) -> list[str]:
    return [axis.get_title(loc="left") for axis in figure.axes[:panels]]


def ticks(figure: Figure) -> list[str]:
    return [tick.get_text().replace("\n", " ") for tick in figure.axes[0].get_xticklabels()]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def grid(shares: Iterable[float] = (0.1, 0.5, 1.0)) -> list[dict[str, Any]]:
    """Accuracy 0.5 + 0.2 x source share + 0.1 x target share; other scores 0.1 less."""
    return [
        {
            "method": "AD-CNN, transfer" if much else "AD-CNN, target alone",
            "split": "unit",
            "source share": much,
            "target share": few,
            "metric": metric,
            **ends(0.5 + 0.2 * much + 0.1 * few - 0.1 * (metric != "accuracy")),
        }
        for much in (0.0, *shares)
        for few in shares
        for metric in METRICS
    ]


def test_a_line_for_each_share_of_the_target_and_its_level_alone_in_the_same_colour() -> None:
    figure = axis_transfer.curves_figure(grid())
    assert titles(figure, 4) == ["accuracy", "precision", "recall", "F1"]
    shares = ("10 % of target", "50 % of target", "100 % of target")
    assert legend(figure) == [*shares, *(f"{share} alone" for share in shares)]
    lines = figure.axes[0].get_lines()
    np.testing.assert_allclose(lines[1].get_xdata(), [10, 50, 100])
    np.testing.assert_allclose(lines[1].get_ydata(), [0.57, 0.65, 0.75])
    np.testing.assert_allclose(lines[4].get_ydata(), 0.55)
    handles = figure.legends[0].legend_handles
    for drawn in (lines, handles):
        colours = [to_hex(line.get_color()) for line in drawn]
        assert colours[:3] == colours[3:]
        assert len(set(colours)) == 3
    many = axis_transfer.curves_figure(grid([k / 10 for k in range(1, 11)]))
    assert [name.partition(" ")[0] for name in legend(many)] == ["10", "20", "50", "100"] * 2


def test_the_grid_begins_with_the_target_alone() -> None:
    figure = axis_transfer.grid_figure(grid())
    assert titles(figure, 2) == ["accuracy", "balanced accuracy"]
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == ["alone", "10", "50", "100"]
    assert texts(figure)[:3] == ["0.51", "0.55", "0.60"]
    assert texts(figure, 1)[-1] == "0.70"


def test_every_way_of_fine_tuning_is_a_group_of_bars() -> None:
    family = [
        {"method": name, "split": split, "metric": metric, **ends(0.6)}
        for split in ("random", "unit")
        for name in ("none", "l2 sp", "head only")
        for metric in METRICS
    ]
    figure = axis_transfer.family_figure(family)
    assert titles(figure, 2) == ["random (optimistic)", "unit out"]
    assert ticks(figure) == ["none", "L2-SP", "head only"]
    assert legend(figure) == ["accuracy", "balanced accuracy", "MCC"]


def test_the_matrix_has_sources_by_row_and_the_target_alone_below() -> None:
    def cells(method: str, split: str, value: float, own: bool) -> list[dict[str, Any]]:
        pairs = [(s, t) for s in (2, 5) for t in (2, 5) if own or s != t]
        return [
            {"method": method, "split": split, "source": s, "target": t, **ends(value + s / 100 + t / 500)}
            for s, t in pairs
        ]

    alone = [
        {"method": "AD-CNN, target alone", "split": split, "source": 0, "target": t, **ends(value)}
        for split, value in (("random", 0.61), ("unit", 0.51))
        for t in (2, 5)
    ]
    records = [
        *alone,
        *cells("AD-CNN, transfer", "random", 0.9, True),
        *cells("AD-CNN, transfer", "unit", 0.7, False),
    ]
    figure = axis_matrix.matrix_figure(records)
    assert titles(figure, 2) == ["random (optimistic)", "unit out"]
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == ["axis 2", "axis 5", "alone"]
    assert [text for text in texts(figure) if len(text) < 5] == ["0.92", "0.93", "0.95", "0.96", "0.61", "0.61"]
    assert [text for text in texts(figure, 1) if len(text) < 5] == ["–", "0.73", "0.75", "–", "0.51", "0.51"]
    assert [patch.get_xy() for patch in figure.axes[0].patches] == [(-0.48, -0.46), (0.52, 0.54)]
    friction = [
        *({**record, "method": "friction alone"} for record in alone if record["split"] == "unit"),
        *cells("friction carried, no labels", "unit", 0.7, True),
        *cells("friction carried", "unit", 0.8, True),
    ]
    assert titles(axis_matrix.matrix_figure(friction), 2) == [
        "no label of the target",
        "labels of a tenth of its units",
    ]


@pytest.fixture
def units() -> list[dict[str, Any]]:
    """Balanced accuracy of five methods, one of them a network on axis 4 only."""
    means = {TREES: 0.6, DEFAULT: 0.8, "phase_zscore, healthy only": 0.55, "AD-CNN as published": 0.7, ORACLE: 0.9}
    records = []
    for method, mean in means.items():
        for target in ("axis 4",) if method.startswith("AD") else ("axis 1", "axis 4", "all axes"):
            place = {"method": method, "source": target, "target": target, "labels": "", "metric": "balanced accuracy"}
            records += [{**place, "severity": s, **ends(mean + 0.05 * s)} for s in (0.0, 0.3, 1.0)]
    for method, mean in {"friction alone": 0.5, "friction carried": 0.75, "AD-CNN carried": 0.65}.items():
        for target in ("axis 4",) if method.startswith("AD") else ("axis 4", "all axes"):
            place = {"method": method, "source": "axis 6", "target": target, "metric": "balanced accuracy"}
            records.append({**place, "labels": "10 % of the units", "severity": 0.0, **ends(mean)})
    return records


def test_the_headline_sorts_methods_and_leaves_out_those_that_did_not_run_everywhere(
    units: list[dict[str, Any]],
) -> None:
    whole = [record for record in units if not record["labels"] and not record["severity"]]
    figure = axis_units.headline_figure(whole, ["all axes"])
    names = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert names == [ORACLE, DEFAULT, TREES, "phase_zscore, healthy only"]
    dots = [float(line.get_xdata()[0]) for line in figure.axes[0].get_lines()[1::2]]
    assert dots == [0.9, 0.8, 0.6, 0.55]
    deep = axis_units.headline_figure(whole, ["axis 4"])
    assert [tick.get_text() for tick in deep.axes[0].get_yticklabels()][2] == "AD-CNN as published"
    table = axis_units.by_axis_figure(whole)
    assert ticks(table) == ["axis 1", "axis 4", "all axes"]
    assert texts(table).count("–") == 2


def test_lines_by_severity_bars_by_step_and_carried_ones(units: list[dict[str, Any]]) -> None:
    inside = [record for record in units if not record["labels"]]
    figure = axis_units.severity_figure(inside, ["all axes", "axis 4"])
    assert titles(figure, 2) == ["all axes", "axis 4"]
    assert [len(axis.get_lines()) for axis in figure.axes[:2]] == [3, 4]
    np.testing.assert_allclose(figure.axes[0].get_lines()[0].get_ydata(), [0.615, 0.65])
    steps = axis_units.ablation_figure([record for record in inside if not record["severity"]], ["axis 4"])
    assert ticks(steps) == ["AD-CNN as published", DEFAULT]
    assert texts(steps) == [".70", ".80"]
    carried = axis_units.carried_figure([record for record in units if record["labels"]])
    assert legend(carried) == ["all other axes", "axis 4"]
    assert ticks(carried) == ["friction alone", "friction carried", "AD-CNN carried"]
    assert sorted(texts(carried)) == [".50", ".50", ".65", ".75", ".75"]


def test_calibration_lies_on_the_diagonal_when_what_is_said_is_true() -> None:
    bins = [{"said": s, "true": s, "share": 0.5} for s in (0.1, 0.9)]
    above, below = axis_units.calibration_figure(bins).axes
    diagonal, line = above.get_lines()
    np.testing.assert_array_equal(line.get_xdata(), line.get_ydata())
    assert list(diagonal.get_xdata()) == [0, 1]
    assert [bar.get_height() for bar in below.patches] == [0.5, 0.5]


def test_units_without_networks_severities_or_transfer_are_drawn_as_far_as_they_go(
    units: list[dict[str, Any]], tmp_path: Path
) -> None:
    few = [r for r in units if r["method"] in (TREES, DEFAULT) and not r["labels"] and not r["severity"]]
    results = Results("axis-units", "", 0.0, (), (), {"units": few})
    assert [path.stem for path in axis_units.figures(results, tmp_path)[::2]] == ["units", "units_by_axis"]


def test_runs_of_a_load_are_confused_and_few_labelled_runs_drawn(tmp_path: Path) -> None:
    inside = {"method": INSIDE[-1].name, "split": "last runs out", "source": "+20 kgf", "target": "+20 kgf"}
    cells = [
        {**inside, "true": true, "said": said, "cycles": cycles}
        for true, said, cycles in (
            ("normal", "normal", 9.0),
            ("normal", "lack_of_lubrication 1", 1.0),
            ("spalling 1", "normal", 4.0),
        )
    ]
    other = {**cells[2], "method": "knn", "said": "spalling 1", "cycles": 50.0}
    place = {"split": "last runs out", "source": "+20 kgf", "target": "+40 kgf", "n": 8, "seeds": 5}
    rows = [
        Row(method=m, labels=f"{k} runs of each state, 5 normal", metric=metric, **ends(0.5 + 0.1 * k), **place)
        for m in (Method(CARRIED, "discriminant", PROFILE).name, Method(ALONE, "trees").name, "other")
        for k in (0, 1, 2)
        for metric in ("macro F1 of 4 families", "accuracy of 4 families", "macro F1 of 4 families, by run")
        if k or m.startswith(CARRIED)
    ]
    stages = [
        {"load": load, "method": m, "stage": "backlash 1", "recall": 0.25}
        for load in ("+20 kgf", "+40 kgf")
        for m in "ab"
    ]
    details = {"confusion_states": [*cells, other], "stages": stages}
    results = Results("actuator-transfer", "", 0.0, tuple(rows), (), details)
    stems = [path.stem for path in actuator_transfer.figures(results, tmp_path)[::2]]
    assert stems == ["confusion_20_kgf", "few_runs_families_last", "stages"]
    assert set(stems[1:]) <= set(actuator_transfer.CAPTIONS)
    figure = actuator_transfer.confused_figure(cells, "+20 kgf")
    assert ticks(figure) == ["normal", "spalling 1", "lack of lubrication 1"]
    assert texts(figure) == ["90 %", "9", "10 %", "1", "100 %", "4"]
    chosen = [row for row in results.to_dict()["rows"] if row["metric"] == "macro F1 of 4 families"]
    lines = actuator_transfer.few_runs_figure(chosen).axes[0].get_lines()
    assert [list(line.get_xdata()) for line in lines] == [[0, 1, 2], [1, 2]]
    bars = actuator_transfer.stages_figure(stages)
    assert titles(bars, 2) == ["+20 kgf", "+40 kgf"]
    assert texts(bars, 1) == [".25", ".25"]


def test_servos_show_scores_by_what_was_learned_and_no_wins() -> None:
    rows = [
        {"method": method, "source": source, "metric": metric, **ends(mean)}
        for metric in ("AUROC", "heatings detected at 1% false alarms (share)", "wins against target only: a (AUROC)")
        for method, source, mean in (
            ("target only: value, temperature", "none", 0.9),
            ("labelled sessions: trees, all", "same servo", 0.8),
            ("labelled sessions: trees, all", "another servo", 0.7),
        )
    ]
    figure = servo_transfer.servos_figure(rows)
    assert titles(figure, 2) == ["AUROC", "heatings detected at 1% false alarms (share)"]
    assert len(figure.axes) == 2
    assert ticks(figure) == ["value, temperature", "trees, all"]
    assert texts(figure) == [".90", ".80", ".70"]
    assert [name.rpartition("of ")[2] for name in legend(figure)] == [
        "the servo itself", "the servo itself", "another servo",
    ]  # fmt: skip
