"""Joints against their own past: what it learns on one robot means the same on another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from jointwatch.core import Channel, Index, Quantity, Windows
from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.detectors._fault_directions import FaultDirections
from jointwatch.detectors.joint_deviations import JointDeviations
from jointwatch.features._path_profile import PathProfile
from jointwatch.transfer.normalisation import Normalisation

LENGTH = 300


def fleet(brand: str, joints: int, gain: float, seed: int, units: int = 4, healthy: bool = False) -> Windows:
    """Cycles of units with friction of their own, which wear raises by a quarter on one joint of every second
    session; the part of a session weighs on all joints."""
    rng = np.random.default_rng(seed)
    time = np.linspace(0, 2 * np.pi, LENGTH)
    values, columns = [], []
    for unit in range(units):
        friction = gain * (1 + 0.4 * rng.random(joints))
        for session in range(4 if healthy else 8):
            worn = int(rng.integers(1, joints + 1)) if session % 2 and not healthy else 0
            level = 1 + 0.03 * rng.standard_normal()
            for cycle in range(3):
                position = np.stack([np.sin(time + 0.3 * j) for j in range(joints)])
                way = np.sign(np.stack([np.cos(time + 0.3 * j) for j in range(joints)]))
                more = 1 + 0.25 * (np.arange(1, joints + 1) == worn)
                drive = (friction * more * level)[:, None] * way + gain * 0.2 * rng.standard_normal((joints, LENGTH))
                rows = np.zeros((2 * 4, LENGTH))
                rows[: 2 * joints : 2], rows[1 : 2 * joints : 2] = position, drive
                values.append(rows)
                label = "anomalous" if worn else "normal"
                columns.append((f"{brand}-{unit}", f"s{session}", f"{brand}/{unit}/{session}/{cycle}", label, worn))
    unit_, session_, cycle_, label_, joint_ = (np.array(column) for column in zip(*columns, strict=True))
    zero = np.zeros(len(values))
    index = Index(
        unit_, session_, cycle_, np.full(len(values), brand), zero, zero + 1, zero, zero + 1, label_,
        np.where(joint_ > 0, "wear", ""), joint_, zero,
    )  # fmt: skip
    channels = tuple(Channel(q, j) for j in range(1, 5) for q in (Quantity.POSITION, Quantity.CURRENT))
    mask = np.repeat([[channel.joint <= joints for channel in channels]], len(values), axis=0)
    return Windows(np.array(values), channels, index, float("nan"), mask)


@pytest.fixture(scope="module")
def source() -> Windows:
    return fleet("small", joints=3, gain=1.0, seed=0)


@pytest.fixture(scope="module")
def carried(source: Windows) -> JointDeviations:
    return JointDeviations().fit(source)


def test_labels_of_one_robot_serve_another_with_more_joints_and_another_scale(carried: JointDeviations) -> None:
    target = fleet("large", joints=4, gain=30.0, seed=1)
    known = np.isin(target.index.session, ["s0", "s2"])
    detector = carried.adapt(target[known])
    judged = target[~known]
    worn = judged.index.label == "anomalous"
    assert roc_auc_score(worn, detector.score_samples(judged)) > 0.95
    assert (detector.blamed(judged[worn]) == judged.index.joint[worn]).mean() > 0.9
    parts = detector.explain(judged[worn])
    assert parts is not None
    of = np.array([channel.joint for channel in judged.channels])
    assert (of[parts.argmax(axis=1)] == judged.index.joint[worn]).mean() > 0.9
    with pytest.raises(UsageError, match="large"):
        carried.score_samples(judged)


def test_what_the_target_says_of_its_labels_is_not_asked_for(carried: JointDeviations) -> None:
    target = fleet("large", joints=4, gain=30.0, seed=1)
    known = target[np.isin(target.index.session, ["s0", "s1", "s2"])]
    other = np.where(known.index.label == "normal", "uncertain", "normal")
    scrambled = replace(known, index=replace(known.index, label=other))
    once = carried.adapt(known).score_samples(target)
    assert np.array_equal(once, carried.adapt(scrambled).score_samples(target))
    assert "large" not in carried.evidence_


def test_healthy_cycles_alone_give_a_detector_and_a_threshold() -> None:
    healthy = fleet("small", joints=3, gain=1.0, seed=2, healthy=True)
    detector = JointDeviations().fit(healthy)
    index, scores = detector.baseline_scores("small")
    assert len(scores) == len(healthy) == len(index)
    worn = fleet("small", joints=3, gain=1.0, seed=2)  # the same units: their friction is drawn first
    own = worn[(worn.index.unit == "small-0") & (worn.index.label == "anomalous")]
    assert np.median(detector.score_samples(own)) > np.quantile(scores, 0.9)


def test_of_a_robot_with_one_faulty_joint_the_others_are_not_learned(carried: JointDeviations, source: Windows) -> None:
    worn = int((source.index.label == "anomalous").sum())
    assert int((carried.learned_["fault"] != "").sum()) == worn
    assert len(carried.learned_["fault"]) == 3 * int((source.index.label == "normal").sum()) + worn


class Watched(JointDeviations):
    """Tells which rows the rule, the scale and the level of each part of a threshold come from."""

    __module__ = JointDeviations.__module__

    def _directions(self, rows: np.ndarray) -> FaultDirections | None:
        self.seen.append({"rule": set(self.learned_["unit"][rows & (self.learned_["domain"] == "large")])})
        return super()._directions(rows)

    def _level(self, domain: str, normal: np.ndarray) -> list[float]:
        evidence = self.evidence_[domain]
        alike = evidence.measured_on(normal)
        self.seen[-1]["level"] = set(evidence.index_.unit[normal])
        self.seen[-1]["scale"] = np.array_equal(alike.scale, evidence.scale)
        return super()._level(domain, normal)


def test_a_threshold_is_set_by_what_other_units_show(source: Windows) -> None:
    target = fleet("large", joints=4, gain=30.0, seed=1, units=6)
    known = np.isin(target.index.session, ["s0", "s2"])
    detector = Watched()
    detector.seen = []
    detector = detector.fit(source).adapt(target[known], labelled=target[~known & (target.index.unit < "large-4")])
    detector.seen.clear()
    index, scores = detector.baseline_scores("large")
    evidence = detector.evidence_["large"]
    assert np.array_equal(index.cycle, evidence.index_.cycle)
    units = set(index.unit)
    assert [part["rule"] for part in detector.seen] == [part["level"] for part in detector.seen]
    assert all(part["scale"] and part["level"] < units for part in detector.seen)
    assert set.union(*(units - part["level"] for part in detector.seen)) == units
    within = detector.score_evidence(evidence.crossed(np.ones(len(index), bool)), "large")
    assert np.quantile(scores, 0.9) > np.quantile(within, 0.9)  # what was learned from looks too healthy


def test_of_a_single_unit_other_sessions_set_the_threshold() -> None:
    healthy = fleet("small", joints=3, gain=1.0, seed=2, units=1, healthy=True)
    detector = JointDeviations().fit(healthy)
    evidence = detector.evidence_["small"]
    within = detector.score_evidence(evidence.crossed(np.ones(len(healthy), bool)), "small")
    assert detector.baseline_scores("small")[1].max() > within.max()


def test_a_new_unit_of_a_known_brand_joins_the_others(source: Windows) -> None:
    more = fleet("small", joints=3, gain=1.0, seed=7, units=5)
    new = more[more.index.unit == "small-4"]
    first = JointDeviations().fit(source)
    both = first.adapt(new[np.isin(new.index.session, ["s0", "s2"])])
    assert both.rule_ is not None
    assert (both.learned_["fault"] != "").sum() == (first.learned_["fault"] != "").sum()
    judged = new[~np.isin(new.index.session, ["s0", "s2"])]
    assert roc_auc_score(judged.index.label == "anomalous", both.score_samples(judged)) > 0.95
    odd = source.index.label == "anomalous"
    assert roc_auc_score(odd, both.score_samples(source)) > 0.95
    again = both.adapt(new[np.isin(new.index.session, ["s0", "s2"])])
    assert np.allclose(again.score_samples(judged), both.score_samples(judged))


def test_labels_of_units_that_come_again_stay_and_none_is_learned_twice(source: Windows) -> None:
    healthy, odd = source[source.index.label == "normal"], source[source.index.label == "anomalous"]
    first = JointDeviations().fit(source)

    def known(detector: JointDeviations) -> tuple[int, int]:
        fault = detector.learned_["fault"]
        return int((fault == "").sum()), int((fault != "").sum())

    assert known(first.adapt(healthy)) == known(first)
    assert known(first.adapt(healthy, labelled=source)) == known(first)
    of_one = healthy[healthy.index.unit == "small-0"]
    assert known(first.adapt(of_one, labelled=odd).adapt(of_one, labelled=source)) == known(first)


def test_the_signal_that_changed_is_blamed(source: Windows) -> None:
    detector = JointDeviations().fit(source)
    odd = source[source.index.label == "anomalous"]
    parts = detector.detect(odd).contributions
    assert parts is not None
    named = [odd.channels[place] for place in parts.argmax(axis=1)]
    assert [channel.quantity for channel in named] == [Quantity.CURRENT] * len(odd)
    assert np.mean([channel.joint == joint for channel, joint in zip(named, odd.index.joint, strict=True)]) > 0.9


def test_of_a_fault_whose_joint_is_not_told_the_furthest_joint_is_learned(source: Windows) -> None:
    told = JointDeviations().fit(source)
    untold = JointDeviations().fit(replace(source, index=replace(source.index, joint=np.zeros(len(source), np.int64))))
    assert (untold.learned_["fault"] != "").sum() == (told.learned_["fault"] != "").sum()
    assert (untold.learned_["evidence"] == told.learned_["evidence"]).all(axis=1).mean() > 0.9


def test_the_fewer_labels_the_more_the_distance_weighs(source: Windows) -> None:
    healthy = source[source.index.label == "normal"]
    alone = JointDeviations().fit(healthy)
    odd = source[source.index.label == "anomalous"]

    def gap(detector: JointDeviations) -> float:
        return 1 - np.corrcoef(alone.score_samples(source), detector.score_samples(source))[0, 1]

    gaps = [gap(alone.adapt(healthy, labelled=odd[:count])) for count in (1, 6, 40)]
    assert gaps == sorted(gaps)


def test_what_cannot_be_compared_is_told(source: Windows) -> None:
    _, first = np.unique(source.index.unit, return_index=True)
    with pytest.raises(NotEnoughData, match="one unit"):
        JointDeviations().fit(source[first])
    strange = replace(source, index=replace(source.index, domain=np.full(len(source), "strange")))
    with pytest.raises(UsageError, match="labels of strange"):
        JointDeviations().fit(source).adapt(source, labelled=strange)
    with pytest.raises(UsageError, match="multiple of 8"):
        JointDeviations(PathProfile(bins=12)).fit(source)


def test_cycles_labelled_normal_are_baselines_and_odd_ones_are_not(carried: JointDeviations) -> None:
    target = fleet("large", joints=4, gain=30.0, seed=1)
    told = carried.adapt(target, labelled=target)
    apart = target.index.label == "normal"
    assert np.array_equal(told.evidence_["large"].index_.cycle, target.index.cycle[apart])
    expected = carried.adapt(target[apart], labelled=target[~apart])
    assert np.array_equal(told.score_samples(target), expected.score_samples(target))


def test_a_unit_without_healthy_cycles_is_named(source: Windows) -> None:
    odd = source[(source.index.unit != "small-2") | (source.index.label == "anomalous")]
    with pytest.raises(UsageError, match="small-2"):
        JointDeviations().fit(odd)


def test_normalisation_brings_the_target_s_units_in(source: Windows) -> None:
    target = fleet("large", joints=4, gain=30.0, seed=1)
    known = np.isin(target.index.session, ["s0", "s2"])
    ready = Normalisation(JointDeviations()).fit(source).adapt(target[known])
    judged = target[~known]
    assert roc_auc_score(judged.index.label == "anomalous", ready.score_samples(judged)) > 0.95


def test_faults_that_point_opposite_ways_are_both_found() -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((300, 4)) * [1, 1, 5, 1]
    fault = np.repeat(["", "more", "less"], 100)
    rows[100:200, 0] += 3
    rows[200:, 0] -= 3
    odds = FaultDirections.of(rows, fault).odds
    assert roc_auc_score(fault != "", odds(rows)) > 0.95
    one = FaultDirections.of(rows, np.where(fault == "", "", "odd")).odds
    assert roc_auc_score(fault != "", one(rows)) < 0.8
    assert np.allclose(odds(rows[None] + [0, 0, 1, 0]), odds(rows), atol=0.5)  # what healthy rows vary in anyway
