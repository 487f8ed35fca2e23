"""What the two collision studies share: free and contact runs, windows, decisions, and what counts as an alarm.

Rules, fixed before any result was looked at:

- A decision is taken every 0.4 s; it alarms if one window that ends in it passes the threshold. The threshold is the
  split-conformal one at 1 % per decision, from free runs that the scoring model was not fitted on.
- Windows hold 0.32 s of the innovation of every joint's current. Their time is their end.
- The onset of contact comes from the contact sensor alone. An alarm from 0.15 s before it (its uncertainty) to 1 s
  after it is a detection, and its delay keeps its sign. Any decision that alarms earlier is a false alarm.
- AUROC ranks the first decision period after each contact among the decisions before it.
- False alarms are counted on the part of the contact runs before the contact: another session and another speed
  than the free runs, never used to fit or to set a threshold.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from jointwatch.alarms.conformal import ConformalThreshold
from jointwatch.core import Index, Label, Recording, Windows, catalog
from jointwatch.core.errors import MissingChannel
from jointwatch.studies._statistics import bootstrap, cluster_auroc, share_interval
from jointwatch.studies.base import Row
from jointwatch.windows.plan import WindowPlan

__all__ = [
    "DECIDE_S",
    "FALSE_ALARM_RATE",
    "Runs",
    "auroc",
    "contact_plan",
    "evaluate",
    "held_out_decisions",
    "make_detector",
    "summarise",
]

FALSE_ALARM_RATE = 0.01
DECIDE_S = 0.4
TOLERANCE_S = 0.15
HORIZON_S = 1.0
TRAIN_STEP, SCORE_STEP = 4, 2
BASELINES = (
    "random_score",
    "duration",
    "envelope",
    "phase_zscore",
    "mahalanobis",
    "pca",
    "kmeans",
    "knn",
    "lof",
    "isolation_forest",
    "linear_autoregression",
)


def contact_plan(recordings: Sequence[Recording], step: int) -> WindowPlan:
    """0.32 s of current innovations of all joints at 125 Hz: no recording is slowed down, so no filter looks ahead."""
    return WindowPlan.suited_to(
        recordings,
        channels="current.derived/J:innovation",
        kind="sliding",
        rate_hz=125.0,
        length=40,
        step=step,
        decide_s=DECIDE_S,
        domain="model",
    )


@dataclass(frozen=True)
class Runs:
    """Windows of the free runs and of the contact runs, with the onset of contact of each contact run."""

    free: Windows
    contact: Windows
    onset_s: dict[str, float]
    plan: WindowPlan

    @classmethod
    def of(cls, recordings: Iterable[Recording]) -> Runs:
        """Free runs are those labelled normal; contact runs those with a `contact` event; others are left out.

        Errors: `MissingChannel` if there are no free or no contact runs.
        """
        all_runs = list(recordings)
        free = [r for r in all_runs if r.condition.label is Label.NORMAL]
        contact = [r for r in all_runs if any(e.name == "contact" for e in r.events)]
        if not free or not contact:
            raise MissingChannel(
                f"{len(free)} free runs and {len(contact)} runs with a contact event found",
                remedy="give a folder with Calibration/Axis_*.csv and Drift*.csv",
            )
        plan = contact_plan(all_runs, TRAIN_STEP)
        windows = replace(plan, step=SCORE_STEP).cut(contact)
        begin = {r.session: next(e.start_s for e in r.events if e.name == "contact") for r in contact}
        return cls(plan.cut(free), windows, begin, plan)

    @property
    def free_sessions(self) -> list[str]:
        return list(dict.fromkeys(self.free.index.session.tolist()))

    def free_of(self, sessions: Iterable[str]) -> Windows:
        """Windows of some free runs."""
        return self.free[np.isin(self.free.index.session, list(sessions))]


def make_detector(name: str, seed: int, quick: bool) -> Any:
    """A detector of the catalog with its seed; networks get 10 epochs, 4 for a quick look."""
    kind = catalog.load("detectors", name)
    known = inspect.signature(kind).parameters
    settings: dict[str, Any] = {"random_state": seed, "epochs": 4 if quick else 10}
    return kind(**{key: value for key, value in settings.items() if key in known})


def held_out_decisions(value: np.ndarray, index: Index) -> np.ndarray:
    """Highest score in each decision period of each run, (decision,)."""
    _, group = np.unique(index.cycle, return_inverse=True)
    highest = np.full(group.max() + 1, -np.inf)
    np.maximum.at(highest, group, value)
    return highest


def evaluate(value: np.ndarray, runs: Runs, calibration: np.ndarray) -> dict[str, Any]:
    """What a detector does on the contact runs, as JSON.

    Parameters
    ----------
    value : (window,) scores of `runs.contact`.
    calibration : (decision,) scores of healthy decisions that were not fitted on.

    Errors: `NotEnoughData` if there are too few of these for the stated rate.
    """
    threshold = ConformalThreshold(FALSE_ALARM_RATE).fit(calibration)
    alarms = threshold.decide(value)
    index = runs.contact.index
    found: dict[str, Any] = {}
    for session, onset in runs.onset_s.items():
        rows = index.session == session
        time = index.stop_s[rows]
        before = time < onset - TOLERANCE_S
        after = ~before & (time <= onset + HORIZON_S)
        first = (time >= onset) & (time < onset + DECIDE_S)
        hits = time[after & alarms[rows]]
        false = np.unique(index.cycle[rows][before & alarms[rows]])
        found[session] = {
            "detected": bool(len(hits)),
            "delay_s": float(hits[0] - onset) if len(hits) else None,
            "false_alarms": len(false),
            "free_s": float(len(np.unique(index.cycle[rows][before])) * DECIDE_S),
            "free_scores": held_out_decisions(value[rows][before], index.take(np.flatnonzero(rows)[before])).tolist(),
            "contact_scores": [float(value[rows][first].max())] if first.any() else [],
        }
    return {
        "threshold": float(threshold.threshold_),
        "calibration_decisions": threshold.calibration_cycles_,
        "runs": found,
    }


def auroc(results: Sequence[dict[str, Any]], repeats: int = 2000) -> tuple[float, float, float]:
    """(AUROC, low, high) over the seeds of one method; the run is the cluster."""
    return cluster_auroc(
        [
            [(np.array(run["contact_scores"]), np.array(run["free_scores"])) for run in result["runs"].values()]
            for result in results
        ],
        repeats=repeats,
    )


def summarise(results: Sequence[dict[str, Any]], **place: str) -> list[Row]:
    """Rows of one method over its seeds; the run is the cluster of all intervals."""
    sessions = list(results[0]["runs"])
    by_run = {session: [result["runs"][session] for result in results] for session in sessions}
    detected = [np.array([run["detected"] for run in runs]) for runs in by_run.values()]
    delays = [np.array([run["delay_s"] for run in runs if run["detected"]]) for runs in by_run.values()]
    decisions = round(sum(run["free_s"] for runs in by_run.values() for run in runs) / DECIDE_S / len(results))
    rates = [np.array([60 * run["false_alarms"] / run["free_s"] for run in runs]) for runs in by_run.values()]
    share = bootstrap(detected)
    if share[0] in (0.0, 1.0):  # a bootstrap cannot see beyond an extreme
        share = share_interval(round(share[0] * len(detected)), len(detected))
    median = bootstrap(delays, statistic=lambda x: float(np.median(x)) if len(x) else np.nan)
    figures = {
        "contacts detected (share)": (share, len(sessions)),
        "false alarms per free minute": (bootstrap(rates), decisions),
        "median delay of the alarm (s)": (median, sum(len(d) > 0 for d in delays)),
        "AUROC of decisions": (auroc(results), len(sessions)),
    }
    return [
        Row(metric=metric, mean=mean, low=least, high=most, n=n, seeds=len(results), **place)
        for metric, ((mean, least, most), n) in figures.items()
    ]
