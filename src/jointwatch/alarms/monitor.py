"""The whole chain from recordings to alarms: windows, strategy, detector, threshold, persistence."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, clone

from jointwatch.alarms.baseline_guard import BaselineGuard, GuardReport
from jointwatch.alarms.conformal import ConformalThreshold
from jointwatch.alarms.persistence import Persistence
from jointwatch.core import Alarm, Index, Recording, Scores, Windows, catalog
from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.transfer.base import Strategy
from jointwatch.windows.plan import WindowPlan

__all__ = ["Monitor"]

_SESSIONS_TO_HOLD_OUT = 4  # with fewer sessions whole ones cannot be spared for the threshold


@dataclass(frozen=True)
class Verdict:
    """What a monitor says of recordings.

    Parameters
    ----------
    windows : what was cut, in SI units.
    window_scores, cycle_scores : scores of windows and, highest window, of cycles.
    p_values : (cycle,) conformal p-values; NaN where there was not enough healthy data.
    passed : (cycle,) whether the threshold was passed.
    alarms : after persistence, in order of time within each unit.
    """

    windows: Windows
    window_scores: Scores
    cycle_scores: Scores
    p_values: np.ndarray
    passed: np.ndarray
    alarms: tuple[Alarm, ...]


class Monitor(BaseEstimator):
    """Learns what normal is, is carried to another robot, and raises alarms at a stated false-alarm rate.

    Parameters
    ----------
    plan : how windows are cut.
    strategy : a transfer strategy around a detector; both are cloned.
    false_alarm_rate : stated rate per decided cycle.
    persistence : (k, n): an alarm needs k of the last n cycles of a unit past the threshold.
    calibration_share : share of the healthy cycles that set the threshold and are never trained on.
    exclude_odd : leave the odd cycles that the guard names out of the threshold. The guarantee then holds
        on condition that they were rightly left out.

    Attributes: `strategy_`, `threshold_` (None where there were not enough healthy cycles, then `shortage_` says
    how many more are needed), `guard_`, `healthy_` (calibration windows, for healthy bands), `facts_`.
    """

    def __init__(
        self,
        plan: WindowPlan,
        strategy: Strategy,
        false_alarm_rate: float = 0.01,
        persistence: tuple[int, int] = (1, 1),
        calibration_share: float = 0.5,
        exclude_odd: bool = False,
    ) -> None:
        self.plan = plan
        self.strategy = strategy
        self.false_alarm_rate = false_alarm_rate
        self.persistence = persistence
        self.calibration_share = calibration_share
        self.exclude_odd = exclude_odd

    @classmethod
    def suited_to(
        cls,
        recordings: Sequence[Recording],
        *,
        detector: str = "mahalanobis",
        strategy: str = "normalisation",
        channels: str = "",
        kind: str | None = None,
        false_alarm_rate: float = 0.01,
        persistence: str = "1/1",
        exclude_odd: bool = False,
        one_scale: bool = False,
        **settings: object,
    ) -> Monitor:
        """A monitor for these recordings from catalog names; `settings` go to the `WindowPlan`.

        `one_scale` gives all joints of a robot one scale for each quantity, so that a joint that stands still at the
        target but moved at the source stays quiet.
        """
        match = re.fullmatch(r"(\d+)/(\d+)", persistence)
        if match is None:
            raise UsageError(f"persistence is written k/n, for example 2/3, got {persistence!r}")
        plan = WindowPlan.suited_to(recordings, channels=channels, kind=kind, **settings)
        chosen = catalog.load("transfer", strategy)(catalog.load("detectors", detector)())
        chosen.set_params(floor_share=1.0 if one_scale else chosen.floor_share)
        return cls(
            plan,
            chosen,
            false_alarm_rate=false_alarm_rate,
            persistence=(int(match[1]), int(match[2])),
            exclude_odd=exclude_odd,
        )

    def fit(self, recordings: Sequence[Recording]) -> Self:
        """Learn from one or several source robots. Cycles without a label are taken as healthy and counted.

        Errors: `NotEnoughData` if there are too few healthy cycles to learn from.
        """
        windows, unlabelled = self._healthy_and_labelled(recordings)
        train, calibration = self._share(windows)
        self.strategy_ = clone(self.strategy).fit(train)
        self.source_ = sorted(set(windows.index.domain.tolist()))
        self.target_ = self.source_
        self._calibrate(train, calibration, unlabelled)
        return self

    def adapt(self, recordings: Sequence[Recording]) -> Monitor:
        """A new monitor for a target robot, from recordings of it that are mostly healthy.

        The strategy may use the labels of the training part; the threshold rests on the rest.
        """
        if not hasattr(self, "strategy_"):
            raise UsageError("the monitor must be fitted on a source before it is adapted")
        adapted = copy.deepcopy(self)
        windows, unlabelled = adapted._healthy_and_labelled(recordings)
        train, calibration = adapted._share(windows)
        adapted.strategy_ = adapted.strategy_.adapt(train, labelled=train)
        adapted.target_ = sorted(set(windows.index.domain.tolist()))
        adapted._calibrate(train, calibration, unlabelled)
        return adapted

    def score(self, recordings: Sequence[Recording]) -> Verdict:
        """Scores, p-values and alarms for recordings of the robots the monitor is ready for."""
        if not hasattr(self, "strategy_"):
            raise UsageError("the monitor must be fitted before it scores")
        windows = self.plan.cut(recordings)
        if len(windows) == 0:
            raise NotEnoughData("scoring", needed=1, have=0, unit=f"windows (skipped: {dict(windows.skipped)})")
        scores = self.strategy_.detect(windows)
        cycles = scores.by_cycle()
        if self.threshold_ is None:
            undecided = np.full(len(cycles), np.nan)
            return Verdict(windows, scores, cycles, undecided, np.zeros(len(cycles), bool), ())
        p_values = self.threshold_.p_value(cycles.value)
        passed = self.threshold_.decide(cycles.value)
        return Verdict(windows, scores, cycles, p_values, passed, self._alarms(cycles, p_values, passed))

    def summary(self) -> list[str]:
        """What the monitor rests on, in sentences."""
        facts = self.facts_
        lines = [
            f"{self.strategy_.name} around {self.strategy_.detector_.name}: {', '.join(self.source_)}"
            + (f" -> {', '.join(self.target_)}" if self.target_ != self.source_ else ""),
            f"learned from {facts['training_windows']} windows; threshold from {facts['calibration_cycles']} healthy "
            f"decisions, held out by {facts['held_out_by']}",
        ]
        if facts["unlabelled_taken_as_healthy"]:
            lines.append(f"{facts['unlabelled_taken_as_healthy']} unlabelled cycles were taken as healthy")
        if facts["skipped"]:
            lines.append("windows left out: " + ", ".join(f"{n} {why}" for why, n in facts["skipped"].items()))
        for cycle in self.guard_.odd:
            fate = "left out of the threshold" if self.exclude_odd else "still in the threshold (--exclude-odd)"
            lines.append(f"odd healthy cycle {cycle.cycle}: {cycle.reason}; {fate}")
        lines.append(self.shortage_ or f"threshold {self.threshold_.threshold_:.4g} at {self.false_alarm_rate:.2%}")  # type: ignore[union-attr]
        return lines

    def _healthy_and_labelled(self, recordings: Sequence[Recording]) -> tuple[Windows, int]:
        windows = self.plan.cut(recordings)
        self.skipped_ = dict(windows.skipped)
        unlabelled = windows.index.label == "uncertain"
        label = np.where(unlabelled, "normal", windows.index.label)
        count = len(set(windows.index.cycle[unlabelled].tolist()))
        return replace(windows, index=Index(**{**windows.index.columns(), "label": label})), count

    def _share(self, windows: Windows) -> tuple[Windows, Windows]:
        """(training, calibration): no cycle on both sides; whole sessions where there are enough of them."""
        healthy = windows.index.label == "normal"
        whose, names = "session", windows.index.session
        if len(set(names[healthy].tolist())) < _SESSIONS_TO_HOLD_OUT:
            whose, names = "cycle", windows.index.cycle
        groups = list(dict.fromkeys(names[healthy].tolist()))
        if len(groups) < 2:
            raise NotEnoughData("learning and a threshold", needed=2, have=len(groups), unit="healthy cycles")
        # every k-th group, so that slow drift is on both sides alike
        position = np.floor(np.arange(len(groups)) * self.calibration_share)
        chosen = {
            g
            for g, before, after in zip(groups, position, [*position[1:], position[-1] + 1], strict=True)
            if after > before
        }
        held = healthy & np.isin(names, list(chosen))
        self.held_out_by_ = whose
        return windows[~held & ~_touching(windows.index, held)], windows[held]

    def _calibrate(self, train: Windows, calibration: Windows, unlabelled: int) -> None:
        cycles = self.strategy_.detect(calibration).by_cycle()
        self.guard_: GuardReport = BaselineGuard().check(cycles)
        odd = {cycle.cycle for cycle in self.guard_.odd}
        if self.exclude_odd and odd:
            cycles = cycles.take(~np.isin(cycles.index.cycle, list(odd)))
        threshold = ConformalThreshold(self.false_alarm_rate)
        try:
            self.threshold_: ConformalThreshold | None = threshold.fit(cycles.value)
            self.shortage_ = ""
        except NotEnoughData as error:
            self.threshold_, self.shortage_ = None, str(error)
        self.calibration_scores_ = cycles
        self.healthy_ = calibration
        self.facts_: dict[str, Any] = {
            "calibration_cycles": len(cycles),
            "training_windows": len(train),
            "unlabelled_taken_as_healthy": unlabelled,
            "odd_cycles": sorted(odd),
            "odd_excluded": bool(self.exclude_odd and odd),
            "held_out_by": self.held_out_by_,
            "skipped": dict(self.skipped_),
        }

    def _alarms(self, cycles: Scores, p_values: np.ndarray, passed: np.ndarray) -> tuple[Alarm, ...]:
        assert self.threshold_ is not None
        index = cycles.index
        alarms = []
        for row in np.flatnonzero(Persistence(*self.persistence).apply(passed, index)):
            parts = cycles.contributions
            channel = None if parts is None else cycles.channels[int(parts[row].argmax())]
            alarms.append(
                Alarm(
                    unit=str(index.unit[row]),
                    session=str(index.session[row]),
                    cycle=str(index.cycle[row]),
                    time_s=float(index.stop_s[row]),
                    score=float(cycles.value[row]),
                    threshold=self.threshold_.threshold_,
                    p_value=float(p_values[row]),
                    false_alarm_rate=self.false_alarm_rate,
                    calibration_cycles=self.threshold_.calibration_cycles_,
                    joint=0 if channel is None else channel.joint or 0,
                    channel="" if channel is None else channel.key,
                    persistence=self.persistence,
                )
            )
        return tuple(alarms)


def _touching(index: Index, held: np.ndarray) -> np.ndarray:
    """(window,) True where a window shares samples with a held one: neighbouring decisions overlap by a window."""
    touching = np.zeros(len(index), bool)
    names = np.char.add(np.char.add(index.unit, "/"), index.session)
    for name in np.unique(names):
        rows = np.flatnonzero(names == name)
        kept = rows[held[rows]]
        if len(kept) == 0 or len(kept) == len(rows):
            continue
        starts, stops = np.sort(index.start_s[kept]), np.sort(index.stop_s[kept])
        # held windows that began before this one ends, less those that were over before it began
        begun = np.searchsorted(starts, index.stop_s[rows] - 1e-9)
        over = np.searchsorted(stops, index.start_s[rows] + 1e-9)
        touching[rows] = begun > over
    return touching
