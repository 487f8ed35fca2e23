"""Anomalies of a robot with few or no labels: learned on others, carried over by the strategy that its data favour."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from jointwatch.alarms.monitor import Monitor, Verdict
from jointwatch.core import Channel, Index, Recording, Windows, catalog
from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.core.estimator import BaseEstimator, NotFittedError, clone
from jointwatch.selection.candidates import alone_around, carried_from, default_detectors, take_over, title
from jointwatch.selection.decision_table import Situation, decision_table
from jointwatch.selection.distance import groups_to_hold_out, overlap, vectors
from jointwatch.selection.gate import GateResult, Progress, TransferGate
from jointwatch.transfer._deployed import Deployed
from jointwatch.transfer.base import Strategy
from jointwatch.windows.trusted import evenly

__all__ = ["AnomalyDetector"]

AUTO = "auto"
_REMEMBERED = 2000  # windows of the sources that are kept for strategies which learn from both sides


@dataclass(frozen=True, eq=False)
class Located:
    """Where the anomaly of each cycle is.

    Parameters
    ----------
    index : one row for every cycle.
    joint : (row,) most blamed joint from 1; 0 where no joint can be blamed.
    share : (row,) its share of the blame that falls on joints, 0 to 1.
    shares : (row, joint) of all joints, column 0 is joint 1.
    channels, contributions : (row, channel) what each signal brought to the score; empty where the detector cannot say.
    """

    index: Index
    joint: np.ndarray
    share: np.ndarray
    shares: np.ndarray
    channels: tuple[Channel, ...]
    contributions: np.ndarray


class AnomalyDetector(BaseEstimator):
    """Is this cycle normal, and which joint is odd? Learned on some robots, made ready for another.

    The chain is that of `alarms.Monitor`: windows, strategy, detector, threshold at a stated false-alarm rate. With
    `strategy="auto"` the strategy is chosen when the target is known: every one that the decision table admits is held
    against target-only models and simple baselines on the target's own evidence (`selection.gate`), and what is not
    shown to be better is not used. No label of the target has a part in that but those of cycles that carry one.

    Parameters
    ----------
    strategy : `auto`, or a name of `jointwatch catalog transfer`.
    detector : name of a detector or several, comma-separated; `auto` = `mahalanobis` and, with torch, `cnn`; for a
        named strategy `cnn` if it trains a network, else `mahalanobis`.
    channels, kind, windows : how recordings are cut, see `WindowPlan.suited_to`; `windows` holds further settings of
        the plan, as `{"length": 100, "domain": "unit"}`.
    false_alarm_rate : share of healthy cycles that may be called anomalous.
    doubt_rate : share of healthy cycles that may be called other than normal; between the two limits lies `uncertain`.
        There is no `unknown` beside it: health is the one class known here, what is strange to it is anomalous
        (several classes: `alarms.rejection`).
    persistence, exclude_odd, one_scale : see `Monitor`.
    gate : `selection.gate.TransferGate`; None = the default one.

    Attributes
    ----------
    monitor_ : the chain in use. gate_ : what the gate saw, None before `adapt` and where it had nothing to choose.
    others_ : what further detectors learned on the sources; remembered_ : some windows of the sources, None for a named
        strategy. Both are gone after `adapt`. What a detector itself compares with (256 windows of `cnn`, neighbours of
        `knn`) stays with it, and is the source's where the strategy trains nothing on the target.
    adapted_ : whether it is ready for a target other than its sources.
    note_ : why the gate could not judge, empty where it did.

    Rows of all results are cycles (decisions, where windows slide) in the order in which they ran.

    Errors: `NotEnoughData` with too few healthy cycles; `UsageError` for an unknown name, or a robot that the detector
    was not made ready for.

    Source: "start with normalisation, escalate, keep what wins" as in docs/transfer.md; threshold and uncertain cycles:
    split conformal prediction (`alarms.conformal`).

    >>> from jointwatch.core import Cycle, Quantity, Robot
    >>> def recording(brand, session, gain=1.0, worn=0.0):
    ...     t = np.arange(1200) / 20
    ...     v, noise = np.cos(t * np.pi), np.random.default_rng(len(brand) + session).standard_normal((2, 1200))
    ...     current = [gain * np.tanh(9 * v) * (1 + worn * (j == 1)) + 0.2 * noise[j - 1] for j in (1, 2)]
    ...     cycles = tuple(Cycle(2.0 * i, 2.0 * i + 2) for i in range(30))
    ...     channels = tuple(Channel(Quantity.CURRENT, j) for j in (1, 2))
    ...     robot = Robot.of(brand, "x", brand, 2)
    ...     return Recording(t, np.array(current), channels, robot, f"s{session}", cycles=cycles)
    >>> red, blue = [[recording(b, s, g) for s in range(4)] for b, g in (("red", 1.0), ("blue", 3.0))]
    >>> door = AnomalyDetector("normalisation", windows={"length": 40}, false_alarm_rate=0.05, doubt_rate=0.2)
    >>> ready = door.fit(red).adapt(blue)
    >>> worn = recording("blue", 9, 3.0, worn=0.6)
    >>> float((ready.predict([worn]) == "anomalous").mean()) > 0.9, np.unique(ready.explain([worn]).joint).tolist()
    (True, [1])
    """

    def __init__(
        self,
        strategy: str = AUTO,
        detector: str = AUTO,
        channels: str = "",
        kind: str | None = None,
        windows: Mapping[str, Any] | None = None,
        false_alarm_rate: float = 0.01,
        doubt_rate: float = 0.1,
        persistence: str = "1/1",
        exclude_odd: bool = False,
        one_scale: bool = False,
        gate: TransferGate | None = None,
    ) -> None:
        self.strategy = strategy
        self.detector = detector
        self.channels = channels
        self.kind = kind
        self.windows = windows
        self.false_alarm_rate = false_alarm_rate
        self.doubt_rate = doubt_rate
        self.persistence = persistence
        self.exclude_odd = exclude_odd
        self.one_scale = one_scale
        self.gate = gate

    def fit(self, recordings: Sequence[Recording]) -> Self:
        """Learn from one or several source robots. Cycles without a label are taken as healthy."""
        self._require_valid()
        names = self._detectors()
        chain = Monitor.suited_to(
            recordings,
            detector=max(names, key=_demands),
            strategy="normalisation" if self.strategy == AUTO else self.strategy,
            channels=self.channels,
            kind=self.kind,
            false_alarm_rate=self.false_alarm_rate,
            persistence=self.persistence,
            exclude_odd=self.exclude_odd,
            one_scale=self.one_scale,
            **dict(self.windows or {}),
        )
        learned: list[Strategy] = []
        kept: list[Windows] = []

        def learn(train: Windows) -> Strategy:
            for name in names:
                strategy = clone(chain.strategy).set_params(detector=_made(name, chain.strategy))
                learned.append(strategy.fit(train))
            kept.append(evenly(train, _REMEMBERED, np.random.default_rng(0)))
            return learned[0]

        self.monitor_ = chain.fit_by(recordings, learn)
        self.others_ = learned[1:]
        self.remembered_ = kept[0] if self.strategy == AUTO else None
        self.gate_: GateResult | None = None
        self.note_ = ""
        self.adapted_ = False
        return self

    @classmethod
    def around(cls, monitor: Monitor, gate: TransferGate | None = None) -> AnomalyDetector:
        """The front door to a monitor that was fitted by itself."""
        if not hasattr(monitor, "strategy_"):
            raise UsageError("the monitor must be fitted before it is used")
        k, n = monitor.persistence
        found = cls(
            monitor.strategy_.name,
            monitor.strategy_.detector_.name,
            false_alarm_rate=monitor.false_alarm_rate,
            doubt_rate=max(0.1, monitor.false_alarm_rate),
            persistence=f"{k}/{n}",
            exclude_odd=monitor.exclude_odd,
            gate=gate,
        )
        found.monitor_, found.others_, found.remembered_ = monitor, [], None
        found.gate_, found.note_, found.adapted_ = None, "", False
        return found

    def adapt(
        self, recordings: Sequence[Recording], strategy: str = "", *, progress: Progress | None = None
    ) -> AnomalyDetector:
        """A new detector that is ready for a target robot; this one stays as it is.

        Cycles without a label are taken as healthy; labels of cycles that have one may be used.

        Parameters
        ----------
        strategy : another one than that of the constructor, around what was learned on the sources; `auto` chooses
            among those that can do without further windows of the sources.
        progress : told before each training of the gate.
        """
        self._require_fit()
        if self.adapted_:
            raise UsageError("this detector was adapted already; adapt the one that was fitted on the sources")
        if isinstance(self.monitor_.strategy_, Deployed):
            raise UsageError("an exported detector is not adapted; adapt it where it was fitted, and export it again")
        strategy = strategy or self.strategy
        adapted = copy.copy(self)
        adapted.strategy = strategy
        alone = False

        def ready(healthy: Windows, labelled: Windows | None) -> Strategy:
            nonlocal alone
            if strategy == AUTO:
                found, alone = adapted._chosen(healthy, labelled, progress)
                return found
            known = self.monitor_.strategy_
            return (known if known.name == strategy else self._taken(strategy)).adapt(healthy, labelled=labelled)

        adapted.monitor_ = self.monitor_.adapt_by(recordings, ready)
        if alone:
            adapted.monitor_.source_ = adapted.monitor_.target_
        adapted.others_, adapted.remembered_, adapted.adapted_ = [], None, True
        if hasattr(adapted.monitor_.strategy_, "source_"):
            delattr(adapted.monitor_.strategy_, "source_")
        return adapted

    def detect(self, recordings: Sequence[Recording]) -> Verdict:
        """Scores, p-values, alarms and windows, as `Monitor.score` gives them."""
        self._require_fit()
        return self.monitor_.score(recordings)

    def score_samples(self, recordings: Sequence[Recording]) -> np.ndarray:
        """(cycle,) scores; higher = more anomalous."""
        return self.detect(recordings).cycle_scores.value

    def predict(self, recordings: Sequence[Recording]) -> np.ndarray:
        """(cycle,) `normal`, `anomalous` or `uncertain`: see `said`."""
        return self.said(self.detect(recordings))

    def said(self, verdict: Verdict) -> np.ndarray:
        """(cycle,) `anomalous` where the p-value among the healthy calibration cycles is at most the false-alarm rate,
        `normal` where it is above the doubt rate, else `uncertain`. With too few calibration cycles for either limit
        nothing is said that they cannot carry: every cycle is then uncertain."""
        self._require_fit()
        known = self.monitor_.calibration_scores_.value
        value = verdict.cycle_scores.value
        p_value = (1 + (known[None, :] >= value[:, None]).sum(axis=1)) / (len(known) + 1)
        if 1 / (len(known) + 1) > self.doubt_rate + 1e-12:
            return np.full(len(value), "uncertain")
        sure = p_value <= self.false_alarm_rate + 1e-12
        return np.where(sure, "anomalous", np.where(p_value > self.doubt_rate + 1e-12, "normal", "uncertain"))

    def explain(self, recordings: Sequence[Recording]) -> Located:
        """The joint and the signals behind each cycle's score.

        Errors: `UsageError` where the detector in use cannot say.
        """
        cycles = self.detect(recordings).cycle_scores
        shares = cycles.by_joint()
        if shares is None or cycles.contributions is None:
            raise UsageError(
                f"{self.monitor_.strategy_.detector_.name} does not say which signal it blames; another detector, for "
                "example mahalanobis, does"
            )
        share = shares.max(axis=1)
        joint = np.where(share > 0, shares.argmax(axis=1) + 1, 0)
        return Located(cycles.index, joint, share, shares, cycles.channels, cycles.contributions)

    def summary(self) -> list[str]:
        """What the detector rests on: the chain, and how its strategy was chosen."""
        self._require_fit()
        lines = self.monitor_.summary()
        if self.gate_ is not None:
            lines += self.gate_.summary()
        elif self.note_:
            lines.append(self.note_)
        elif self.strategy == AUTO and not self.adapted_:
            known = ", ".join(strategy.detector_.name for strategy in self._learned)
            lines.append(f"learned: {known}; the strategy is chosen when a target is known: adapt to it")
        return lines

    @property
    def _learned(self) -> list[Strategy]:
        """What was fitted on the sources, one for each detector."""
        return [self.monitor_.strategy_, *self.others_]

    @property
    def _of_sources(self) -> Windows:
        """Windows of the sources to compare a target with."""
        return self.monitor_.healthy_ if self.remembered_ is None else self.remembered_

    def _chosen(self, healthy: Windows, labelled: Windows | None, progress: Progress | None) -> tuple[Strategy, bool]:
        """What the gate prefers, made from all training windows, and whether it is target-only."""
        first = self._learned[0]
        detectors = {strategy.detector.name: clone(strategy.detector) for strategy in self._learned}
        settings = {"clip_sigma": first.clip_sigma, "floor_share": first.floor_share}
        gate = self.gate or TransferGate()
        try:
            borrowed, _ = carried_from(self._learned, self._entries(healthy, labelled), self._to_learn_from())
            candidates = [*borrowed, *alone_around(detectors, **settings)]
            self.gate_ = gate.decide(candidates, healthy, labelled, self._of_sources, progress=progress)
        except NotEnoughData as error:
            self.note_ = f"{title('normalisation', first.detector.name)} is used without a choice: {error}"
            return take_over("normalisation", first).adapt(healthy, labelled=labelled), False
        winner = next(c for c in candidates if c.name == self.gate_.winner)
        strategy = winner.make(healthy, labelled)
        assert isinstance(strategy, Strategy)
        return strategy, not winner.borrowed

    def _entries(self, healthy: Windows, labelled: Windows | None) -> tuple[str, ...]:
        """Strategies that the decision table admits."""
        source = self._of_sources[self._of_sources.index.label != "anomalous"]
        groups = groups_to_hold_out(source), groups_to_hold_out(healthy)
        situation = Situation(
            0 if labelled is None else len(labelled),
            overlap(*vectors(source, healthy), *groups).value,
            len(np.unique(source.index.domain)),
            any(hasattr(strategy.detector, "fine_tune_by") for strategy in self._learned),
            healthy_only=labelled is not None and not (labelled.index.label == "anomalous").any(),
        )
        return decision_table().match(situation).entries

    def _to_learn_from(self) -> Windows | None:
        """Windows for strategies that learn from sources and target together; None = what a strategy itself remembers.
        Healthy ones do where the detector makes its own anomalies."""
        if self.remembered_ is not None:
            return self.remembered_
        made = all(getattr(s.detector_, "anomalies_", "synthetic") == "synthetic" for s in self._learned)
        return self.monitor_.healthy_ if made else None

    def _taken(self, name: str) -> Strategy:
        """A named strategy around the first detector that it works with."""
        for learned in self._learned[:-1]:
            try:
                return take_over(name, learned, self._to_learn_from())
            except UsageError:
                continue
        return take_over(name, self._learned[-1], self._to_learn_from())

    def _detectors(self) -> list[str]:
        if self.detector != AUTO:
            return [name.strip() for name in self.detector.split(",") if name.strip()]
        return list(default_detectors()) if self.strategy == AUTO else [AUTO]

    def _require_valid(self) -> None:
        if not 0 < self.false_alarm_rate <= self.doubt_rate < 1:
            raise UsageError(
                f"rates are 0 < false_alarm_rate <= doubt_rate < 1, got {self.false_alarm_rate} and {self.doubt_rate}"
            )
        names = self._detectors()
        if not names or (self.strategy != AUTO and len(names) > 1):
            raise UsageError(f"strategy {self.strategy!r} goes with one detector, got {self.detector!r}")

    def _require_fit(self) -> None:
        if not hasattr(self, "monitor_"):
            raise NotFittedError("AnomalyDetector is not fitted; call fit with recordings of a source first")

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "monitor_")


def _demands(name: str) -> tuple[bool, int]:
    """What a detector asks of windows and of their shares; the chain is cut for the one that asks most."""
    kind = None if name == AUTO else catalog.load("detectors", name)
    return (False, 0) if kind is None else (kind.compares_units, kind.whole_cycles)


def _made(name: str, strategy: Strategy) -> Any:
    """The detector of that name; the strategy's own for `auto`, which it was chosen for."""
    return clone(strategy.detector) if name == AUTO else catalog.load("detectors", name)()
