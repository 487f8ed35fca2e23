"""Figures of the difficulty study: accuracy by severity and split, levels told apart, brands, faults."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from jointwatch.reports.study_figures import MARKERS, OKABE_ITO, STYLE, save
from jointwatch.reports.tables import blocks_by_metrics
from jointwatch.studies._difficulty_axes import BAND, BAND_SEVERITIES
from jointwatch.studies.base import Results

__all__ = ["CAPTIONS", "axes_figure", "blocks", "brands_figure", "drawn", "faults_figure", "figures", "levels_figure"]

CAPTIONS = {
    "axes": "Worn reducers: balanced accuracy against severity; grey is where whole units held out should be",
    "levels": "Strain-wave drives: said against true level, as shares of the true level",
    "brands": "Five brands: AUROC with its 95 % interval, dotted is chance",
    "faults": "Share of the cycles of each fault that are flagged; dotted is the stated rate of false alarms",
}

Record = Mapping[str, Any]

_LINES = {  # method, split, counted -> name
    ("trees", "random", "windows"): "random windows (optimistic)",
    ("trees", "session", "windows"): "session out",
    ("trees", "unit", "windows"): "unit out",
    ("trees", "axis out", "windows"): "axis out",
    ("trees, against own healthy", "unit", "windows"): "unit out, against own healthy",
    ("oracle: true latent parameters", "unit", "sessions"): "oracle, unit out",
}
_GREY = "#e8e8e8"


def blocks(rows: Sequence[Record]) -> list[list[Record]]:
    """Three fleets share no metric: each has its own tables."""
    return blocks_by_metrics(rows)


def drawn(rows: Sequence[Record]) -> list[Record]:
    """No row: a chart of all methods, splits, axes and brands of three fleets could not be read."""
    return []


def figures(results: Results, out: Path) -> list[Path]:
    """Draw what the fleets that were studied allow; returns the paths, PNG before SVG."""
    paths: list[Path] = []
    details = results.details
    for name, draw in (("m1", axes_figure), ("m2", levels_figure), ("m3", brands_figure), ("m3_faults", faults_figure)):
        if details.get(name):
            given = details["m2_confusion"] if name == "m2" else details[name]
            paths += save(draw(given), out / {"m1": "axes", "m2": "levels", "m3": "brands"}.get(name, "faults"))
    return paths


def axes_figure(records: Sequence[Record]) -> Figure:
    """Balanced accuracy against severity, a panel an axis, a line a split; grey where units held out should be."""
    axes_names = list(dict.fromkeys(record["axis"] for record in records))
    columns = min(4, len(axes_names))
    lines = math.ceil(len(axes_names) / columns)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(2.7 * columns + 2.6, 2.6 * lines), layout="constrained")
        panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
        for panel, axis in zip(panels, axes_names, strict=False):
            panel.fill_between(BAND_SEVERITIES, *BAND, color=_GREY, linewidth=0)
            panel.axhline(0.5, color="#888888", linewidth=0.8, linestyle=":")
            for i, (key, label) in enumerate(_LINES.items()):
                points = sorted(
                    (r["severity"], r["balanced accuracy"])
                    for r in records
                    if r["axis"] == axis and r["severity"] > 0 and (r["method"], r["split"], r["counted"]) == key
                )
                if points:
                    panel.plot(
                        *zip(*points, strict=True), color=OKABE_ITO[i], marker=MARKERS[i], markersize=4, label=label
                    )
            panel.set_title("all axes" if axis == "all" else axis, fontsize=10, loc="left")
        for panel in panels[len(axes_names) :]:
            panel.set_visible(False)
        panels[0].set_ylim(0.35, 1.02)
        figure.supxlabel("severity of wear", fontsize=10)
        figure.supylabel("balanced accuracy", fontsize=10)
        handles = {
            name: handle for panel in panels for handle, name in zip(*panel.get_legend_handles_labels(), strict=True)
        }
        figure.legend(handles.values(), handles.keys(), loc="outside right center", fontsize=9)
    return figure


def levels_figure(cells: Sequence[Record]) -> Figure:
    """Confusion of the six levels, rows in shares of the true level; a panel a method and split."""
    shown: dict[tuple[str, str, str], np.ndarray] = {}
    for cell in cells:
        if str(cell["method"]).startswith("random"):
            continue
        key = (str(cell["drives"]), str(cell["method"]), str(cell["split"]))
        shown.setdefault(key, np.zeros((6, 6)))[int(cell["true"]) - 1, int(cell["said"]) - 1] = cell["cycles"]
    columns = min(4, len(shown))
    lines = math.ceil(len(shown) / columns)
    with matplotlib.rc_context({**STYLE, "axes.grid": False}):
        figure = Figure(figsize=(2.9 * columns, 3.1 * lines), layout="constrained")
        panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
        for panel, ((drives, method, split), counts) in zip(panels, shown.items(), strict=False):
            share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-9)
            panel.imshow(share, cmap="Blues", vmin=0, vmax=1, origin="lower", extent=(0.5, 6.5, 0.5, 6.5))
            for true, said in np.argwhere(share >= 0.1):
                colour = "white" if share[true, said] > 0.6 else "black"
                panel.text(
                    said + 1, true + 1, f"{share[true, said]:.0%}", ha="center", va="center", fontsize=7, color=colour
                )
            exact = np.trace(counts) / counts.sum()
            panel.set_title(f"{drives}, {split}: {exact:.0%} exact\n{_wrapped(method)}", fontsize=8, loc="left")
            panel.set_xticks(range(1, 7))
            panel.set_yticks(range(1, 7))
        for panel in panels[len(shown) :]:
            panel.set_visible(False)
        figure.supxlabel("level said", fontsize=10)
        figure.supylabel("true level", fontsize=10)
    return figure


def brands_figure(records: Sequence[Record]) -> Figure:
    """AUROC with its 95 % interval for each brand, a panel a method, split and source."""
    panels_of: dict[str, list[Record]] = {}
    for record in records:
        if record["method"] == "random score" or record["target"] in ("all brands", "all others"):
            continue
        source = record["source"] if record["split"] == "brand out" else ""
        way = f"{record['split']} out" if record["split"] in ("unit", "session") else record["split"]
        title = f"{_wrapped(str(record['method']))}\n{way}" + (f", from {source}" if source else "")
        panels_of.setdefault(title, []).append(record)
    brands = sorted({str(r["target"]) for members in panels_of.values() for r in members})
    columns = min(5, len(panels_of))
    lines = math.ceil(len(panels_of) / columns)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(2.2 * columns + 0.8, lines * (1.1 + 0.25 * len(brands))), layout="constrained")
        panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
        for panel, (title, members) in zip(panels, panels_of.items(), strict=False):
            panel.axvline(0.5, color="#888888", linewidth=0.8, linestyle=":")
            for record in members:
                y = brands.index(str(record["target"]))
                if np.isfinite([record["AUROC low"], record["AUROC high"]]).all():
                    panel.plot([record["AUROC low"], record["AUROC high"]], [y, y], color=OKABE_ITO[0], linewidth=1.8)
                panel.plot([record["AUROC"]], [y], marker="o", color=OKABE_ITO[0], markersize=5)
            panel.set_title(title, fontsize=8, loc="left")
            panel.set_yticks(range(len(brands)), brands)
            panel.set_ylim(len(brands) - 0.5, -0.5)
            panel.grid(axis="y", visible=False)
        for panel in panels[len(panels_of) :]:
            panel.set_visible(False)
        figure.supxlabel("AUROC, healthy against anomalous (95 % interval)", fontsize=10)
    return figure


def faults_figure(records: Sequence[Record]) -> Figure:
    """Share of the cycles of each fault that are flagged at the limit for 1 % false alarms, whole units held out;
    a panel a method, faults in the order of the last one."""
    methods = list(dict.fromkeys(str(record["method"]) for record in records))
    last = [record for record in records if record["method"] == methods[-1]]
    order = sorted(last, key=lambda record: (record["label"] == "uncertain", -float(record["recall"])))
    names = [str(record["fault"]) for record in order]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(2.4 + 3.0 * len(methods), 1.4 + 0.24 * len(names)), layout="constrained")
        panels = figure.subplots(1, len(methods), sharex=True, sharey=True, squeeze=False).ravel()
        for panel, method in zip(panels, methods, strict=True):
            for record in records:
                if record["method"] != method:
                    continue
                y = names.index(str(record["fault"]))
                colour = OKABE_ITO[1] if record["label"] == "uncertain" else OKABE_ITO[0]
                panel.plot([record["low"], record["high"]], [y, y], color=colour, linewidth=1.8)
                panel.plot([record["recall"]], [y], marker="o", color=colour, markersize=5)
            panel.set_title(_wrapped(method), fontsize=9, loc="left")
            panel.axvline(0.01, color="#888888", linewidth=0.8, linestyle=":")
            panel.grid(axis="y", visible=False)
        panels[0].set_yticks(range(len(names)), [f"{r['fault']} ({r['cycles']} cycles)" for r in order])
        panels[0].set_ylim(len(names) - 0.5, -0.5)
        panels[0].set_xlim(-0.02, 1.02)
        for colour, label in ((OKABE_ITO[0], "fault"), (OKABE_ITO[1], "of telemetry only: a false alarm")):
            panels[-1].plot([], [], color=colour, marker="o", label=label)
        figure.legend(loc="outside upper right", ncols=2, fontsize=9)
        figure.supxlabel("share of cycles flagged at the limit for 1 % false alarms (95 % interval)", fontsize=10)
    return figure


def _wrapped(text: str) -> str:
    """Two lines at the comma or colon nearest the middle."""
    places = [i for i, sign in enumerate(text) if sign in ",:"]
    if len(text) < 24 or not places:
        return text
    middle = min(places, key=lambda i: abs(i - len(text) / 2))
    return f"{text[: middle + 1]}\n{text[middle + 1 :].strip()}"
