"""Figures of the study of transmission error show their records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jointwatch.reports.by_study import _transmission_error_paper as paper
from jointwatch.reports.by_study.transmission_error import (
    CAPTIONS,
    calibration_figure,
    cycles_figure,
    figures,
    methods_figure,
    noise_figure,
    predicted_figure,
)
from jointwatch.studies._transmission_error_methods import AE_HMM, OWN, PROFILE, TREES, TREES_BANDS
from jointwatch.studies.base import Results

LEVELS = range(1, 7)
SHARES = {"accuracy": 0.0, "within one level": 0.3}
BEST = {AE_HMM: 0.3, TREES: 0.2, TREES_BANDS: 0.35, PROFILE: 0.5}


def ends(mean: float) -> dict[str, float]:
    return {"mean": mean, "low": mean - 0.05, "high": mean + 0.05}


GRADED = [
    {"method": method, "baseline": baseline, "target": "drives held out", "cycles": cycles, "metric": metric}
    | ends(value + more + 0.15 * (baseline == "own") + 0.01 * cycles)
    for method, value in BEST.items()
    for baseline in ("none", "own")
    for cycles in (1, 10)
    for metric, more in SHARES.items()
]
NOISE = [
    {**record, "noise": noise, "where": where, "mean": float(record["mean"]) - 0.02 * noise}  # type: ignore[arg-type]
    for record in GRADED
    for noise in (0.0, 1.0, 10.0)
    for where in ("judged cycles", "all cycles")
]
PREDICTED = [
    {"method": method, "session": f"s{k}", "true": k + 0.5, "said": k + 0.4, "low": k - 0.5, "high": k + wide}
    for method, wide in ((PROFILE, 0.45), (PROFILE + OWN, 1.0))
    for k in range(6)
]
CALIBRATION = [
    {"method": method, "cycles": 1, "said": said, "true": said, "share": 0.5, "drives": 9}
    for method in (PROFILE, PROFILE + OWN)
    for said in (0.1, 0.9)
]
CONFUSION = [
    {"part": part, "method": method, "split": split, "cycles": 1, "true": t, "said": s, "count": 9.0 * (t == s) + 1.0}
    for part, method, split in (
        ("protocol", AE_HMM, "random (optimistic)"),
        ("protocol", AE_HMM, "session out"),
        ("drives held out", AE_HMM, "unit out"),
        ("drives held out", PROFILE, "unit out"),
        ("drives held out", PROFILE + OWN, "unit out"),
    )
    for t in LEVELS
    for s in LEVELS
]
PAPER: dict[str, list[dict[str, Any]]] = {
    "entropies": [
        {"signal": signal, "level": level, "band": band, "mean": 0.1 * band, "sd": 0.01}
        for signal in ("current", "torque")
        for level in LEVELS
        for band in range(1, 9)
    ],
    "spectra": [{"level": level, "hz": 0.1 + 0.5 * k, "mean": level / (k + 1)} for level in LEVELS for k in range(60)],
    "codes": [{"level": level, "figure": k, "mean": level - 3.5, "sd": 0.2} for level in LEVELS for k in range(1, 11)],
    "tsne": [
        {"title": title, "x": level + k / 9, "y": float(k), "level": level, "drive": f"d{level}"}
        for title in ("published drives", "drives held out")
        for level in LEVELS
        for k in range(3)
    ],
    "baum_welch": [
        {"level": level, "iteration": k, "log_likelihood": -level / (k + 1)} for level in LEVELS for k in range(5)
    ],
    "convergence": [
        {"split": split, "cycles": 5, "iterations": n, "models": 3} for split in ("random", "session") for n in (2, 4)
    ],
    "likelihoods": [
        {"cycle": f"c{true}", "true": true, "level": k, "log_likelihood": -100.0 * abs(true - k)}
        for true in LEVELS
        for k in LEVELS
    ],
}


@pytest.fixture
def results() -> Results:
    details: dict[str, list[dict[str, Any]]] = {
        "graded": GRADED,
        "noise": NOISE,
        "predicted": PREDICTED,
        "calibration": CALIBRATION,
        "confusion": CONFUSION,
        **PAPER,
    }
    return Results("transmission-error", "", 0.0, (), (), details)


def test_every_figure_is_drawn_and_captioned(results: Results, tmp_path: Path) -> None:
    paths = figures(results, tmp_path)
    stems = {path.stem for path in paths if path.suffix == ".png"}
    assert stems == {stem for stem in CAPTIONS if not stem.startswith(("arm", "aging"))}
    assert all(path.stat().st_size > 1000 for path in paths)


def test_nothing_is_drawn_of_nothing(tmp_path: Path) -> None:
    assert figures(Results("transmission-error", "", 0.0, (), (), {}), tmp_path) == []


def test_methods_stand_best_first_beside_their_shares() -> None:
    axes = methods_figure(GRADED).axes
    assert [axis.get_title(loc="left") for axis in axes] == ["exact level", "within one level"]
    names = [tick.get_text() for tick in axes[0].get_yticklabels()]
    assert names[0] == PROFILE + OWN
    assert len(names) == 8


def test_lines_run_over_cycles_and_noise_by_baseline() -> None:
    titles = [axis.get_title(loc="left") for axis in cycles_figure(GRADED).axes]
    assert titles[:2] == ["exact level, no baseline", "exact level, own baseline"]
    figure = noise_figure(NOISE)
    assert [axis.get_title(loc="left") for axis in figure.axes][:2] == [
        "judged cycles, no baseline",
        "judged cycles, own baseline",
    ]
    first = figure.axes[0].get_lines()[0]
    np.testing.assert_array_equal(first.get_xdata(), [0, 1, 10])
    np.testing.assert_allclose(first.get_ydata(), 0.31 - 0.02 * np.array([0, 1, 10]))


def test_sessions_outside_their_interval_are_told_from_those_inside() -> None:
    axes = predicted_figure(PREDICTED).axes
    assert [axis.get_title(loc="left").split("\n")[1] for axis in axes] == ["0% inside", "100% inside"]


def test_calibration_has_a_line_a_method() -> None:
    above = calibration_figure(CALIBRATION).axes[0]
    assert [text.get_text() for text in above.get_legend().get_texts()] == [PROFILE, PROFILE + OWN]


def test_the_largest_likelihood_of_a_cycle_is_framed() -> None:
    axis = paper._likelihoods(PAPER["likelihoods"]).axes[0]
    frames = sorted((round(p.get_y() + 0.46), round(p.get_x() + 0.49)) for p in axis.patches)
    assert frames == [(k, k) for k in range(6)]
    assert axis.get_yticklabels()[0].get_text() == "level 1: c1"


def test_levels_have_colours_of_their_own() -> None:
    assert len({paper.level_colour(level) for level in LEVELS}) == 6
