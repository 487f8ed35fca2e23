"""The gate: a borrowed model is used only if the target's own evidence says it beats what the target has by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jointwatch.core import Windows
from jointwatch.core.errors import ModelFileError, NotEnoughData, UsageError
from jointwatch.core.estimator import BaseEstimator, clone
from jointwatch.selection.examination import (
    FIGURES,
    Exam,
    Figures,
    Scorer,
    groups_of_target,
    lender_of,
    separated,
)
from jointwatch.transfer.base import Strategy, without_labels
from jointwatch.windows.splits import GroupSplit

__all__ = ["Candidate", "GateResult", "Progress", "TransferGate"]

Progress = Callable[[int, int, str], None]
"""Told (done, of how many, what comes next)."""

_REPEATS = 1000
_LABELS_HALF = 10  # labelled anomalous cycles that count as much as all that was made


@dataclass(frozen=True, eq=False)
class Candidate:
    """A way to a model for the target.

    Parameters
    ----------
    name : of the way. borrowed : whether it has learned from another robot.
    make : (healthy or unlabelled windows of the target, labelled ones or None) -> a model that scores. It is called
        once for each fold, and never sees windows that it is judged on, nor labels but those of its second argument.
    """

    name: str
    borrowed: bool
    make: Callable[[Windows, Windows | None], Scorer]

    @classmethod
    def carried(cls, name: str, fitted: Strategy) -> Candidate:
        """A strategy that was fitted on the source, adapted to the target."""
        return cls(name, True, lambda target, labelled: fitted.adapt(target, labelled=labelled))

    @classmethod
    def alone(cls, name: str, strategy: Strategy) -> Candidate:
        """The same kind of model learned on the target alone."""

        def make(target: Windows, labelled: Windows | None) -> Scorer:
            if labelled is not None:
                others = target[~np.isin(target.index.cycle, labelled.index.cycle)]
                target = Windows.concatenate([others, labelled])
            return clone(strategy).fit(target)

        return cls(name, False, make)


@dataclass(frozen=True, eq=False)
class GateResult:
    """What the gate saw, and what it chose.

    Parameters
    ----------
    names, borrowed : (candidate,).
    groups : names of the held-out sessions or blocks of cycles; held_out_by : what they are.
    made, lent, labelled : (candidate, group) AUROC of synthetic anomalies, of the source's faults put into target
        windows, of labelled anomalous cycles, each against the group's healthy cycles; NaN where there are none.
    recall, false_alarms : (candidate, group) share of the made anomalies, and of the healthy cycles, above a threshold
        set on other sessions.
    labelled_recall : (candidate, group) the same of labelled anomalous cycles.
    value : (candidate,) what is compared, see `TransferGate`.
    winner : name of what is used. alone : best target-only candidate; best_borrowed : best borrowed one, "" if none.
    lead, lead_low, lead_high : of the best borrowed one over target-only, with its one-sided bounds.
    left_out : name -> why a candidate could not be made, or not be judged in every fold.
    """

    names: tuple[str, ...]
    borrowed: np.ndarray
    groups: tuple[str, ...]
    held_out_by: str
    made: np.ndarray
    lent: np.ndarray
    labelled: np.ndarray
    recall: np.ndarray
    false_alarms: np.ndarray
    labelled_recall: np.ndarray
    value: np.ndarray
    winner: str
    alone: str
    best_borrowed: str
    lead: float
    lead_low: float
    lead_high: float
    margin: float
    confidence: float
    labelled_cycles: int
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def held_out(self) -> str:
        """How many were held out, and what, as `6 blocks of cycles`."""
        first, *rest = self.held_out_by.split(" ")
        return " ".join([str(len(self.groups)), f"{first}s", *rest])

    def table(self) -> list[dict[str, Any]]:
        """A row a candidate, best first: what each lost against the winner stays on record."""
        won = self.value[self.names.index(self.winner)]
        return [
            {
                "candidate": self.names[i],
                "borrowed": bool(self.borrowed[i]),
                "used": self.names[i] == self.winner,
                "value": float(self.value[i]),
                "behind": float(won - self.value[i]),
                "made_auroc": _mean(self.made[i]),
                "lent_auroc": _mean(self.lent[i]),
                "labelled_auroc": _mean(self.labelled[i]),
                "recall": _mean(self.recall[i]),
                "false_alarm_rate": _mean(self.false_alarms[i]),
            }
            for i in np.argsort(-self.value, kind="stable")
        ]

    def summary(self) -> list[str]:
        """What was chosen and why, then a line a candidate."""
        lines = [f"used: {self.winner}"]
        if self.best_borrowed:
            verb = "beats" if self.winner == self.best_borrowed else "is not shown to beat"
            lines.append(
                f"{self.best_borrowed} {verb} {self.alone} on the target's own evidence: {self.lead:+.3f}, at least "
                f"{self.lead_low:+.3f} with {self.confidence:.0%} confidence, more than {self.margin:.3f} was asked for"
            )
        lines.append(
            f"evidence: {self.held_out} held out in turn, anomalies made"
            + (", faults lent by the source" if np.isfinite(self.lent).any() else "")
            + (f", {self.labelled_cycles} labelled anomalous cycles" if self.labelled_cycles else "")
        )
        for row in self.table():
            tag = "" if row["borrowed"] or "target only" in row["candidate"] else " (target only)"
            lines.append(
                f"{row['candidate']}{tag}: {row['value']:.3f}, "
                f"AUROC {row['made_auroc']:.3f} of made anomalies, "
                + "".join(
                    f"{row[key]:.3f} of {what}, "
                    for key, what in (("lent_auroc", "lent faults"), ("labelled_auroc", "labelled ones"))
                    if np.isfinite(row[key])
                )
                + f"recall {row['recall']:.0%} at {row['false_alarm_rate']:.1%} false alarms"
            )
        return lines + [f"{name}: left out, {why}" for name, why in self.left_out.items()]


class TransferGate(BaseEstimator):
    """Holds every candidate against target-only ones on what the target itself shows, and never on its hidden labels.

    Sessions of the target are held out in turn (blocks of cycles where it has fewer than four). A candidate is made
    from the other sessions; a threshold is set on one part of those that nothing was learned from; then the held-out
    sessions are scored: as they are, with made anomalies, with faults that the source lends, and labelled cycles where
    there are some. For each kind of anomaly the figure is the mean of the AUROC and of the balanced accuracy at that
    threshold, so a model whose ranking carries over but whose threshold does not is not preferred. With n labelled
    anomalous cycles theirs counts n / (n + 10), the others' mean the rest.

    A borrowed candidate is used if its lead over the best target-only candidate exceeds `margin` with the confidence,
    by bootstrap of whole groups in which the best target-only candidate is found anew each time.

    Parameters
    ----------
    false_alarm_rate : of the threshold; with fewer calibration cycles than that needs, the lowest rate they allow.
    margin, confidence : see above. folds : parts the sessions are dealt into, at least 3.
    seed : of folds, made anomalies and bootstrap.

    The made anomalies are of the same family that `Cnn` trains on without labels, and lent faults were seen by what
    was trained on that source: the gate compares like with like best where both sides hold the same detector.
    """

    def __init__(
        self,
        false_alarm_rate: float = 0.05,
        margin: float = 0.005,
        confidence: float = 0.95,
        folds: int = 4,
        seed: int = 0,
    ) -> None:
        self.false_alarm_rate = false_alarm_rate
        self.margin = margin
        self.confidence = confidence
        self.folds = folds
        self.seed = seed

    def decide(
        self,
        candidates: Sequence[Candidate],
        target: Windows,
        labelled: Windows | None = None,
        lender: Windows | None = None,
        *,
        progress: Progress | None = None,
    ) -> GateResult:
        """Which candidate to use.

        Parameters
        ----------
        candidates : at least one that is not borrowed.
        target : windows of the target, mostly healthy. Their labels are taken off here.
        labelled : the few target windows whose labels may be used.
        lender : labelled windows of the source, whose faults are put into windows of the target.
        progress : told before each candidate of each fold.

        Errors: `NotEnoughData` with fewer than 3 cycles; `UsageError` without a target-only candidate, or where none of
        those could be made and judged.
        """
        if self.folds < 3 or not 0 < self.confidence < 1 or self.margin < 0:
            raise UsageError(
                "a gate has at least 3 folds, a confidence between 0 and 1 and a margin of at least 0; got "
                f"{self.folds}, {self.confidence}, {self.margin}"
            )
        if all(c.borrowed for c in candidates):
            raise UsageError("a gate needs a candidate learned on the target alone to hold the others against")
        if len({c.name for c in candidates}) < len(candidates):
            raise UsageError("candidates of a gate need names of their own")
        target, labelled = separated(without_labels(target), labelled)
        groups, by = groups_of_target(target)
        anomalous = None if labelled is None else labelled[labelled.index.label == "anomalous"]
        rng = np.random.default_rng(self.seed)
        lent = None if lender is None else lender_of(lender, target, rng)
        found: dict[str, Figures] = {c.name: Figures() for c in candidates}
        left_out: dict[str, str] = {}
        folds = self._folds(target, groups)
        for fold, (train, calibration, test) in enumerate(folds):
            exam = Exam(target, groups, train, calibration, test, labelled, anomalous, lent, rng)
            for number, candidate in enumerate(candidates):
                if progress is not None:
                    progress(fold * len(candidates) + number, len(folds) * len(candidates), candidate.name)
                if candidate.name in left_out:
                    continue
                try:
                    model = candidate.make(target[train], exam.labelled)
                    exam.mark(model, self.false_alarm_rate, found[candidate.name])
                except (ModelFileError, NotEnoughData, UsageError) as error:
                    left_out[candidate.name] = str(error)
        kept = [c for c in candidates if c.name not in left_out]
        if all(c.borrowed for c in kept):
            raise UsageError("no target-only candidate could be made and judged: " + "; ".join(left_out.values()))
        count = 0 if anomalous is None else len(np.unique(anomalous.index.cycle))
        return self._choose(
            kept, {c.name: found[c.name] for c in kept}, sorted(set(groups.tolist())), by, count, left_out
        )

    def _folds(self, target: Windows, groups: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """(training, calibration, test) rows: each part is tested once, and calibrates once."""
        number = min(self.folds, len(np.unique(groups)))
        parts = [test for _, test in GroupSplit(folds=number, seed=self.seed).split(target, groups=groups)]
        folds = []
        for i, test in enumerate(parts):
            calibration = parts[(i + 1) % number]
            rest = [part for k, part in enumerate(parts) if k not in (i, (i + 1) % number)]
            folds.append((np.sort(np.concatenate(rest)), calibration, test))
        return folds

    def _choose(
        self,
        candidates: Sequence[Candidate],
        found: Mapping[str, Figures],
        groups: list[str],
        by: str,
        labelled: int,
        left_out: Mapping[str, str],
    ) -> GateResult:
        tables = {key: np.stack([found[c.name].row(key, groups) for c in candidates]) for key in FIGURES}
        share = labelled / (labelled + _LABELS_HALF)
        if not np.isfinite(tables["labelled"]).any():
            share = 0.0
        borrowed = np.array([c.borrowed for c in candidates])

        def values(weight: np.ndarray) -> np.ndarray:
            """(candidate,) under weights of the groups; NaN where no labelled group was drawn."""
            false = _weighted(tables["false_alarms"], weight)
            ranked = np.nanmean(
                [_weighted(tables[key], weight) for key in ("made", "lent") if np.isfinite(tables[key]).any()], axis=0
            )
            own = 0.5 * ranked + 0.25 * (_weighted(tables["recall"], weight) + 1 - false)
            if not share:
                return own
            known = 0.5 * _weighted(tables["labelled"], weight) + 0.25 * (
                _weighted(tables["labelled_recall"], weight) + 1 - false
            )
            return np.where(np.isfinite(known), share * known + (1 - share) * own, own)

        value = values(np.ones(len(groups)))
        alone = int(np.flatnonzero(~borrowed)[value[~borrowed].argmax()])
        winner, best, lead, low, high = alone, -1, np.nan, np.nan, np.nan
        if borrowed.any():
            best = int(np.flatnonzero(borrowed)[value[borrowed].argmax()])
            lead = float(value[best] - value[alone])
            rng = np.random.default_rng(self.seed)
            draws = []
            for _ in range(_REPEATS):
                drawn = values(np.bincount(rng.integers(len(groups), size=len(groups)), minlength=len(groups)))
                draws.append(drawn[best] - drawn[~borrowed].max())
            low, high = (float(x) for x in np.quantile(draws, [1 - self.confidence, self.confidence]))
            winner = best if low > self.margin else alone
        names = tuple(c.name for c in candidates)
        return GateResult(
            names,
            borrowed,
            tuple(groups),
            by,
            **tables,
            value=value,
            winner=names[winner],
            alone=names[alone],
            best_borrowed=names[best] if best >= 0 else "",
            lead=lead,
            lead_low=low,
            lead_high=high,
            margin=self.margin,
            confidence=self.confidence,
            labelled_cycles=labelled,
            left_out=dict(left_out),
        )


def _weighted(table: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(candidate,) mean over groups, NaN left out; NaN where nothing is left."""
    weights = np.where(np.isfinite(table), weight, 0.0)
    total = weights.sum(axis=1)
    filled = np.where(np.isfinite(table), table, 0.0)
    return np.where(total > 0, (filled * weights).sum(axis=1) / np.where(total > 0, total, 1.0), np.nan)


def _mean(row: np.ndarray) -> float:
    return float(np.nanmean(row)) if np.isfinite(row).any() else float("nan")
