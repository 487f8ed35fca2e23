"""Picture of a measured static transmission error: runs with their intervals, the mean, the six levels."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from jointwatch.core.levels import LEVEL_RAD, LEVELS
from jointwatch.metrology.static_error import MeasuredError
from jointwatch.reports.study_figures import OKABE_ITO, STYLE

__all__ = ["static_error_figure"]

_BANDS = ("#f1f5f9", "#dfe6ee")
_NOTE = "#555555"


def static_error_figure(measured: MeasuredError) -> Figure:
    """Each run's error with the interval that noise leaves it, the mean with its own, levels as bands.

    Positive = turned too far. The levels are those of the absolute error, on both sides of zero where runs are.
    """
    width = float(np.degrees(LEVEL_RAD))
    errors = np.degrees([one.error_rad for one in measured.runs])
    ends = np.degrees([[one.low_rad for one in measured.runs], [one.high_rad for one in measured.runs]])
    mean, low, high = np.degrees([measured.error_rad, measured.low_rad, measured.high_rad])
    # one run of estimated noise may have a huge interval; the axis follows errors and mean, and the rest is cut
    reach = [min(low, errors.min(), max(ends.min(), errors.min() - width)), max(high, errors.max())]
    reach[1] = max(reach[1], min(ends.max(), errors.max() + width))
    pad = max(0.15 * (reach[1] - reach[0]), 0.1 * width)
    below, above = (-0.08, 1.08) if mean >= 0 else (-1.08, 0.08)
    bottom, top = min(reach[0] - pad, below * width), max(reach[1] + pad, above * width)
    place = np.arange(1, len(errors) + 1)
    at_mean = len(errors) + 1.2
    with matplotlib.rc_context({**STYLE, "axes.grid": False}):
        figure = Figure(figsize=(max(4.8, 2.6 + 0.42 * len(errors)), 3.6), layout="constrained")
        axis = figure.subplots()
        for sign in (1, -1):
            for k in range(LEVELS):
                edges = sign * width * k, sign * (width * (k + 1) if k < LEVELS - 1 else max(abs(bottom), top, 1.0))
                inner, outer = max(min(edges), bottom), min(max(edges), top)
                if outer <= inner:
                    continue
                axis.axhspan(inner, outer, color=_BANDS[k % 2], linewidth=0, zorder=0)
                if outer - inner > 0.06 * (top - bottom):
                    axis.text(
                        1.01,
                        (inner + outer) / 2,
                        f"level {k + 1}",
                        transform=axis.get_yaxis_transform(),
                        va="center",
                        fontsize=9,
                        color=_NOTE,
                    )
        axis.axhline(0.0, color=_NOTE, linewidth=0.8)
        axis.errorbar(
            place,
            errors,
            yerr=np.abs(ends - errors),
            fmt="o",
            color=OKABE_ITO[0],
            markersize=5,
            elinewidth=1.4,
            label="run, interval from the noise of the centres",
        )
        axis.axhline(mean, color=OKABE_ITO[1], linewidth=1.0, linestyle="--", zorder=1)
        axis.errorbar(
            [at_mean],
            [mean],
            yerr=[[mean - low], [high - mean]],
            fmt="D",
            color=OKABE_ITO[1],
            markersize=6,
            elinewidth=2.2,
            label=f"mean: {mean:+.4f} deg, {measured.level_words}",
        )
        axis.set_xticks([*place, at_mean], [*(one.run for one in measured.runs), "mean"])
        axis.set_xlim(0.4, at_mean + 0.6)
        axis.set_ylim(bottom, top)
        axis.set_xlabel("run")
        axis.set_ylabel("measured − theoretical\noutput angle, deg")
        figure.legend(loc="outside upper left", fontsize=9)
    return figure
