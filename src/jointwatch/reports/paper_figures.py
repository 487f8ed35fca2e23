"""Kinds of pictures that studies of classifiers share: grouped bars, curves with bands, matrices, attention."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from jointwatch.reports.study_figures import MARKERS, OKABE_ITO, STYLE

__all__ = ["attention_map", "confusion_matrix", "curves_with_bands", "grouped_bars", "heat_map"]

Row = Mapping[str, Any]

_IMAGE = {**STYLE, "axes.grid": False, "axes.spines.left": False, "axes.spines.bottom": False}
_DARK = 0.6  # share of the colour scale above which text is white
_ABSENT = "#eeeeee"
_FRAME = "#333333"
_FRAMED = OKABE_ITO[1]


def grouped_bars(
    rows: Iterable[Row],
    *,
    y_label: str = "score (mean and 95 % interval)",
    low: float = 0.0,
    high: float = 1.0,
    panel: str | None = None,
) -> Figure:
    """A group of bars a metric, a bar a method, with its interval and its value above it.

    Parameters
    ----------
    rows : with `method`, `metric`, `mean`, `low`, `high`; a mean or an end that is None or NaN is not drawn. Groups and
        bars are in order of first appearance.
    low, high : ends of the axis; bars begin at 0 where that is between them, else at `low`.
    panel : key of the rows that holds the title of their panel, one below the other; None = one panel.

    >>> rows = [{"method": m, "metric": "recall", "mean": x, "low": x - 0.1, "high": x + 0.05}
    ...         for m, x in (("CNN", 0.7), ("AD-CNN", 0.9))]
    >>> [text.get_text() for text in grouped_bars(rows).axes[0].texts]
    ['.70', '.90']
    """
    chosen = [row for row in rows if _finite(row["mean"])]
    metrics = list(dict.fromkeys(str(row["metric"]) for row in chosen))
    methods = list(dict.fromkeys(str(row["method"]) for row in chosen))
    width = 0.84 / max(1, len(methods))
    titles = list(dict.fromkeys(str(row[panel]) for row in chosen)) if panel else [""]
    lines = max(1, len(titles))
    inches = max(4.2, 1.2 + 0.27 * len(metrics) * (len(methods) + 1.2))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(inches, 0.4 + 3.0 * lines), layout="constrained")
        axes = figure.subplots(lines, 1, sharex=True, sharey=True, squeeze=False).ravel()
        known: dict[str, Any] = {}
        for axis, title in zip(axes, titles, strict=False):
            for i, method in enumerate(methods):
                own = [row for row in chosen if row["method"] == method and (not panel or str(row[panel]) == title)]
                at = [metrics.index(str(row["metric"])) + (i - (len(methods) - 1) / 2) * width for row in own]
                known.setdefault(method, _bars(axis, i, at, 0.9 * width, own, min(max(0.0, low), high)))
            axis.set_title(title, fontsize=10, loc="left", pad=14)
            axis.set_xticks(range(len(metrics)), metrics)
            axis.tick_params(axis="x", length=0, labelbottom=True)
            axis.set_xlim(-0.55, len(metrics) - 0.45)
            axis.set_ylim(low, high)
            axis.grid(axis="x", visible=False)
            if low < 0 < high:
                axis.axhline(0.0, color=_FRAME, linewidth=0.8)
        figure.supylabel(y_label, fontsize=10)
        if methods:
            figure.legend(
                known.values(),
                known.keys(),
                loc="outside upper center",
                ncols=min(len(methods), 6),
                fontsize=9,
                columnspacing=1.4,
            )
    return figure


def curves_with_bands(
    rows: Iterable[Row],
    *,
    x: str = "share",
    x_label: str = "share of the training data",
    y_label: str = "mean and 95 % interval",
    panel: str = "metric",
    percent: bool = True,
    log: bool = False,
) -> Figure:
    """A line a method with its 95 % interval as a band, against a number; one panel a metric.

    Parameters
    ----------
    rows : with `method`, `mean`, `low`, `high`, the number under the key `x` and the panel's title under `panel`.
        A method with one number only is a dashed level line, for example a reference that needs no data.
    percent : the numbers are shares, shown in per cent. log : their axis is logarithmic.
    """
    chosen = [row for row in rows if _finite(row["mean"])]
    titles = list(dict.fromkeys(str(row[panel]) for row in chosen))
    methods = list(dict.fromkeys(str(row["method"]) for row in chosen))
    columns = 1 if len(titles) == 1 else 2 if len(titles) in (2, 4) else min(3, max(1, len(titles)))
    lines = math.ceil(max(1, len(titles)) / columns)
    scale = 100.0 if percent else 1.0
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(3.3 * columns + 1.6, 0.4 + 2.6 * lines), layout="constrained")
        axes = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
        ticks: set[float] = set()
        known: dict[str, Any] = {}
        for axis, title in zip(axes, titles, strict=False):
            for i, method in enumerate(methods):
                own = [row for row in chosen if row["method"] == method and str(row[panel]) == title]
                if not own:
                    continue
                points = sorted(own, key=lambda row: float(row[x]))
                line = _curve(axis, i, [scale * float(row[x]) for row in points], points)
                known.setdefault(method, line)
                if len(points) > 1:
                    ticks |= {scale * float(row[x]) for row in points}
            axis.set_title(title, fontsize=10, loc="left")
        for axis in axes[len(titles) :]:
            axis.set_visible(False)
        if log:
            axes[0].set_xscale("log")
        if 1 < len(ticks) <= 10 and (log or _apart(ticks)):
            axes[0].set_xticks(sorted(ticks), [f"{tick:g}" for tick in sorted(ticks)])
            axes[0].minorticks_off()
        figure.supxlabel(f"{x_label} (%)" if percent else x_label, fontsize=10)
        figure.supylabel(y_label, fontsize=10)
        if known:
            figure.legend(known.values(), known.keys(), loc="outside right center", fontsize=9)
    return figure


def heat_map(
    panels: Mapping[str, np.ndarray],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    row_label: str,
    column_label: str,
    value_label: str,
    low: float | None = None,
    high: float | None = None,
    ends: Mapping[str, tuple[np.ndarray, np.ndarray]] | None = None,
    frame: Iterable[tuple[int, int]] = (),
) -> Figure:
    """Matrices side by side on one colour scale, each cell with its number.

    Parameters
    ----------
    panels : title -> (row, column) values, NaN = not computed, shown as a dash. The first row is on top.
    rows, columns : names of the lines. row_label, column_label : what they are. value_label : of the colour scale.
    low, high : ends of the colour scale; default the least and largest value.
    ends : title -> (low, high) of each cell's interval, written small below its number.
    frame : (row, column) of the cells with a frame, such as the diagonal.
    """
    values = {title: np.asarray(panel, float) for title, panel in panels.items()}
    known = np.concatenate([panel[np.isfinite(panel)] for panel in values.values()] or [np.zeros(0)])
    low = (float(known.min()) if len(known) else 0.0) if low is None else low
    high = (float(known.max()) if len(known) else 1.0) if high is None else high
    across = min(2 if len(values) in (2, 4) else 3, max(1, len(values)))
    down = math.ceil(max(1, len(values)) / across)
    name_in = 0.075 * max(len(name) for name in rows)
    cell_w, cell_h = (0.82, 0.5) if ends else (0.56, 0.42)
    size = (1.5 + name_in + across * (0.3 + cell_w * len(columns)), 0.9 + down * (0.4 + cell_h * len(rows)))
    with matplotlib.rc_context(_IMAGE):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).ravel()
        image = None
        for axis, (title, panel) in zip(axes, values.items(), strict=False):
            axis.set_facecolor(_ABSENT)
            image = axis.imshow(np.ma.masked_invalid(panel), cmap="Blues", vmin=low, vmax=high, aspect="auto")
            for i, k in np.ndindex(panel.shape):
                dark = bool(panel[i, k] - low > _DARK * (high - low))
                text = f"{panel[i, k]:.2f}" if np.isfinite(panel[i, k]) else "–"
                own = ends[title] if ends else None
                if own is not None and np.isfinite([own[0][i, k], own[1][i, k], panel[i, k]]).all():
                    small = f"{own[0][i, k]:.2f}–{own[1][i, k]:.2f}"
                    axis.text(k, i - 0.12, text, **_text(dark, 9))
                    axis.text(k, i + 0.26, small, **_text(dark, 6.5))
                else:
                    axis.text(k, i, text, **_text(dark, 9))
            for i, k in frame:
                axis.add_patch(
                    matplotlib.patches.Rectangle((k - 0.48, i - 0.46), 0.96, 0.92, fill=False, ec=_FRAMED, lw=1.8)
                )
            _cells(axis, rows, columns)
            axis.set_title(title, fontsize=10, loc="left")
        for axis in axes[len(values) :]:
            axis.set_visible(False)
        figure.supxlabel(column_label, fontsize=10)
        figure.supylabel(row_label, fontsize=10)
        if image is not None:
            _scale(figure, image, list(axes[: len(values)]), value_label)
    return figure


def confusion_matrix(counts: np.ndarray, names: Sequence[str], *, title: str = "", of: str = "windows") -> Figure:
    """True class by row, said class by column: the count and its share of the row, which is the colour.

    Parameters
    ----------
    counts : (true, said), whole numbers or means over repetitions. names : of the classes. of : what was counted.
    """
    counts = np.asarray(counts, float)
    there = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, there, out=np.full_like(counts, np.nan), where=there > 0)
    hit = float(np.trace(counts) / counts.sum()) if counts.sum() else math.nan
    cell = 0.62 if len(names) > 6 else 0.78
    side = 0.7 + 0.075 * max(len(name) for name in names) + cell * len(names)
    width = max(side + 1.0, 1.2 + 0.085 * len(title))
    with matplotlib.rc_context(_IMAGE):
        figure = Figure(figsize=(width, side + 0.2 + 0.2 * bool(title)), layout="constrained")
        axis = figure.subplots()
        axis.set_facecolor(_ABSENT)
        image = axis.imshow(np.ma.masked_invalid(share), cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for i, k in np.ndindex(counts.shape):
            if counts[i, k] == 0:
                continue
            dark = bool(share[i, k] > _DARK)
            axis.text(k, i - 0.13, _share(share[i, k]), **_text(dark, 9 if len(names) <= 6 else 8))
            axis.text(k, i + 0.22, f"{counts[i, k]:,.0f}", **_text(dark, 7 if len(names) <= 6 else 6.5))
        _cells(axis, names, names)
        if max(len(name) for name in names) > 8:
            axis.tick_params(axis="x", rotation=45)
            for label in axis.get_xticklabels():
                label.set(ha="right", rotation_mode="anchor")
        axis.set_xlabel("said")
        axis.set_ylabel("true")
        axis.set_title(f"{title}\n{100 * hit:.1f} % right".strip(), fontsize=10, loc="left")
        _scale(figure, image, [axis], f"share of the true class's {of}", percent=True)
    return figure


def attention_map(
    values: np.ndarray,
    attended: np.ndarray,
    features: Sequence[str],
    *,
    block_s: float | None = None,
    titles: tuple[str, str] = ("feature map", "attention"),
) -> Figure:
    """A window's feature map beside how much each of its positions is attended to.

    Parameters
    ----------
    values : (block, feature) N_t x N_f, normalised: 0 is usual. attended : the same shape, not negative; shown as a
        multiple of its mean, so that 1 is even attention. features : names of the features, drawn as lines.
    block_s : seconds a block; None = blocks are counted.
    titles : of the two pictures.
    """
    values, attended = np.asarray(values, float), np.asarray(attended, float)
    blocks = len(values)
    reach = float(np.abs(values).max()) or 1.0
    relative = attended / attended.mean() if attended.mean() > 0 else np.ones_like(attended)
    stop = blocks * block_s if block_s else blocks
    extent = (0.0, stop, len(features) - 0.5, -0.5)
    name_in = 0.075 * max(len(name) for name in features)
    size = (name_in + 1.8 + 2 * max(2.2, 0.17 * blocks), 1.0 + 0.27 * len(features))
    with matplotlib.rc_context(_IMAGE):
        figure = Figure(figsize=size, layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        first = left.imshow(
            values.T, cmap="RdBu_r", norm=TwoSlopeNorm(0.0, -reach, reach), extent=extent, aspect="auto"
        )
        top = max(2.0, float(relative.max()))
        second = right.imshow(relative.T, cmap="Blues", vmin=0.0, vmax=top, extent=extent, aspect="auto")
        left.set_yticks(range(len(features)), features, fontsize=8)
        for axis, title, image, label in (
            (left, titles[0], first, "normalised value"),
            (right, titles[1], second, "times the even share"),
        ):
            axis.tick_params(length=0)
            axis.set_title(title, fontsize=10, loc="left")
            axis.set_xlabel("time (s)" if block_s else "block")
            axis.xaxis.set_major_locator(MaxNLocator(5, integer=block_s is None))
            axis.hlines(np.arange(1, len(features)) - 0.5, 0, stop, color="white", linewidth=0.8)
            _scale(figure, image, [axis], label)
    return figure


_BAR: dict[str, Any] = {"color": _FRAME, "elinewidth": 1.0, "capsize": 2.0, "capthick": 1.0}


def _bars(axis: Any, i: int, at: Sequence[float], width: float, rows: Sequence[Row], base: float) -> Any:
    """One method's bars with intervals and values; they, for the legend."""
    mean = [float(row["mean"]) for row in rows]
    colour = OKABE_ITO[i % len(OKABE_ITO)]
    bars = axis.bar(at, [m - base for m in mean], width, bottom=base, color=colour, alpha=0.85)
    for x, m, row in zip(at, mean, rows, strict=True):
        ends = _ends(row)
        if ends:
            axis.errorbar(x, m, [[max(0.0, m - ends[0])], [max(0.0, ends[1] - m)]], **_BAR)
        axis.annotate(
            _short(m),
            (x, max(m, base, ends[1] if ends else m)),
            (0, 2),
            textcoords="offset points",
            ha="center",
            fontsize=7,
            annotation_clip=False,
        )
    return bars


def _curve(axis: Any, i: int, x: Sequence[float], points: Sequence[Row]) -> Any:
    """One method; its line, for the legend."""
    colour = OKABE_ITO[i % len(OKABE_ITO)]
    mean = [float(row["mean"]) for row in points]
    if len(points) == 1:
        return axis.axhline(mean[0], color=colour, linestyle="--", linewidth=1.4)
    ends = [_ends(row) or (m, m) for row, m in zip(points, mean, strict=True)]
    axis.fill_between(x, [low for low, _ in ends], [high for _, high in ends], color=colour, alpha=0.16, linewidth=0)
    (line,) = axis.plot(x, mean, color=colour, marker=MARKERS[i % len(MARKERS)], markersize=4.5, linewidth=1.5)
    return line


def _short(value: float) -> str:
    """Two decimals without the leading zero, which would not fit above a bar."""
    return f"{value:.2f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.2f}"


def _share(value: float) -> str:
    return "< 1 %" if 0 < value < 0.005 else f"{100 * value:.0f} %"


def _text(dark: bool, size: float) -> dict[str, Any]:
    return {"ha": "center", "va": "center", "fontsize": size, "color": "white" if dark else "black"}


def _cells(axis: Any, rows: Sequence[str], columns: Sequence[str]) -> None:
    """Names of the lines, and white gaps between the cells."""
    axis.set_xticks(range(len(columns)), columns, fontsize=9)
    axis.set_yticks(range(len(rows)), rows, fontsize=9)
    axis.set_xticks(np.arange(1, len(columns)) - 0.5, minor=True)
    axis.set_yticks(np.arange(1, len(rows)) - 0.5, minor=True)
    axis.grid(which="minor", color="white", linewidth=1.5)
    axis.tick_params(which="both", length=0)


def _scale(figure: Figure, image: Any, axes: list[Any], label: str, *, percent: bool = False) -> None:
    bar = figure.colorbar(image, ax=axes, shrink=0.9, aspect=24, pad=0.02)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8)
    if percent:
        bar.ax.yaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1.0))
    bar.set_label(label, fontsize=9)


def _apart(ticks: set[float]) -> bool:
    """Whether numbers written at these places do not touch."""
    places = sorted(ticks)
    return float(min(np.diff(places))) >= 0.06 * (places[-1] - places[0])


def _ends(row: Row) -> tuple[float, float] | None:
    return (float(row["low"]), float(row["high"])) if _finite(row["low"]) and _finite(row["high"]) else None


def _finite(value: Any) -> bool:
    return value is not None and math.isfinite(value)
