"""What `jointwatch score` leaves behind: scores, alarms.json and report.html."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

import jointwatch
from jointwatch.alarms.conformal import MeasuredRate
from jointwatch.alarms.monitor import Monitor, Verdict
from jointwatch.core import Recording
from jointwatch.core.errors import missing_extra
from jointwatch.reports._scores_file import write_scores
from jointwatch.reports.base import Decision, ModelFacts, ReportData

__all__ = ["report_of", "write_verdict"]


def write_verdict(
    monitor: Monitor,
    verdict: Verdict,
    recordings: Sequence[Recording],
    out: Path,
    said: np.ndarray | None = None,
    origin: Mapping[str, str | int] | None = None,
) -> list[Path]:
    """Write the files into `out` (made if absent) and return their paths: scores.parquet, alarms.json and report.html;
    on an installation without the extra `fit` scores.csv and alarms.json. `said` (cycle,) is what is said of each
    cycle, as `AnomalyDetector.said` gives it: a further column of the scores. `origin` are facts of the bundle that the
    monitor comes from, named in all of them; nothing for a model folder."""
    out.mkdir(parents=True, exist_ok=True)
    files = [write_scores(_columns(verdict, said), out, origin), out / "alarms.json"]
    files[1].write_text(json.dumps(_alarms(monitor, verdict, origin), indent=1, allow_nan=False), encoding="utf-8")
    try:
        from jointwatch.reports.html import write_report  # templates and pictures: not on a small installation
    except ModuleNotFoundError as error:
        if missing_extra(error) is None:
            raise
        return files
    return [*files, write_report(report_of(monitor, verdict, recordings, origin), out / "report.html")]


def report_of(
    monitor: Monitor,
    verdict: Verdict,
    recordings: Sequence[Recording],
    origin: Mapping[str, str | int] | None = None,
) -> ReportData:
    """The page's content from a monitor and what it says of the recordings; `origin` as in `write_verdict`."""
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
                *((f"bundle {name.replace('_', ' ')}", str(fact)) for name, fact in (origin or {}).items() if fact),
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


def _columns(verdict: Verdict, said: np.ndarray | None) -> dict[str, np.ndarray]:
    cycles = verdict.cycle_scores
    columns = {**cycles.index.columns(), "score": cycles.value, "p_value": verdict.p_values, "passed": verdict.passed}
    if said is not None:
        columns["said"] = said
    if cycles.contributions is not None:
        parts = cycles.contributions.T
        columns |= {f"contribution {c.key}": part for c, part in zip(cycles.channels, parts, strict=True)}
    return columns


def _alarms(monitor: Monitor, verdict: Verdict, origin: Mapping[str, str | int] | None) -> dict[str, object]:
    return {
        "version": jointwatch.__version__,
        **({"bundle": dict(origin)} if origin else {}),
        "false_alarm_rate": monitor.false_alarm_rate,
        "threshold": None if monitor.threshold_ is None else float(monitor.threshold_.threshold_),
        "message": monitor.shortage_,
        "decisions": len(verdict.cycle_scores),
        "alarms": [asdict(alarm) for alarm in verdict.alarms],
    }
