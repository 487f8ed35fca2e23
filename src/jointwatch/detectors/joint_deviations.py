"""Every joint against the healthy cycles of its own unit, judged by one rule for all joints of all robots."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Self

import numpy as np

from jointwatch.core import Index, Windows
from jointwatch.core.errors import UsageError
from jointwatch.core.estimator import clone
from jointwatch.core.log_probability import logsumexp
from jointwatch.detectors._fault_directions import FaultDirections
from jointwatch.detectors._joint_evidence import Evidence
from jointwatch.detectors.base import Detector
from jointwatch.features._path_profile import PathProfile, joint_places

__all__ = ["JointDeviations"]

_LIMIT = 12.0  # healthy standard deviations beyond which evidence says no more
_SHARP = 1.5  # of the soft maximum over joints
_FEW = 200  # faulty joints that were learned from, with which the rule weighs half of what it does with many
_UNNAMED = "unnamed"  # a fault of which the labels say no more
_FOLDS = 4  # parts of a domain's units, whose healthy cycles are scored by what the others show


class JointDeviations(Detector):
    """How far each joint is from its own unit's healthy cycles, in healthy standard deviations of its robot; what such
    deviations mean is learned from labels of any robots, joint by joint.

    Units of one make differ by more than most faults change them, brands differ altogether; deviations of a joint from
    its own past have the same meaning on all of them. So one rule serves arms of any brand and any number of joints,
    what was labelled on one teaches it for the others, and a new brand needs a few healthy cycles of each unit and no
    label. A new unit or brand comes in by `adapt`.

    For each joint: `features` relative to the unit's baseline (`OwnBaseline`), less what the other joints show in
    common (temperature, part, speed), in standard deviations of healthy cycles that had no part in their baseline.
    Two scores are added, each in healthy standard deviations, softly the largest over joints: the log-odds of any
    known fault (`FaultDirections`, learned from joints labelled faulty or not); and the distance from healthy, which
    needs no label, weighs more where labels are few, and is all there is without anomalous cycles. Of an anomalous
    cycle whose joint is not told (joint 0), or that is of the whole robot, the joint furthest from healthy is learned.

    Parameters
    ----------
    features : transformer of whole cycles with names such as `current/3 coulomb`; None = `PathProfile()`.
    distance_share : weight of the distance from healthy, 0 to 1, where many labels are known.

    Attributes
    ----------
    features_ : the fitted transformer. evidence_ : what is known of each domain, see `Evidence`.
    learned_ : `evidence` (row, 2 x evidence) of joints that `rule_` was learned from; `fault` ("" = healthy), `domain`,
    `unit` and `cycle` of each.
    rule_ : `FaultDirections`, None without anomalous cycles.
    healthy_ : domain -> mean and spread of both scores over healthy cycles.

    Errors: `UsageError` for a unit without healthy cycles in `fit` or `adapt`.

    >>> from dataclasses import replace
    >>> from jointwatch.core import Channel, Index, Quantity
    >>> rng, phase = np.random.default_rng(0), np.linspace(0, 2 * np.pi, 400)
    >>> worn = np.repeat([0, 1], 12)
    >>> drive = (2 + worn[:, None]) * np.sign(np.cos(phase)) + 0.3 * rng.standard_normal((24, 400))
    >>> values = np.stack([np.sin(phase) + 0 * drive, drive], axis=1)
    >>> session = np.repeat(["1", "2", "3", "4"], 6)
    >>> cycle, zero = np.arange(24).astype(str), np.zeros(24)
    >>> label, one = np.where(worn == 1, "anomalous", "normal"), np.full(24, "a")
    >>> index = Index(one, session, cycle, one, zero, zero + 1, zero, zero, label, np.full(24, ""), worn, zero)
    >>> channels = (Channel(Quantity.POSITION, 1), Channel(Quantity.CURRENT, 1))
    >>> windows = Windows(values, channels, index, float("nan"))
    >>> detector = JointDeviations().fit(windows[:12])  # healthy cycles alone
    >>> bool(detector.score_samples(windows[12:]).min() > detector.score_samples(windows[:12]).max())
    True
    """

    uses_labels = True
    whole_cycles = 1000
    compares_units = True

    def __init__(self, features: Any = None, distance_share: float = 0.3) -> None:
        self.features = features
        self.distance_share = distance_share

    def _fit(self, windows: Windows) -> None:
        self.features_ = PathProfile() if self.features is None else clone(self.features)
        self.features_.fit(windows)
        self.evidence_: dict[str, Evidence] = {}
        self.healthy_: dict[str, list[float]] = {}
        self.learned_: dict[str, np.ndarray] = {}
        for domain in np.unique(windows.index.domain):
            self._learn(windows[windows.index.domain == domain], str(domain))
        self._rule()

    def adapt(self, target: Windows, labelled: Windows | None = None) -> Self:
        """A copy that knows further units, of a new domain or a known one: their baselines from `target`, and what
        labelled cycles show.

        Parameters
        ----------
        target : healthy cycles of every unit that comes in, two sessions of each or more. All are taken as healthy but
            those that `labelled` calls anomalous; their own labels are not looked at.
        labelled : cycles with labels, of domains that are in `target` and units that are there or known. They join all
            others that were learned; a cycle that was learned before is learned anew.

        Errors: `UsageError` for labelled cycles of a domain that is not in `target`, or of a unit without a baseline.
        """
        target = self._checked(target)
        target = replace(target, index=replace(target.index, label=np.full(len(target), "normal")))
        adapted = copy.deepcopy(self)
        if labelled is not None:
            labelled = self._checked(labelled)
            labelled = labelled[labelled.index.label != "uncertain"]
            odd = labelled.index.cycle[labelled.index.label == "anomalous"]
            target = target[~np.isin(target.index.cycle, odd)]
            labelled = labelled[~np.isin(labelled.index.cycle, target.index.cycle)]
        domains = np.unique(target.index.domain)
        if labelled is not None and (strange := set(labelled.index.domain) - set(domains)):
            raise UsageError(f"there are labels of {', '.join(sorted(strange))}, but no healthy cycles to adapt to")
        for domain in domains:
            more = None if labelled is None else labelled[labelled.index.domain == domain]
            adapted._learn(target[target.index.domain == domain], str(domain), more)
        adapted._rule()
        return adapted

    def baseline_scores(self, domain: str) -> tuple[Index, np.ndarray]:
        """The healthy cycles that were learned of a domain, and their scores; a threshold is set on them where there
        are no further ones. Each is held against its unit's *other* sessions and judged by what other units show: the
        rule, what joints have in common, scale and level of the evidence (the spread that single figures are divided
        by is that of all). Of a single unit other sessions stand for other units; where all labels are of the units
        left out the rule is that of all, and so is everything where there is no other session."""
        evidence = self._known(domain)
        index = evidence.index_
        normal = index.label == "normal"
        group = index.unit if len(np.unique(index.unit[normal])) > 1 else index.unit_session
        scores = np.zeros(len(index))
        groups = np.unique(group[normal])
        for part in np.array_split(groups, min(_FOLDS, len(groups))):
            out = np.isin(group, part)
            less = copy.copy(self)
            if (normal & ~out).sum() > 1:
                less.evidence_ = {domain: evidence.measured_on(~out)}
                elsewhere = (self.learned_["domain"] != domain) | ~np.isin(self.learned_["unit"], index.unit[out])
                less.rule_ = self._directions(elsewhere) or self.rule_
                less.healthy_ = {domain: less._level(domain, normal & ~out)}
            scores[out] = less.score_evidence(less.evidence_[domain].crossed(out), domain)
        return index.take(normal), scores[normal]

    def score_evidence(self, table: np.ndarray, domain: str) -> np.ndarray:
        """(cycle,) scores of evidence (cycle, joint, evidence) of a domain that is known."""
        return self._pooled(self._of_table(table, domain))

    def blamed(self, windows: Windows) -> np.ndarray:
        """(window,) number of the joint that is furthest from healthy."""
        found: np.ndarray = self._numbers[self._joints(self._checked(windows)).argmax(axis=1)]
        return found

    def _learn(self, healthy: Windows, domain: str, labelled: Windows | None = None) -> None:
        """Baselines of a domain's units from the windows labelled normal, and rows for the rule from all of them."""
        vectors, index = self.features_.transform(healthy), healthy.index
        if domain in self.evidence_:
            evidence = self.evidence_[domain].with_units(vectors, index)
        else:
            evidence = Evidence.of(vectors, index, self.features_)
        self.evidence_[domain] = evidence
        mine = np.isin(evidence.index_.unit, index.unit)
        parts = [(evidence.crossed(mine), evidence.index_.take(mine))]
        if labelled is not None:
            labelled = labelled[~np.isin(labelled.index.cycle, evidence.index_.cycle)]
        if labelled is not None and len(labelled):
            parts.append((evidence.transform(self.features_.transform(labelled), labelled.index), labelled.index))
        more = [_rows_of(*part, evidence, domain) for part in parts]
        if self.learned_:
            known = self.learned_
            again = np.isin(known["cycle"], np.concatenate([of.cycle for _, of in parts]))
            health = (known["fault"] == "") & np.isin(known["unit"], index.unit)  # told anew; faults stay known
            keep = (known["domain"] != domain) | ~(again | health)
            more.insert(0, {name: column[keep] for name, column in known.items()})
        self.learned_ = {name: np.concatenate([part[name] for part in more]) for name in more[0]}

    def _rule(self) -> None:
        """Directions from all rows; then the healthy level of every domain."""
        self.rule_ = self._directions(np.ones(len(self.learned_["fault"]), bool))
        for domain, evidence in self.evidence_.items():
            self.healthy_[domain] = self._level(domain, evidence.index_.label == "normal")

    def _directions(self, rows: np.ndarray) -> FaultDirections | None:
        """From these rows; None if they do not hold both healthy and faulty ones."""
        fault = self.learned_["fault"][rows]
        one_kind = (fault == "").all() or (fault != "").all()
        return None if one_kind else FaultDirections.of(self.learned_["evidence"][rows], fault)

    def _level(self, domain: str, normal: np.ndarray) -> list[float]:
        """Mean and spread of both scores over these healthy cycles of a domain's evidence."""
        evidence = self.evidence_[domain]
        if not evidence.there.any():
            return [0.0, 1.0, 0.0, 1.0]
        scores = (table[:, evidence.there] for table in self._levels(evidence.crossed(normal), domain))
        return [float(f(table)) for table in scores for f in (np.mean, _spread)]

    def _levels(self, table: np.ndarray, domain: str) -> tuple[np.ndarray, np.ndarray]:
        """(window, joint) log-odds, and logarithm of the mean square of the evidence."""
        distance = np.log(self.evidence_[domain].distance(np.clip(table, -_LIMIT, _LIMIT)) + 1e-6)
        odds = distance if self.rule_ is None else self.rule_.odds(_doubled(table))
        return odds, distance

    def _tables(self, windows: Windows) -> Iterator[tuple[np.ndarray, str, np.ndarray]]:
        """Rows of each domain, its name, and their evidence."""
        for domain in np.unique(windows.index.domain).tolist():
            evidence = self._known(domain)
            rows = np.flatnonzero(windows.index.domain == domain)
            vectors = self.features_.transform(windows[rows])
            yield rows, domain, evidence.transform(vectors, windows.index.take(rows))

    def _known(self, domain: str) -> Evidence:
        if domain not in self.evidence_:
            raise UsageError(
                f"nothing is known of {domain}; adapt with healthy cycles of it. Known: {', '.join(self.evidence_)}"
            )
        return self.evidence_[domain]

    def _joints(self, windows: Windows) -> np.ndarray:
        """(window, joint) scores in healthy standard deviations; -inf where a robot lacks the joint."""
        found = np.full((len(windows), len(self._numbers)), -np.inf)
        for rows, domain, table in self._tables(windows):
            found[rows] = self._of_table(table, domain)
        return found

    def _of_table(self, table: np.ndarray, domain: str) -> np.ndarray:
        """(window, joint) scores of evidence."""
        level = self.healthy_[domain]
        odds, distance = self._levels(table, domain)
        known = 0 if self.rule_ is None else np.count_nonzero(self.learned_["fault"] != "")
        share = 1 - (1 - self.distance_share) * known / (known + _FEW)
        both = (1 - share) * (odds - level[0]) / level[1] + share * (distance - level[2]) / level[3]
        there = self.evidence_[domain].there
        return np.where(there | ~there.any(), both, -np.inf)  # where nothing ever varied all joints are alike

    @property
    def _numbers(self) -> np.ndarray:
        """(joint,) numbers of the joints."""
        return next(iter(self.evidence_.values())).joints

    def _score(self, windows: Windows) -> np.ndarray:
        return self._pooled(self._joints(windows))

    def _contributions(self, windows: Windows) -> np.ndarray:
        return self._assess(windows)[1]

    def _assess(self, windows: Windows) -> tuple[np.ndarray, np.ndarray]:
        """Scores; and each joint's share of the largest, divided among its signals as their evidence is large."""
        scores, parts = np.zeros(len(windows)), np.zeros((len(windows), len(windows.channels)))
        places = list(joint_places([channel.key for channel in windows.channels]).values())
        for rows, domain, table in self._tables(windows):
            evidence, joints = self.evidence_[domain], self._of_table(table, domain)
            scores[rows] = self._pooled(joints)
            share = np.exp(_SHARP * (joints - joints.max(axis=1, keepdims=True)))
            square = np.clip(table, -_LIMIT, _LIMIT) ** 2
            whole, of_signal = np.maximum(square.sum(axis=2), 1e-12), evidence.signal
            for number, signal in enumerate(evidence.names):
                part = square[..., of_signal == number].sum(axis=2) / whole
                for joint, own in enumerate(places):
                    if signal in own:
                        parts[rows, own[signal]] = share[:, joint] * part[:, joint]
        return scores, np.where(windows.presence, parts, 0.0)

    def _pooled(self, joints: np.ndarray) -> np.ndarray:
        return logsumexp(_SHARP * joints, axis=1) / _SHARP


def _rows_of(table: np.ndarray, index: Index, evidence: Evidence, domain: str) -> dict[str, np.ndarray]:
    """What `learned_` holds, of cycles of a domain: a row for each joint of a healthy one and for the faulty joint of
    an anomalous one; the others feel the fault, too."""
    anomalous = index.label == "anomalous"
    far = evidence.joints[np.where(evidence.there, evidence.distance(table), -1).argmax(axis=1)]
    mine = np.where(index.joint == 0, far, index.joint)[:, None] == evidence.joints
    cycle, joint = np.nonzero(evidence.there & (~anomalous[:, None] | mine))
    fault = np.where(anomalous, np.where(index.fault == "", _UNNAMED, index.fault), "")
    return {
        "evidence": _doubled(table[cycle, joint]).astype(np.float32),
        "fault": fault[cycle],
        "domain": np.full(len(cycle), domain),
        "unit": index.unit[cycle],
        "cycle": index.cycle[cycle],
    }


def _doubled(table: np.ndarray) -> np.ndarray:
    """Evidence and its size, clipped."""
    table = np.clip(table, -_LIMIT, _LIMIT)
    return np.concatenate([table, np.abs(table)], axis=-1)


def _spread(values: np.ndarray) -> float:
    return max(float(np.std(values)), 1e-9)
