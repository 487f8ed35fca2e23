"""Small charts as SVG text: coloured by the page's style sheet, so that they follow light, dark and print.

Every mark differs in shape as well as in colour, and every chart has a text alternative.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

__all__ = ["against_band", "phase_strip", "trend"]

_MOST_POINTS = 800
_MOST_SESSIONS = 12  # beyond, boundaries are drawn faintly
_DIGIT_PX = 6.6  # width of a digit at the charts' 12 px type


def trend(
    scores: np.ndarray,
    threshold: float | None,
    alarms: Sequence[int],
    sessions: Sequence[str],
    describe: str,
    width: int = 960,
    height: int = 260,
) -> str:
    """Cycle scores in order with threshold, alarms and session boundaries.

    Parameters
    ----------
    scores : (cycle,) higher = more anomalous.
    threshold : horizontal line, or None.
    alarms : positions of cycles at which an alarm was raised.
    sessions : (cycle,) session of each cycle; boundaries are drawn where it changes.
    describe : text alternative.

    >>> svg = trend(np.array([1.0, 2.0, 9.0]), 5.0, [2], ["a", "a", "b"], "three cycles")
    >>> svg.count('class="alarm"'), svg.count('class="session"')
    (1, 1)
    """
    count = len(scores)
    top = max(float(scores.max()), threshold if threshold is not None else -np.inf)
    low = float(scores.min())
    logarithmic = low > 0 and top > 20 * max(float(np.median(scores)), 1e-12)
    values = np.log10(scores) if logarithmic else np.asarray(scores, float)
    line = None if threshold is None else float(np.log10(max(threshold, low))) if logarithmic else threshold
    bottom = float(values.min()) if logarithmic else min(float(values.min()), 0.0 if low >= 0 else low)
    peak = max(float(values.max()), bottom if line is None else line)
    peak += 0.1 * (peak - bottom) if peak > bottom else 1.0
    plot = _Plot(width, height, (0.5, count + 0.5), (bottom, peak), top=26, foot=38)
    ticks = _decades(bottom, peak) if logarithmic else _ticks(plot.y_range[0], plot.y_range[1], 5)
    plot.axes(
        [(t, _label(10**t if logarithmic else t)) for t in ticks],
        [(t, f"{t:.0f}") for t in _ticks(1, count, max(2, width // 90)) if 1 <= t <= count and t == int(t)],
        "cycle",
        "score (log scale)" if logarithmic else "score",
    )
    _boundaries(plot, list(sessions))
    above = np.zeros(count, bool) if line is None else values > line
    raised = np.zeros(count, bool)
    raised[list(alarms)] = True
    x = np.arange(1, count + 1)
    calm = np.flatnonzero(~above & ~raised)
    if count > _MOST_POINTS:
        _envelope(plot, values)
    else:
        plot.add(
            "".join(f'<circle class="point" cx="{plot.x(x[i]):.1f}" cy="{plot.y(values[i]):.1f}" r="3"/>' for i in calm)
        )
    if count >= 10:
        plot.path(x, _running_median(values, max(9, count // 30 | 1)), "median", most=600)
    if line is not None:
        y = plot.y(line)
        plot.add(f'<line class="threshold" x1="{plot.left}" x2="{plot.right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        text = f"- - threshold {_label(float(threshold or 0.0))}"
        plot.add(f'<text class="threshold-text" x="{plot.right}" y="11" text-anchor="end">{text}</text>')
    for chosen, mark in ((above & ~raised, _diamond), (raised, _triangle)):
        rows = np.flatnonzero(chosen)
        rows = rows[np.argsort(-values[rows], kind="stable")[:_MOST_POINTS]]
        plot.add("".join(mark(plot.x(x[i]), plot.y(values[i])) for i in rows))
    return plot.svg(describe)


def against_band(
    low: np.ndarray,
    middle: np.ndarray,
    high: np.ndarray,
    curve: np.ndarray,
    unit: str,
    describe: str,
    span: tuple[float, float] | None = None,
    width: int = 360,
    height: int = 190,
) -> str:
    """One signal of one cycle (phase,) over the healthy band; what lies outside is drawn thick.

    `span` (start, stop), each 0 to 1, shades the part of the cycle that was decided on where it is not all of it.

    >>> flat = np.zeros(50)
    >>> svg = against_band(flat - 1, flat, flat + 1, np.linspace(0, 2, 50), "A", "current leaves the band")
    >>> 'class="band"' in svg and 'class="outside"' in svg
    True
    """
    everything = np.concatenate([low, high, curve])
    everything = everything[np.isfinite(everything)]
    bottom, top = (float(everything.min()), float(everything.max())) if len(everything) else (0.0, 1.0)
    margin = 0.06 * (top - bottom) or max(abs(top) * 0.1, 1e-3)
    plot = _Plot(width, height, (0.0, 100.0), (bottom - margin, top + margin), top=18)
    ticks = [(t, _label(t)) for t in _ticks(bottom - margin, top + margin, 4)]
    plot.axes(ticks, [(t, f"{t} %") for t in (0, 25, 50, 75, 100)], "", unit)
    phase = (np.arange(len(curve)) + 0.5) / len(curve) * 100
    known = np.isfinite(low) & np.isfinite(high)
    if span is not None:
        left, right = plot.x(100 * span[0]), plot.x(100 * span[1])
        box = f'y="{plot.top}" width="{max(right - left, 3):.1f}" height="{plot.bottom - plot.top}"'
        plot.add(f'<rect class="decided" x="{left:.1f}" {box}/>')
    for part in _runs(known):
        edge = [*zip(phase[part], high[part], strict=True), *reversed(list(zip(phase[part], low[part], strict=True)))]
        points = " ".join(f"{plot.x(a):.1f},{plot.y(b):.1f}" for a, b in edge)
        plot.add(f'<polygon class="band" points="{points}"/>')
    plot.path(phase, middle, "middle")
    plot.path(phase, curve, "curve")
    with np.errstate(invalid="ignore"):
        out = known & ((curve > high) | (curve < low))
    wide = out | np.roll(out, 1) | np.roll(out, -1)
    wide[[0, -1]] = out[[0, -1]]
    plot.path(phase, np.where(wide & out.any(), curve, np.nan), "outside")
    return plot.svg(describe)


def phase_strip(rows: Sequence[tuple[str, np.ndarray]], describe: str, width: int = 400) -> str:
    """One strip a row: how strongly each phase of the cycle deviates, darkest = most of all rows,
    but never for less than half the width of the band.

    >>> svg = phase_strip([("Joint 1", np.array([0.0, 1.0, 4.0]))], "joint 1 deviates at the end")
    >>> svg.count('class="heat"')
    2
    """
    height, gap, left = 26, 4, 64
    bottom = len(rows) * (height + gap)
    most = max((float(np.max(values)) for _, values in rows), default=0.0)
    most = max(most, 1.0)
    parts = []
    for i, (name, values) in enumerate(rows):
        y = i * (height + gap)
        parts.append(f'<text x="0" y="{y + height / 2 + 4:.0f}">{escape(name)}</text>')
        parts.append(f'<rect class="cell" x="{left}" y="{y}" width="{width - left}" height="{height}"/>')
        step = (width - left) / max(len(values), 1)
        for j, value in enumerate(values):
            if (strength := float(value) / most) >= 0.02:
                parts.append(
                    f'<rect class="heat" x="{left + j * step:.1f}" y="{y}" width="{step + 0.3:.1f}" height="{height}" '
                    f'fill-opacity="{0.1 + 0.9 * strength:.2f}"/>'
                )
    for share in (0, 25, 50, 75, 100):
        anchor = "start" if share == 0 else "end" if share == 100 else "middle"
        x = left + (width - left) * share / 100
        parts.append(f'<text class="tick" x="{x:.0f}" y="{bottom + 14}" text-anchor="{anchor}">{share} %</text>')
    return _svg(width, bottom + 18, "".join(parts), describe)


class _Plot:
    """A plotting area: data to pixels, axes, and the parts drawn so far."""

    def __init__(
        self,
        width: int,
        height: int,
        x_range: tuple[float, float],
        y_range: tuple[float, float],
        top: int,
        foot: int = 24,
    ) -> None:
        self.width, self.height, self.x_range, self.y_range = width, height, x_range, y_range
        self.left, self.right, self.top, self.bottom = 48, width - 10, top, height - foot
        self._parts: list[str] = []

    def x(self, value: float) -> float:
        low, high = self.x_range
        return self.left + (value - low) / (high - low) * (self.right - self.left)

    def y(self, value: float) -> float:
        low, high = self.y_range
        return self.bottom - (value - low) / (high - low) * (self.bottom - self.top)

    def add(self, text: str) -> None:
        self._parts.append(text)

    def axes(
        self, y_ticks: list[tuple[float, str]], x_ticks: list[tuple[float, str]], x_title: str, y_title: str
    ) -> None:
        self.left = round(max(34.0, 14 + _DIGIT_PX * max((len(text) for _, text in y_ticks), default=0)))
        for value, text in y_ticks:
            y = self.y(value)
            if self.top - 1 <= y <= self.bottom + 1:
                self.add(f'<line class="grid" x1="{self.left}" x2="{self.right}" y1="{y:.1f}" y2="{y:.1f}"/>')
                self.add(f'<text class="tick" x="{self.left - 6}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')
        for i, (value, text) in enumerate(x_ticks):
            last = i == len(x_ticks) - 1 and self.x(value) > self.right - 20
            anchor = "end" if last else "start" if i == 0 and self.x(value) < self.left + 12 else "middle"
            x = self.right if last else self.x(value)
            self.add(f'<text class="tick" x="{x:.1f}" y="{self.bottom + 16}" text-anchor="{anchor}">{text}</text>')
        self.add(f'<line class="axis" x1="{self.left}" x2="{self.right}" y1="{self.bottom}" y2="{self.bottom}"/>')
        self.add(f'<text class="title" x="{self.left}" y="11">{escape(y_title)}</text>')
        if x_title:
            x = (self.left + self.right) / 2
            self.add(
                f'<text class="title" x="{x:.0f}" y="{self.height - 4}" text-anchor="middle">{escape(x_title)}</text>'
            )

    def path(self, x: np.ndarray, y: np.ndarray, kind: str, most: int = 2000) -> None:
        step = max(1, len(x) // most)
        x, y = x[::step], y[::step]
        for part in _runs(np.isfinite(y)):
            points = "L".join(f"{self.x(a):.1f},{self.y(b):.1f}" for a, b in zip(x[part], y[part], strict=True))
            self.add(f'<path class="{kind}" d="M{points}"/>')

    def svg(self, describe: str) -> str:
        return _svg(self.width, self.height, "".join(self._parts), describe)


def _svg(width: int, height: int, body: str, describe: str) -> str:
    label = escape(describe, quote=True)
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{label}">{body}</svg>'


def _triangle(x: float, y: float) -> str:
    return f'<path class="alarm" d="M{x:.1f},{y - 7:.1f}l6,11h-12z"/>'


def _diamond(x: float, y: float) -> str:
    return f'<path class="above" d="M{x:.1f},{y - 5:.1f}l5,5l-5,5l-5,-5z"/>'


def _boundaries(plot: _Plot, sessions: list[str]) -> None:
    starts = [i for i in range(len(sessions)) if i == 0 or sessions[i] != sessions[i - 1]]
    names = len(starts) > 1
    kind = "session" if len(starts) <= _MOST_SESSIONS else "session faint"
    last_text = -np.inf
    for i in starts:
        x = plot.x(i + 0.5)
        if i:
            plot.add(f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{plot.top}" y2="{plot.bottom}"/>')
        end = next((later for later in starts if later > i), len(sessions))
        room = int((plot.x(end + 0.5) - x) / _DIGIT_PX) - 2
        if names and room >= 4 and x > last_text:
            name = sessions[i]
            shown = name if len(name) <= room else "…" + name[1 - room :]
            plot.add(
                f'<text class="session-text" x="{x + 4:.1f}" y="{plot.top + 9}">{escape(shown)}'
                f"<title>session {escape(name)}</title></text>"
            )
            last_text = x + 4 + len(shown) * _DIGIT_PX


def _envelope(plot: _Plot, values: np.ndarray) -> None:
    """Lowest to highest score of neighbouring cycles, for more cycles than can be told apart."""
    groups = np.array_split(np.arange(len(values)), _MOST_POINTS // 2)
    highest = [(plot.x(float(g.mean()) + 1), plot.y(float(values[g].max()))) for g in groups]
    lowest = [(plot.x(float(g.mean()) + 1), plot.y(float(values[g].min()))) for g in groups]
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in [*highest, *reversed(lowest)])
    plot.add(f'<polygon class="band" points="{points}"/>')


def _running_median(values: np.ndarray, width: int) -> np.ndarray:
    half = width // 2
    padded = np.pad(values, half, mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1), axis=1)


def _runs(flags: np.ndarray) -> list[slice]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
    return [slice(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _ticks(low: float, high: float, count: int) -> list[float]:
    """Round numbers between two ends, about `count` of them."""
    if not high > low:
        return [low]
    raw = (high - low) / count
    size = 10 ** np.floor(np.log10(raw))
    step = float(size * min((m for m in (1, 2, 2.5, 5, 10) if m * size >= raw), default=10))
    first = np.ceil(low / step - 1e-9)
    return [float(f"{k * step:.10g}") for k in np.arange(first, np.floor(high / step + 1e-9) + 1)]


def _decades(low: float, high: float) -> list[float]:
    whole = [float(k) for k in range(int(np.ceil(low)), int(np.floor(high)) + 1)]
    return whole if len(whole) >= 2 else _ticks(low, high, 4)


def _label(value: float) -> str:
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1e5 or size < 1e-3:
        return f"{value:.1e}".replace("e+0", "e").replace("e-0", "e-")
    return f"{value:.0f}" if size >= 1000 else f"{value:.3g}"
