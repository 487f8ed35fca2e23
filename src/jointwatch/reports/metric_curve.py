"""One line of a figure: a metric of records against something, with its intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jointwatch.reports.study_figures import MARKERS, OKABE_ITO

__all__ = ["metric_curve"]


def metric_curve(
    axis: Any, x: np.ndarray, records: Sequence[Mapping[str, Any]], metric: str, number: int, name: str
) -> None:
    """Draw it into matplotlib's `axis`.

    Parameters
    ----------
    x : place of each record. records : with `METRIC`, and `METRIC low` and `METRIC high` where there is an interval.
    number : of the line: its colour, marker and dashes. name : in the legend.

    >>> from matplotlib.figure import Figure
    >>> axis = Figure().subplots()
    >>> records = [{"AUROC": 0.7, "AUROC low": 0.6, "AUROC high": 0.8}, {"AUROC": 0.8}]
    >>> metric_curve(axis, np.arange(2), records, "AUROC", 0, "knn")
    >>> len(axis.lines)
    2
    """
    colour, marker = OKABE_ITO[number % len(OKABE_ITO)], MARKERS[number % len(MARKERS)]
    style = "--" if number >= len(OKABE_ITO) else "-"
    mean = np.array([record[metric] for record in records], float)
    for at, record in zip(x, records, strict=True):
        ends = np.array([record.get(f"{metric} low", np.nan), record.get(f"{metric} high", np.nan)], float)
        if np.isfinite(ends).all():
            axis.plot([at, at], ends, color=colour, linewidth=1.0, alpha=0.6)
    axis.plot(x, mean, style, color=colour, marker=marker, markersize=4, linewidth=1.3, label=name)
