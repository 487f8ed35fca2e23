"""Figures of the headline study: every method on units never seen, by severity, part by part, calibrated, carried."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from jointwatch.reports.paper_figures import curves_with_bands, grouped_bars, heat_map
from jointwatch.reports.study_figures import OKABE_ITO, STYLE, interval_figure, save
from jointwatch.reports.tables import blocks_by_metrics
from jointwatch.studies._axis_methods import DEFAULT, OF_NETWORKS, ORACLE_OWN, TREES_OWN
from jointwatch.studies._trees import ORACLE, TREES
from jointwatch.studies.base import Results

__all__ = [
    "CAPTIONS",
    "ablation_figure",
    "blocks",
    "by_axis_figure",
    "calibration_figure",
    "carried_figure",
    "drawn",
    "figures",
    "headline_figure",
    "severity_figure",
]

Record = Mapping[str, Any]

_BY = "balanced accuracy"
_ALL = "all axes"
_LINES = (TREES, TREES_OWN, "AD-CNN as published", DEFAULT, ORACLE, ORACLE_OWN)
_STEPS = (
    "AD-CNN as published",
    "AD-CNN, our training",
    "AD-CNN, own baseline",
    "AD-CNN, own baseline, mean of three",
    "AD-CNN, own baseline, invariant",
    "friction, axis baseline",
    DEFAULT,
    "friction and AD-CNN, own baseline",
)
_WRAP = 13  # characters
_UNITS = "whole units held out"
CAPTIONS = {
    "units": f"Methods that ran on every axis, all axes together, {_UNITS}: mean and 95 % interval over units",
    "units_networks": f"All methods on the axes where networks were trained, {_UNITS}: mean and 95 % interval",
    "units_by_axis": f"Balanced accuracy by method and axis, {_UNITS}; a dash was not run",
    "units_by_severity": f"Balanced accuracy of healthy cycles against those of one severity, {_UNITS}; bands are "
    "95 % intervals",
    "ablation": f"What each part brings, on the axes where networks were trained, {_UNITS}",
    "calibration": f"{DEFAULT}: share of worn cycles among those that are given a probability, {_UNITS}, classes "
    "counted alike; below: how many cycles are given it",
    "carried": f"Carried from another axis, beside the same methods on a tenth of the target's units alone, {_UNITS}",
}


def drawn(rows: Sequence[Record]) -> list[Record]:
    """No row: the figures here show them."""
    return []


def blocks(rows: Sequence[Record]) -> list[list[Record]]:
    """All severities, single ones, AUROC, calibration, wins and losses, each by itself."""
    return blocks_by_metrics(rows)


def figures(results: Results, out: Path) -> list[Path]:
    """What there are results for; returns the paths, PNG before SVG."""
    records = [
        {**record, "method": str(record["method"]).replace("_", " ")}
        for record in results.details["units"]
        if record["metric"] == _BY
    ]
    inside = [record for record in records if not record["labels"]]
    whole = [record for record in inside if not record["severity"]]
    deep = _network_axes(whole)
    paths = save(headline_figure(whole, [_ALL]), out / "units") + save(by_axis_figure(whole), out / "units_by_axis")
    if deep:
        paths += save(headline_figure(whole, deep), out / "units_networks")
        paths += save(ablation_figure(whole, deep), out / "ablation")
    if any(record["severity"] for record in inside):
        paths += save(severity_figure(inside, [_ALL, *deep]), out / "units_by_severity")
    if results.details.get("calibration"):
        paths += save(calibration_figure(results.details["calibration"]), out / "calibration")
    carried = [record for record in records if record["labels"] and not record["severity"]]
    if carried:
        paths += save(carried_figure(carried), out / "carried")
    return paths


def headline_figure(records: Sequence[Record], targets: Sequence[str]) -> Figure:
    """Methods by their mean over the targets, best first; a panel a target."""
    chosen = [record for record in records if record["target"] in targets]
    order = _best_first(chosen)
    rows = [
        {**record, "split": record["target"], "source": "", "target": ""}
        for method in order
        for target in targets
        for record in chosen
        if (record["method"], record["target"]) == (method, target)
    ]
    return interval_figure(rows, _BY)


def by_axis_figure(records: Sequence[Record]) -> Figure:
    """Method by row, axis by column."""
    targets = list(dict.fromkeys(str(record["target"]) for record in records))
    targets.sort(key=lambda target: (target == _ALL, target))
    order = _best_first(records)
    cells = np.full((3, len(order), len(targets)), np.nan)
    for record in records:
        place = order.index(str(record["method"])), targets.index(str(record["target"]))
        cells[:, *place] = record["mean"], record["low"], record["high"]
    return heat_map(
        {"": cells[0]},
        order,
        targets,
        row_label="method",
        column_label="learned and used on",
        value_label=_BY,
        low=min(0.5, float(np.nanmin(cells[0]))),
        high=1.0,
        ends={"": (cells[1], cells[2])},
    )


def severity_figure(records: Sequence[Record], targets: Sequence[str]) -> Figure:
    """A line for the main methods, a panel a target."""
    rows = [
        record
        for target in targets
        for method in _LINES
        for record in records
        if record["severity"] and (record["method"], record["target"]) == (method, target)
    ]
    return curves_with_bands(
        rows, x="severity", x_label="severity of the wear", y_label=_BY, panel="target", percent=False
    )


def ablation_figure(records: Sequence[Record], targets: Sequence[str]) -> Figure:
    """A group of bars a step, a bar an axis."""
    return _bars(records, _STEPS, {target: target for target in targets})


def carried_figure(records: Sequence[Record]) -> Figure:
    """A group of bars a method, one for all other axes and one for each to which networks were carried."""
    methods = list(dict.fromkeys(str(record["method"]) for record in records))
    return _bars(records, methods, {_ALL: "all other axes", **{axis: axis for axis in _network_axes(records)}})


def calibration_figure(bins: Sequence[Record]) -> Figure:
    """What was said against what was true, and below how often it was said.

    Parameters
    ----------
    bins : `said` mean probability of worn, `true` share of worn, `share` of all cycles.
    """
    said, true, share = (np.array([float(record[key]) for record in bins]) for key in ("said", "true", "share"))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(4.2, 4.8), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        above.plot([0, 1], [0, 1], color="#888888", linewidth=1.0, linestyle="--")
        above.plot(said, true, color=OKABE_ITO[0], marker="o", markersize=5, linewidth=1.5)
        above.set_ylabel("share that is worn")
        above.set_ylim(-0.03, 1.03)
        below.bar(said, share, width=0.05, color=OKABE_ITO[0], alpha=0.85)
        below.set_ylabel("share of cycles")
        below.set_xlabel("probability of worn that was said")
        below.set_xlim(-0.03, 1.03)
    return figure


def _bars(records: Sequence[Record], methods: Sequence[str], targets: Mapping[str, str]) -> Figure:
    """Methods side by side, a bar for each of the targets by their titles."""
    rows = [
        {**record, "method": title, "metric": textwrap.fill(method, _WRAP)}
        for method in methods
        for target, title in targets.items()
        for record in records
        if (record["method"], record["target"]) == (method, target)
    ]
    figure = grouped_bars(rows, y_label=f"{_BY} (mean and 95 % interval)")
    figure.set_size_inches(max(figure.get_figwidth(), 1.0 + 1.05 * len({row["metric"] for row in rows})), 3.8)
    figure.axes[0].tick_params(axis="x", labelsize=8)
    return figure


def _network_axes(records: Sequence[Record]) -> list[str]:
    """Axes on which networks ran."""
    return sorted({str(r["target"]) for r in records if r["method"] in OF_NETWORKS and r["target"] != _ALL})


def _best_first(records: Sequence[Record]) -> list[str]:
    """Methods by their mean on all axes together, or where they ran."""
    found: dict[str, list[Record]] = {}
    for record in records:
        if math.isfinite(record["mean"]):
            found.setdefault(str(record["method"]), []).append(record)
    mean = {
        method: float(np.mean([r["mean"] for r in own if r["target"] == _ALL] or [r["mean"] for r in own]))
        for method, own in found.items()
    }
    return sorted(mean, key=lambda method: -mean[method])
