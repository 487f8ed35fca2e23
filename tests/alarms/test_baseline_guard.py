from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

from jointwatch.alarms.baseline_guard import BaselineGuard
from jointwatch.alarms.conformal import ConformalThreshold
from jointwatch.core import Scores
from jointwatch.core.errors import NotEnoughData, UsageError
from jointwatch.detectors.base import as_windows
from jointwatch.detectors.knn import Knn
from jointwatch.detectors.mahalanobis import Mahalanobis

CLEAN: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "normal": lambda rng, n: rng.normal(5, 1, n),
    "normal, all scores negative": lambda rng, n: rng.normal(-50, 1, n),
    "gamma, shape 0.5": lambda rng, n: rng.gamma(0.5, size=n),
    "gamma, shape 20": lambda rng, n: rng.gamma(20, size=n),
    "log-normal, sigma 0.5": lambda rng, n: rng.lognormal(0, 0.5, n),
    "log-normal, sigma 1.5": lambda rng, n: rng.lognormal(0, 1.5, n),
    "t, 5 degrees of freedom": lambda rng, n: rng.standard_t(5, n),
    "two ways of doing the task": lambda rng, n: rng.normal(0, 1, n) + 5.0 * rng.integers(2, size=n),
    "whole numbers": lambda rng, n: rng.poisson(9, n).astype(float),
}


@pytest.mark.parametrize("count", [20, 100, 400])
@pytest.mark.parametrize("family", list(CLEAN))
def test_clean_baselines_are_named_no_more_often_than_stated(family: str, count: int) -> None:
    rng = np.random.default_rng(1)
    draws = 500
    guard = BaselineGuard(false_naming_rate=0.01)
    named = sum(bool(guard.check(CLEAN[family](rng, count)).odd) for _ in range(draws))
    assert named <= stats.binom.ppf(0.999, draws, 0.01)


def test_tails_without_variance_are_named_a_few_times_as_often_at_most() -> None:
    rng = np.random.default_rng(1)
    named = sum(bool(BaselineGuard(0.01).check(rng.standard_t(2, 300)).odd) for _ in range(500))
    assert named <= stats.binom.ppf(0.999, 500, 0.04)


def windows(seed: int, count: int, rough: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    gain = 1 + 0.05 * rng.standard_normal((count, 1, 1))
    values = gain * np.sin(np.linspace(0, 6, 50)) + 0.1 * rng.standard_normal((count, 3, 50))
    values[:, 1] += rough * rng.standard_normal((count, 50))
    return values


def test_one_odd_cycle_ruins_recall_unseen_by_auroc_and_the_guard_restores_it() -> None:
    detector = Mahalanobis().fit(windows(0, 200))
    healthy, faulty = windows(1, 300), windows(2, 300, rough=0.4)
    calibration = windows(3, 100)
    calibration[41] = windows(4, 1, rough=0.8)[0]
    scores = detector.score_samples(calibration)
    fault_scores = detector.score_samples(faulty)
    auroc = roc_auc_score(np.repeat([0, 1], 300), np.r_[detector.score_samples(healthy), fault_scores])
    assert auroc > 0.9999
    spoilt = ConformalThreshold(0.01).fit(scores)
    assert spoilt.decide(fault_scores).mean() < 0.01

    report = BaselineGuard().check(scores)
    assert [cycle.row for cycle in report.odd] == [41]
    assert report.odd[0].sigmas > 20
    mended = ConformalThreshold(0.01).fit(report.exclude(scores))
    assert mended.calibration_cycles_ == 99
    assert mended.decide(fault_scores).mean() > 0.99
    assert mended.decide(detector.score_samples(healthy)).mean() < 0.04


@pytest.mark.parametrize("odd", [1, 2, 5, 10])
def test_several_odd_cycles_do_not_hide_one_another(odd: int) -> None:
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(20):
        scores = rng.gamma(50, 0.02, size=100)
        rows = rng.choice(100, odd, replace=False)
        scores[rows] = 12 * rng.lognormal(0, 0.05, odd)
        report = BaselineGuard().check(scores)
        found += {cycle.row for cycle in report.odd} == set(rows.tolist())
        if odd > 1:
            assert f"one of {odd} cycles that stand apart together" in report.odd[0].reason
    assert found == 20


def test_location_and_unit_of_the_score_do_not_matter() -> None:
    scores = np.random.default_rng(0).gamma(20, size=100)
    scores[5] = 200
    reports = [BaselineGuard().check(a * scores + b) for a, b in ((1.0, 0.0), (1e-6, 0.0), (1.0, -500.0), (40.0, 1e3))]
    assert all([cycle.row for cycle in report.odd] == [5] for report in reports)
    np.testing.assert_allclose([report.odd[0].sigmas for report in reports], reports[0].odd[0].sigmas)


def test_low_scores_are_never_odd() -> None:
    scores = 100 + np.random.default_rng(0).normal(size=100)
    scores[3] = -1e3
    assert BaselineGuard().check(scores).odd == ()


def test_report_names_cycles_and_leaves_them_in_unless_asked(scored: Callable[..., Scores]) -> None:
    value = np.random.default_rng(0).gamma(50, 0.02, size=120)
    value[60] = 20.0
    cycle = np.char.add("monday/", (np.arange(120) // 2).astype(str))  # two windows a cycle
    scores = scored(value, cycle=cycle)
    report = BaselineGuard().check(scores)
    assert (report.cycles, report.judged) == (60, True)
    assert [odd.cycle for odd in report.odd] == ["monday/30"]
    assert "robust sigmas above the median" in report.odd[0].reason
    assert "monday/30" in str(report)
    assert len(scores) == 120
    kept = report.exclude(scores)
    assert len(kept) == 59
    assert "monday/30" not in kept.index.cycle
    with pytest.raises(UsageError, match="judged 60 cycles, got 10"):
        report.exclude(np.zeros(10))
    named = BaselineGuard().check(value, names=[f"run {i}" for i in range(120)])
    assert named.odd[0].cycle == "run 60"


def test_excluding_a_cycle_too_many_says_so_instead_of_a_quiet_threshold() -> None:
    scores = np.random.default_rng(0).gamma(50, 0.02, size=99)
    scores[0] = 30
    with pytest.raises(NotEnoughData, match="1 more healthy cycles"):
        ConformalThreshold(0.01).fit(BaselineGuard().check(scores).exclude(scores))


def test_what_cannot_be_judged_is_said_not_to_be() -> None:
    few = BaselineGuard().check(np.r_[np.ones(18), 99.0])
    assert (few.judged, few.odd) == (False, ())
    assert "at least 20 are needed" in few.note
    equal = BaselineGuard().check(np.r_[np.ones(60), 99.0])
    assert not equal.judged
    assert "half of the scores are equal" in equal.note
    assert not BaselineGuard().check(np.empty(0)).judged


def test_a_training_cycle_is_judged_by_a_detector_that_never_saw_it() -> None:
    values = windows(0, 60)
    values[17] = windows(4, 1, rough=0.8)[0]
    data = as_windows(values)
    detector = Knn()
    own = BaselineGuard().check(clone(detector).fit(data).detect(data))
    assert all(cycle.row != 17 for cycle in own.odd) or own.odd[0].sigmas < 60
    report = BaselineGuard().check_training(detector, data)
    assert [cycle.cycle for cycle in report.odd] == ["17"]
    assert not hasattr(detector, "channels_")
    assert BaselineGuard().check_training(detector, as_windows(windows(5, 60))).odd == ()
    with pytest.raises(NotEnoughData, match="groups"):
        BaselineGuard().check_training(detector, data, groups=np.zeros(60))


@pytest.mark.parametrize(
    "call",
    [
        lambda: BaselineGuard(false_naming_rate=0).check(np.ones(30)),
        lambda: BaselineGuard(max_share=0.6).check(np.ones(30)),
        lambda: BaselineGuard().check(np.r_[np.ones(30), np.nan]),
        lambda: BaselineGuard().check(np.ones((30, 2))),
        lambda: BaselineGuard().check(np.ones(30), names=["a"]),
    ],
)
def test_refuses_what_makes_no_sense(call: Callable[[], object]) -> None:
    with pytest.raises(UsageError):
        call()
