"""What `jointwatch advise` leaves behind: advice.json, two pictures and a page."""

from __future__ import annotations

import base64
import json
import math
import textwrap
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

import jointwatch
from jointwatch.reports._jinja import environment
from jointwatch.reports.study_figures import OKABE_ITO, STYLE, save
from jointwatch.selection.advise import Advice
from jointwatch.selection.decision_table import FineTuningRow, StrategyRow, decision_table

__all__ = ["decision_figure", "evidence_figure", "render_advice", "write_advice"]

_BORROWED, _ALONE, _RAW = OKABE_ITO[0], "#777777", OKABE_ITO[4]
_CHOSEN = OKABE_ITO[1]
_TEXT, _FAINT = "#222222", "#8a8a8a"
_FIGURES = (("A, as recorded", _RAW, "o"), ("A, after z-score", _BORROWED, "o"), ("MMD, after z-score", _TEXT, "D"))
_QUIET, _OPEN = "#f1f1f1", "#e3eef7"
_MOST_CHANNELS = 24
_BARE = {**STYLE, "axes.grid": False}


def write_advice(advice: Advice, out: Path) -> list[Path]:
    """Write advice.json, the pictures (PNG and SVG) and advice.html into `out`, made if absent; returns their paths."""
    out.mkdir(parents=True, exist_ok=True)
    text = out / "advice.json"
    content = {"version": jointwatch.__version__, **advice.as_json()}
    text.write_text(json.dumps(content, indent=1, allow_nan=False), encoding="utf-8")
    pictures = save(decision_figure(advice), out / "decision") + save(evidence_figure(advice), out / "evidence")
    page = out / "advice.html"
    page.write_text(render_advice(advice, [p for p in pictures if p.suffix == ".svg"]), encoding="utf-8")
    return [text, *pictures, page]


def render_advice(advice: Advice, pictures: list[Path]) -> str:
    """The page as text."""
    titles = {
        "decision": "The decision table with the situation marked, and what each strategy waits for",
        "evidence": "What every candidate is worth on the target's own evidence, and where the robots differ",
    }
    shown = [
        {
            "title": titles.get(path.stem, path.stem),
            "source": f"data:image/svg+xml;base64,{base64.b64encode(path.read_bytes()).decode('ascii')}",
        }
        for path in pictures
    ]
    first, *rest = advice.summary()
    return (
        environment()
        .get_template("advice.html.j2")
        .render(
            advice=advice,
            headline=first[:1].upper() + first[1:],
            lines=rest,
            pictures=shown,
            rows=[{key: _cell(value) for key, value in row.items()} for row in advice.gate.table()],
            left_out=dict(advice.gate.left_out),
            curve=advice.curve,
            version=jointwatch.__version__,
        )
    )


def decision_figure(advice: Advice) -> Figure:
    """The decision table as drawn: size against similarity, cells that apply marked; the six strategies by stage."""
    table, match = decision_table(), advice.match
    with matplotlib.rc_context(_BARE):
        figure = Figure(figsize=(11.2, 5.0), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1.0, 1.18))
        _grid(left, advice)
        left.set_title("with labelled target windows", fontsize=10, loc="left")
        y = 0.0
        waiting = match.waiting
        for stage in table.stages:
            right.text(0.0, y + 0.05, stage.stage, fontsize=9, color=_FAINT, va="center")
            for number in stage.strategies:
                y = _strategy(right, y, _row(number), waiting.get(number, ""), _in_use(advice, number))
        others = [row for row in table.strategies if row.number not in {n for s in table.stages for n in s.strategies}]
        for row in others:
            right.text(0.0, y + 0.05, "several\nsources", fontsize=9, color=_FAINT, va="center")
            y = _strategy(right, y, row, waiting.get(row.number, ""), _in_use(advice, row.number))
        right.set_xlim(0, 10.3)
        right.set_ylim(y - 0.45, -0.62)
        right.axis("off")
        right.set_title("the six strategies, in the order to try them", fontsize=10, loc="left")
    return figure


def evidence_figure(advice: Advice) -> Figure:
    """Candidates by worth, target-only ones in grey; channels by how well they tell the robots apart."""
    rows = advice.gate.table()
    channels = advice.channels[:_MOST_CHANNELS]
    lines = max(len(rows), len(channels), 4)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11.2, 1.5 + 0.23 * lines), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1.18, 1.0))
        for i, row in enumerate(rows):
            colour = _BORROWED if row["borrowed"] else _ALONE
            left.plot([0.5, row["value"]], [i, i], color=colour, linewidth=1.2, alpha=0.45)
            left.plot(row["value"], i, marker="o", color=colour, markersize=6)
            left.annotate(
                f"{row['value']:.3f}" + ("  used" if row["used"] else ""),
                (row["value"], i),
                (7, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
                color=_CHOSEN if row["used"] else _TEXT,
                fontweight="bold" if row["used"] else "normal",
            )
        low = min([0.5, *(row["value"] for row in rows)])
        left.set_xlim(low - 0.01, max(row["value"] for row in rows) + 0.2 * (1.05 - low))
        left.set_yticks(range(len(rows)), [row["candidate"] for row in rows], fontsize=8.5)
        left.set_ylim(len(rows) - 0.5, -0.5)
        left.grid(axis="y", visible=False)
        left.set_xlabel("worth on the target's own evidence (0.5 = chance)")
        left.set_title(
            f"{advice.gate.held_out} held out; blue = borrowed, grey = target only",
            fontsize=10,
            loc="left",
        )
        _channels(right, advice)
    return figure


def _grid(axis: Axes, advice: Advice) -> None:
    table, match = decision_table(), advice.match
    marked = {row.row for row in match.cells}
    for row in table.fine_tuning:
        x, y = int(row.similarity == "high"), int(row.target_size == "large")
        here = row.row in marked
        axis.add_patch(
            FancyBboxPatch(
                (x + 0.04, y + 0.05),
                0.92,
                0.9,
                boxstyle="round,pad=0,rounding_size=0.03",
                facecolor=_OPEN if here else _QUIET,
                edgecolor=_CHOSEN if here else "none",
                linewidth=2.0 if here else 0.0,
                linestyle="-" if match.fine_tuning or not here else (0, (4, 3)),
            )
        )
        colour = _TEXT if here else _FAINT
        axis.text(x + 0.1, y + 0.86, row.row, fontsize=15, fontweight="bold", color=colour, va="top")
        axis.text(x + 0.1, y + 0.66, textwrap.fill(row.do, 24), fontsize=9, color=colour, va="top", linespacing=1.3)
        axis.text(x + 0.1, y + 0.12, _entries(row), fontsize=7.5, color=colour, va="bottom", linespacing=1.3)
    likeness = advice.situation.similarity
    axis.set_xlim(0, 2)
    axis.set_ylim(0, 2)
    axis.set_xticks([0.5, 1.5], ["low", "high"])
    axis.set_yticks([0.5, 1.5], [f"small\n< {table.small_below:,}", f"large\n> {table.large_above:,}"])
    axis.tick_params(length=0)
    axis.set_xlabel(f"similarity of the domains: {likeness:.0%} near the source, high from {table.similar_from:.0%}")
    axis.set_ylabel(f"labelled target windows: {advice.labelled_windows:,}")
    for side in axis.spines.values():
        side.set_visible(False)
    if not match.fine_tuning:
        why = "dashed: applies once there are labels" if advice.situation.network else "dashed: needs a network"
        axis.text(2.0, 2.0, why, fontsize=8, color=_CHOSEN, ha="right", va="bottom")


def _strategy(axis: Axes, y: float, row: StrategyRow, waits: str, used: bool) -> float:
    """One strategy as a box; where the next one begins."""
    axis.add_patch(
        FancyBboxPatch(
            (1.9, y - 0.38),
            8.3,
            0.8,
            boxstyle="round,pad=0,rounding_size=0.1",
            facecolor=_QUIET if waits else _OPEN,
            edgecolor=_CHOSEN if used else "none",
            linewidth=2.0 if used else 0.0,
        )
    )
    colour = _FAINT if waits else _TEXT
    axis.text(2.15, y + 0.02, str(row.number), fontsize=14, fontweight="bold", color=colour, va="center")
    axis.text(2.75, y - 0.15, row.name, fontsize=9.5, color=colour, va="center")
    under = f"waits: {waits}" if waits else f"effort {row.effort}; {row.speed}; promise {row.expected}"
    axis.text(2.75, y + 0.2, under, fontsize=7.2, color=_FAINT if waits else "#555555", va="center")
    if used:
        axis.text(10.0, y - 0.15, "used", fontsize=9, fontweight="bold", color=_CHOSEN, ha="right", va="center")
    return y + 0.95


def _channels(axis: Axes, advice: Advice) -> None:
    channels = advice.channels[:_MOST_CHANNELS]
    for i, channel in enumerate(channels):
        for value, (_, colour, marker), shift in zip(
            (channel.raw, channel.normalised, channel.mmd), _FIGURES, (-0.22, 0.0, 0.22), strict=True
        ):
            if math.isfinite(value.low):
                axis.plot([value.low, value.high], [i + shift] * 2, color=colour, linewidth=1.6, alpha=0.6)
            axis.plot(value.value, i + shift, marker=marker, color=colour, markersize=4)
    for label, colour, marker in _FIGURES:
        axis.plot([], [], marker=marker, color=colour, linestyle="", label=label)
    axis.set_yticks(range(len(channels)), [c.channel.key for c in channels], fontsize=8.5)
    axis.set_ylim(len(channels) - 0.5, -0.5)
    axis.set_xlim(-0.05, 2.05)
    axis.grid(axis="y", visible=False)
    axis.set_xticks([0.0, 0.5, 1.0, 1.5, 2.0])
    axis.set_xlabel("distance with 95 % interval: 0 = alike, 2 = apart")
    more = len(advice.channels) - len(channels)
    axis.set_title("channels" + (f", the {len(channels)} most unlike of {len(channels) + more}" if more else ""),
                   fontsize=10, loc="left", pad=22)  # fmt: skip
    axis.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        ncols=3,
        fontsize=8,
        borderaxespad=0.1,
        handletextpad=0.1,
        columnspacing=0.9,
    )


def _row(number: int) -> StrategyRow:
    return next(row for row in decision_table().strategies if row.number == number)


def _in_use(advice: Advice, number: int) -> bool:
    return advice.borrowed and advice.strategy.partition(":")[0] == _row(number).entry


def _entries(row: FineTuningRow) -> str:
    return textwrap.fill(", ".join(row.entries), 30)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, float):
        return f"{value:.3f}" if math.isfinite(value) else "–"
    return str(value)
