"""Everything that is drawn for one robot of a report: trend, worst cycles, and which joint, signal and phase."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from jointwatch.core import Channel
from jointwatch.reports import figures, words
from jointwatch.reports.bands import HealthyBand, cycle_curves, cycle_numbers, healthy_band, outside
from jointwatch.reports.base import ReportData
from jointwatch.reports.judgement import RobotVerdict, State

__all__ = ["CycleView", "HeatMap", "RobotView", "robot_view"]

_WORST_CYCLES = 3
_AVERAGED_CYCLES = 200  # high cycles that the phase strip averages, highest first
_CHANNELS_A_CYCLE = 3
_WORTH_DRAWING = 0.05  # share of the score below which a further channel is not drawn
_STRIP_BINS = 40


@dataclass(frozen=True)
class CycleView:
    """One cycle with its worst signals."""

    title: str
    facts: tuple[str, ...]
    charts: tuple[tuple[str, Markup], ...]


@dataclass(frozen=True)
class HeatMap:
    """Share of each joint (row) and quantity (column); None where the robot has no such channel."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[float | None, ...]], ...]
    caption: str


@dataclass(frozen=True)
class RobotView:
    """Everything drawn for one robot."""

    verdict: RobotVerdict
    look: str
    trend_wide: Markup
    trend_narrow: Markup
    cycles: tuple[CycleView, ...]
    band_note: str
    heat: HeatMap | None
    strip: Markup | None
    strip_caption: str
    part: bool


@dataclass(frozen=True, eq=False)
class _Signals:
    """Signals of one decision: the whole pass through the cycle (channel, phase), and the part decided on, 0 to 1."""

    curve: np.ndarray
    span: tuple[float, float]

    @property
    def is_part(self) -> bool:
        return self.span[1] - self.span[0] < 0.9

    def decided(self) -> np.ndarray:
        """The curve with NaN outside the part decided on."""
        phase = (np.arange(self.curve.shape[1]) + 0.5) / self.curve.shape[1]
        half = 0.5 / self.curve.shape[1]
        inside = (phase > self.span[0] - half) & (phase < self.span[1] + half)
        return np.where(inside, self.curve, np.nan)


def robot_view(data: ReportData, verdict: RobotVerdict) -> RobotView:
    """Charts and sentences for one robot that has scored cycles."""
    scores, index = data.cycle_scores, data.cycle_scores.index
    rows = verdict.rows
    alarm_cycles = {alarm.cycle for alarm in verdict.alarms}
    raised = [i for i, row in enumerate(rows) if str(index.cycle[row]) in alarm_cycles]
    about = f"Score of {words.counted(len(rows), 'cycle')} of {verdict.unit} in order: {verdict.reason}."
    charts = [
        Markup(figures.trend(scores.value[rows], data.threshold, raised, index.session[rows].tolist(), about, *size))
        for size in ((960, 260), (360, 240))
    ]
    ranked = rows[np.argsort(-scores.value[rows], kind="stable")]
    high = ranked[: verdict.above] if verdict.above else ranked[:_WORST_CYCLES]
    chosen = ranked[: _WORST_CYCLES if verdict.state in (State.ATTENTION, State.WATCH) else 1]
    averaged = high[:_AVERAGED_CYCLES].tolist()
    band, signals = _signals(data, verdict.unit, list(dict.fromkeys([*averaged, *chosen.tolist()])))
    known = [signals[row] for row in averaged if row in signals]
    excess = None if band is None or not known else np.mean([outside(one.decided(), band) for one in known], axis=0)
    look, strip = _phase_view(data, verdict, band, excess)
    return RobotView(
        verdict=verdict,
        look=look,
        trend_wide=charts[0],
        trend_narrow=charts[1],
        cycles=tuple(_cycle_view(data, int(row), band, signals.get(int(row))) for row in chosen),
        band_note=_band_note(band) if signals else "",
        heat=_heat_map(data, high, excess, verdict),
        strip=strip,
        strip_caption=f"mean over {words.counted(len(known), 'cycle')}",
        part=any(one.is_part for one in signals.values()),
    )


def _band_note(band: HealthyBand | None) -> str:
    if band is None:
        return "There are too few healthy cycles for a band."
    whose = "this robot" if band.own else "other robots, because this one has too few"
    what = "95 %" if band.cycles >= 20 else "range"
    return f"Band: {what} of {words.counted(band.cycles, 'healthy cycle')} of {whose}, at the same phase."


def _signals(data: ReportData, unit: str, rows: list[int]) -> tuple[HealthyBand | None, dict[int, _Signals]]:
    """Healthy band of a unit, and the signals of these rows of the cycle scores."""
    if data.windows is None:
        return None, {}
    band = None if data.healthy is None or len(data.healthy) == 0 else healthy_band(data.healthy, unit)
    index = data.windows.index
    wanted = {str(data.cycle_scores.index.cycle[row]): row for row in rows}
    own = np.isin(index.cycle, list(wanted))
    numbers = cycle_numbers(index)
    windows = data.windows[np.isin(numbers, numbers[own])]  # with the rest of the cycle around each decision
    if len(windows) == 0:
        return band, {}
    curves, numbers = cycle_curves(windows, None if band is None else band.low.shape[1])
    index = windows.index
    half = (index.stop_s - index.start_s) / np.maximum(index.cycle_s, 1e-9) / 2
    found = {}
    for name, row in wanted.items():
        mine = np.flatnonzero(index.cycle == name)
        if len(mine):
            span = float((index.phase - half)[mine].min()), float((index.phase + half)[mine].max())
            found[row] = _Signals(curves[numbers[mine[0]]], (max(span[0], 0.0), min(span[1], 1.0)))
    return band, found


def _cycle_view(data: ReportData, row: int, band: HealthyBand | None, signals: _Signals | None) -> CycleView:
    scores, index = data.cycle_scores, data.cycle_scores.index
    name, unit = str(index.cycle[row]), str(index.unit[row])
    facts = [f"score {words.number(float(scores.value[row]))}"]
    if data.threshold is not None:
        facts[0] += f" (threshold {words.number(data.threshold)})"
    alarm = next((a for a in data.alarms if a.cycle == name), None)
    if alarm is not None:
        rare = f"; {words.percent(alarm.p_value)} of healthy cycles score as high" if np.isfinite(alarm.p_value) else ""
        facts.append(f"alarm{rare}")
    elif data.threshold is not None:
        facts.append("no alarm")
    facts.append(f"recorded at {words.span(float(index.start_s[row]), float(index.stop_s[row]), 's')}")
    if str(index.label[row]) == "anomalous":
        facts.append(f"labelled anomalous{': ' + str(index.fault[row]) if index.fault[row] else ''}")
    charts = []
    if signals is not None and data.windows is not None:
        curve, decided, channels = signals.curve, signals.decided(), data.windows.channels
        blank = np.full(curve.shape[1], np.nan)
        for i in _worst_channels(data, row, channels, decided, band):
            low, middle, high = (band.low[i], band.middle[i], band.high[i]) if band else (blank, blank, blank)
            title = words.channel_words(channels[i])
            where = _where(outside(decided, band)[i]) if band else ""
            describe = f"{title} in this cycle against the healthy band. {where}"
            span = signals.span if signals.is_part else None
            chart = figures.against_band(low, middle, high, curve[i], _unit(data, channels[i], row), describe, span)
            charts.append((title, Markup(chart)))
    return CycleView(f"Cycle {name.removeprefix(f'{unit}/')}", tuple(facts), tuple(charts))


def _worst_channels(
    data: ReportData, row: int, channels: Sequence[Channel], curve: np.ndarray, band: HealthyBand | None
) -> list[int]:
    """Channels to draw: by contribution to the score, else by how far they leave the band, else the first ones."""
    there = ~np.isnan(curve).all(axis=1)
    scores = data.cycle_scores
    if scores.contributions is not None and scores.channels:
        share = dict(zip(scores.channels, scores.contributions[row], strict=True))
        weight = np.array([share.get(channel, 0.0) for channel in channels])
    elif band is not None:
        weight = outside(curve, band).mean(axis=1)
    else:
        weight = np.zeros(len(channels))
    weight = np.where(there, weight, 0.0)
    ranked = [int(i) for i in np.argsort(-weight, kind="stable") if there[i]]
    return ranked[:1] + [i for i in ranked[1:_CHANNELS_A_CYCLE] if weight[i] >= _WORTH_DRAWING * weight.sum() > 0]


def _unit(data: ReportData, channel: Channel, row: int) -> str:
    if data.normalised:
        return "standard deviations"
    unit = str(data.cycle_scores.index.unit[row])
    robot = next((r for r in data.robots if r.unit == unit), None)
    kind = next((j.kind for j in robot.joints if j.number == channel.joint), "revolute") if robot else "revolute"
    return channel.unit(kind).replace("^2", "²").replace("degC", "°C")


def _heat_map(data: ReportData, high: np.ndarray, excess: np.ndarray | None, verdict: RobotVerdict) -> HeatMap | None:
    """Joint x quantity: what the detector says, or, where it cannot say, how far the signals leave their band."""
    scores = data.cycle_scores
    if scores.contributions is not None and scores.channels and len(high):
        parts = scores.contributions[high]
        total = parts.sum(axis=1, keepdims=True)
        weight = (parts / np.where(total > 0, total, 1.0)).mean(axis=0)
        channels, caption = scores.channels, "Share of the score that each joint and signal brought"
    elif excess is not None and data.windows is not None:
        weight = excess.mean(axis=1)
        channels, caption = (
            data.windows.channels,
            "Share of the deviation from the healthy band (the detector itself cannot say)",
        )
    else:
        return None
    if not weight.sum() > 0:
        return None
    weight = weight / weight.sum()
    columns = tuple(dict.fromkeys(words.quantity_words(c.quantity, c.source) for c in channels))
    cells: dict[tuple[int, str], float] = {}
    for channel, value in zip(channels, weight, strict=True):
        key = (channel.joint or 0, words.quantity_words(channel.quantity, channel.source))
        cells[key] = cells.get(key, 0.0) + float(value)
    known = [joint.number for joint in verdict.joints] or sorted({joint for joint, _ in cells if joint})
    joints = [*known, *([0] if any(joint == 0 for joint, _ in cells) else [])]
    rows = tuple((f"Joint {j}" if j else "Robot", tuple(cells.get((j, column)) for column in columns)) for j in joints)
    return HeatMap(columns, rows, f"{caption}, mean over {words.counted(len(high), 'cycle')}")


def _phase_view(
    data: ReportData, verdict: RobotVerdict, band: HealthyBand | None, excess: np.ndarray | None
) -> tuple[str, Markup | None]:
    """(sentence where to look first, strip of joints x phase)."""
    if band is None or excess is None or data.windows is None or not excess.max() > 0:
        return "", None
    joints: dict[int, list[int]] = {}
    for i, channel in enumerate(data.windows.channels):
        joints.setdefault(channel.joint or 0, []).append(i)
    known = {joint.number for joint in verdict.joints} | {0}
    rows = []
    for joint, members in sorted(joints.items(), key=lambda item: (item[0] == 0, item[0])):
        if joint in known:
            bins = np.array_split(excess[members].max(axis=0), min(_STRIP_BINS, excess.shape[1]))
            rows.append((f"Joint {joint}" if joint else "Robot", np.array([part.mean() for part in bins])))
    strip = Markup(figures.phase_strip(rows, f"Phases of the cycle in which {verdict.unit} leaves its healthy band"))
    ill = [j.number for j in verdict.joints if j.state is State.ATTENTION]
    ill = ill or [j.number for j in verdict.joints if j.state is State.WATCH]
    if verdict.state not in (State.ATTENTION, State.WATCH):
        return "", strip
    members = [i for joint in ill for i in joints.get(joint, [])] or list(range(len(excess)))
    worst = max(members, key=lambda i: excess[i].mean())
    if not excess[worst].max() > 0:
        return "", strip
    where = words.channel_words(data.windows.channels[worst])
    return f"Look first at {where[:1].lower()}{where[1:]}. {_where(excess[worst])}", strip


def _where(excess: np.ndarray) -> str:
    """In which part of the cycle a signal leaves its band."""
    if not excess.max() > 0:
        return "It stays inside the band."
    bins = np.flatnonzero(excess > 0.25 * excess.max())
    peak = int(excess.argmax())
    first = last = peak
    while first - 1 in bins:
        first -= 1
    while last + 1 in bins:
        last += 1
    size = 100 / len(excess)
    return f"It leaves its healthy band most at {first * size:.0f} to {(last + 1) * size:.0f}\u00a0% of the cycle."
