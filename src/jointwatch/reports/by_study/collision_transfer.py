"""Figure of the carried collision study: how often each strategy beat the target alone, and how it ranks contacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from jointwatch.reports.study_figures import OKABE_ITO, STYLE, save
from jointwatch.reports.tables import blocks_by_metrics
from jointwatch.studies.base import Results

__all__ = ["CAPTIONS", "blocks", "figures", "wins_figure"]

Record = Mapping[str, Any]

_OUTCOMES = {"wins": OKABE_ITO[2], "ties": "#cccccc", "losses": OKABE_ITO[1]}
_SUFFIX = " against target only (AUROC)"
CAPTIONS = {
    "wins": "Carried against target only with the same detector, free runs and seed: one count a budget of free runs "
    "and seed, over all budgets. One target arm, so these are no independent robots"
}


def blocks(rows: Sequence[Record]) -> list[list[Record]]:
    """Scores, and wins and losses."""
    return blocks_by_metrics(rows)


def figures(results: Results, out: Path) -> list[Path]:
    """Wins and losses where anything was compared; returns the paths, PNG before SVG."""
    rows = results.to_dict()["rows"]
    return save(wins_figure(rows), out / "wins") if any(_outcome(row) for row in rows) else []


def wins_figure(rows: Sequence[Record]) -> Figure:
    """A bar a method, divided into the shares of wins, ties and losses, most wins above; the counts are written in.

    >>> rows = [{"method": "dann", "metric": f"{what} against target only (AUROC)", "mean": count}
    ...         for what, count in (("wins", 3.0), ("ties", 0.0), ("losses", 1.0))]
    >>> [text.get_text() for text in wins_figure(rows).axes[0].texts]
    ['3', '1']
    """
    counts: dict[str, dict[str, float]] = {}
    for row in rows:
        if outcome := _outcome(row):
            own = counts.setdefault(str(row["method"]), dict.fromkeys(_OUTCOMES, 0.0))
            own[outcome] += row["mean"]
    names = sorted(counts, key=lambda name: (counts[name]["wins"] - counts[name]["losses"]) / _total(counts[name]))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 1.0 + 0.25 * len(names)), layout="constrained")
        axis = figure.subplots()
        left = [0.0] * len(names)
        for outcome, colour in _OUTCOMES.items():
            share = [counts[name][outcome] / _total(counts[name]) for name in names]
            axis.barh(range(len(names)), share, left=left, color=colour, height=0.74, label=outcome)
            for i, (name, width) in enumerate(zip(names, share, strict=True)):
                if width:
                    axis.text(left[i] + width / 2, i, f"{counts[name][outcome]:g}", ha="center", va="center", size=8)
            left = [a + b for a, b in zip(left, share, strict=True)]
        axis.set_yticks(range(len(names)), names, fontsize=9)
        axis.set_ylim(-0.6, len(names) - 0.4)
        axis.set_xlim(0, 1)
        axis.grid(visible=False)
        axis.set_xlabel("share of comparisons with target only")
        figure.legend(loc="outside upper center", ncols=len(_OUTCOMES), fontsize=9)
    return figure


def _outcome(row: Record) -> str:
    """What is counted, empty for another metric."""
    metric = str(row["metric"])
    return metric.removesuffix(_SUFFIX) if metric.endswith(_SUFFIX) else ""


def _total(counts: Mapping[str, float]) -> float:
    return max(sum(counts.values()), 1.0)
