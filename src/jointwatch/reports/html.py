"""The report of `jointwatch score` and the page of `jointwatch inspect`: one self-contained HTML file each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from jointwatch.core import Channel, Windows
from jointwatch.reports import console, figures, issues, words
from jointwatch.reports.bands import HealthyBand, cycle_curves, healthy_band, outside
from jointwatch.reports.base import ReportData
from jointwatch.reports.inspection import Inspection
from jointwatch.reports.judgement import RobotVerdict, State, headline, judge

__all__ = ["render_inspection", "render_report", "write_report"]

_DRAWN_ROBOTS = 12  # robots with charts, worst first; the others have their verdict only
_WORST_CYCLES = 3
_CHANNELS_A_CYCLE = 3
_WORTH_DRAWING = 0.05  # share of the score below which a further channel is not drawn
_STRIP_BINS = 40
_WORST_FILES = 10


def write_report(data: ReportData, path: str | Path) -> Path:
    """Write the page and return its path; the folder is made if it is missing."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_report(data), encoding="utf-8")
    return path


def render_report(data: ReportData) -> str:
    """The page as text. The same data give the same text."""
    verdicts = judge(data)
    drawn = [_robot_view(data, verdict) for verdict in verdicts[:_DRAWN_ROBOTS] if len(verdict.rows)]
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            data=data,
            headline=headline(data, verdicts),
            overall=verdicts[0].state if verdicts else State.UNKNOWN,
            subline=_subline(data, verdicts),
            verdicts=verdicts,
            counts=Counter(verdict.state for verdict in verdicts),
            views=drawn,
            undrawn=len(verdicts) - len(drawn),
            groups=issues.group_issues(data.quality),
            recordings=len(data.quality),
            clean=sum(report.clean for _, report in data.quality),
            facts=_facts(data),
        )
    )


def render_inspection(inspection: Inspection) -> str:
    """The page of an inspection as text."""
    by_robot = {
        robot: console.by_sight(row for row in inspection.diagnosability if row.robot == robot)
        for robot in dict.fromkeys(row.robot for row in inspection.diagnosability)
    }
    worst = console.worst_files(inspection)
    template = _environment().get_template("inspection.html.j2")
    return template.render(
        inspection=inspection,
        summary=console.summary_line(inspection),
        by_robot=by_robot,
        worst=worst[:_WORST_FILES],
        more=len(worst) - _WORST_FILES,
    )


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


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("jointwatch.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"words": words, "State": State, "console": console, "issues": issues}
    return environment


def _subline(data: ReportData, verdicts: Sequence[RobotVerdict]) -> str:
    if not verdicts:
        return "Record at least one whole cycle and score it again."
    cycles = sum(v.cycles for v in verdicts)
    if data.threshold is None:
        why = data.decision.message or "there are too few healthy cycles for a threshold"
        scored = words.counted(cycles, "cycle")
        return f"{why[:1].upper()}{why[1:].rstrip('.')}. {scored} scored; no alarm can be raised yet."
    above = sum(v.above for v in verdicts)
    expected = cycles * data.decision.stated_rate
    whose = "a healthy robot" if len(verdicts) == 1 else "healthy robots"
    about = "fewer than 1" if expected < 1 else f"about {words.number(expected, 2)}"
    return (
        f"{above:,} of {words.counted(cycles, 'cycle')} scored above the threshold; {whose} would show {about}. "
        f"{words.counted(len(data.alarms), 'alarm') if data.alarms else 'No alarm'} raised."
        + (f" {labels}." if (labels := _labels(data)) else "")
    )


def _robot_view(data: ReportData, verdict: RobotVerdict) -> RobotView:
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
    band, curves = _curves(data, verdict.unit, list(dict.fromkeys([*high[:200].tolist(), *chosen.tolist()])))
    excess = (
        None if band is None or not curves else np.mean([outside(curves[r], band) for r in high if r in curves], axis=0)
    )
    cycles = tuple(_cycle_view(data, int(row), band, curves) for row in chosen)
    look, strip = _phase_view(data, verdict, band, excess)
    note = ""
    if band is not None:
        whose = "this robot" if band.own else "other robots, because this one has none"
        note = f"Band: 95 % of {words.counted(band.cycles, 'healthy cycle')} of {whose}, at the same phase."
    elif curves:
        note = "There are too few healthy cycles for a band."
    return RobotView(
        verdict, look, charts[0], charts[1], cycles, note, _heat_map(data, high, excess, verdict), strip,
        f"mean over {words.counted(min(len(high), 200), 'cycle')}",
    )  # fmt: skip


def _curves(data: ReportData, unit: str, rows: list[int]) -> tuple[HealthyBand | None, dict[int, np.ndarray]]:
    """Healthy band of a unit and the signals (channel, phase) of these rows of the cycle scores."""
    if data.windows is None:
        return None, {}
    band = None if data.healthy is None or len(data.healthy) == 0 else healthy_band(data.healthy, unit)
    wanted = {str(data.cycle_scores.index.cycle[row]): row for row in rows}
    windows: Windows = data.windows[np.isin(data.windows.index.cycle, list(wanted))]
    if len(windows) == 0:
        return band, {}
    curves, names = cycle_curves(windows, None if band is None else band.low.shape[1])
    return band, {wanted[str(name)]: curve for name, curve in zip(names, curves, strict=True)}


def _cycle_view(data: ReportData, row: int, band: HealthyBand | None, curves: dict[int, np.ndarray]) -> CycleView:
    scores, index = data.cycle_scores, data.cycle_scores.index
    facts = [f"score {words.number(float(scores.value[row]))}"]
    if data.threshold is not None:
        facts[0] += f" (threshold {words.number(data.threshold)})"
    alarm = next((a for a in data.alarms if a.cycle == str(index.cycle[row])), None)
    if alarm is not None:
        rare = f"; {words.percent(alarm.p_value)} of healthy cycles score as high" if np.isfinite(alarm.p_value) else ""
        facts.append(f"alarm{rare}")
    elif data.threshold is not None:
        facts.append("no alarm")
    facts.append(
        f"starts at {words.duration(float(index.start_s[row]))}, lasts {words.duration(float(index.cycle_s[row]))}"
    )
    if str(index.label[row]) == "anomalous":
        facts.append(f"labelled anomalous{': ' + str(index.fault[row]) if index.fault[row] else ''}")
    charts = []
    if row in curves:
        curve = curves[row]
        channels = data.windows.channels if data.windows is not None else ()
        for i in _worst_channels(data, row, channels, curve, band):
            blank = np.full(curve.shape[1], np.nan)
            low, middle, high = (band.low[i], band.middle[i], band.high[i]) if band else (blank, blank, blank)
            title = words.channel_words(channels[i])
            describe = (
                f"{title} in this cycle against the healthy band. {_where(outside(curve, band)[i]) if band else ''}"
            )
            charts.append(
                (
                    title,
                    Markup(figures.against_band(low, middle, high, curve[i], _unit(data, channels[i], row), describe)),
                )
            )
    return CycleView(f"Cycle {index.cycle[row]}", tuple(facts), tuple(charts))


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


def _facts(data: ReportData) -> list[tuple[str, str]]:
    """What the figures rest on, as (name, text)."""
    decision, model = data.decision, data.model
    k, n = decision.persistence
    odd = decision.odd_cycles
    facts = [
        ("Healthy cycles behind the threshold", f"{decision.calibration_cycles:,}"),
        ("Threshold", "none: not enough data" if data.threshold is None else words.number(data.threshold, 4)),
        (
            "Stated false-alarm rate",
            f"{words.percent(decision.stated_rate)} of healthy cycles score above the threshold",
        ),
        ("Measured false-alarm rate", _measured(data)),
        (
            "An alarm needs",
            f"{k} of the last {n} cycles above the threshold" if n > 1 else "one cycle above the threshold",
        ),
        (
            "Odd cycles among the healthy ones",
            (f"{', '.join(odd[:6])}{f' and {len(odd) - 6} more' if len(odd) > 6 else ''}, " if odd else "none")
            + (
                "left out of the threshold"
                if odd and decision.odd_excluded
                else "kept in the threshold: look at them"
                if odd
                else ""
            ),
        ),
        ("Labels in these recordings", _labels(data)),
        ("Detector", model.detector),
        ("Strategy", model.strategy or "none: learned on this robot"),
        ("Learned on → used on", f"{model.source or 'not stated'} → {model.target or 'not stated'}"),
        ("Skipped windows", _skipped(data)),
        (
            "Version and seed",
            f"jointwatch {model.version or 'unknown'}, seed {'none' if model.seed is None else model.seed}",
        ),
        *model.further,
    ]
    return [(name, text) for name, text in facts if text]


def _measured(data: ReportData) -> str:
    measured = data.decision.measured
    if measured is None:
        return "not measured: no healthy cycles were kept apart for it"
    interval = f"95 % interval {words.percent(measured.low)} to {words.percent(measured.high)}"
    cycles = words.counted(measured.cycles, "healthy cycle")
    of = f"{measured.alarms:,} of {cycles} that neither training nor threshold saw"
    return f"{words.percent(measured.rate)} ({of}; {interval})"


def _labels(data: ReportData) -> str:
    """How the verdicts fit what is known of the scored cycles; empty where no cycle is labelled anomalous."""
    known = data.cycle_scores.index.label == "anomalous"
    if not known.any():
        return ""
    told = words.counted(int(known.sum()), "cycle") + " labelled anomalous"
    if data.threshold is None:
        return told
    above = int((data.cycle_scores.value[known] > data.threshold).sum())
    return f"{told}, {above:,} of them above the threshold"


def _skipped(data: ReportData) -> str:
    if data.windows is None:
        return ""
    skipped = [f"{count:,} ({words.kind_words(reason)})" for reason, count in data.windows.skipped.items() if count]
    return ", ".join(skipped) or "none"
