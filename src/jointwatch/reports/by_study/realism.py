"""Figures of the realism study: what was measured and simulated on the same motion, laid over each other."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from jointwatch.reports.study_figures import OKABE_ITO, STYLE, save
from jointwatch.studies.base import Results

__all__ = ["drawn", "figures", "realism_figure"]

Point = Mapping[str, Any]

_SIDES = {"measured": (OKABE_ITO[0], "o", 2.0), "simulated": (OKABE_ITO[1], "s", 1.0)}
_ROWS = ("friction", "spectrum", "orders")


def drawn(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Ratios and AUCs: what is in amperes differs from set to set, and only ratios share an axis."""
    return [row for row in rows if row["metric"].endswith("ratio") or "AUC" in row["metric"]]


def figures(results: Results, out: Path) -> list[Path]:
    """One figure a set from the study's table of curves; returns the paths, PNG before SVG."""
    paths: list[Path] = []
    curves = results.details["curves"]
    for name in dict.fromkeys(str(point["set"]) for point in curves):
        chosen = [point for point in curves if point["set"] == name]
        stem = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_").lower()
        paths += save(realism_figure(chosen, name), out / f"realism_{stem}")
    return paths


def realism_figure(curves: Sequence[Point], title: str) -> Figure:
    """Friction against speed, residual spectrum and motor orders of each joint, and the time steps of the set.

    Parameters
    ----------
    curves : points {"kind", "joint", "unit", "side", "seed", "x", "y"} of one set; kind `friction`, `spectrum`,
        `orders` with `orders, noise` (below it an order is noise), or `steps`. Seeds are drawn thin, one line each.
    """
    joints = sorted({int(point["joint"]) for point in curves if point["joint"]})
    rows = [kind for kind in _ROWS if any(point["kind"] == kind for point in curves)]
    columns = max(1, len(joints))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(1.2 + 2.4 * columns, 0.8 + 2.1 * (len(rows) + 1)), layout="constrained")
        grid = figure.add_gridspec(len(rows) + 1, columns)
        for i, kind in enumerate(rows):
            drawn = False
            for k, joint in enumerate(joints):
                axis = figure.add_subplot(grid[i, k])
                points = [p for p in curves if p["joint"] == joint and str(p["kind"]).startswith(kind)]
                if i == 0:
                    axis.set_title(f"joint {joint}", fontsize=10, loc="left")
                if not points:
                    axis.set_axis_off()
                    continue
                _DRAW[kind](axis, points)
                if not drawn:
                    axis.set_ylabel(_LABELS[kind][1].format(unit=points[0]["unit"]))
                drawn = True
                axis.set_xlabel(_LABELS[kind][0], fontsize=9)
                axis.tick_params(labelsize=8)
        axis = figure.add_subplot(grid[len(rows), :])
        _steps(axis, [point for point in curves if point["kind"] == "steps"])
        handles = [axis.plot([], [], color=c, marker=m, markersize=4, label=s)[0] for s, (c, m, _) in _SIDES.items()]
        figure.legend(handles=handles, loc="outside upper right", ncols=2, fontsize=9)
        figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure


def _curves(points: Sequence[Point]) -> list[tuple[str, int, str, list[float], list[float]]]:
    """(side, seed, kind, x, y) of each curve, measured ones last so that they lie on top."""
    found: dict[tuple[str, int, str], tuple[list[float], list[float]]] = {}
    for point in points:
        x, y = found.setdefault((str(point["side"]), int(point["seed"]), str(point["kind"])), ([], []))
        x.append(float(point["x"]))
        y.append(float(point["y"]))
    order = sorted(found, key=lambda key: (key[0] == "measured", key[1], key[2]))
    return [(*key, *found[key]) for key in order]


def _friction(axis: Any, points: Sequence[Point]) -> None:
    for side, _, _, x, y in _curves(points):
        colour, marker, width = _SIDES[side]
        axis.plot(x, y, color=colour, linewidth=width * 0.8, marker=marker, markersize=2.5)
    axis.set_xlim(0, 1.08 * max(float(point["x"]) for point in points))
    axis.set_ylim(min(0.0, axis.get_ylim()[0]), 1.08 * max(float(point["y"]) for point in points))


def _spectrum(axis: Any, points: Sequence[Point]) -> None:
    for side, _, _, x, y in _curves(points):
        colour, _, width = _SIDES[side]
        axis.plot(x, y, color=colour, linewidth=width * 0.6)
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.yaxis.set_minor_formatter(NullFormatter())


def _orders(axis: Any, points: Sequence[Point]) -> None:
    curves = _curves(points)
    orders = sorted({x for *_, xs, _ in curves for x in xs})
    for side, _, kind, xs, ys in curves:
        colour, marker, width = _SIDES[side]
        at = [orders.index(x) + (-0.12 if side == "measured" else 0.12) for x in xs]
        if kind == "orders":
            axis.plot(at, ys, linestyle="", color=colour, marker=marker, markersize=3 + width)
        else:
            axis.hlines(ys, [x - 0.1 for x in at], [x + 0.1 for x in at], color=colour, linewidth=0.8)
    axis.set_xticks(range(len(orders)), [f"{order:g}" for order in orders])
    axis.set_xlim(-0.5, max(len(orders), 1) - 0.5)
    axis.set_ylim(bottom=0)
    axis.grid(axis="x", visible=False)


def _steps(axis: Any, points: Sequence[Point]) -> None:
    for side, _, _, x, y in _curves(points):
        colour, marker, width = _SIDES[side]
        axis.vlines(x, 1e-4, y, color=colour, linewidth=width)
        axis.plot(x, y, linestyle="", color=colour, marker=marker, markersize=3)
    if points:
        axis.set_yscale("log")
    axis.set_xlabel("time step (ms)", fontsize=9)
    axis.set_ylabel("share of steps")
    axis.tick_params(labelsize=8)


_LABELS = {
    "friction": ("speed (rad/s or m/s)", "friction ({unit})"),
    "spectrum": ("frequency (Hz)", "residual ({unit}/√Hz)"),
    "orders": ("order of the motor (bar: noise)", "amplitude ({unit})"),
}
_DRAW = {"friction": _friction, "spectrum": _spectrum, "orders": _orders}
