"""Strategy 3 changes what it says, and is worth it on an arm whose signals have another shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from jointwatch.core import Windows, catalog
from jointwatch.core.errors import UsageError
from jointwatch.detectors.cnn import Cnn
from jointwatch.transfer.batch_norm import BatchNorm
from jointwatch.transfer.normalisation import Normalisation

Arms = Callable[..., Windows]
SMALL: dict[str, Any] = {"filters": (12, 12, 16), "batch_size": 32, "learning_rate": 5e-3, "bfloat16": False}


def auroc(strategy: Any, test: Windows) -> float:
    return float(roc_auc_score(test.index.label == "anomalous", strategy.score_samples(test)))


@pytest.fixture(scope="module")
def strategy(arms: Arms) -> BatchNorm:
    return BatchNorm(Cnn(**SMALL, epochs=12), learning_rate=5e-3).fit(arms(cycles=30, faulty=(3, 9, 15, 21, 27)))


def test_only_batch_norms_and_classifier_change(strategy: BatchNorm, arms: Arms) -> None:
    before = {name: value.clone() for name, value in strategy.detector_.network_.state_dict().items()}
    adapted = strategy.adapt(arms(1, "other"))
    here, there = strategy.detector_.network_, adapted.detector_.network_
    assert all(torch.equal(value, before[name]) for name, value in here.state_dict().items())
    allowed = set(there.part("batch_norm")) | {name for name in before if "running" in name or "tracked" in name}
    names = {name for name, value in there.state_dict().items() if not torch.equal(value, before[name])}
    assert names <= allowed
    assert set(there.part("batch_norm")) <= names
    assert {name for name in before if "running" in name} <= names


def test_adapting_beats_not_adapting(strategy: BatchNorm, arms: Arms) -> None:
    """Three arms the source never saw; labels of a few cycles. Not adapting = the source's z-score and network."""
    gains = []
    for seed, brand in enumerate(("brand-a", "brand-b", "brand-c")):
        target = arms(10 + seed, brand, cycles=20)
        labelled = arms(20 + seed, brand, cycles=12, faulty=(1, 4, 7, 10))
        test = arms(30 + seed, brand, cycles=30, faulty=tuple(range(0, 30, 3)))
        adapted = auroc(strategy.adapt(target, labelled), test)
        unadapted = auroc(strategy.detector_, test)
        gains.append(adapted - unadapted)
        assert adapted > 0.8
    assert np.mean(gains) > 0.15


def test_labelled_windows_of_one_class_are_used(strategy: BatchNorm, arms: Arms) -> None:
    target = arms(1, "other")
    some = arms(2, "other", faulty=(0, 2, 4))
    healthy, odd = some.normal(), some[some.index.label == "anomalous"]
    test = arms(3, "other", faulty=(1, 4, 7))
    alone = strategy.adapt(target).score_samples(test)
    with_healthy, with_odd = (strategy.adapt(target, part).score_samples(test) for part in (healthy, odd))
    assert not np.array_equal(alone, with_healthy)
    assert not np.array_equal(alone, with_odd)
    # a cycle that is said to be anomalous is not taken for healthy at the same time
    both = Windows.concatenate([target, odd])
    adapted = strategy.adapt(both, odd)
    assert (adapted.score_samples(odd) > np.median(adapted.score_samples(target))).all()


def test_a_detector_without_a_network_is_refused_by_name(arms: Arms) -> None:
    detector = catalog.load("detectors", "mahalanobis")()
    with pytest.raises(UsageError, match=r"Mahalanobis has no network.*cnn"):
        BatchNorm(detector).fit(arms())
    assert Normalisation(detector).fit(arms()).name == "normalisation"
