"""Picture of a wear trend: readings with their intervals, the forecast band, the limit and the date it is reached."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from jointwatch.core.levels import LEVEL_RAD
from jointwatch.prognosis.forecast import Answer, Reading, WearForecast
from jointwatch.reports.study_figures import OKABE_ITO, STYLE

__all__ = ["wear_trend_figure"]

_NOTE = "#555555"


def wear_trend_figure(
    readings: Sequence[Reading], forecast: WearForecast, *, limit_rad: float = LEVEL_RAD, title: str = ""
) -> Figure:
    """The history, what the model makes of it, and when the limit is reached: time in days, error in degrees.

    Single stray readings that were set aside are hollow. The date's intervals are drawn on the limit, 95 % thin and
    80 % thick, only where the forecast gives a date; an arrow stands for an end beyond the picture.
    """
    days = np.array([r.time_days for r in readings])
    error = np.degrees([r.error_rad for r in readings])
    reach = 1.96 * np.degrees([r.uncertainty_rad for r in readings])
    limit = float(np.degrees(limit_rad))
    aside = np.isin(np.arange(len(days)), forecast.set_aside)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.9), layout="constrained")
        axis = figure.subplots()
        end = float(forecast.band_days[-1]) if len(forecast.band_days) else forecast.now_days + 7.0
        if len(forecast.band_days):
            band = np.degrees(forecast.band_rad)
            for low, high, alpha, name in ((0, 4, 0.13, "95 %"), (1, 3, 0.24, "80 %")):
                axis.fill_between(
                    forecast.band_days,
                    band[low],
                    band[high],
                    color=OKABE_ITO[0],
                    alpha=alpha,
                    linewidth=0,
                    label=f"true error, {name}",
                )
            axis.plot(forecast.band_days, band[2], color=OKABE_ITO[0], linewidth=1.4)
        for chosen, fill, name in ((~aside, OKABE_ITO[6], "reading, 95 %"), (aside, "white", "stray, set aside")):
            if chosen.any():
                axis.errorbar(
                    days[chosen],
                    error[chosen],
                    yerr=reach[chosen],
                    fmt="o",
                    color=OKABE_ITO[6],
                    markerfacecolor=fill,
                    markersize=3.5,
                    elinewidth=0.7,
                    label=name,
                )
        axis.axhline(limit, color=OKABE_ITO[1], linewidth=1.4, label=f"limit {limit:.3g} deg")
        axis.axvline(forecast.now_days, color=_NOTE, linewidth=0.8, linestyle=":")
        if forecast.answer is Answer.DATE:
            _date(axis, forecast, limit, end)
        top = max(1.5 * limit, 1.1 * float((error + reach).max()))
        axis.set_ylim(min(0.0, 1.1 * float((error - reach).min())), top)
        axis.set_xlim(float(days[0]) - 0.02 * (end - days[0]), end)
        axis.text(forecast.now_days, 0.98 * top, "last reading ", ha="right", va="top", fontsize=8, color=_NOTE)
        axis.set_xlabel("time, days")
        axis.set_ylabel("static transmission error, deg")
        if title:
            axis.set_title(title, fontsize=10, loc="left")
        figure.legend(loc="outside lower center", ncols=3, fontsize=9)
    return figure


def _date(axis: matplotlib.axes.Axes, forecast: WearForecast, limit: float, end: float) -> None:
    """Intervals of the date on the line of the limit, its median as a diamond."""
    colour = OKABE_ITO[1]
    for ends, width in ((forecast.date_95, 2.5), (forecast.date_80, 6.0)):
        axis.plot(np.minimum(ends, end), [limit, limit], color=colour, linewidth=width, solid_capstyle="butt", zorder=4)
    if forecast.date_95[1] > end:
        axis.plot([end], [limit], marker=">", color=colour, markersize=8, clip_on=False, zorder=5)
    if forecast.date_days <= end:
        axis.plot(
            [forecast.date_days],
            [limit],
            marker="D",
            color="white",
            markeredgecolor=colour,
            markeredgewidth=1.6,
            markersize=6,
            linestyle="",
            zorder=6,
            label="limit reached: median, 80 %, 95 %",
        )
