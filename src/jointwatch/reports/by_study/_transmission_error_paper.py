"""Pictures of the publication on transmission error: entropies, spectra, codes, likelihoods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from jointwatch.reports.study_figures import OKABE_ITO, STYLE, save
from jointwatch.studies.base import Results

__all__ = ["CAPTIONS", "level_colour", "paper_figures"]

Record = Mapping[str, Any]

CAPTIONS = {
    "entropies": "Energy entropy of the eight wavelet-packet bands by level, published drives: mean, and standard "
    "deviation over cycles",
    "spectra": "Mean Hilbert marginal spectrum of the motor current below 30 Hz by level, published drives",
    "codes": "Mean code of cycles held out by level, in standard deviations of the training cycles",
    "tsne": "Codes of cycles held out in the plane (t-SNE), by level (colour) and drive (marker): drives that were "
    "learned from, and drives never seen",
    "baum_welch": "Log-likelihood of a training sequence against the iteration of Baum-Welch, one model a level, and "
    "after how many iterations models of all folds and seeds have 99 % of their gain",
    "likelihoods": "Log-likelihood of cycles held out under the six models; framed: the largest, which decides",
}
_LEVELS = 6
_HALF_RATE_HZ = 500.0
_LEAST_ENTROPY = 1e-9
_ABOVE_HZ = 2.0  # below stands the motion itself, far above all else
_MARKERS = "os^DvPX<>*phd"


def level_colour(level: int) -> str:
    """Of level 1 to 6, from dark to light."""
    return str(matplotlib.colors.to_hex(matplotlib.colormaps["viridis"]((level - 1) / (_LEVELS - 0.6))))


def paper_figures(results: Results, out: Path) -> list[Path]:
    """Those there are records for."""
    details, paths = results.details, []
    for stem, draw in (
        ("entropies", _entropies),
        ("spectra", _spectra),
        ("codes", _codes),
        ("tsne", _tsne),
        ("likelihoods", _likelihoods),
    ):
        if details.get(stem):
            paths += save(draw(details[stem]), out / stem)
    if details.get("baum_welch"):
        paths += save(_baum_welch(details["baum_welch"], details.get("convergence", [])), out / "baum_welch")
    return paths


def _entropies(records: Sequence[Record]) -> Figure:
    """A panel a signal, a line a level."""
    signals = list(dict.fromkeys(str(record["signal"]) for record in records))
    bands = max(int(record["band"]) for record in records)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(4.0 * len(signals), 3.4), layout="constrained")
        axes = figure.subplots(1, len(signals), sharey=True, squeeze=False).ravel()
        for axis, signal in zip(axes, signals, strict=True):
            for level in range(1, _LEVELS + 1):
                own = [record for record in records if (record["signal"], record["level"]) == (signal, level)]
                x = np.array([int(record["band"]) for record in own]) + 0.09 * (level - 3.5)
                mean, sd = (np.array([float(record[key]) for record in own]) for key in ("mean", "sd"))
                colour = level_colour(level)
                ends = (np.minimum(sd, 0.9 * mean), sd)
                axis.errorbar(x, mean, ends, color=colour, marker="o", markersize=3.5, linewidth=1.1, elinewidth=0.8)
            axis.set_yscale("log")
            axis.set_ylim(bottom=_LEAST_ENTROPY)
            axis.set_title(signal, loc="left", fontsize=10)
            edges = [f"{_HALF_RATE_HZ / bands * k:.0f}–{_HALF_RATE_HZ / bands * (k + 1):.0f}" for k in range(bands)]
            axis.set_xticks(range(1, bands + 1), edges, rotation=40, ha="right", fontsize=8)
        figure.supxlabel("band (Hz)", fontsize=10)
        figure.supylabel("energy entropy, −p log p", fontsize=10)
        _level_legend(figure)
    return figure


def _spectra(records: Sequence[Record]) -> Figure:
    """A line a level; both axes of amplitude."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.6, 3.4), layout="constrained")
        for axis, scale in zip(figure.subplots(1, 2), ("linear", "log"), strict=True):
            for level in range(1, _LEVELS + 1):
                own = [record for record in records if record["level"] == level]
                hz, mean = (np.array([float(record[key]) for record in own]) for key in ("hz", "mean"))
                shown = hz > _ABOVE_HZ if scale == "linear" else hz > 0
                axis.plot(hz[shown], mean[shown], color=level_colour(level), linewidth=1.3)
            axis.set_yscale(scale)
            axis.set_xlim(0, 30)
            axis.set_title(f"above {_ABOVE_HZ:g} Hz" if scale == "linear" else "logarithmic", loc="left", fontsize=10)
        figure.supxlabel("frequency (Hz)", fontsize=10)
        figure.supylabel("marginal spectrum (A s)", fontsize=10)
        _level_legend(figure)
    return figure


def _codes(records: Sequence[Record]) -> Figure:
    """A line a level over the figures of the code."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.6, 3.4), layout="constrained")
        axis = figure.subplots()
        for level in range(1, _LEVELS + 1):
            own = [record for record in records if record["level"] == level]
            x = np.array([int(record["figure"]) for record in own]) + 0.08 * (level - 3.5)
            mean, sd = (np.array([float(record[key]) for record in own]) for key in ("mean", "sd"))
            axis.errorbar(
                x, mean, sd, color=level_colour(level), marker="o", markersize=4, linewidth=1.1, elinewidth=0.8
            )
        axis.set_xticks(sorted({int(record["figure"]) for record in records}))
        axis.set_xlabel("figure of the code")
        axis.set_ylabel("mean and standard deviation")
        _level_legend(figure)
    return figure


def _tsne(records: Sequence[Record]) -> Figure:
    """A panel a set of cycles."""
    titles = list(dict.fromkeys(str(record["title"]) for record in records))
    with matplotlib.rc_context({**STYLE, "axes.grid": False}):
        figure = Figure(figsize=(4.6 * len(titles), 4.3), layout="constrained")
        for axis, title in zip(figure.subplots(1, len(titles), squeeze=False).ravel(), titles, strict=True):
            own = [record for record in records if record["title"] == title]
            drives = sorted({str(record["drive"]) for record in own})
            for number, drive in enumerate(drives):
                points = [record for record in own if record["drive"] == drive]
                colours = [level_colour(int(record["level"])) for record in points]
                x, y = ([float(record[key]) for record in points] for key in ("x", "y"))
                marker = _MARKERS[number % len(_MARKERS)]
                axis.scatter(x, y, c=colours, marker=marker, s=16, linewidths=0.3, edgecolors="white")
            axis.set_xticks([])
            axis.set_yticks([])
            axis.set_title(f"{title} ({len(drives)} drives)", loc="left", fontsize=10)
        _level_legend(figure)
    return figure


def _baum_welch(curves: Sequence[Record], needed: Sequence[Record]) -> Figure:
    """Left a curve a level, right how many models need how many iterations, by split and number of cycles."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.6 if needed else 5.0, 3.4), layout="constrained")
        axes = figure.subplots(1, 2 if needed else 1, squeeze=False).ravel()
        for level in range(1, _LEVELS + 1):
            own = [record for record in curves if record["level"] == level]
            x = [int(record["iteration"]) for record in own]
            colour = level_colour(level)
            axes[0].plot(x, [float(r["log_likelihood"]) for r in own], color=colour, marker="o", markersize=3)
        axes[0].set_xlabel("iteration of Baum-Welch")
        axes[0].set_ylabel("log-likelihood of a sequence")
        if needed:
            kinds = list(dict.fromkeys((str(r["split"]), int(r["cycles"])) for r in needed))
            for number, (split, cycles) in enumerate(kinds):
                own = [r for r in needed if (str(r["split"]), int(r["cycles"])) == (split, cycles)]
                count = np.array([int(r["models"]) for r in own])
                steps = np.concatenate([[0], [int(r["iterations"]) for r in own]])
                share = np.concatenate([[0.0], np.cumsum(count) / count.sum()])
                label = f"{split.partition(' (')[0]}, T = {cycles}"
                axes[1].step(steps, share, where="post", color=OKABE_ITO[number % len(OKABE_ITO)], label=label)
            axes[1].set_xlabel("iterations until 99 % of the gain")
            axes[1].set_ylabel("share of models")
            axes[1].set_ylim(0, 1.03)
            axes[1].legend(fontsize=8, loc="lower right")
        _level_legend(figure)
    return figure


def _likelihoods(records: Sequence[Record]) -> Figure:
    """A row a cycle, named with its true level; darker is nearer to the winner, which is framed."""
    names = list(dict.fromkeys((str(r["cycle"]), int(r["true"])) for r in records))
    table = np.full((len(names), _LEVELS), np.nan)
    for record in records:
        place = names.index((str(record["cycle"]), int(record["true"])))
        table[place, int(record["level"]) - 1] = float(record["log_likelihood"])
    behind = np.log10(1 + np.nanmax(table, axis=1, keepdims=True) - table)
    with matplotlib.rc_context({**STYLE, "axes.grid": False}):
        figure = Figure(figsize=(7.4, 0.9 + 0.34 * len(names)), layout="constrained")
        axis = figure.subplots()
        axis.imshow(-behind, cmap="Blues", aspect="auto", vmin=-4.0, vmax=0.4)
        for i, k in np.ndindex(table.shape):
            won = table[i, k] == np.nanmax(table[i])
            text = f"{table[i, k]:,.0f}" if np.isfinite(table[i, k]) else "–"
            axis.text(
                k, i, text, ha="center", va="center", fontsize=8, color="white" if behind[i, k] < 1.6 else "black"
            )
            if won:
                axis.add_patch(Rectangle((k - 0.49, i - 0.46), 0.98, 0.92, fill=False, ec=OKABE_ITO[1], lw=1.8))
        axis.set_xticks(range(_LEVELS), [f"model {k + 1}" for k in range(_LEVELS)])
        axis.set_yticks(range(len(names)), [f"level {true}: {name}" for name, true in names], fontsize=8)
        axis.tick_params(length=0)
        for side in axis.spines.values():
            side.set_visible(False)
    return figure


def _level_legend(figure: Figure) -> None:
    lines = [Line2D([], [], color=level_colour(level), marker="o", linewidth=1.5) for level in range(1, _LEVELS + 1)]
    names = [f"level {level}" for level in range(1, _LEVELS + 1)]
    figure.legend(lines, names, loc="outside right center", fontsize=9)
