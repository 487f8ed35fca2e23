"""The whole chain from recordings to alarms: windows, strategy, detector, threshold, persistence."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from jointwatch.alarms.baseline_guard import BaselineGuard, GuardReport
from jointwatch.alarms.conformal import ConformalThreshold, cycles_to_alarm
from jointwatch.alarms.persistence import Persistence
from jointwatch.core import Alarm, Index, Recording, Scores, Windows, catalog
from jointwatch.core.errors import MissingChannel, NotEnoughData, UsageError
from jointwatch.core.estimator import BaseEstimator, clone
from jointwatch.transfer.base import Strategy
from jointwatch.windows.overlap import touching
from jointwatch.windows.plan import WindowPlan
from jointwatch.windows.trusted import as_healthy, suspected

__all__ = ["Monitor"]

_BLOCKS = 10  # into which overlapping decisions of a domain are divided
_COMMON = "position/J,velocity.derived/J,effort.derived/J"  # channels that most brands can be brought to
_SESSIONS_TO_HOLD_OUT = 4  # with fewer sessions whole ones cannot be spared for the threshold


@dataclass(frozen=True)
class Verdict:
    """What a monitor says of recordings.

    Parameters
    ----------
    windows : what was cut, in SI units.
    window_scores, cycle_scores : scores of windows and, highest window, of cycles. Contributions are those of cycles;
        windows have theirs where that takes no longer.
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
    persistence : (k, n): an alarm needs k of the last n cycles of a unit past the threshold, within a session, or
        across sessions where these are shorter than n cycles.
    calibration_share : share of the healthy cycles that set the threshold and are never trained on.
    exclude_odd : leave the odd cycles that the guard names out of the threshold. The guarantee then holds
        on condition that they were rightly left out.

    Attributes: `strategy_`, `threshold_` (None where there were not enough healthy cycles, then `shortage_` says
    how many more are needed), `guard_`, `healthy_` (calibration windows, for healthy bands),
    `known_cycles_` (names of all cycles that were learned from or set the threshold), `facts_`.
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
        detector: str = "auto",
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
        target but moved at the source stays quiet. The detector `auto` is the one that the strategy usually goes
        around: `cnn` for those that train a network, `foundation` for `foundation`, else `mahalanobis`.
        """
        match = re.fullmatch(r"(\d+)/(\d+)", persistence)
        if match is None:
            raise UsageError(f"persistence is written k/n, for example 2/3, got {persistence!r}")
        kind_of_strategy = catalog.load("transfer", strategy)
        if detector == "auto":
            detector = kind_of_strategy.usual_detector
        chosen = kind_of_strategy(catalog.load("detectors", detector)())
        chosen.set_params(floor_share=1.0 if one_scale else chosen.floor_share)
        plan = WindowPlan.suited_to(recordings, channels=channels, kind=kind, **settings)
        if length := chosen.detector.whole_cycles:
            if plan.kind != "cycle":
                raise UsageError(
                    f"{detector} compares whole cycles, and no cycles are marked or --kind {plan.kind} was asked for; "
                    "mark them in the recordings, or take another detector"
                )
            plan = plan if "length" in settings else replace(plan, length=length)
        monitor = cls(
            plan,
            chosen,
            false_alarm_rate=false_alarm_rate,
            persistence=(int(match[1]), int(match[2])),
            exclude_odd=exclude_odd,
        )
        monitor._require_valid()
        return monitor

    def fit(self, recordings: Sequence[Recording]) -> Self:
        """Learn from one or several source robots. Cycles without a label are taken as healthy and counted.

        Errors: `NotEnoughData` if there are too few healthy cycles to learn from.
        """
        return self.fit_by(recordings, lambda train: clone(self.strategy).fit(train))

    def fit_by(self, recordings: Sequence[Recording], learn: Callable[[Windows], Strategy]) -> Self:
        """The same with a learning of the caller's: (training windows) -> a fitted strategy."""
        self._require_valid()
        windows = self._trusted(recordings)
        train, calibration = self._share(windows)
        self.strategy_ = learn(as_healthy(train))
        self.source_ = sorted(set(windows.index.domain.tolist()))
        self.target_ = self.source_
        self._calibrate(windows, train, calibration)
        return self

    def recalibrated(self, windows: Windows) -> Monitor:
        """A copy whose threshold rests on these healthy windows of its targets alone (SI units, as the plan cuts them);
        what was learned stays.

        Errors: `NotEnoughData` with fewer cycles than a threshold at the stated rate takes.
        """
        self.require_known(windows)
        copied = copy.copy(self)
        copied.set_threshold(as_healthy(windows))
        if copied.threshold_ is None:
            raise NotEnoughData(
                "a threshold at the stated rate",
                needed=cycles_to_alarm(self.false_alarm_rate),
                have=len(np.unique(windows.index.cycle)),
                unit="healthy cycles",
            )
        known = set(self.known_cycles_.tolist()) | set(windows.index.cycle.tolist())
        copied.known_cycles_ = np.array(sorted(known), dtype=np.str_)
        copied.facts_ = {**self.facts_, **copied._threshold_facts(), "held_out_by": "cycle"}
        return copied

    def adapt(self, recordings: Sequence[Recording]) -> Monitor:
        """A new monitor for a target robot, from recordings of it.

        The strategy measures the target on cycles that are healthy or unlabelled, and may use the labels of those of
        its training part that have one; the threshold rests on the rest.
        """
        return self.adapt_by(recordings, lambda healthy, labelled: self.strategy_.adapt(healthy, labelled=labelled))

    def adapt_by(
        self, recordings: Sequence[Recording], ready: Callable[[Windows, Windows | None], Strategy]
    ) -> Monitor:
        """The same with a strategy of the caller's: (healthy or unlabelled training windows, labelled ones or None) ->
        a strategy that is ready for the target.

        Errors: `MissingChannel` if the target was not recorded with a channel that was learned from.
        """
        if not hasattr(self, "strategy_"):
            raise UsageError("the monitor must be fitted on a source before it is adapted")
        adapted = copy.deepcopy(self)
        try:
            windows = adapted._trusted(recordings)
        except MissingChannel as error:
            raise MissingChannel(
                error.problem,
                file=error.file,
                channel=error.channel,
                remedy="the model was learned from this channel; fit it again on channels that both robots have, "
                f"measured or derived, for example {_COMMON}",
            ) from error
        train, calibration = adapted._share(windows)
        labelled = train[train.index.label != "uncertain"]
        adapted.strategy_ = ready(as_healthy(train).normal(), labelled if len(labelled) else None)
        adapted.target_ = sorted(set(windows.index.domain.tolist()))
        adapted._calibrate(windows, train, calibration)
        return adapted

    def score(self, recordings: Sequence[Recording]) -> Verdict:
        """Scores, p-values and alarms for recordings of the robots the monitor is ready for.

        Errors: `UsageError` for a domain that the threshold was not set for: adapt first.
        """
        if not hasattr(self, "strategy_"):
            raise UsageError("the monitor must be fitted before it scores")
        windows = self.plan.cut(recordings)
        if len(windows) == 0:
            raise NotEnoughData("scoring", needed=1, have=0, unit=f"windows (skipped: {dict(windows.skipped)})")
        return self.judge(windows)

    def judge(self, windows: Windows) -> Verdict:
        """The same for windows that the plan has cut, in SI units."""
        self.require_known(windows)
        scores, cycles = self.strategy_.detect_by_cycle(windows)
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
        if facts["suspected_left_out"]:
            lines.append(f"{facts['suspected_left_out']} cycles with a suspected fault were left out")
        if facts["skipped"]:
            lines.append("windows left out: " + ", ".join(f"{n} {why}" for why, n in facts["skipped"].items()))
        if facts["pooled_domains"] > 1:
            lines.append(
                f"one threshold for {facts['pooled_domains']} domains: the stated rate holds for them together"
            )
        if self.persistence != (1, 1):
            lines.append(self.persistence_words())
        for cycle in self.guard_.odd:
            fate = "left out of the threshold" if self.exclude_odd else "still in the threshold (--exclude-odd)"
            lines.append(f"odd healthy cycle {cycle.cycle}: {cycle.reason}; {fate}")
        lines.append(self.shortage_ or f"threshold {self.threshold_.threshold_:.4g} at {self.false_alarm_rate:.2%}")  # type: ignore[union-attr]
        return lines

    def persistence_words(self) -> str:
        """What persistence does to the false-alarm rate, with a warning where neighbouring decisions are correlated."""
        k, n = self.persistence
        rate = Persistence(k, n).false_alarm_rate(self.false_alarm_rate)
        words = f"{k} of {n} decisions must pass: about {rate:.2g} false alarms a decision if they are independent"
        try:
            found = Persistence(k, n).expected_rate(self.calibration_scores_, self.false_alarm_rate)
        except NotEnoughData:
            return words
        return found.warning or words

    def _require_valid(self) -> None:
        if not 0 < self.calibration_share < 1:
            raise UsageError(f"calibration_share is between 0 and 1, got {self.calibration_share}")
        cycles_to_alarm(self.false_alarm_rate)
        Persistence(*self.persistence).init()

    def _trusted(self, recordings: Sequence[Recording]) -> Windows:
        """Windows that may be learned from: uncertain ones with a fault named are neither healthy nor labelled."""
        windows = self.plan.cut(recordings)
        left_out = suspected(windows)
        self.suspected_ = len(np.unique(windows.index.cycle[left_out]))
        return replace(windows[~left_out], skipped=windows.skipped)

    def _share(self, windows: Windows) -> tuple[Windows, Windows]:
        """(training, calibration): no cycle and no sample on both sides, each domain shared by itself.

        Whole sessions are held out where a domain has enough of them, else cycles, every k-th, so that slow drift is
        on both sides alike; decisions that overlap their neighbours are held out in blocks of several. For a detector
        that compares units with their own past each unit is shared by itself; what it has a single cycle of is learned.
        """
        index = windows.index
        healthy = index.label != "anomalous"
        sessions = index.unit_session
        within_units = getattr(self.strategy.detector, "compares_units", False)
        held = np.zeros(len(windows), bool)
        by = set()
        for domain in np.unique(index.domain):
            rows = np.flatnonzero(healthy & (index.domain == domain))
            parts, least = [rows], _SESSIONS_TO_HOLD_OUT
            if within_units:
                parts, least = [rows[index.unit[rows] == unit] for unit in np.unique(index.unit[rows])], 2
            for part in parts:
                names, block = sessions[part], 1
                whole = len(np.unique(names)) >= least
                if not whole:
                    names = index.cycle[part]
                    block = 1 if self.plan.decide_s is None else -(-len(np.unique(names)) // _BLOCKS)
                groups = {name: i // block for i, name in enumerate(dict.fromkeys(names.tolist()))}
                if len(set(groups.values())) < 2:
                    continue  # a single cycle: learned from, if there are others for the threshold
                number = np.array([groups[name] for name in names.tolist()])
                # group i is held out if the running share passes a whole number there
                held[part] = np.floor((number + 1) * self.calibration_share) > np.floor(number * self.calibration_share)
                if not held[part].any():
                    held[part] = number == number.max()
                by.add("session" if whole else "cycle")
            if not held[rows].any():
                have = len(np.unique(index.cycle[rows]))
                raise NotEnoughData(f"learning {domain} and a threshold", needed=2, have=have, unit="healthy cycles")
        self.held_out_by_ = " or ".join(sorted(by, reverse=True))
        train = windows[~held & ~touching(index, held)]
        if not (train.index.label != "anomalous").any():
            raise NotEnoughData("learning beside a threshold", needed=1, have=0, unit="healthy windows to learn from")
        return train, as_healthy(windows[held])

    def require_known(self, windows: Windows) -> None:
        """Errors: `UsageError` for a domain that the threshold was not set for."""
        unknown = sorted(set(windows.index.domain.tolist()) - set(self.target_))
        if unknown:
            raise UsageError(
                f"the threshold was set for {', '.join(self.target_)}, not for {', '.join(unknown)}; "
                "adapt the model first"
            )

    def _calibrate(self, windows: Windows, train: Windows, calibration: Windows) -> None:
        self.set_threshold(calibration)
        self.known_cycles_ = np.unique(windows.index.cycle)
        self.facts_: dict[str, Any] = {
            **self._threshold_facts(),
            "training_windows": len(train),
            "unlabelled_taken_as_healthy": len(np.unique(windows.index.cycle[windows.index.label == "uncertain"])),
            "held_out_by": self.held_out_by_,
            "suspected_left_out": self.suspected_,
            "skipped": dict(windows.skipped),
            "pooled_domains": len(self.target_),
        }

    def _threshold_facts(self) -> dict[str, Any]:
        odd = sorted({cycle.cycle for cycle in self.guard_.odd})
        return {
            "calibration_cycles": len(self.calibration_scores_),
            "odd_cycles": odd,
            "odd_excluded": bool(self.exclude_odd and odd),
        }

    def set_threshold(self, calibration: Windows) -> None:
        """Set the threshold, in place, by healthy windows that nothing was learned from (SI units)."""
        _, cycles = self.strategy_.detect_by_cycle(calibration)
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

    def _alarms(self, cycles: Scores, p_values: np.ndarray, passed: np.ndarray) -> tuple[Alarm, ...]:
        assert self.threshold_ is not None
        index = cycles.index
        alarms = []
        for row in np.flatnonzero(self._persistence(index).apply(passed, index)):
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

    def _persistence(self, index: Index) -> Persistence:
        """Flags count within a session, unless sessions are too short to ever hold n cycles: then across them."""
        k, n = self.persistence
        _, count = np.unique(index.unit_session, return_counts=True)
        return Persistence(k, n, reset_on_session=bool(np.median(count) >= n))
