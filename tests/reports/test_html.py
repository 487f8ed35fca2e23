"""The report page: self-contained, complete, honest about missing data, and safe with hostile names."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jointwatch.core import Action, QualityIssue, QualityReport, Robot, Scores, Windows
from jointwatch.core.errors import UsageError
from jointwatch.reports.base import ReportData
from jointwatch.reports.html import render_report, write_report

Make = Callable[..., ReportData]
Parse = Callable[[str], Any]


def _chips(page: str) -> list[tuple[str, str, str]]:
    """(state, joint, word) of every joint on the page."""
    pattern = r'<li class="(\w+)">\s*<p class="top">.*?<strong>(Joint \d+)</strong>.*?<p class="word">([^<]+)</p>'
    return re.findall(pattern, page, flags=re.DOTALL)


def test_the_page_asks_for_nothing_from_outside(report_data: Make, parse_html: Parse) -> None:
    text = render_report(report_data())
    page = parse_html(text)
    assert "://" not in text
    assert not re.search(r"url\(|@import", text)
    assert not page.having("script")
    for _, attributes in page.tags:
        for name in ("src", "href", "srcset", "action"):
            assert (attributes.get(name) or "data:").startswith(("data:", "#"))
    assert any("default-src 'none'" in (a.get("content") or "") for a in page.having("meta"))


def test_it_reads_top_down(report_data: Make, parse_html: Parse) -> None:
    page = parse_html(render_report(report_data()))
    parts = [
        "1 of 3 joints of arm-1 needs attention: joint 1.",
        "Verdict for each robot and joint",
        "Look first at joint 1: motor current.",
        "Score of each cycle",
        "Which joint and signal",
        "Which phase of the cycle",
        "Worst cycles against the healthy band",
        "Data quality",
        "What these figures rest on",
    ]
    places = [page.text.find(part) for part in parts]
    assert -1 not in places, [part for part, place in zip(parts, places, strict=True) if place < 0]
    assert places == sorted(places)


def test_every_joint_has_its_verdict_in_word_colour_and_shape(report_data: Make) -> None:
    text = render_report(report_data())
    assert _chips(text) == [
        ("attention", "Joint 1", "needs attention"),
        ("normal", "Joint 2", "normal"),
        ("normal", "Joint 3", "normal"),
    ]
    shapes = {
        state: re.search(rf'<svg class="mark {state}"[^>]*>(.*?)</svg>', text) for state in ("attention", "normal")
    }
    assert all(shapes.values())
    assert shapes["attention"][1] != shapes["normal"][1]  # type: ignore[index]


def test_what_the_figures_rest_on_is_stated(report_data: Make, parse_html: Parse) -> None:
    text = parse_html(render_report(report_data())).text
    for wanted in (
        "Healthy cycles behind the threshold 40",
        "1 % of healthy cycles score above the threshold",
        "0.6 % (1 of 180 healthy cycles that neither training nor threshold saw; 95 % interval 0.014 % to 3.1 %)",
        "arm-1/baseline/7, kept in the threshold",
        "knn", "normalise", "ur10e → demo", "1.2.3", "seed 7",
    ):  # fmt: skip
        assert wanted in text, wanted


def test_not_enough_data_is_never_green(report_data: Make, parse_html: Parse) -> None:
    text = render_report(report_data(threshold=False))
    page = parse_html(text)
    assert "Not enough data for a verdict." in page.text
    assert "59 more healthy cycles" in page.text
    assert [state for state, _, _ in _chips(text)] == ["unknown"] * 3
    body = text[text.index("<body>") :]
    assert 'class="badge normal"' not in body
    assert 'class="mark normal"' not in body
    assert "banner unknown" in body


def test_without_contributions_the_joint_is_not_guessed(report_data: Make, parse_html: Parse) -> None:
    text = render_report(report_data(contributions=False))
    page = parse_html(text)
    assert "arm-1 needs attention; which joint it is cannot be told." in page.text
    assert [state for state, _, _ in _chips(text)] == ["unknown"] * 3
    assert "the detector itself cannot say" in page.text  # the signals still tell where to look
    assert "Look first at joint 1: motor current." in page.text


def test_without_signals_or_healthy_cycles_the_verdict_stands(report_data: Make, parse_html: Parse) -> None:
    bare = parse_html(render_report(report_data(windows=None, healthy=None)))
    assert "needs attention" in bare.text
    no_band = parse_html(render_report(report_data(healthy=None)))
    assert "too few healthy cycles for a band" in no_band.text


def test_a_healthy_robot_is_called_normal(report_data: Make, parse_html: Parse) -> None:
    text = render_report(report_data(faulty={}))
    page = parse_html(text)
    assert "No joint of arm-1 needs attention." in page.text
    assert {state for state, _, _ in _chips(text)} == {"normal"}
    assert "Worst cycles" not in page.text


def test_a_fleet_is_listed_worst_first_and_every_joint_named(report_data: Make, parse_html: Parse) -> None:
    units = tuple(f"arm-{i}" for i in range(1, 16))
    data = report_data(units=units, faulty={"arm-9": (3, 4, 5, 6, 7)})
    text = render_report(data)
    page = parse_html(text)
    assert "1 of 15 robots needs attention: arm-9 (joint 1)." in page.text
    assert len(_chips(text)) == 15 * 3
    heads = re.findall(r"<h3>(arm-\d+)</h3>", text)
    assert heads[0] == "arm-9"
    assert set(heads) == set(units)
    assert "3 more robots without charts" in page.text
    assert len(text.encode()) < 3_000_000


def test_hostile_names_are_text(report_data: Make, parse_html: Parse) -> None:
    evil = '"><script>alert(1)</script>&amp;'
    data = report_data(
        units=(evil,),
        faulty={evil: (15, 16, 17)},
        title=evil,
        robots=(Robot.of(evil, evil, evil, 3, name=evil),),
        quality=((evil, QualityReport(9, (QualityIssue(evil, 1, Action.KEPT, detail=evil, remedy=evil),))),),
    )
    page = parse_html(render_report(data))
    assert not page.having("script")
    assert evil in page.text
    assert "alert" not in {attributes.get("class") for _, attributes in page.tags}


def test_charts_and_tables_can_be_read_without_seeing_them(report_data: Make, parse_html: Parse) -> None:
    page = parse_html(render_report(report_data()))
    charts = page.having("svg", role="img")
    assert len(charts) >= 4
    assert all(len(chart.get("aria-label") or "") > 20 for chart in charts)
    assert page.having("html", lang="en")
    assert len(page.having("th", scope="col")) >= 4
    assert len(page.having("th", scope="row")) >= 3
    labels = {a.get("aria-labelledby") for a in page.having("section")}
    assert labels <= {a.get("id") for _, a in page.tags}


def test_quality_issues_are_counted_and_their_remedy_shown(report_data: Make, parse_html: Parse) -> None:
    issue = QualityIssue(
        "corrupt_row", 6, Action.BLANKED, rows=(1, 3, 6106), detail="2.7e154", remedy="check the logger"
    )
    data = report_data(quality=(("logs/a.csv", QualityReport(9, (issue,))), ("logs/b.csv", QualityReport(9))))
    text = parse_html(render_report(data)).text
    assert "1 recording of 2 with issues" in text
    assert "logs/a.csv, rows 1, 3, 6106: 2.7e154 check the logger" in text


def test_normalised_signals_are_not_given_si_units(report_data: Make) -> None:
    assert "standard deviations</text>" not in render_report(report_data())
    assert "standard deviations</text>" in render_report(report_data(normalised=True))


def test_many_cycles_stay_a_small_page(report_data: Make) -> None:
    data = report_data()
    rows = np.tile(np.arange(len(data.cycle_scores)), 500)
    index = data.cycle_scores.index.take(rows)
    index = replace(index, cycle=np.array([f"c{i}" for i in range(len(rows))]))
    scores = Scores(data.cycle_scores.value[rows], index)
    text = render_report(replace(data, cycle_scores=scores, alarms=(), windows=None))
    assert len(text.encode()) < 300_000


def test_the_same_data_give_the_same_page(report_data: Make, tmp_path: Path) -> None:
    data = report_data()
    path = write_report(data, tmp_path / "new" / "report.html")
    assert path.read_text(encoding="utf-8") == render_report(data) == render_report(report_data())


def test_no_cycle_is_said_plainly(report_data: Make, parse_html: Parse) -> None:
    data = report_data()
    none = np.zeros(len(data.cycle_scores), bool)
    page = parse_html(render_report(replace(data, cycle_scores=data.cycle_scores.take(none), alarms=())))
    assert "No cycle was scored" in page.text
    assert "banner unknown" in str(page.having("div"))


def test_data_that_contradicts_itself_is_refused(report_data: Make) -> None:
    data = report_data()
    twice = data.cycle_scores.take(np.zeros(2, int))
    with pytest.raises(UsageError, match="one score a cycle"):
        replace(data, cycle_scores=twice)
    with pytest.raises(UsageError, match="without a threshold"):
        replace(data, threshold=None)
    assert data.windows is not None
    fewer = replace(data.windows, values=data.windows.values[:, :2], channels=data.windows.channels[:2], mask=None)
    with pytest.raises(UsageError, match="same channels"):
        replace(data, windows=fewer)


def test_a_broken_promise_is_said_at_the_top(report_data: Make, parse_html: Parse, measured_rate: Make) -> None:
    kept = report_data()
    assert "Do not rely" not in parse_html(render_report(kept)).text
    broken = replace(kept.decision, measured=measured_rate(120, 300))
    text = parse_html(render_report(replace(kept, decision=broken))).text
    warning = text.find("Do not rely on these alarms: 120 of 300 healthy cycles (40 %)")
    assert 0 < warning < text.find("Verdict for each robot and joint")


def test_known_faults_that_were_missed_are_not_hidden(report_data: Make, parse_html: Parse) -> None:
    data = report_data()
    blind = replace(data, threshold=1e9, alarms=())
    assert "4 cycles labelled anomalous, 0 of them above the threshold" in parse_html(render_report(blind)).text
    assert "4 cycles labelled anomalous, 4 of them above the threshold" in parse_html(render_report(data)).text


def test_a_decision_within_a_cycle_is_shown_in_its_place(report_data: Make, parse_html: Parse) -> None:
    data = report_data()
    assert data.windows is not None
    assert data.healthy is not None

    def halves(windows: Windows) -> Windows:
        half, index = windows.shape[2] // 2, windows.index
        parts = []
        for k, values in enumerate((windows.values[:, :, :half], windows.values[:, :, half:])):
            middle = index.start_s + (index.stop_s - index.start_s) / 2
            edges = (
                {"start_s": index.start_s, "stop_s": middle} if k == 0 else {"start_s": middle, "stop_s": index.stop_s}
            )
            name = np.array([f"{cycle}:{k}" for cycle in index.cycle])
            here = replace(index, **edges, phase=np.full(len(index), 0.25 + 0.5 * k), cycle=name)
            parts.append(Windows(values, windows.channels, here, windows.rate_hz))
        return Windows.concatenate(parts)

    windows = halves(data.windows)
    scores = Scores(np.tile(data.cycle_scores.value, 2), windows.index)
    cut = replace(data, windows=windows, healthy=halves(data.healthy), cycle_scores=scores, alarms=())
    text = render_report(cut)
    parse_html(text)
    assert 'class="decided"' in text
    assert 'class="decided"' not in render_report(data)
    assert "Band: 95 % of 40 healthy cycles" in text
