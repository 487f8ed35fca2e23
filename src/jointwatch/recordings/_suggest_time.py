"""Which column of an unknown table is the clock, and in which unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from jointwatch.recordings._column_map import TIME_UNITS_S
from jointwatch.recordings._csv import RawTable
from jointwatch.recordings._headless import rises
from jointwatch.recordings._names import Named

__all__ = ["ClockProposal", "propose_clock"]

_USUAL_HZ = (0.5, 5000.0)
_LEAST_RISE = 0.95
_FORMATS = ("%Y:%m:%d:%H:%M:%S.%f", "%Y/%m/%d %H:%M:%S.%f", "%d.%m.%Y %H:%M:%S.%f", "%d/%m/%Y %H:%M:%S")


@dataclass(frozen=True)
class ClockProposal:
    """Time column and unit; `column` None = none found; `step` = median step in the column's unit, 0 for text."""

    column: str | None
    unit: str
    format: str
    step: float
    confidence: float
    reason: str


def propose_clock(table: RawTable, named: Mapping[str, Named]) -> ClockProposal:
    """The clock by name and by rising steadily; of several the one with the finest steps that never repeats."""
    text = _text_clock(table)
    candidates = []
    for order, name in enumerate(table.names):
        column = table.columns[name]
        if column.dtype.kind != "f":
            continue
        share = rises(column)
        if share < _LEAST_RISE:
            continue
        called = name in named and named[name].is_time
        steps = np.diff(column[np.isfinite(column)])
        counter = bool((steps == steps[0]).all()) and steps[0] == 1
        candidates.append((called and not counter, called, share, not counter, -order, name))
    if not candidates:
        return text or ClockProposal(None, "s", "", 0.0, 0.0, "no column rises steadily; give the rate")
    _, called, share, real, _, name = max(candidates)
    if text is not None and not (called and real):
        return text
    column = table.columns[name]
    steps = np.diff(column[np.isfinite(column)])
    step = float(np.median(steps[steps > 0]))
    stated = named[name].unit if name in named else ""
    if stated in TIME_UNITS_S:
        return ClockProposal(name, stated, "", step, 0.95, f"name and unit; rises in {share:.0%} of steps")
    unit, trust = _unit_of_step(step)
    reason = (
        f"{'name; ' if called else ''}rises in {share:.0%} of steps, {1 / (step * TIME_UNITS_S[unit]):.4g} Hz in {unit}"
    )
    if not real:
        reason += "; it only counts the rows, so check the rate"
        trust = min(trust, 0.4)
    return ClockProposal(name, unit, "", step, trust * (1.0 if called else 0.8), reason)


def _unit_of_step(step: float) -> tuple[str, float]:
    """Unit under which the rate is a usual one; several hundred hertz are likelier than a sample in seconds."""
    usual = [u for u in ("s", "ms", "us", "ns") if _USUAL_HZ[0] <= 1 / (step * TIME_UNITS_S[u]) <= _USUAL_HZ[1]]
    if not usual:
        return "s", 0.3
    ambiguous = len(usual) > 1
    return usual[0], 0.5 if ambiguous else 0.9


def _text_clock(table: RawTable) -> ClockProposal | None:
    for name in table.names:
        column = table.columns[name]
        if column.dtype.kind == "f" or not len(column):
            continue
        for form in ("", *_FORMATS):
            try:
                moments = [datetime.strptime(c, form) if form else datetime.fromisoformat(c) for c in column[:20]]
            except ValueError:
                continue
            seconds = np.array([(moment - moments[0]).total_seconds() for moment in moments])
            if len(seconds) > 1 and (np.diff(seconds) >= 0).all() and seconds[-1] > 0:
                rate = (len(seconds) - 1) / seconds[-1]
                return ClockProposal(name, "datetime", form, 0.0, 0.9, f"date and time, about {rate:.3g} Hz")
    return None
