"""What the two collision studies share: free and contact runs, windows, decisions, and what counts as an alarm.

Rules, fixed before any result was looked at:

- Windows hold 0.32 s of the innovation of every joint's current. Their time is their end.
- A decision is taken every 0.4 s; it alarms if one window that ends in it passes the threshold.
- The threshold is the split-conformal one at 1 % per decision. One free run of every speed is set aside for it, by
  lot for each seed; the model that scores the contact runs is never fitted on these.
- The onset of contact comes from the contact sensor alone. An alarm from 0.15 s before it (its uncertainty) to 1 s
  after it is a detection, and its delay keeps its sign. A decision that alarms earlier is a false alarm.
- AUROC ranks the first 0.4 s after each contact among the decisions before it.
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
from jointwatch.core.errors import MissingChannel, NotEnoughData, UsageError
from jointwatch.recordings import Reading
from jointwatch.studies._statistics import bootstrap, cluster_auroc, share_interval
from jointwatch.studies.base import Row
from jointwatch.windows.plan import WindowPlan

__all__ = [
    "DECIDE_S",
    "FALSE_ALARM_RATE",
    "Runs",
    "auroc",
    "contact_plan",
    "decisions",
    "evaluate",
    "judge",
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
    """0.32 s of current innovations of all joints at 125 Hz. Recordings at 125 Hz or less are not slowed down, so no
    anti-alias filter looks ahead in them."""
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
    """Free and contact runs as windows.

    Parameters
    ----------
    free : windows of the free runs to fit on, every 32 ms.
    dense : the same runs cut as densely as the contact runs, for the threshold: a decision must be the maximum of
        as many windows there as here.
    contact : windows of the contact runs.
    onset_s : session of each contact run -> onset of contact.
    speed : session of each free run -> its speed, as text.
    notes : what was read and what was left out.
    """

    free: Windows
    dense: Windows
    contact: Windows
    onset_s: dict[str, float]
    speed: dict[str, str]
    plan: WindowPlan
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, recordings: Iterable[Recording]) -> Runs:
        """Free runs are those labelled normal; contact runs those with a `contact` event; others are left out by name.

        Errors: `MissingChannel` without free or contact runs, `NotEnoughData` with a single free run, `UsageError` if
        two runs have one name.
        """
        runs = list(recordings)
        free = [r for r in runs if r.condition.label is Label.NORMAL]
        contact = [r for r in runs if any(e.name == "contact" for e in r.events)]
        if not free or not contact:
            raise MissingChannel(
                f"{len(free)} free runs and {len(contact)} runs with a contact event found",
                remedy="give a folder with Calibration/Axis_*.csv and Drift*.csv",
            )
        if len(free) < 2:
            raise NotEnoughData("fitting and a threshold", needed=2, have=len(free), unit="free runs")
        names = [r.session for r in free + contact]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise UsageError(f"several runs are called {', '.join(twice)}: give one robot's folder at a time")
        left = sorted(r.session for r in runs if r not in free and r not in contact)
        plan = contact_plan(free + contact, TRAIN_STEP)
        dense = replace(plan, step=SCORE_STEP)
        notes = [f"{len(free)} free runs and {len(contact)} contact runs used of {len(runs)} recordings read"]
        notes += [f"left out, neither free nor with an onset of contact: {', '.join(left)}"] if left else []
        notes += recordings.summary() if isinstance(recordings, Reading) else []
        windows = plan.cut(free)
        notes += [f"{count} windows of the free runs left out: {why}" for why, count in windows.skipped.items()]
        return cls(
            windows,
            dense.cut(free),
            dense.cut(contact),
            {r.session: next(e.start_s for e in r.events if e.name == "contact") for r in contact},
            {r.session: str(r.truth.get("speed_deg_s", "")) for r in free},
            plan,
            tuple(notes),
        )

    def set_aside(self, seed: int) -> tuple[list[str], list[str]]:
        """(sessions for the threshold, sessions to fit on) in an order drawn by lot: one run of every speed that has
        several; if none has, a third of the runs."""
        order = np.random.default_rng(seed).permutation(list(self.speed)).tolist()
        speeds = list(self.speed.values())
        several = sorted({speed for speed in speeds if speeds.count(speed) > 1})
        aside = [next(s for s in order if self.speed[s] == speed) for speed in several]
        aside = aside or order[: max(1, len(order) // 3)]
        return aside, [session for session in order if session not in aside]

    def free_of(self, sessions: Iterable[str]) -> Windows:
        """Windows of some free runs to fit on."""
        return self.free[np.isin(self.free.index.session, list(sessions))]

    def dense_of(self, sessions: Iterable[str]) -> Windows:
        """Windows of some free runs for the threshold."""
        return self.dense[np.isin(self.dense.index.session, list(sessions))]


def make_detector(name: str, seed: int, quick: bool) -> Any:
    """A detector of the catalog with its seed; networks get 10 epochs, 4 for a quick look."""
    kind = catalog.load("detectors", name)
    known = inspect.signature(kind).parameters
    settings: dict[str, Any] = {"random_state": seed, "epochs": 4 if quick else 10}
    return kind(**{key: value for key, value in settings.items() if key in known})


def decisions(value: np.ndarray, index: Index, *, whole: bool = False) -> np.ndarray:
    """(decision,) highest score in each decision period; `whole`: without those that a run's end cut short."""
    if len(value) == 0:
        return np.empty(0)
    _, group, count = np.unique(index.cycle, return_inverse=True, return_counts=True)
    highest = np.full(len(count), -np.inf)
    np.maximum.at(highest, group, value)
    return highest[count >= 0.9 * count.max()] if whole else highest


def judge(model: Any, runs: Runs, aside: Iterable[str], domain: str = "") -> dict[str, Any]:
    """What a model that was not fitted on the runs set aside does on the contact runs, as JSON; a `shortage` where
    these are too few for the stated rate. `domain`: score all as if they came from that domain."""
    healthy, contact = runs.dense_of(aside), runs.contact
    if domain:
        healthy, contact = _as_domain(healthy, domain), _as_domain(contact, domain)
    calibration = decisions(model.score_samples(healthy), healthy.index, whole=True)
    try:
        return evaluate(model.score_samples(contact), runs, calibration)
    except NotEnoughData as error:
        return {"shortage": str(error)}


def evaluate(value: np.ndarray, runs: Runs, calibration: np.ndarray) -> dict[str, Any]:
    """Detections, delays and false alarms, as JSON.

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
        rows = np.flatnonzero(index.session == session)
        time = index.stop_s[rows]
        before = time < onset - TOLERANCE_S
        after = ~before & (time <= onset + HORIZON_S)
        first = (time >= onset) & (time < onset + DECIDE_S)
        hits = time[after & alarms[rows]]
        found[session] = {
            "detected": bool(len(hits)),
            "delay_s": float(hits[0] - onset) if len(hits) else None,
            "false_alarms": len(np.unique(index.cycle[rows][before & alarms[rows]])),
            "free_s": float(np.ptp(time[before])) if before.any() else 0.0,
            "free_scores": decisions(value[rows][before], index.take(rows[before])).tolist(),
            "contact_scores": [float(value[rows][first].max())] if first.any() else [],
        }
    return {
        "threshold": threshold.threshold_,
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
    periods = round(sum(run["free_s"] for runs in by_run.values() for run in runs) / DECIDE_S / len(results))
    rates = [
        np.array([60 * run["false_alarms"] / run["free_s"] for run in runs if run["free_s"] > 0])
        for runs in by_run.values()
    ]
    share = bootstrap(detected)
    if share[0] in (0.0, 1.0):  # a bootstrap cannot see beyond an extreme
        share = share_interval(round(share[0] * len(detected)), len(detected))
    median = bootstrap(delays, statistic=lambda x: float(np.median(x)) if len(x) else np.nan)
    figures = {
        "contacts detected (share)": (share, len(sessions)),
        "false alarms per free minute": (bootstrap(rates), periods),
        "median delay of the alarm (s)": (median, sum(len(d) > 0 for d in delays)),
        "AUROC of decisions": (auroc(results), len(sessions)),
    }
    return [
        Row(metric=metric, mean=mean, low=least, high=most, n=n, seeds=len(results), **place)
        for metric, ((mean, least, most), n) in figures.items()
    ]


def _as_domain(windows: Windows, domain: str) -> Windows:
    columns = {**windows.index.columns(), "domain": np.full(len(windows), domain)}
    return replace(windows, index=Index(**columns))
