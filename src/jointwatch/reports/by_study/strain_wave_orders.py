"""Figures of the strain-wave study: spectra of each joint with their lines, amplitudes, and lines against speed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from jointwatch.reports.study_figures import MARKERS, OKABE_ITO, STYLE, save
from jointwatch.reports.tables import blocks_by_metrics
from jointwatch.studies.base import Results

__all__ = ["CAPTIONS", "amplitudes_figure", "blocks", "drawn", "figures", "map_figure", "orders_figure"]

Record = Mapping[str, Any]

CAPTIONS = {
    "orders": "Left: amplitude of the current by order, root mean square over stretches. Right: how strong stretches "
    "of different speed are together; dashed: what one search in twenty would pass if lines were as likely anywhere. "
    "Triangles: lines that count; grey: multiples of the ratio named beforehand",
    "amplitudes": "Amplitude of each order by joint and recording, whiskers 95 % intervals; hollow where it does not "
    "rise above its neighbours at 5 %, or in so few turns that these cannot tell",
    "map": "Strength over the background in short pieces, by their speed: an order is a ray by frequency and a level "
    "by order, mains or a resonance the other way round",
}
_SIGNAL = "current"
_WEAK, _STRONG = 1.0, 30.0  # strength over the background


def drawn(rows: Sequence[Record]) -> list[Record]:
    """No row: what matters is drawn here, and the tables hold the rest."""
    return []


def blocks(rows: Sequence[Record]) -> list[list[Record]]:
    """Lines and ratios, and each order, by themselves."""
    return blocks_by_metrics(rows)


def figures(results: Results, out: Path) -> list[Path]:
    """Spectra, amplitudes, and the map of the joint whose lines stand out most; returns the paths, PNG before SVG."""
    own = {
        name: [record for record in records if record.get("signal", _SIGNAL) == _SIGNAL]
        for name, records in results.details.items()
    }
    curves, named = own["curves"], own["named"]
    lines = [line for line in own.get("lines", []) if line["counts"]]
    paths = save(orders_figure(curves, lines, sorted({line["order"] for line in named})), out / "orders")
    paths += save(amplitudes_figure(own["amplitudes"]), out / "amplitudes")
    clearest = min(named, key=lambda line: (line["p"], line["lock_p"]))["joint"]
    chosen = [record for record in own["map"] if record["joint"] == clearest]
    return paths + save(map_figure(chosen, sorted({line["order"] for line in named})), out / "map")


def orders_figure(curves: Sequence[Record], lines: Sequence[Record], named: Sequence[float]) -> Figure:
    """A row a joint: amplitude, and joint strength with its limit.

    Parameters
    ----------
    curves : {"joint", "order", "amplitude", "statistic", "limit"}. lines : {"joint", "searched"} that are marked.
    """
    joints = sorted({int(point["joint"]) for point in curves})
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(10.5, 0.8 + 1.35 * len(joints)), layout="constrained")
        axes = figure.subplots(len(joints), 2, sharex=True, sharey="col", squeeze=False)
        for (left, right), joint in zip(axes, joints, strict=True):
            points = [point for point in curves if point["joint"] == joint]
            orders = [point["order"] for point in points]
            found = [line["searched"] for line in lines if line["joint"] == joint]
            for axis in (left, right):
                for order in named:
                    axis.axvline(order, color="#bbbbbb", linewidth=2.5, zorder=0.5)
            left.semilogy(orders, [1e3 * point["amplitude"] for point in points], color=OKABE_ITO[0], linewidth=1.0)
            left.set_ylabel(f"joint {joint}\n(mA)")
            left.yaxis.set_minor_formatter(NullFormatter())
            statistic = [point["statistic"] for point in points]
            right.plot(orders, statistic, color=OKABE_ITO[2], linewidth=1.0)
            right.axhline(points[0]["limit"], color="black", linestyle="--", linewidth=0.9)
            tops = [statistic[int(np.abs(np.array(orders) - order).argmin())] for order in found]
            right.plot(found, [top + 1.6 for top in tops], "v", color=OKABE_ITO[1], markersize=7)
            right.set_xlim(orders[0], orders[-1])
        for axis, title in zip(axes[0], ("amplitude of the current", "strength at all speeds together"), strict=True):
            axis.set_title(title, fontsize=10, loc="left")
        for axis in axes[-1]:
            axis.set_xlabel("order (cycles a turn of the output)")
    return figure


def amplitudes_figure(amplitudes: Sequence[Record]) -> Figure:
    """A panel an order, a place a joint, a mark a stretch.

    Parameters
    ----------
    amplitudes : {"joint", "session", "way", "order", "amplitude", "uncertainty", "p"}; a mark for each session, hollow
        where p is NaN.
    """
    orders = sorted({float(record["order"]) for record in amplitudes})
    joints = sorted({int(record["joint"]) for record in amplitudes})
    kinds = _kinds(amplitudes)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9.5, 2.2 * ((len(orders) + 1) // 2) + 0.8), layout="constrained")
        axes = figure.subplots((len(orders) + 1) // 2, min(2, len(orders)), sharex=True, sharey=True, squeeze=False)
        for axis, order in zip(axes.ravel(), orders, strict=False):
            for record in (record for record in amplitudes if record["order"] == order):
                i = kinds.index(_kind(record))
                x = joints.index(int(record["joint"])) + 0.62 * ((i + 0.5) / len(kinds) - 0.5) + 0.04 * record["way"]
                value, reach = 1e3 * record["amplitude"], 1.96e3 * record["uncertainty"]
                colour = OKABE_ITO[i % len(OKABE_ITO)]
                face = colour if record["p"] <= 0.05 else "white"
                axis.plot([x, x], [max(value - reach, 0.3), value + reach], color=colour, linewidth=1.2, alpha=0.7)
                axis.plot([x], [value], MARKERS[i % len(MARKERS)], color=colour, markerfacecolor=face, markersize=5)
            axis.set_title(f"order {order:g}", fontsize=10, loc="left")
            axis.set_yscale("log")
            axis.set_ylim(0.5, 400)
            axis.set_xticks(range(len(joints)), [f"J{joint}" for joint in joints])
            axis.grid(axis="x", visible=False)
        for axis in axes[:, 0]:
            axis.set_ylabel("amplitude (mA)")
        handles = [
            axes[0, 0].plot([], [], MARKERS[i % len(MARKERS)], color=OKABE_ITO[i % len(OKABE_ITO)], label=kind)[0]
            for i, kind in enumerate(kinds)
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=9)
    return figure


def _kind(record: Record) -> str:
    name = str(record["session"])
    return "joint by joint" if name.startswith("joint_") else name.replace("_", " ")


def _kinds(records: Sequence[Record]) -> list[str]:
    return sorted({_kind(record) for record in records})


def map_figure(points: Sequence[Record], named: Sequence[float]) -> Figure:
    """Two panels, by frequency and by order, over the rank of the speed.

    Parameters
    ----------
    points : {"joint", "piece", "speed", "order", "strength"} of one joint.
    """
    pieces = sorted({(float(point["speed"]), int(point["piece"])) for point in points})
    orders = sorted({float(point["order"]) for point in points})
    place = {piece: i for i, (_, piece) in enumerate(pieces)}
    strength = np.zeros((len(orders), len(pieces)))
    for point in points:
        strength[orders.index(point["order"]), place[point["piece"]]] = point["strength"]
    speeds = np.array([speed for speed, _ in pieces])
    edges = np.concatenate([[0], np.arange(1, len(pieces)), [len(pieces)]])
    bounds = np.append(orders, 2 * orders[-1] - orders[-2]) - (orders[1] - orders[0]) / 2
    norm = LogNorm(_WEAK, _STRONG)
    with matplotlib.rc_context({**STYLE, "axes.grid": False}):
        figure = Figure(figsize=(10.0, 4.2), layout="constrained")
        by_hz, by_order = figure.subplots(1, 2)
        for i, speed in enumerate(speeds):
            column = np.maximum(strength[:, i : i + 1], _WEAK)
            by_hz.pcolormesh(edges[i : i + 2], bounds * speed, column, cmap="Blues", norm=norm)
        image = by_order.pcolormesh(edges, bounds, np.maximum(strength, _WEAK), cmap="Blues", norm=norm)
        steps = np.repeat(speeds, 2)
        ends = np.repeat(np.arange(len(speeds) + 1), 2)[1:-1]
        for order in named:
            by_hz.plot(ends, order * steps, color=OKABE_ITO[1], linewidth=0.8, linestyle=":")
            end = (len(speeds), order * speeds[-1])
            offset = {"textcoords": "offset points", "va": "center", "fontsize": 8, "color": OKABE_ITO[1]}
            by_hz.annotate(f"{order:g}", end, (3, 0), **offset)
            by_order.axhline(order, color=OKABE_ITO[1], linewidth=0.8, linestyle=":")
        shown = np.unique(np.linspace(0, len(speeds) - 1, min(5, len(speeds))).round().astype(int))
        for axis in (by_hz, by_order):
            axis.set_xticks(shown + 0.5, [f"{speeds[i]:.3f}" for i in shown])
            axis.set_xlabel("turns of the output a second, pieces in order of speed")
        by_hz.set_ylabel("frequency (Hz)")
        by_order.set_ylabel("order (cycles a turn of the output)")
        by_hz.set_title(f"joint {points[0]['joint']}, by frequency", fontsize=10, loc="left")
        by_order.set_title("the same, by order", fontsize=10, loc="left")
        figure.colorbar(image, ax=[by_hz, by_order], label="strength over the background", aspect=30, pad=0.02)
    return figure
