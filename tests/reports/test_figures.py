"""Charts: every cycle, alarm and session is drawn where it belongs, and odd input does not break them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from jointwatch.reports.figures import against_band, phase_strip, trend


def _heights(svg: str, kind: str) -> list[float]:
    return [float(y) for y in re.findall(rf'<path class="{kind}" d="M[\d.]+,([\d.]+)', svg)]


def _first_x(svg: str) -> float:
    return float(re.search(r'class="axis" x1="([\d.]+)"', svg)[1])  # type: ignore[index]


def test_alarms_highs_and_sessions_are_marked() -> None:
    scores = np.array([1.0, 1.2, 5.0, 6.0, 1.1])
    svg = trend(scores, 4.0, [3], ["a", "a", "b", "b", "c"], "five cycles")
    assert svg.count('class="point"') == 3
    assert svg.count('class="above"') == 1
    assert svg.count('class="alarm"') == 1
    assert svg.count('class="session"') == 2
    line = float(re.search(r'class="threshold" [^>]*y1="([\d.]+)"', svg)[1])  # type: ignore[index]
    assert _heights(svg, "alarm")[0] < line  # higher on the page
    assert all(float(y) > line for y in re.findall(r'class="point" cx="[\d.]+" cy="([\d.]+)"', svg))


def test_thousands_of_cycles_are_drawn_as_a_band_with_every_alarm() -> None:
    scores = np.random.default_rng(0).gamma(4, 0.1, 20_000)
    scores[[500, 15_000]] = 9.0
    svg = trend(scores, 5.0, [500, 15_000], ["s"] * 20_000, "many")
    assert svg.count('class="alarm"') == 2
    assert svg.count('class="point"') == 0
    assert 'class="band"' in svg
    assert len(svg) < 60_000


@pytest.mark.parametrize(
    ("scores", "threshold"),
    [
        (np.array([1.0]), None),
        (np.zeros(30), 0.0),
        (-np.arange(1.0, 30.0), -3.0),
        (np.geomspace(1e-6, 1e9, 40), 1.0),
        (np.full(12, 1e-12), 5e3),
    ],
)
def test_odd_scores_give_a_chart_without_nan(
    scores: np.ndarray, threshold: float | None, parse_html: Callable[[str], Any]
) -> None:
    svg = trend(scores, threshold, [], ["s"] * len(scores), "odd")
    parse_html(svg)
    assert not re.search(r"nan|inf", svg)
    assert ("threshold-text" in svg) == (threshold is not None)


def test_only_what_lies_outside_is_drawn_thick() -> None:
    flat = np.zeros(100)
    curve = np.where(np.arange(100) < 50, 0.0, 5.0)
    inside = against_band(flat - 1, flat, flat + 1, flat, "A", "inside")
    leaves = against_band(flat - 1, flat, flat + 1, curve, "A", "leaves")
    assert 'class="outside"' not in inside
    assert 'class="outside"' in leaves
    blank = np.full(100, np.nan)
    alone = against_band(blank, blank, blank, curve, "A", "no band")
    assert 'class="band"' not in alone
    assert 'class="curve"' in alone


def test_the_part_that_was_decided_on_is_shaded_where_it_is() -> None:
    flat = np.zeros(100)
    svg = against_band(flat - 1, flat, flat + 1, flat, "A", "part", span=(0.25, 0.5))
    x, width = map(float, re.search(r'class="decided" x="([\d.]+)" y="\d+" width="([\d.]+)"', svg).groups())  # type: ignore[union-attr]
    assert width == pytest.approx(x - _first_x(svg), abs=2)  # from a quarter to a half


def test_the_strip_is_darkest_where_it_deviates_most() -> None:
    svg = phase_strip([("Joint 1", np.array([0.0, 2.0])), ("Joint 2", np.array([8.0, 0.0]))], "two joints")
    assert [float(o) for o in re.findall(r'class="heat".*?fill-opacity="([\d.]+)"', svg)] == [0.33, 1.0]


def test_names_are_escaped(parse_html: Callable[[str], Any]) -> None:
    evil = '<script>"'
    page = parse_html(
        trend(np.ones(40), None, [], [evil] * 20 + ["b"] * 20, evil) + phase_strip([(evil, np.ones(2))], evil)
    )
    assert not page.having("script")
    assert page.having("svg")[0]["aria-label"] == evil
