"""What `jointwatch score` leaves behind: scores.parquet, alarms.json and report.html."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

import jointwatch
from jointwatch.alarms.conformal import MeasuredRate
from jointwatch.alarms.monitor import Monitor, Verdict
from jointwatch.core import Recording
from jointwatch.reports.base import Decision, ModelFacts, ReportData
from jointwatch.reports.html import write_report

__all__ = ["report_of", "write_verdict"]


def write_verdict(
    monitor: Monitor, verdict: Verdict, recordings: Sequence[Recording], out: Path, said: np.ndarray | None = None
) -> list[Path]:
    """Write the three files into `out` (made if absent) and return their paths. `said` (cycle,) is what is said of each
    cycle, as `AnomalyDetector.said` gives it: a further column of the scores."""
    out.mkdir(parents=True, exist_ok=True)
    scores, alarms, page = out / "scores.parquet", out / "alarms.json", out / "report.html"
    _table(verdict, said).write_parquet(scores)
    alarms.write_text(json.dumps(_alarms(monitor, verdict), indent=1, allow_nan=False), encoding="utf-8")
    write_report(report_of(monitor, verdict, recordings), page)
    return [scores, alarms, page]


def report_of(monitor: Monitor, verdict: Verdict, recordings: Sequence[Recording]) -> ReportData:
    """The page's content from a monitor and what it says of the recordings."""
    facts = monitor.facts_
    notes = [f"{count} calibration windows left out: {why}" for why, count in facts["skipped"].items()]
    if facts["unlabelled_taken_as_healthy"]:
        notes.append(f"{facts['unlabelled_taken_as_healthy']} unlabelled cycles were taken as healthy")
    if monitor.persistence != (1, 1):
        notes.append(monitor.persistence_words())
    if monitor.threshold_ is not None:
        notes.append(str(monitor.threshold_.realised_rate()))
    robots = {recording.robot.unit: recording.robot for recording in recordings}
    return ReportData(
        cycle_scores=verdict.cycle_scores,
        alarms=verdict.alarms,
        threshold=None if monitor.threshold_ is None else float(monitor.threshold_.threshold_),
        decision=Decision(
            stated_rate=monitor.false_alarm_rate,
            calibration_cycles=facts["calibration_cycles"],
            persistence=monitor.persistence,
            message=monitor.shortage_,
            measured=_measured(monitor, verdict),
            odd_cycles=tuple(facts["odd_cycles"]),
            odd_excluded=facts["odd_excluded"],
            notes=tuple(notes),
        ),
        model=ModelFacts(
            detector=monitor.strategy_.detector_.name,
            strategy=monitor.strategy_.name,
            source=", ".join(monitor.source_),
            target=", ".join(monitor.target_),
            version=jointwatch.__version__,
            seed=getattr(monitor.strategy_.detector_, "random_state", None),
            further=(
                ("training windows", str(facts["training_windows"])),
                ("threshold held out by", facts["held_out_by"]),
            ),
        ),
        windows=verdict.windows,
        healthy=monitor.healthy_,
        quality=tuple((recording.source or recording.session, recording.quality) for recording in recordings),
        robots=tuple(robots.values()),
        made_at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def _measured(monitor: Monitor, verdict: Verdict) -> MeasuredRate | None:
    """Counted on cycles labelled normal that the monitor has not seen before."""
    index = verdict.cycle_scores.index
    healthy = (index.label == "normal") & ~np.isin(index.cycle, monitor.known_cycles_)
    if monitor.threshold_ is None or not healthy.any():
        return None
    return monitor.threshold_.confirm(verdict.cycle_scores.take(healthy))


def _table(verdict: Verdict, said: np.ndarray | None) -> pl.DataFrame:
    cycles = verdict.cycle_scores
    columns = {**cycles.index.columns(), "score": cycles.value, "p_value": verdict.p_values, "passed": verdict.passed}
    if said is not None:
        columns["said"] = said
    if cycles.contributions is not None:
        parts = cycles.contributions.T
        columns |= {f"contribution {c.key}": part for c, part in zip(cycles.channels, parts, strict=True)}
    return pl.DataFrame({name: np.ascontiguousarray(values) for name, values in columns.items()})


def _alarms(monitor: Monitor, verdict: Verdict) -> dict[str, object]:
    return {
        "version": jointwatch.__version__,
        "false_alarm_rate": monitor.false_alarm_rate,
        "threshold": None if monitor.threshold_ is None else float(monitor.threshold_.threshold_),
        "message": monitor.shortage_,
        "decisions": len(verdict.cycle_scores),
        "alarms": [asdict(alarm) for alarm in verdict.alarms],
    }
