"""Figures of arms and of drives that wear show every joint, limit and moment there is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jointwatch.reports.by_study._transmission_error_more import CAPTIONS, more_figures, said_by_joint_figure
from jointwatch.studies._confusions import CHANCE
from jointwatch.studies._transmission_error_aging import FORECASTS, HEADLINE, LIMITS_DEG, LINE, SHARES
from jointwatch.studies._transmission_error_arm import CARRIED, INSIDE
from jointwatch.studies._transmission_error_methods import OWN, PROFILE
from jointwatch.studies.base import Results

JOINTS = (1, 2, 3)


@pytest.fixture
def details() -> dict[str, list[dict[str, Any]]]:
    rng = np.random.default_rng(0)
    ends = {"low": 0.5, "high": 0.9}
    arm = [
        {"joint": joint, "way": way, "method": method, "metric": metric, "mean": 0.7, **ends}
        for joint in JOINTS
        for way in (INSIDE, CARRIED)
        for method in (PROFILE + OWN, PROFILE, CHANCE)
        for metric in ("accuracy", "within one level")
    ]
    said = [
        {
            "joint": joint,
            "way": way,
            "method": PROFILE + OWN,
            "session": f"{n}",
            "true": float(n),
            "degree": n + 0.1,
            "low": n - 0.5,
            "high": n + (0.6 if n else -0.1),
        }
        for joint in JOINTS
        for way in (INSIDE, CARRIED)
        for n in range(5)
    ]
    sessions, dates = [], []
    for drive in ("a", "b", "c"):
        for week in range(53):
            true = 0.013 + 0.002 * week
            error = true + 0.001 * rng.standard_normal()
            numbers = {"true": true, "said": error, "low": error - 0.01, "high": error + 0.01}
            sessions.append({"drive": drive, "week": float(week), **numbers})
        for limit in LIMITS_DEG:
            true = (limit - 0.013) / 0.002
            for way in SHARES:
                place = {"limit": limit, "way": way, "drive": drive, "now": np.floor(way * true), "true": true}
                interval = {"low80": true - 3, "high80": true + 3, "low95": true - 5, "high95": true + 5}
                for method in FORECASTS:
                    dates.append({**place, "method": method, "answer": "date", "date": true + 1, **interval})
                dates.append({**place, "method": LINE, "date": true})
    metrics = [f"share of dates inside the {n} % interval" for n in (80, 95)] + ["mean absolute date error, weeks"]
    forecasts = [
        {"limit": limit, "way": way, "method": method, "metric": metric, "mean": 0.7, **ends, "n": 3}
        for limit in LIMITS_DEG
        for way in SHARES
        for method in (*FORECASTS, LINE)
        for metric in metrics
    ]
    setup = [{"limit": limit, "common_rad": 1e-4, "common_share": 0.9} for limit in LIMITS_DEG]
    return {
        "arm": arm,
        "arm_sessions": said,
        "aging_sessions": sessions,
        "aging_dates": dates,
        "aging_forecasts": forecasts,
        "aging_setup": setup,
    }


def test_each_figure_is_drawn_with_its_caption(details: dict[str, list[dict[str, Any]]], tmp_path: Path) -> None:
    paths = more_figures(Results("transmission-error", "", 0.0, (), (), details), tmp_path)
    assert {path.stem for path in paths} == set(CAPTIONS)
    assert [path.suffix for path in paths] == [".png", ".svg"] * len(CAPTIONS)
    assert all(path.stat().st_size > 5000 for path in paths)
    assert more_figures(Results("transmission-error", "", 0.0, ()), tmp_path) == []


def test_a_panel_says_how_many_sessions_are_inside(details: dict[str, list[dict[str, Any]]]) -> None:
    figure = said_by_joint_figure(details["arm_sessions"])
    assert len(figure.axes) == 2 * len(JOINTS)
    assert [axis.get_title(loc="left") for axis in figure.axes[:3]] == [f"joint {j}: 80% inside" for j in JOINTS]


def test_dates_without_an_interval_are_counted(details: dict[str, list[dict[str, Any]]]) -> None:
    from jointwatch.reports.by_study._transmission_error_more import dates_figure

    records = details["aging_dates"]
    lost = next(r for r in records if r["method"] == HEADLINE and r["limit"] == 0.05 and r["way"] == 0.4)
    for name in ("date", "low80", "high80", "low95", "high95"):
        del lost[name]
    titles = [axis.get_title(loc="left") for axis in dates_figure(records).axes]
    assert titles[0].endswith("2 of 2 inside, 1 without a date")
    assert titles[1].endswith("3 of 3 inside")
