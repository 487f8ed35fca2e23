"""One examination of models for a target: what is held out, what is done to it, and how a model fares on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from jointwatch.alarms.conformal import ConformalThreshold
from jointwatch.core import Windows
from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.selection.evidence import Changed, Lender, disturbed, highest_of_cycle, scale_of

__all__ = ["FIGURES", "Exam", "Figures", "Scorer", "groups_of_target", "lender_of", "separated"]

FIGURES = ("made", "lent", "labelled", "recall", "false_alarms", "labelled_recall")
_WHOLE_SESSIONS = 4  # with fewer, blocks of neighbouring cycles are held out
_BLOCKS = 6
_MADE = 60  # anomalies made for the windows of a fold, at least


class Scorer(Protocol):
    """What is ready for the target."""

    def score_samples(self, windows: Windows) -> np.ndarray:
        """(window,) higher = more anomalous."""


class Figures:
    """Figures of one candidate by group."""

    def __init__(self) -> None:
        self.by_group: dict[str, dict[str, float]] = {}

    def row(self, key: str, groups: Sequence[str]) -> np.ndarray:
        return np.array([self.by_group.get(group, {}).get(key, np.nan) for group in groups])


class Exam:
    """One fold: the same held-out windows, made anomalies and lent faults for every candidate."""

    def __init__(
        self,
        target: Windows,
        groups: np.ndarray,
        train: np.ndarray,
        calibration: np.ndarray,
        test: np.ndarray,
        labelled: Windows | None,
        anomalous: Windows | None,
        lender: Lender | None,
        rng: np.random.Generator,
    ) -> None:
        self.calibration, self.test, self.group = target[calibration], target[test], groups[test]
        kept = set(np.unique(groups[train]).tolist())
        self.labelled: Windows | None = None
        self.anomalous: Windows | None = None
        if labelled is not None:
            inside = np.isin(_group_names(labelled, target, groups), list(kept))
            self.labelled = labelled[inside] if inside.any() else None
        if anomalous is not None and len(anomalous):
            inside = np.isin(_group_names(anomalous, target, groups), np.unique(self.group))
            self.anomalous = anomalous[inside] if inside.any() else None
            self.anomalous_group = _group_names(anomalous, target, groups)[inside]
        scale = scale_of(target[train])
        copies = max(1, -(-_MADE // len(np.unique(self.test.index.cycle))))
        self.made = disturbed(self.test, scale, rng, copies=copies)
        self.lent = None if lender is None else lender.lend(self.test, scale, rng, copies=copies)

    def mark(self, model: Scorer, rate: float, figures: Figures) -> None:
        cycle = self.test.index.cycle
        scores = model.score_samples(self.test)
        _, calibration = highest_of_cycle(model.score_samples(self.calibration), self.calibration.index.cycle)
        first, healthy = highest_of_cycle(scores, cycle)
        group = self.group[first]
        threshold = ConformalThreshold(max(rate, 1.0 / (len(calibration) + 1))).fit(calibration).threshold_

        def of(changed: Changed) -> tuple[np.ndarray, np.ndarray]:
            return changed.cycle_scores(model.score_samples(changed.windows), scores, cycle), self.group[changed.rows]

        made, made_group = of(self.made)
        lent = None if self.lent is None else (of(self.lent[0]), of(self.lent[1]))
        known = None
        if self.anomalous is not None:
            first, known = highest_of_cycle(model.score_samples(self.anomalous), self.anomalous.index.cycle)
            known_group = self.anomalous_group[first]
        for name in np.unique(group):
            own = healthy[group == name]
            own_made = made[made_group == name]
            found = figures.by_group.setdefault(str(name), {})
            found["made"] = _auroc(own_made, own)
            found["recall"] = float((own_made > threshold).mean())
            found["false_alarms"] = float((own > threshold).mean())
            if lent is not None:
                (faults, of_faults), (controls, of_controls) = lent
                found["lent"] = _auroc(faults[of_faults == name], controls[of_controls == name])
            if known is not None and (known_group == name).any():
                found["labelled"] = _auroc(known[known_group == name], own)
                found["labelled_recall"] = float((known[known_group == name] > threshold).mean())


def separated(target: Windows, labelled: Windows | None) -> tuple[Windows, Windows | None]:
    """The target without the cycles that are labelled anomalous; labelled windows that say something."""
    if labelled is None:
        return target, None
    known = labelled[labelled.index.label != "uncertain"]
    if not len(known):
        return target, None
    faulty = np.unique(known.index.cycle[known.index.label == "anomalous"])
    return target[~np.isin(target.index.cycle, faulty)], known


def groups_of_target(target: Windows) -> tuple[np.ndarray, str]:
    """(window,) what is held out together: sessions, or blocks of neighbouring cycles."""
    sessions = target.index.unit_session
    if len(np.unique(sessions)) >= _WHOLE_SESSIONS:
        return sessions, "session"
    names, first = np.unique(target.index.cycle, return_index=True)
    if len(names) < 3:
        raise NotEnoughData("judging models on the target", needed=3, have=len(names), unit="healthy cycles")
    order = np.lexsort((target.index.start_s[first], sessions[first]))
    blocks = np.array_split(order, min(_BLOCKS, len(names)))
    block_of = {str(names[i]): f"block {number + 1}" for number, block in enumerate(blocks) for i in block}
    return np.array([block_of[str(name)] for name in target.index.cycle]), "block of cycles"


def _group_names(windows: Windows, target: Windows, groups: np.ndarray) -> np.ndarray:
    """(window,) group of labelled windows: that of their cycle, or of their session; sessions without a healthy cycle
    are dealt to the groups in turn."""
    of_cycle = dict(zip(target.index.cycle.tolist(), groups.tolist(), strict=True))
    of_session = dict(zip(target.index.unit_session.tolist(), groups.tolist(), strict=True))
    sessions = windows.index.unit_session.tolist()
    names = sorted(set(groups.tolist()))
    for number, session in enumerate(sorted(set(sessions) - set(of_session))):
        of_session[session] = names[number % len(names)]
    cycles = windows.index.cycle.tolist()
    return np.array([of_cycle.get(c, of_session[s]) for c, s in zip(cycles, sessions, strict=True)])


def lender_of(source: Windows, target: Windows, rng: np.random.Generator) -> Lender | None:
    """What lends faults; None where the source has no labelled fault."""
    if source.channels != target.channels or source.shape[2] != target.shape[2]:
        raise UsageError("source and target windows must have the same channels and length; cut them by one plan")
    try:
        return Lender(source, rng)
    except NotEnoughData:
        return None


def _auroc(anomalous: np.ndarray, healthy: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score  # only the gate of a fit examines

    truth = np.repeat([1, 0], [len(anomalous), len(healthy)])
    return float(roc_auc_score(truth, np.concatenate([anomalous, healthy])))
