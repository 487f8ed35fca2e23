"""The report of `jointwatch score` and the page of `jointwatch inspect`: one self-contained HTML file each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from jointwatch.reports import console, issues, words
from jointwatch.reports._jinja import environment
from jointwatch.reports.base import ReportData
from jointwatch.reports.inspection import Inspection
from jointwatch.reports.judgement import RobotVerdict, State, headline, judge
from jointwatch.reports.robot_view import robot_view

__all__ = ["render_inspection", "render_report", "write_report"]

_DRAWN_ROBOTS = 12  # robots with charts, worst first; the others have their verdict only
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
    drawn = [robot_view(data, verdict) for verdict in verdicts[:_DRAWN_ROBOTS] if len(verdict.rows)]
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            data=data,
            headline=headline(data, verdicts),
            overall=verdicts[0].state if verdicts else State.UNKNOWN,
            subline=_subline(data, verdicts),
            caution=_caution(data),
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
    template = environment().get_template("inspection.html.j2")
    return template.render(
        inspection=inspection,
        summary=console.summary_line(inspection),
        by_robot=by_robot,
        worst=worst[:_WORST_FILES],
        more=len(worst) - _WORST_FILES,
    )


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


def _caution(data: ReportData) -> str:
    """A warning where far more healthy cycles pass the threshold than stated."""
    measured = data.decision.measured
    if data.threshold is None or measured is None or measured.low <= data.decision.stated_rate:
        return ""
    return (
        f"Do not rely on these alarms: {measured.alarms:,} of {words.counted(measured.cycles, 'healthy cycle')} "
        f"({words.percent(measured.rate)}) are above the threshold, where {words.percent(data.decision.stated_rate)} "
        "was stated. What is healthy has changed since the threshold was set: set it again with recent healthy cycles."
    )


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
