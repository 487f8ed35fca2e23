"""Figures of the strain-wave study: lines where they were found, hollow where nothing rises, orders level by order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jointwatch.reports.by_study import strain_wave_orders
from jointwatch.studies.base import Results


def curves() -> list[dict[str, Any]]:
    return [
        {"joint": joint, "signal": "current", "order": order, "limit": 12.0}
        | {"amplitude": 0.02 if order == 200 else 0.002, "statistic": 18.0 if order == 200 else 3.0}
        for joint in (1, 7)
        for order in np.arange(60.0, 420.5, 0.5).tolist()
    ]


def amplitudes() -> list[dict[str, Any]]:
    return [
        {"joint": joint, "signal": "current", "session": session, "way": 1, "order": order}
        | {"amplitude": order / 1e4, "uncertainty": 0.001, "p": 0.01 if order == 200.0 else 0.5}
        for joint in (1, 7)
        for session in ("joint_1", "joint_2", "run")
        for order in (100.0, 200.0)
    ]


def pieces() -> list[dict[str, Any]]:
    return [
        {"joint": 7, "signal": "current", "piece": i, "speed": speed, "order": order}
        | {"strength": 30.0 if order == 200.0 else 1.0}
        for i, speed in enumerate((0.2, 0.05, 0.1))
        for order in np.arange(32.0, 440.0, 4.0).tolist()
    ]


def test_lines_that_were_found_are_marked_at_their_order_and_joint() -> None:
    figure = strain_wave_orders.orders_figure(curves(), [{"joint": 7, "searched": 200.0}], [100.0, 200.0])
    assert len(figure.axes) == 4
    marks = [line for axis in figure.axes for line in axis.get_lines() if line.get_marker() == "v"]
    assert [list(line.get_xdata()) for line in marks] == [[], [200.0]]
    assert marks[1].get_ydata()[0] > 18
    limit = [line for line in figure.axes[1].get_lines() if line.get_linestyle() == "--"]
    assert [line.get_ydata()[0] for line in limit] == [12.0]
    assert max(figure.axes[0].get_lines()[-1].get_ydata()) == pytest.approx(20.0)


def test_an_amplitude_that_does_not_rise_is_hollow() -> None:
    figure = strain_wave_orders.amplitudes_figure(amplitudes())
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["order 100", "order 200"]
    for axis, hollow in zip(figure.axes, (True, False), strict=True):
        marks = [line for line in axis.get_lines() if len(line.get_xdata()) == 1]
        assert len(marks) == 6
        assert all((line.get_markerfacecolor() == "white") is hollow for line in marks)
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["joint by joint", "run"]


def test_the_map_is_in_order_of_speed_and_a_line_is_level_by_order() -> None:
    figure = strain_wave_orders.map_figure(pieces(), [100.0, 200.0])
    by_hz, by_order, _ = figure.axes
    assert [tick.get_text() for tick in by_hz.get_xticklabels()] == ["0.050", "0.100", "0.200"]
    ray = by_hz.get_lines()[1].get_ydata()
    assert list(ray) == [10.0, 10.0, 20.0, 20.0, 40.0, 40.0]
    mesh = by_order.collections[0].get_array()
    assert (np.asarray(mesh).argmax(axis=0) == (200 - 32) // 4).all()


def test_the_figures_of_a_study_are_of_the_current_alone(tmp_path: Path) -> None:
    named = [
        {"joint": joint, "signal": "current", "order": order, "p": 0.01 / joint, "lock_p": 0.1}
        for joint in (1, 7)
        for order in (100.0, 200.0)
    ]
    velocity = [{**point, "signal": "velocity", "joint": 3} for point in curves()]
    details = {"curves": [*curves(), *velocity], "named": named, "amplitudes": amplitudes(), "map": pieces()}
    results = Results("strain-wave-orders", "", 0.0, (), (), details)
    paths = strain_wave_orders.figures(results, tmp_path)
    assert [path.name for path in paths[::2]] == ["orders.png", "amplitudes.png", "map.png"]
    assert {path.stem for path in paths} == set(strain_wave_orders.CAPTIONS)
